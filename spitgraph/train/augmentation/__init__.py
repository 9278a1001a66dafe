"""How training pictures are changed before they become tokens."""
