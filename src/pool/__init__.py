"""The pool: many sources harmonised into cubes, with a catalogue, an audit and the citations they ask for."""
