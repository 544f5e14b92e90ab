"""Places like the one asked about: who is stored, who may see whom, and how what they know becomes context."""
