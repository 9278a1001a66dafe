"""Examples, and batches of them: the same on any machine."""
