"""One trial of a real agent behind the guard."""
