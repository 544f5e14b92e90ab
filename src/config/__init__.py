"""The configuration: schema, composition, checks and help."""
