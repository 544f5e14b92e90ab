"""The embedded world: weather, process models and tower observation, made from a seed."""
