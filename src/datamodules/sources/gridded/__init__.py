"""Fields on a grid of latitudes and longitudes, in CF NetCDF or Zarr: process models, inversions, weather."""
