"""Nested partitions of an image as bytes: what a row keeps of a `Hierarchy`; see `code`."""
