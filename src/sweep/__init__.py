"""Many runs from one command: a grid of points, checked before any starts, run here or as one Slurm job array."""
