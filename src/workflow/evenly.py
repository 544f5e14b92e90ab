"""Of many sites so many as tell enough: what is asked of each at the end of a fold would outlast its training."""

import numpy as np
from numpy.typing import NDArray

SITES = 500


def evenly(sites: NDArray[np.int64]) -> NDArray[np.int64]:
    """Take ``SITES`` of the places at most, evenly over their order."""
    return sites if len(sites) <= SITES else sites[np.linspace(0, len(sites) - 1, SITES).astype(np.int64)]
