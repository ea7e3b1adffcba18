"""The command pytest-agentops."""
