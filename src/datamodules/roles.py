"""Which variables play which role for a flux/ecosystem pair, and which days of its target count."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..contracts import Layout, WindowLayout
from ..errors import UserError
from ..variables import MEASURED_SUFFIX, QC_SUFFIX, SIMULATED, SIMULATED_SUFFIX, SLOW_SCALES, slow_name

# The two trailing spans, in days, over which the slow encoder reads each driver: a month and a year.
SLOW_SPANS = tuple(SLOW_SCALES.values())
# Shares of valid days below which a trailing mean is missing.
SLOW_COVERAGE = 0.5

QC_MINIMUM = 0.75  # the field's convention: "measured or well filled"
MEASURED_MINIMUM = 0.5  # as well, for a day to count as measured (docs/architecture.md, rule 4)


@dataclass(frozen=True)
class Pair:
    """A flux of an ecosystem: the target and what it is predicted from.

    Attributes
    ----------
    name : name of the pair, as in ``data.pair``.
    targets : variables of the cube that are predicted, together if several.
    required : fast drivers without which the pair makes no sense.
    optional : fast drivers used where the source has them.
    static, classes : properties of the place used where the source has them.
    """

    name: str
    targets: tuple[str, ...]
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Roles:
    """The variables that one run uses, role by role; slow inputs are trailing means of the fast drivers."""

    targets: tuple[str, ...]
    fast: tuple[str, ...]
    static: tuple[str, ...]
    classes: tuple[str, ...]

    @property
    def slow(self) -> tuple[str, ...]:
        """Names of the slow inputs: each fast driver over each trailing span."""
        return tuple(slow_name(name, span) for span in SLOW_SPANS for name in self.fast)

    @property
    def marked(self) -> "Roles":
        """These roles with the domain, simulated or observed, as one more driver that is the same on all days."""
        return replace(self, fast=(*self.fast, SIMULATED))

    @property
    def stacked(self) -> "Roles":
        """These roles with the simulated flux of each target as one more fast driver."""
        return replace(self, fast=(*self.fast, *(name + SIMULATED_SUFFIX for name in self.targets)))

    def layout(self, class_sizes: tuple[int, ...], window: WindowLayout) -> Layout:
        """Place the roles in a batch."""
        return Layout(self.targets, self.fast, self.slow, self.static, self.classes, class_sizes, window)


def choose(pair: Pair, cubes: Sequence[xr.Dataset], drop: Sequence[str] = ()) -> Roles:
    """Take the variables of a pair that every cube of a run has.

    Parameters
    ----------
    pair : the flux/ecosystem pair.
    cubes : the cubes a model will meet (simulation and towers): a variable is used only where all have it.
    drop : inputs to leave out although they are there.

    Raises
    ------
    UserError
        If a required driver is missing or dropped, or ``drop`` names what is no input of the pair.
    """
    inputs = pair.required + pair.optional + pair.static + pair.classes
    for name in drop:
        if name not in inputs:
            raise UserError(f"data.drop_inputs: {name!r} is no input of {pair.name}; its inputs: {', '.join(inputs)}")
    kept = [name for name in inputs if name not in drop and all(_offered(cube, name) for cube in cubes)]
    for name in pair.required:
        if name not in kept:
            raise UserError(
                f"{pair.name} needs the driver {name}, but it is missing or dropped; map a column to {name}"
            )
    return Roles(
        targets=pair.targets,
        fast=tuple(name for name in pair.required + pair.optional if name in kept),
        static=tuple(name for name in pair.static if name in kept),
        classes=tuple(name for name in pair.classes if name in kept),
    )


def _offered(cube: xr.Dataset, name: str) -> bool:
    """Whether a cube holds a variable, or it follows from the calendar and the latitude alone."""
    return name == "SW_POT" or name in cube


def scored_days(cube: xr.Dataset, targets: Sequence[str], quality: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Days (site, day, target) that count under the primary score and under the field's convention.

    Parameters
    ----------
    quality : ``measured`` needs the companions ``<target>_qc`` and ``<target>_measured``; ``published`` and
        ``simulated`` count every value under both scores (data without a quality column, or of a process model).

    Raises
    ------
    UserError
        If ``quality`` is ``measured`` and the cube has no quality companions.
    """
    of_targets = [_scored_days(cube, target, quality) for target in targets]
    measured, convention = (np.stack(days, axis=-1) for days in zip(*of_targets, strict=True))
    return measured, convention


def _scored_days(cube: xr.Dataset, target: str, quality: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    values = cube[target].transpose("site", "time").to_numpy()
    present = np.isfinite(values)
    if quality != "measured":
        return present, present
    missing = [target + suffix for suffix in (QC_SUFFIX, MEASURED_SUFFIX) if target + suffix not in cube]
    if missing:
        raise UserError(
            f"data.quality=measured needs {', '.join(missing)}, which this source does not declare; "
            "map the quality columns or set data.quality=published"
        )
    convention = present & (cube[target + QC_SUFFIX].transpose("site", "time").to_numpy() >= QC_MINIMUM)
    measured = convention & (cube[target + MEASURED_SUFFIX].transpose("site", "time").to_numpy() >= MEASURED_MINIMUM)
    return measured, convention
