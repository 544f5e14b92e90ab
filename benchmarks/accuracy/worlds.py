"""Splits that are worlds of their own, pooled: one table over the towers of all of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr
from raciflux.atomic import write_text
from raciflux.evaluation.run_folder import RunFolder, write_json, write_predictions
from raciflux.workflow.predictions import scored_folders

from .cells import Run
from .collect import of_targets
from .committed import Committed
from .work import mean_validation


def pooled_worlds(
    whole: Sequence[tuple[Run, Path]], pools: Mapping[str, Sequence[str]], folder: Path
) -> Iterator[tuple[Run, Path]]:
    """Pool the splits of each group, model by model and seed by seed where all are finished.

    Worlds know nothing of each other: a tower is named after its world, and clusters are counted on.

    Parameters
    ----------
    whole : finished runs with their run folders. folder : of the runs.

    Yields
    ------
    A run whose split is the group's name, with its folder, made anew if a world's is younger.
    """
    for name, splits in pools.items():
        for run in [one for one, _ in whole if one.split == splits[0]]:
            worlds = {
                one.split: place
                for one, place in whole
                if (one.model, one.seed) == (run.model, run.seed) and one.split in splits
            }
            if len(worlds) < len(splits):
                continue
            together = replace(run, split=name, home="")
            place = folder / together.name
            _pool({split: worlds[split] for split in splits}, place)
            yield together, place


def pooled_committed(
    committed: Committed, pools: Mapping[str, Sequence[str]], whole: Mapping[str, Sequence[Run]]
) -> tuple[Committed, dict[str, list[Run]]]:
    """Pool worlds whose cells are committed, as :func:`pooled_worlds` does those whose predictions are there.

    Parameters
    ----------
    whole : finished runs of each split.

    Returns
    -------
    The cells of splits and pools, to compare; and the runs of each pool, of the models that finished all its worlds.
    """
    together, of_pools = committed, {}
    for name, splits in pools.items():
        finished = [{(run.model, run.seed) for run in whole[split]} for split in splits]
        runs = [run for run in whole[splits[0]] if all((run.model, run.seed) in one for one in finished)]
        if runs:
            together = together.pool(name, splits, runs)
            of_pools[name] = [replace(run, split=name, home="") for run in runs]
    return together, of_pools


def _pool(worlds: Mapping[str, Path], place: Path) -> None:
    predictions = {
        split: {str(one.predictions().attrs["target"]): one for one in of_targets(path)}
        for split, path in worlds.items()
    }
    targets = tuple(next(iter(predictions.values())))
    for target, path in scored_folders(place, targets).items():
        stored = path / "predictions.zarr"
        sources = [one[target].scored_path / "predictions.zarr" for one in predictions.values()]
        if stored.exists() and stored.stat().st_mtime > max(source.stat().st_mtime for source in sources):
            continue
        path.mkdir(parents=True, exist_ok=True)
        write_predictions(_joined({split: one[target] for split, one in predictions.items()}), stored)
    first = next(iter(worlds.values()))
    for name in ("config.yaml", "command.txt"):
        write_text((first / name).read_text(), place / name)
    score = mean_validation([fold for path in worlds.values() for fold in sorted(path.glob("fold*"))])
    if score is not None:
        write_json({"score": score}, place / "validation.json")


def _joined(worlds: Mapping[str, RunFolder]) -> xr.Dataset:
    parts, clusters, folds = [], 0, 0
    for split, folder in worlds.items():
        said = folder.predictions()
        site_id = np.char.add(f"{split}-", said["site_id"].to_numpy().astype(str))
        part = said.assign_coords(site_id=("site", site_id)).assign(
            cluster=said["cluster"] + clusters, fold=said["fold"] + folds
        )
        clusters, folds = int(part["cluster"].max()) + 1, int(part["fold"].max()) + 1
        parts.append(part)
    return xr.concat(parts, "site", combine_attrs="override")
