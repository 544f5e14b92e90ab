"""raciflux: role-aware conditional inference of ecosystem carbon fluxes."""

import os

# Idle OpenMP threads sleep instead of spinning. A recurrent network has thousands of tiny parallel regions a step:
# where another process wants one of the cores, spinning slows training by far more than the core's share
# (benchmarks/speed/README.md). It only works before torch loads OpenMP, hence here; whoever sets the variable keeps
# their choice.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
