"""Real conversations become cases: one run a line in, one suite and one cassette folder a run out (design section 9)."""
