"""Run agents' eval cases as pytest tests: recorded, guarded, replayed offline."""
