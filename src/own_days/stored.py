"""The empirical-Bayes corrections of a fold on disk."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import write_text
from ..errors import UserError
from .choice import ByDaysShown
from .empirical_bayes import BayesSetting, EmpiricalBayes
from .features import Features
from .mixed_effects import MixedEffects


def save_corrections(corrections: Sequence[EmpiricalBayes], path: Path) -> None:
    """Write one correction a target; numbers are read back to the bit."""
    write_text(json.dumps([_plain(one) for one in corrections], indent=1) + "\n", path)


def load_corrections(path: Path) -> tuple[EmpiricalBayes, ...]:
    """Read what ``save_corrections`` wrote.

    Raises
    ------
    UserError
        If the file is damaged.
    """
    try:
        return tuple(_correction(stored) for stored in json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path}: no readable corrections ({error}); train the run again") from error


def _plain(one: EmpiricalBayes) -> dict[str, Any]:
    features = one.features
    return {
        "target": features.target,
        "features": {"groups": features.groups, "mean": features.mean.tolist(), "std": features.std.tolist()},
        "persistence": one.persistence,
        "days": one.chosen.days.tolist(),
        "settings": [
            {
                "groups": setting.groups,
                "mean": setting.common.mean.tolist(),
                "covariance": setting.common.covariance.tolist(),
                "noise": setting.common.noise,
                "inflation": setting.inflation,
            }
            for setting in one.chosen.settings
        ],
    }


def _correction(stored: Mapping[str, Any]) -> EmpiricalBayes:
    of = stored["features"]
    features = Features(stored["target"], tuple(of["groups"]), np.array(of["mean"]), np.array(of["std"]))
    settings = tuple(
        BayesSetting(
            tuple(one["groups"]),
            MixedEffects(np.array(one["mean"]), np.array(one["covariance"]), one["noise"]),
            one["inflation"],
        )
        for one in stored["settings"]
    )
    return EmpiricalBayes(features, stored["persistence"], ByDaysShown(np.array(stored["days"]), settings))
