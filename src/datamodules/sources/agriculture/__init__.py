"""Croplands: AgroFlux's arrays (arXiv 2602.01614), and PyKGML's serialised dictionaries."""
