"""Scores, tables, figures and the report of a run: all of it read from the run folder, never from live objects."""
