"""What model answers used and what they cost."""
