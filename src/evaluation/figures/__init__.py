"""Figures of a run as PNG."""
