"""What a model knows, and what it costs."""
