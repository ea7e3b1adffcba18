"""The linter: what is wrong, or likely not meant, in policies; exact over a decision table, partial only where it says so."""
