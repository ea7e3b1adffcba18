"""Strict YAML suites to variants."""
