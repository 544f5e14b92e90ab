"""Models compared on one test set: resampled clusters and seeds, differences, ensembles."""
