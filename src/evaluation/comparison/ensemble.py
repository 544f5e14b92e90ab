"""An ensemble: the mean of several runs' predictions, as a run folder of its own.

Its members are the seeds of one model, or different models: the ensemble's name then holds all of theirs.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ...atomic import write_text
from ...errors import UserError
from ..predictions_contract import BOUNDS, DISTANCES, INSIDE, QUANTILES
from ..run_folder import RunFolder, write_json, write_predictions
from .asked import ask, require_same_test
from .entries import model_identity, read_config, refuse_repeated, run_seed, same_identity
from .validation_score import LOGGED, mean_score

_INTERVAL = ("interval_level", "interval_method")


def write_ensemble(members: Sequence[Path | str], output: Path | str) -> Path:
    """Write the ensemble of runs into a new run folder, every target of theirs; returns the folder.

    ``config.yaml`` is the first member's; ``members.json`` names all, ``command.txt`` says how it was made, and
    ``validation.json`` holds the mean of the members' scores where all have one.

    Raises
    ------
    UserError
        If there are fewer than two members, two are one run or equal seeds of one model, they were not asked the same,
        or the folder is taken.
    """
    if len(members) < 2:
        raise UserError("an ensemble needs two runs at least; name the run folders of one model with different seeds")
    folders, output = [RunFolder(path) for path in members], Path(output)
    refuse_repeated(folders)
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UserError(f"{output}: is not empty; give a new folder for the ensemble")
    for folder in folders[1:]:
        if folder.targets() != folders[0].targets():
            raise UserError(f"{folder.path}: has other targets than {folders[0].path}; combine runs of one pair")
    of_targets = {
        target: combine([RunFolder(folder.path, target) for folder in folders])
        for target in folders[0].targets() or (None,)
    }
    for target, predictions in of_targets.items():
        place = output if target is None else output / "targets" / target
        write_predictions(predictions, place / "predictions.zarr")
    if folders[0].config_text():
        write_text(folders[0].config_text(), output / "config.yaml")
    write_json([str(folder.path.resolve()) for folder in folders], output / "members.json")
    command = ["python", "scripts/evaluate.py", "ensemble", *map(str, members), "--output", str(output)]
    write_text(shlex.join(command) + "\n", output / "command.txt")
    score = mean_score(folders)
    if score is not None and score.measure == LOGGED[0]:
        write_json({"score": score.value}, output / "validation.json")
    return output


def combine(members: Sequence[RunFolder]) -> xr.Dataset:
    """Average the predictions of runs that were asked the same.

    ``prediction`` is the mean, NaN where a member has none; ``prediction_spread`` the standard deviation over members
    (divisor n - 1); ``prediction_quantile``, where all have the same levels, their mean level by level (Ratcliff 1979,
    doi:10.1037/0033-2909.86.3.446). Calibrated bounds are left out: the mean of intervals has not their coverage. The
    distance to a bank stays where it is that of every member.

    Raises
    ------
    UserError
        If the test sets of two members differ, or two are equal seeds of one model.
    """
    datasets = [member.predictions() for member in members]
    tests = [ask(dataset, str(member.path)) for dataset, member in zip(datasets, members, strict=True)]
    for test in tests:
        for score, asked in tests[0].items():
            require_same_test(asked, test.get(score, next(iter(test.values()))))
    first = datasets[0]
    for member, dataset in zip(members, datasets, strict=True):
        if not np.array_equal(dataset["time"].to_numpy(), first["time"].to_numpy()):
            raise UserError(f"{member.path}: its days are not those of {members[0].path}; combine runs of one data set")
    name = _name(members, datasets)
    aligned = [_in_order(dataset, first) for dataset in datasets]
    values = np.stack([dataset["prediction"].to_numpy() for dataset in aligned]).astype(np.float64)
    combined = first.drop_vars([name for name in (*BOUNDS, QUANTILES, "quantile") if name in first.variables])
    if not _same_distances(aligned):
        combined = combined.drop_vars([*DISTANCES, INSIDE], errors="ignore")
    combined["prediction"] = (("site", "time"), values.mean(0).astype(np.float32))
    combined["prediction_spread"] = (("site", "time"), values.std(0, ddof=1).astype(np.float32))
    if _same_levels(aligned):
        quantiles = np.mean([dataset[QUANTILES].to_numpy().astype(np.float64) for dataset in aligned], axis=0)
        combined[QUANTILES] = (("quantile", "site", "time"), quantiles.astype(np.float32))
        combined = combined.assign_coords(quantile=first["quantile"])
    kept = {name: value for name, value in first.attrs.items() if name not in (*_INTERVAL, "seed")}
    combined.attrs = {
        **kept,
        "model": name,
        "causal": int(all(dataset.attrs.get("causal", 1) for dataset in datasets)),
        "members": len(members),
    }
    return combined


def _name(members: Sequence[RunFolder], datasets: Sequence[xr.Dataset]) -> str:
    """Name all models of an ensemble, those of one name and other configs by their folders; refuse equal seeds."""
    kinds: list[tuple[str, dict[str, Any], dict[int, RunFolder]]] = []  # model, identity, members by seed
    for member, dataset in zip(members, datasets, strict=True):
        config = read_config(member)
        model, identity, seed = str(dataset.attrs["model"]), model_identity(config), run_seed(dataset, config)
        alike = [by_seed for name, own, by_seed in kinds if name == model and same_identity(own, identity)]
        if not alike:
            kinds.append((model, identity, {seed: member}))
        elif seed in alike[0]:
            twin = alike[0][seed].path
            raise UserError(
                f"{member.path}: is {model} of seed {seed}, as {twin} is; combine different seeds or models"
            )
        else:
            alike[0][seed] = member
    models = [model for model, _, _ in kinds]
    names = [
        f"{model} ({next(iter(by_seed.values())).path.resolve().name})" if models.count(model) > 1 else model
        for model, _, by_seed in kinds
    ]
    return f"{'+'.join(names)}_ensemble"


def _in_order(dataset: xr.Dataset, first: xr.Dataset) -> xr.Dataset:
    """Return the sites in the order of the first member."""
    place = {site: i for i, site in enumerate(dataset["site_id"].to_numpy().astype(str))}
    return dataset.isel(site=[place[site] for site in first["site_id"].to_numpy().astype(str)])


def _same_distances(datasets: Sequence[xr.Dataset]) -> bool:
    told = [
        {name: dataset[name].to_numpy() for name in (*DISTANCES, INSIDE) if name in dataset} for dataset in datasets
    ]
    return all(
        own.keys() == told[0].keys() and all(np.array_equal(own[name], told[0][name], equal_nan=True) for name in own)
        for own in told
    )


def _same_levels(datasets: Sequence[xr.Dataset]) -> bool:
    if not all(QUANTILES in dataset for dataset in datasets):
        return False
    levels = [dataset["quantile"].to_numpy() for dataset in datasets]
    return all(len(one) == len(levels[0]) and np.allclose(one, levels[0]) for one in levels)
