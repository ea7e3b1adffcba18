"""The membrane that keeps secrets out of files, prints and models."""
