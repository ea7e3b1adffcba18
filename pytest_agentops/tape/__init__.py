"""Recordings of tool calls: format, matching, replay, misses."""
