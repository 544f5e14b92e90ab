"""What the response functions of like places say of a site's days, for models that are not trained by gradients."""

import numpy as np
import torch
from numpy.typing import NDArray

from ..config.raci import RetrievalConfig
from ..contracts import TrainingView
from .bank import Bank
from .look_up import Neighbourhood
from .responses import ResponseBasis

# Distance beyond that of the nearest at which a neighbour weighs 1/e: in descriptors, and in the logarithm of distance.
NEARNESS = {"functional": 0.5, "geographic": 0.5}
NEAR_KM = 100.0  # below which one kilometre more or less hardly counts

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


class NeighbourFlux:
    """The flux that a site's neighbours would have under its own weather, day by day.

    Each neighbour's response function is evaluated at the query's drivers up to the day, and the answers are averaged
    with weights that fall with distance. Nothing is learned, so nothing can be memorised: over a hundred-odd towers
    learned attention tells one from the other. Who is hidden from whom is the bank's affair (``Bank.look_up``).

    Parameters
    ----------
    bank : training sites and their response functions.
    view : the sites that are asked about.
    same_cube : as for ``Bank.look_up``.
    roles : roles whose neighbours are asked.
    neighbours : neighbours of each role.
    """

    def __init__(self, bank: Bank, view: TrainingView, same_cube: bool, config: RetrievalConfig) -> None:
        found = bank.look_up(view, config, same_cube).found
        asked = [(role, kind) for role in config.roles for kind in config.kinds]
        functions = [_functions(bank, found[each].index, _nearness(found[each], each[1])) for each in asked]
        self.view, self.basis = view, ResponseBasis(view.layout)
        self.functions = torch.from_numpy(np.concatenate(functions, axis=1))  # (site, role * kind * target, term)
        targets = view.layout.targets
        self.names = tuple(f"{target}_of_{kind}_{role}_neighbours" for role, kind in asked for target in targets)

    def of_site(self, site: int | np.int64) -> Floats:
        """Return the scaled flux (day, role * kind * target) of one site's days; NaN where no neighbour may be seen."""
        fast, mask = self.view.fast[site][None], self.view.fast_mask[site][None].astype(np.float32)
        terms = self.basis(torch.from_numpy(fast), torch.from_numpy(mask))[0]
        return np.asarray((terms @ self.functions[site].T).numpy())


def _functions(bank: Bank, index: NDArray[np.int64], nearness: Doubles) -> Floats:
    """Average the coefficients (site, target, term) of those neighbours that measured the flux."""
    weight = nearness[..., None] * (bank.evidence[index] > 0)  # (site, neighbour, target)
    total = weight.sum(1)
    mean = np.einsum("snt,sntk->stk", weight, bank.coefficients[index]) / np.maximum(total, 1e-12)[..., None]
    return np.where(total[..., None] > 0, mean, np.nan).astype(np.float32)


def _nearness(found: Neighbourhood, kind: str) -> Doubles:
    """Return how much each neighbour counts (site, neighbour), the nearest by 1; nobody counts by 0."""
    measure = found.functional if kind == "functional" else np.log1p(found.km / NEAR_KM)
    distance = np.where(found.present, measure, np.inf)
    nearest = distance.min(1, keepdims=True)
    beyond = distance - np.where(np.isfinite(nearest), nearest, 0.0)
    return np.asarray(np.exp(-beyond / NEARNESS[kind]))
