"""The functions by which a site's flux answers its drivers: what they are made of, on any site and day alike.

A response is a sum of two surfaces and a few slopes, linear in its coefficients: flux over light, temperature and
dryness of the same day; flux over light and the warmth of the last two weeks (the canopy's state); slopes on the other
drivers and on the recent means of all. Surfaces are held by their values at a coarse grid of driver conditions, linear
in between, and constant beyond it: whatever the weather, no response leaves the range of its nodes.
"""

from collections.abc import Iterable, Sequence
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from ..contracts import Layout

# of each axis the first driver that there is; where no dryness of the air is known, water stands the other way round
AXES = {"light": ("SW", "PPFD"), "temperature": ("TA",), "water": ("VPD", "WTD", "P")}
NODES = {"light": (-1.25, 0.0, 1.25), "temperature": (-1.25, 0.0, 1.25), "water": (-1.0, 0.5, 2.0)}  # scaled
NODES_OF_AXIS = 3
RECENT_DAYS = 15
REACH = 3.0  # slopes end at so many standard deviations of a driver
SMOOTH = 2.0  # distance over which a surface keeps its value, in standard deviations of a driver
SLOPE = 0.1  # prior variance of a slope
DRY, SPELL = 1.0, 1.0  # how far from the mean the reference conditions of dryness and of a warm spell are


class ResponseBasis(nn.Module):
    """Turns drivers into the terms whose weighted sum is a response, with the prior on those weights.

    All drivers, nodes and fluxes are scaled. The prior is a Gaussian process at the nodes (squared-exponential kernel,
    Rasmussen and Williams 2006, section 4.2): where a site has seen no weather of a kind, its response there follows
    from the kinds nearest to it, and falls back to 0, the mean of training, far from all it has seen. The first
    ``nodes`` terms are those of the first surface, the weather of the day.
    """

    precision: Tensor  # (term, term) of the prior, float64
    references: Tensor  # (condition, term) terms of the reference conditions, float64
    grid: Tensor  # (axis, node) the axes of the first surface, then recent temperature where there is a temperature

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        found = {axis: [layout.fast.index(n) for n in names if n in layout.fast] for axis, names in AXES.items()}
        self.axes = {axis: places[0] for axis, places in found.items() if places}
        self.warm = "temperature" in self.axes
        canopy = [axis for axis in ("light", "temperature") if axis in self.axes] if self.warm else []
        drivers, on_axis = len(layout.fast), set(self.axes.values())
        today = [place for place in range(drivers) if place not in on_axis]
        recent = [drivers + place for place in range(drivers) if place != self.axes.get("temperature")]
        self.nodes = NODES_OF_AXIS ** len(self.axes)
        self.slopes = _runs(today + recent)  # among today's drivers followed by the recent ones
        grid = [NODES[axis] for axis in (*self.axes, *(["temperature"] if self.warm else []))]
        tensors = {
            "grid": torch.tensor(grid, dtype=torch.float64).reshape(-1, NODES_OF_AXIS),
            # the first surface carries the site's level, the second departs from it
            "precision": _precision(
                [_kernel(list(self.axes)) + 1.0, *([_kernel(canopy)] if canopy else [])], recent + today
            ),
        }
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor, persistent=False)
        self.register_buffer("references", self._references(drivers), persistent=False)

    @property
    def terms(self) -> int:
        """Number of terms, hence of coefficients of a response."""
        return len(self.precision)

    @property
    def conditions(self) -> int:
        """Number of reference conditions."""
        return len(self.references)

    def forward(self, fast: Tensor, mask: Tensor) -> Tensor:
        """Return the terms (record, day, term) of drivers (record, day, driver); days after a day are not looked at."""
        return self._terms(fast, recent_mean(fast, mask))

    def _terms(self, today: Tensor, recent: Tensor) -> Tensor:
        both = torch.cat([today, recent], dim=-1)
        on_axes = [today[..., place] for place in self.axes.values()]
        on_axes += [recent[..., self.axes["temperature"]]] if self.warm else []
        hats = self._hats(torch.stack(on_axes, dim=-1)) if on_axes else None
        surfaces = [_product(hats, range(len(self.axes)), today)]
        if self.warm:
            light = [place for place, axis in enumerate(self.axes) if axis == "light"]
            surfaces.append(_product(hats, [*light, len(self.axes)], today))
        inside = both.clamp(-REACH, REACH)
        return torch.cat([*surfaces, *(inside[..., run] for run in self.slopes)], dim=-1)

    def _hats(self, x: Tensor) -> Tensor:
        """Weights (..., axis, node) of linear interpolation along each axis, of values (..., axis)."""
        grid = self.grid.to(x.dtype)
        inside = torch.minimum(torch.maximum(x, grid[:, 0]), grid[:, -1])
        return relu(1 - (inside[..., None] - grid).abs() / (grid[:, 1] - grid[:, 0])[:, None])

    def _references(self, drivers: int) -> Tensor:
        """Light by temperature, their weather lasting; then dry and wet, and after a cold and a warm spell."""
        rows, recents = [], []
        grid = [NODES[axis] for axis in ("light", "temperature") if axis in self.axes]
        for levels in product(*grid):
            rows.append(self._weather(drivers, dict(zip([a for a in self.axes if a != "water"], levels, strict=True))))
            recents.append(rows[-1])
        if "water" in self.axes:
            for level in (-DRY, DRY):
                rows.append(self._weather(drivers, {"light": 1.0, "temperature": 1.0, "water": level}))
                recents.append(rows[-1])
        if self.warm:
            for level in (-SPELL, SPELL):
                rows.append(self._weather(drivers, {}))
                recents.append(self._weather(drivers, {"temperature": level}))
        return self._terms(torch.stack(rows), torch.stack(recents))

    def _weather(self, drivers: int, levels: dict[str, float]) -> Tensor:
        weather = torch.zeros(drivers, dtype=torch.float64)
        for axis, level in levels.items():
            if axis in self.axes:
                weather[self.axes[axis]] = level
        return weather


