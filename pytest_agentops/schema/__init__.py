"""Ground floor: the words of the design as types, and the pure functions on JSON values that every room uses."""
