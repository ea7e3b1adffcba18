"""The model layer of a cassette: what the agent's own clients sent over HTTP, and what they were answered."""
