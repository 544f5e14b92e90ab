"""What the rooms hand to each other: the batch, the training view and the visible set.

Shapes are named throughout: ``site`` and ``day`` index the whole cube, ``batch`` a window drawn from it. A window of
``warmup + scored`` days starts at ``day[b]``; the first ``warmup`` days are encoded and never scored. ``month``
counts blocks of ``block_days`` days: ``history`` blocks before the window, then the window's own. Slow block ``m``
describes days that ended before or on the last day of block ``m``, so a day may use only blocks that closed before it
(see ``WindowLayout.last_block``).
"""

from dataclasses import dataclass
from typing import Literal, TypedDict, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = TypeVar("Array", NDArray[np.float32], NDArray[np.float64], Tensor)


class Batch(TypedDict):
    """One gathered batch; inputs and target are scaled, missing values are 0 and marked in the masks (1 = known)."""

    fast: Tensor  # (batch, day, feature) float32
    fast_mask: Tensor  # (batch, day, feature) float32
    slow: Tensor  # (batch, month, slow feature) float32
    slow_mask: Tensor  # (batch, month, slow feature) float32
    static: Tensor  # (batch, static feature) float32
    static_mask: Tensor  # (batch, static feature) float32
    classes: Tensor  # (batch, class) int64, 0 = unknown
    target: Tensor  # (batch, day, target) float32
    target_mask: Tensor  # (batch, day, target) bool, True = counts in this stage; never in warm-up
    own: Tensor  # (batch, day, target) float32, own fluxes that the question shows, 0 elsewhere
    own_mask: Tensor  # (batch, day, target) bool, True = shown; never a day that counts
    site: Tensor  # (batch,) int64
    day: Tensor  # (batch,) int64, index of the window's first day on the cube's time axis; negative before it


@dataclass(frozen=True)
class WindowLayout:
    """How a window is cut: all lengths in days but ``history``, in blocks."""

    warmup: int
    scored: int
    block_days: int
    history: int

    @property
    def days(self) -> int:
        """Length of the whole window."""
        return self.warmup + self.scored

    @property
    def blocks(self) -> int:
        """Number of slow blocks a window may use: the history's, and those that close before the window's last day."""
        return self.history + (self.days - 1) // self.block_days

    def last_block(self) -> NDArray[np.int64]:
        """For each day of the window (day,), the last slow block that closed before it."""
        return np.arange(self.days) // self.block_days + self.history - 1


@dataclass(frozen=True)
class Layout:
    """Which features stand at which place of a batch."""

    targets: tuple[str, ...]  # the fluxes predicted together, one or several
    fast: tuple[str, ...]
    slow: tuple[str, ...]
    static: tuple[str, ...]
    classes: tuple[str, ...]
    class_sizes: tuple[int, ...]  # number of codes, "unknown" (0) counted
    window: WindowLayout


STEEPEST = 80.0  # argument beyond which a hyperbolic sine leaves single precision


def to_asinh(flux: Array, at: float | Tensor | None) -> Array:
    """Return ``asinh(flux / at)``: a straight line below ``at``, a logarithm above; ``flux`` itself without ``at``."""
    if at is None:
        return flux
    if isinstance(flux, Tensor):
        return torch.asinh(flux / at)
    return np.asarray(np.arcsinh(flux / float(at)), flux.dtype)


def from_asinh(bent: Array, at: float | Tensor | None) -> Array:
    """Return ``at * sinh(bent)``, what ``to_asinh`` was given; constant where it would overflow."""
    if at is None:
        return bent
    if isinstance(bent, Tensor):
        return at * torch.sinh(bent.clamp(-STEEPEST, STEEPEST))
    return np.asarray(float(at) * np.sinh(np.clip(bent, -STEEPEST, STEEPEST)), bent.dtype)


