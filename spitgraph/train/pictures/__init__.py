"""Labelled pictures, from folders, arrays and data sets of Hugging Face."""
