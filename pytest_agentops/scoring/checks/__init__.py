"""One module a check; its name is the key under `expect`."""