def recent_mean(fast: Tensor, mask: Tensor) -> Tensor:
    """Mean of the known drivers (record, day, driver) over the last ``RECENT_DAYS``, this day's among them; else 0."""
    sums = torch.cat([fast * mask, mask], dim=-1).cumsum(1)
    total, known = torch.cat([sums[:, :RECENT_DAYS], sums[:, RECENT_DAYS:] - sums[:, :-RECENT_DAYS]], 1).chunk(2, -1)
    return total / known.clamp(min=0.5)


def _runs(places: Sequence[int]) -> list[slice]:
    """Join places, ascending, that follow each other: slices are read in place, where a selection would be copied."""
    runs: list[slice] = []
    for place in places:
        if runs and runs[-1].stop == place:
            runs[-1] = slice(runs[-1].start, place + 1)
        else:
            runs.append(slice(place, place + 1))
    return runs


def _product(hats: Tensor | None, axes: Iterable[int], like: Tensor) -> Tensor:
    """Weights (..., node) of linear interpolation on the grid of some axes; they sum to 1."""
    weights = torch.ones_like(like[..., :1])
    for axis in axes:
        assert hats is not None
        weights = (weights[..., :, None] * hats[..., axis, None, :]).flatten(-2)
    return weights


def _kernel(axes: Sequence[str]) -> Tensor:
    """Prior covariance (node, node) of the values at the grid's nodes."""
    nodes = torch.tensor(list(product(*(NODES[axis] for axis in axes))), dtype=torch.float64)
    apart = (nodes[:, None] - nodes[None]).square().sum(-1)
    return torch.exp(-apart / (2 * SMOOTH**2)) + 1e-4 * torch.eye(len(nodes), dtype=torch.float64)


def _precision(surfaces: Sequence[Tensor], slopes: Sequence[int]) -> Tensor:
    loose = torch.full((len(slopes),), 1.0 / SLOPE, dtype=torch.float64)
    blocks = [*(torch.linalg.inv(surface) for surface in surfaces), torch.diag(loose)]
    precision: Tensor = torch.block_diag(*blocks)  # type: ignore[no-untyped-call]
    return precision
