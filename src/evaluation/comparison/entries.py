"""Which runs belong together: the seeds of one model, and the folds of one seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import yaml
from omegaconf import OmegaConf

from ...errors import UserError
from ..run_folder import RunFolder
from ..scored import ScoredRun
from .asked import Asked, ask, require_same_test

_MODEL = ("model", "head", "transfer", "calibration", "data")  # sections of a config that make a model another one
# Where the data lie says nothing of what they are, nor which of the folds a run tested: they are pooled.
_ELSEWHERE = ("data.root", "data.split.fold")


@dataclass(frozen=True, eq=False)
class Entry:
    """One line of a comparison: a model, trained with one seed or several.

    Attributes
    ----------
    label : name of the model; of two entries of one model, with the folder of the first run behind it.
    seeds : seeds in ascending order.
    asked : for each score the test set of each seed, in the order of ``seeds``.
    causal : whether a day's output leaves the days after it aside.
    """

    label: str
    seeds: tuple[int, ...]
    asked: dict[str, list[Asked]]
    folders: tuple[RunFolder, ...]
    causal: bool


@dataclass(frozen=True, eq=False)
class _Run:
    folder: RunFolder
    model: str
    config: dict[str, Any]
    seed: int
    causal: bool
    asked: dict[str, Asked]

    @classmethod
    def of(cls, run: RunFolder | ScoredRun, uncertainty: bool) -> "_Run":
        folder = run.folder if isinstance(run, ScoredRun) else run
        predictions = run.predictions if isinstance(run, ScoredRun) else run.predictions()
        config = read_config(folder)
        return cls(
            folder=folder,
            model=str(predictions.attrs["model"]),
            config=model_identity(config),
            seed=run_seed(predictions, config),
            causal=bool(predictions.attrs.get("causal", 1)),
            asked=ask(predictions, str(folder.path), uncertainty=uncertainty),
        )

    def shares_sites(self, other: "_Run") -> bool:
        mine, others = (next(iter(run.asked.values())).site_id for run in (self, other))
        return bool(np.isin(mine, others).any())


def entries(runs: Sequence[RunFolder | ScoredRun], *, uncertainty: bool = False) -> list[Entry]:
    """Group runs into entries, in the order in which their models come first, and hold them to one test set.

    Runs of one model and configuration with different seeds are seeds of one entry; those of one seed that tested
    different sites are its folds. Two runs of one seed on the same sites stand apart. ``uncertainty`` measures their
    intervals and quantiles as well.

    Raises
    ------
    UserError
        If a folder is named twice, or two runs were not asked the same (see :func:`.asked.require_same_test`).
    """
    refuse_repeated([run.folder if isinstance(run, ScoredRun) else run for run in runs])
    groups: list[list[_Run]] = []
    for run in (_Run.of(run, uncertainty) for run in runs):
        for group in groups:
            if _belongs(run, group):
                group.append(run)
                break
        else:
            groups.append([run])
    names = [group[0].model for group in groups]
    labels = [_label(group[0], groups) if names.count(group[0].model) > 1 else group[0].model for group in groups]
    listed = [_entry(label, group) for label, group in zip(labels, groups, strict=True)]
    hold_to_one_test(listed)
    return listed


def refuse_repeated(folders: Sequence[RunFolder]) -> None:
    """Refuse a folder that is named twice, however it is written."""
    seen: set[Path] = set()
    for folder in folders:
        place = folder.scored_path.resolve()
        if place in seen:
            raise UserError(f"{folder.path}: is named twice; name each run once")
        seen.add(place)


def read_config(folder: RunFolder) -> dict[str, Any]:
    """Return ``config.yaml`` of a run; empty where there is none."""
    try:
        config = OmegaConf.to_container(OmegaConf.create(folder.config_text() or "{}"), resolve=False)
    except yaml.YAMLError as error:
        raise UserError(f"{folder.path / 'config.yaml'}: not YAML; restore the file that training wrote") from error
    return {str(key): value for key, value in config.items()} if isinstance(config, dict) else {}


def run_seed(predictions: xr.Dataset, config: dict[str, Any]) -> int:
    """Return the seed of a run, 0 where none is noted."""
    return int(predictions.attrs.get("seed", config.get("seed", 0)))


def model_identity(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes a model another one, by dotted key: the config without seed, fold and the place of the data."""
    leaves = _leaves({name: config[name] for name in _MODEL if name in config})
    return {name: value for name, value in leaves.items() if name not in _ELSEWHERE}


def same_identity(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two runs are of one model; a key that only the later version of raciflux has decides nothing."""
    if bool(one) != bool(other):
        return False
    return all(other.get(name, value) == value for name, value in one.items())


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in tree.items():
        path = f"{prefix}{name}"
        found |= _leaves(value, f"{path}.") if isinstance(value, Mapping) else {path: value}
    return found


def _belongs(run: _Run, group: list[_Run]) -> bool:
    if run.model != group[0].model or not same_identity(run.config, group[0].config):
        return False
    return not any(run.seed == other.seed and run.shares_sites(other) for other in group)


def _label(run: _Run, groups: list[list[_Run]]) -> str:
    rivals = [group[0].folder.path for group in groups if group[0].model == run.model]
    name = run.folder.path.resolve().name
    return f"{run.model} ({name if [path.resolve().name for path in rivals].count(name) == 1 else run.folder.path})"


def _entry(label: str, group: list[_Run]) -> Entry:
    seeds = sorted({run.seed for run in group})
    asked = {
        score: [Asked.pooled([run.asked[score] for run in group if run.seed == seed]) for seed in seeds]
        for score in group[0].asked
    }
    return Entry(label, tuple(seeds), asked, tuple(run.folder for run in group), all(run.causal for run in group))


def hold_to_one_test(listed: Sequence[Entry]) -> None:
    """Refuse entries that were not asked the same, see :func:`.asked.require_same_test`."""
    for score, first in listed[0].asked.items() if listed else ():
        for entry in listed:
            for asked in entry.asked.get(score, entry.asked[next(iter(entry.asked))]):
                require_same_test(first[0], asked)
