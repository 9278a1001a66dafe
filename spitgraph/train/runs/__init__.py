"""Training runs: options in, a folder with weights and numbers out."""
