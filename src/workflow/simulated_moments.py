"""How the simulated flux of the towers meets the observed one: mean and spread of both over training days."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..atomic import write_text
from ..config.schema import Config
from ..datamodules.cube import DIMS
from ..datamodules.splits import Split
from ..errors import UserError
from .prepare import Prepared, tower_data

Floats = NDArray[np.float32]
MOMENTS = ("simulated_mean", "simulated_std", "observed_mean", "observed_std")


def write_moments(config: Config, prepared: Prepared, split: Split, flux: Floats, path: Path) -> None:
    """Write mean and standard deviation of each target over training days, as simulated and as observed.

    Parameters
    ----------
    flux : simulated (site, day, target), in units; days on which it is missing are not counted.

    Raises
    ------
    UserError
        If no training day of a target has a simulated flux.
    """
    data = tower_data(config, prepared, split, None)
    found = {}
    for i, name in enumerate(prepared.roles.targets):
        observed = prepared.towers[name].transpose(*DIMS).to_numpy()
        both = data.trainable[..., i] & np.isfinite(flux[..., i]) & np.isfinite(observed)
        if not both.any():
            raise UserError(
                f"no training day of {name} in fold {split.fold} has a simulated flux; take a data.simulation of the "
                "towers' years and places, or transfer.simulated_flux=emulator"
            )
        values = {"simulated": flux[..., i][both].astype(np.float64), "observed": observed[both].astype(np.float64)}
        found[name] = {
            f"{kind}_{what}": float(of(of_kind))
            for kind, of_kind in values.items()
            for what, of in (("mean", np.mean), ("std", np.std))
        }
    write_text(json.dumps(found, indent=1) + "\n", path)


def aligned(flux: Floats, names: Sequence[str], path: Path) -> Floats:
    """Give simulated fluxes (site, day, target) the moments of the observed ones.

    Raises
    ------
    UserError
        If the moments of the fold are missing or damaged.
    """
    met = []
    for i, of in enumerate(_moments(names, path)):
        standardised = (flux[..., i] - of["simulated_mean"]) / (of["simulated_std"] or 1.0)
        met.append(standardised * of["observed_std"] + of["observed_mean"])
    return np.stack(met, axis=-1).astype(np.float32)


def filled(flux: Floats, names: Sequence[str], path: Path) -> Floats:
    """Put the mean of training days where a simulated flux (site, day, target) is missing; once aligned, the observed.

    Raises
    ------
    UserError
        As ``aligned``.
    """
    means = np.array([of["simulated_mean"] for of in _moments(names, path)], np.float32)
    return np.where(np.isfinite(flux), flux, means)


def _moments(names: Sequence[str], path: Path) -> list[dict[str, float]]:
    """Return the moments of each target."""
    try:
        moments = json.loads(path.read_text())
        return [{what: float(moments[name][what]) for what in MOMENTS} for name in names]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: no readable moments ({error}); train the run again") from error
