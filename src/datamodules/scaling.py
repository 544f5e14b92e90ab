"""Scale factors and class codes, fitted on training sites and days only, kept as readable YAML."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr
import yaml
from numpy.typing import NDArray

from ..atomic import write_text
from ..contracts import TargetScale, to_asinh
from ..errors import UserError
from ..variables import SIMULATED, SIMULATED_SUFFIX, lookup
from .roles import Roles

CONSTANT = 1.0  # the deviation that stands for a constant's, which has none


@dataclass(frozen=True)
class Scaler:
    """The roles of a run, mean and standard deviation of every input and target, and codes of every class.

    A class that training has not seen, or that is missing, has code 0.
    """

    roles: Roles
    inputs: dict[str, tuple[float, float]]
    targets: tuple[TargetScale, ...]  # in the order of the roles
    classes: dict[str, tuple[str, ...]]

    @classmethod
    def fit(
        cls,
        cube: xr.Dataset,
        roles: Roles,
        train: NDArray[np.bool_],
        trainable: NDArray[np.bool_],
        asinh_at: float | None = None,
        residual: bool = False,
    ) -> "Scaler":
        """Fit on training sites and days.

        Parameters
        ----------
        train : (site, day) days of the training period at training sites, whether or not a flux is known.
        trainable : (site, day, target) training days of each target.
        asinh_at : targets are scaled after ``asinh(flux / asinh_at)``; None scales the fluxes themselves.
        residual : what is scaled is the rest to the simulated flux, ``<target>_simulated`` of the cube.

        Raises
        ------
        UserError
            If no training day of a target, or no value of a driver, is there.
        """
        sites = train.any(1)
        inputs = {name: _moments(name, cube[name].transpose("site", "time").to_numpy()[train]) for name in roles.fast}
        if SIMULATED in inputs:
            inputs[SIMULATED] = (0.0, CONSTANT)  # constant in each domain, and the difference is what it tells
        inputs |= {name: _moments(name, cube[name].to_numpy()[sites]) for name in roles.static}
        targets = []
        for i, name in enumerate(roles.targets):
            if not trainable[..., i].any():
                raise UserError(f"no day of {name} can be trained on: check data.quality and the quality columns")
            values = cube[name].transpose("site", "time").to_numpy()[trainable[..., i]]
            scale = _target_scale(name, values, asinh_at)
            if residual:
                base = name + SIMULATED_SUFFIX
                rest = values - cube[base].transpose("site", "time").to_numpy()[trainable[..., i]]
                scale = replace(_target_scale(name, rest, asinh_at), flux_std=scale.spread, base=base)
            targets.append(scale)
        classes = {
            name: tuple(sorted({str(label) for label in cube[name].to_numpy()[sites]} - {"unknown"}))
            for name in roles.classes
        }
        return cls(roles, inputs, tuple(targets), classes)

    @property
    def class_sizes(self) -> tuple[int, ...]:
        """Number of codes of each class, "unknown" counted."""
        return tuple(len(labels) + 1 for labels in self.classes.values())

    def scale(self, name: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scale an input; NaN stays NaN."""
        mean, std = self.inputs[name]
        return ((values - mean) / std).astype(np.float32)

    def encode(self, name: str, labels: NDArray[np.str_]) -> NDArray[np.int64]:
        """Return the codes of class labels."""
        codes = {label: i + 1 for i, label in enumerate(self.classes[name])}
        return np.array([codes.get(str(label), 0) for label in labels], np.int64)

    def carried_to(self, towers: "Scaler", refitted: bool = False, in_units: bool = False) -> "Scaler":
        """Return this scaler of a simulation for observations: same inputs and classes, the observations' targets.

        An input that is constant in the simulation has no scale to carry; it takes the observations' own.

        Parameters
        ----------
        refitted : inputs take the observations' scale.
        in_units : targets keep the simulation's scale, so that a flux means the same in both.
        """
        inputs = {
            name: towers.inputs[name] if refitted or std == CONSTANT else (mean, std)
            for name, (mean, std) in self.inputs.items()
        }
        targets = towers.targets
        if in_units:
            pairs = zip(self.targets, towers.targets, strict=True)
            targets = tuple(replace(own, flux_std=observed.spread) for own, observed in pairs)
        return replace(self, inputs=inputs, targets=targets)

    def save(self, path: Path) -> None:
        """Write as YAML."""
        content = {
            "targets": {name: _said(scale) for name, scale in zip(self.roles.targets, self.targets, strict=True)},
            "fast": {name: self._entry(name) for name in self.roles.fast},
            "static": {name: self._entry(name) for name in self.roles.static},
            "classes": {name: list(labels) for name, labels in self.classes.items()},
        }
        write_text(yaml.safe_dump(content, sort_keys=False), path)

    def _entry(self, name: str) -> dict[str, float | str]:
        mean, std = self.inputs[name]
        return {"unit": lookup(name).unit, "mean": mean, "std": std}

    @classmethod
    def load(cls, path: Path) -> "Scaler":
        """Read what ``save`` wrote.

        Raises
        ------
        UserError
            If the file is missing or not what ``save`` writes.
        """
        try:
            raw = yaml.safe_load(path.read_text())
            return cls(
                Roles(tuple(raw["targets"]), tuple(raw["fast"]), tuple(raw["static"]), tuple(raw["classes"])),
                {name: (entry["mean"], entry["std"]) for name, entry in (raw["fast"] | raw["static"]).items()},
                tuple(TargetScale(**scale) for scale in raw["targets"].values()),
                {name: tuple(labels) for name, labels in raw["classes"].items()},
            )
        except (OSError, AttributeError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
            why = " ".join(str(error).split())  # a YAML error has several lines
            raise UserError(f"{path}: not a readable scaler ({why}); is this a finished run?") from error


def _target_scale(name: str, values: NDArray[np.float32], asinh_at: float | None) -> TargetScale:
    """Scale of the finite values of a flux, in its unit."""
    unit, (mean, std) = lookup(name).unit, _moments(name, values)
    if asinh_at is None:
        return TargetScale(unit, mean, std)
    return TargetScale(unit, *_moments(name, to_asinh(values, asinh_at)), asinh_at, flux_std=std)


def _said(scale: TargetScale) -> dict[str, float | str]:
    """Return what a scale says; of a linear one, nothing about a transform."""
    return {name: value for name, value in asdict(scale).items() if value is not None}


def _moments(name: str, values: NDArray[np.float32]) -> tuple[float, float]:
    """Mean and standard deviation of the finite values; a constant is given the deviation 1."""
    finite = values[np.isfinite(values)].astype(np.float64)
    if not finite.size:
        raise UserError(f"{name} has no value at any training site; drop it with data.drop_inputs=[{name}]")
    std = float(finite.std())
    return float(finite.mean()), std if std > 1e-6 * max(1.0, abs(float(finite.mean()))) else CONSTANT
