"""Agents' tools: contracts, and the toolbox that an agent is handed."""
