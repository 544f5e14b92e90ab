"""X-MethaneWet (arXiv 2505.18355): TEM-MDM's global grids and the FLUXNET-CH4 towers, in their published layout."""