@dataclass(frozen=True)
class TargetScale:
    """Turns one scaled flux into its unit and back: ``flux = scaled * std + mean``.

    A flux with a long tail may be learned as ``asinh(flux / asinh_at)``, which keeps sign and zero: then
    ``flux = asinh_at * sinh(scaled * std + mean)`` (Burbidge et al. 1988, doi:10.1080/01621459.1988.10478575).

    Attributes
    ----------
    unit : of the flux.
    mean, std : of the flux in training, or of ``asinh(flux / asinh_at)``.
    asinh_at : size of a flux, in its unit, at which the line bends into a logarithm; None learns the flux itself.
    flux_std : with ``asinh_at`` or ``base``, standard deviation of the flux in training, in its unit.
    base : variable of the cube that is taken off the flux before it is scaled; None takes nothing off.
    """

    unit: str
    mean: float
    std: float
    asinh_at: float | None = None
    flux_std: float | None = None
    base: str | None = None

    @property
    def spread(self) -> float:
        """Standard deviation of the flux in training, in its unit: what errors are compared with."""
        return self.std if self.flux_std is None else self.flux_std

    def to_units(self, scaled: Array) -> Array:
        """Turn scaled fluxes of any shape into their unit."""
        return from_asinh(scaled * self.std + self.mean, self.asinh_at)

    def to_scaled(self, flux: Array) -> Array:
        """Scale fluxes of any shape; NaN stays NaN."""
        return (to_asinh(flux, self.asinh_at) - self.mean) / self.std


# What of a query's own fluxes the bank shows: none, or its past. The few days of a new site and the days around a gap
# are shown beside it, to whoever reads own days (``modules.own_days``).
Question = Literal["unseen", "new_years"]


@dataclass(frozen=True)
class VisibleSet:
    """Which (site, day) fluxes a question may use.

    *unseen*: a query sees the fluxes marked in ``known`` except every day of its own cluster. *new_years* (a split in
    time): it sees its own known days as well, which end before its test begins; never those of its cluster mates,
    which may stand in the very years that are asked about. Each model keeps to it where it looks fluxes up
    (``retrieval.index.Exclusion``).
    """

    known: NDArray[np.bool_]  # (site, day, target): training sites and period, trainable days
    cluster: NDArray[np.int64]  # (site,)
    question: Question = "unseen"
    blocks: bool = False  # clusters are blocks of a grid's cells: whatever touches a hidden one is hidden with it


@dataclass(frozen=True)
class TrainingView:
    """All that a bank or a model without gradients may learn from: scaled arrays over the cube, and who may see what.

    Drivers of every site are here (they are inputs); ``target`` is zeroed outside ``visible.known`` and
    ``stopping_target`` outside ``stopping``, so nothing that is scored can leak through this view.
    """

    layout: Layout
    site_id: NDArray[np.str_]  # (site,)
    lat: NDArray[np.float64]  # (site,) degrees north
    lon: NDArray[np.float64]  # (site,) degrees east
    dates: NDArray[np.datetime64]  # (day,)
    driver_days: NDArray[np.bool_]  # (site, day) days whose drivers a descriptor may use: the training period
    fast: NDArray[np.float32]  # (site, day, feature) scaled, 0 where missing
    fast_mask: NDArray[np.bool_]  # (site, day, feature)
    static: NDArray[np.float32]  # (site, static feature) scaled, 0 where missing
    static_mask: NDArray[np.bool_]  # (site, static feature)
    classes: NDArray[np.int64]  # (site, class)
    target: NDArray[np.float32]  # (site, day, target) scaled, 0 where not known
    visible: VisibleSet
    stopping: NDArray[np.bool_]  # (site, day, target) validation days: they may say when to stop, and nothing else
    stopping_target: NDArray[np.float32]  # (site, day, target) scaled, 0 outside of ``stopping``
    train_sites: NDArray[np.bool_]  # (site,)
    scales: tuple[TargetScale, ...]  # of each target
    simulated: NDArray[np.float32] | None = None  # (site, day, target) what who knows the simulation alone says; scaled
