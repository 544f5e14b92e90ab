"""What a user would pick instead: one file a model."""
