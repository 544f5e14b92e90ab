"""Encoders: the place, the slow regime, and the fast days under it."""
