"""Policy as code: files of rules, and the pure decision about one call. No I/O but reading files, no clock, no state."""
