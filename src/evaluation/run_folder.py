"""The run folder on disk: what evaluation reads and writes, and nothing else.

A run with one target keeps ``predictions.zarr``, ``metrics.json``, ``figures/``, ``tables/`` and ``report.html`` at its
top. A run with several keeps one such set a target under ``targets/<target>/``; what tells the run apart (config,
command, versions, logs, neighbours, baselines) stays at the top. ``predictions_contract`` says what
``predictions.zarr`` must hold.
"""

import json
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import xarray as xr

from ..atomic import write_text
from ..errors import UserError, did_you_mean
from ..zarr_folder import with_text_as, write_folder
from .predictions_contract import BOUNDS, INSIDE, QUANTILES, check_predictions
from .wording import long_name

TARGETS_FOLDER = "targets"
NOT_LEARNED = "own_residuals_not_learned.json"  # beside a fold's model: what it did not learn of own days, and why
TRAININGS = ("", "emulator/", "scratch/")  # folders of a fold that keep the logs of a training
SITES_A_CHUNK = 64
COORDINATE_ATTRS: dict[str, dict[str, str]] = {
    "site_id": {"cf_role": "timeseries_id", "long_name": "site identifier"},
    "lat": {"standard_name": "latitude", "units": "degrees_north"},
    "lon": {"standard_name": "longitude", "units": "degrees_east"},
    "time": {"standard_name": "time", "long_name": "day, local standard time"},
}
FLUXES = {
    "prediction": "prediction",
    "observed": "observed",
    "expected": "expected",
    "lower": "lower bound of the interval",
    "upper": "upper bound of the interval",
    QUANTILES: "quantile of the prediction",
    "prediction_spread": "standard deviation over the ensemble",
}
FLAG_MEANINGS = {
    "measured": "other scored",
    "convention": "other measured_or_well_filled",
    INSIDE: "outside inside",
}


class RunFolder:
    """A run on disk, or a baseline inside one; of a run with several targets, the part of one of them.

    Parameters
    ----------
    path : the run's folder.
    target : which of the run's ``targets()``; None for a run with one target.

    Raises
    ------
    UserError
        If the folder is not there or holds one target of a run, or (on reading) a file of it is missing or broken.
    """

    def __init__(self, path: Path | str, target: str | None = None) -> None:
        self.path, self.target = Path(path), target
        if not self.path.is_dir():
            raise UserError(f"{self.path}: no such run folder; give the folder that scripts/train.py printed")
        place = self.path.resolve()
        if place.parent.name == TARGETS_FOLDER and not (place / "config.yaml").exists():
            raise UserError(f"{self.path}: is one target of the run; name the run itself: {place.parents[1]}")
        if target is not None and target not in self.targets():
            raise UserError(f"{self.path}: no target {target!r} here; {did_you_mean(target, self.targets())}")

    @property
    def scored_path(self) -> Path:
        """Where predictions, numbers and pictures lie: ``path`` itself, or ``path/targets/<target>``."""
        return self.path if self.target is None else self.path / TARGETS_FOLDER / self.target

    def targets(self) -> tuple[str, ...]:
        """Names of the targets of a run with several; empty for a run with one."""
        folder = self.path / TARGETS_FOLDER
        return tuple(sorted(path.name for path in folder.iterdir() if path.is_dir())) if folder.is_dir() else ()

    def predictions(self) -> xr.Dataset:
        """``predictions.zarr``, checked against the contract and held in memory."""
        path = self.scored_path / "predictions.zarr"
        if not path.is_dir() and self.target is None and self.targets():
            raise UserError(f"{self.path}: has several targets; choose one of {', '.join(self.targets())}")
        if not path.is_dir():
            raise UserError(f"{path}: no predictions here; finish the run with train.py resume={self.path}")
        try:
            with xr.open_zarr(path) as stored:
                dataset: xr.Dataset = stored.load()
        except Exception as error:  # a broken store raises whatever its codecs raise
            raise UserError(f"{path}: cannot be read as Zarr ({_one_line(error)}); run the training again") from error
        check_predictions(dataset, path)
        return with_text_as(np.str_, dataset)

    def config_text(self) -> str:
        """``config.yaml`` as it stands; empty where there is none."""
        return self._text(self.path / "config.yaml")

    def command(self) -> str:
        """``command.txt``; empty where there is none."""
        return self._text(self.path / "command.txt").strip()

    def versions(self) -> dict[str, str]:
        """Commit and packages of ``versions.json``; empty where there is none."""
        stored = self._json(self.path / "versions.json") or {}
        packages = stored.pop("packages", {})
        return {name: str(version) for name, version in {**stored, **packages}.items()}

    def metrics(self) -> dict[str, Any] | None:
        """``metrics.json`` as stored, None where there is none."""
        return self._json(self.scored_path / "metrics.json")

    def learning_curves(self) -> dict[str, pl.DataFrame]:
        """Tables of Lightning's CSVLogger, by fold, training and stage: ``fold0/pretrain``, ``fold0/scratch/towers``.

        Beside the model's own are those of its emulator and of the same model from scratch, where there are any.
        """
        curves = {}
        for file in [file for place in TRAININGS for file in self._of_folds(f"{place}logs/**/metrics.csv")]:
            parts = file.parent.relative_to(self.path).parts
            table = self._table(file, lambda path: pl.read_csv(path, infer_schema_length=None))
            if "step" in table.columns and table.height:
                curves["/".join(part for part in parts if part != "logs")] = table
        return curves

    def records(self, name: str) -> dict[str, dict[str, Any]]:
        """Return a JSON file that training leaves in a fold, by fold: ``fold0``, or "" of a run with one."""
        found = {file.relative_to(self.path).parts[0]: self._json(file) for file in self._of_folds(name)}
        of_folds = {place if place.startswith("fold") else "": record for place, record in found.items() if record}
        return dict(sorted(of_folds.items(), key=lambda item: (len(item[0]), item[0])))

    def not_learned(self) -> list[str]:
        """Return what folds did not learn of own days, and why; each reason once."""
        return list(dict.fromkeys(str(record.get("why")) for record in self.records(NOT_LEARNED).values()))

    def neighbours(self) -> pl.DataFrame | None:
        """``neighbours.parquet`` of all folds: who was retrieved for each test site; None where nothing was."""
        return self._parquet("neighbours.parquet")

    def neighbour_seasons(self) -> pl.DataFrame | None:
        """``neighbour_seasons.parquet`` of all folds: what of this target each neighbour showed in training, by month.

        A run made before there was one has none, and None is returned.
        """
        return self._of_target(self._parquet("neighbour_seasons.parquet"))

    def context(self) -> pl.DataFrame | None:
        """``context.parquet`` of all folds: how far each level of context moved this target; None where none was."""
        return self._of_target(self._parquet("context.parquet"))

    def baselines(self) -> list["RunFolder"]:
        """Run folders of the models trained beside this one, by name; those that lack this target are left out."""
        folder = self.path / "baselines"
        models = [RunFolder(path) for path in sorted(folder.iterdir()) if path.is_dir()] if folder.is_dir() else []
        if self.target is None:
            return models
        return [RunFolder(model.path, self.target) for model in models if self.target in model.targets()]

    def _parquet(self, name: str) -> pl.DataFrame | None:
        filled = [table for file in self._of_folds(name) if (table := self._table(file, pl.read_parquet)).height]
        return pl.concat(filled) if filled else None

    def _of_target(self, table: pl.DataFrame | None) -> pl.DataFrame | None:
        if table is None or self.target is None:
            return table
        own = table.filter(target=self.target)
        return own if own.height else None

    def _of_folds(self, pattern: str) -> list[Path]:
        return sorted([*self.path.glob(pattern), *self.path.glob(f"fold*/{pattern}")])

    @staticmethod
    def _text(path: Path) -> str:
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def _json(self, path: Path) -> dict[str, Any] | None:
        text = self._text(path)
        try:
            stored = json.loads(text) if text else None
        except json.JSONDecodeError as error:
            raise UserError(f"{path}: not JSON ({_one_line(error)}); delete it and evaluate again") from error
        if stored is not None and not isinstance(stored, dict):
            raise UserError(f"{path}: a JSON object was expected; delete it and evaluate again")
        return stored

    @staticmethod
    def _table(file: Path, read: Callable[[Path], pl.DataFrame]) -> pl.DataFrame:
        try:
            return read(file)
        except pl.exceptions.NoDataError:
            return pl.DataFrame()
        except Exception as error:  # Polars raises many kinds for a broken file
            raise UserError(
                f"{file}: cannot be read as a table ({_one_line(error)}); delete it or run again"
            ) from error


def write_predictions(dataset: xr.Dataset, path: Path) -> None:
    """Write predictions as CF Zarr (format 3), whole or not at all.

    CF attributes are added: discrete sampling geometry of time series, CF 1.11, section 9.

    Raises
    ------
    UserError
        If the dataset breaks the contract, or the disk does not take it.
    """
    check_predictions(dataset, path)
    described = _with_cf_attributes(dataset)
    shape = (min(SITES_A_CHUNK, max(dataset.sizes["site"], 1)), max(dataset.sizes["time"], 1))
    encoding: dict[Hashable, dict[str, tuple[int, ...]]] = {
        name: {"chunks": shape} for name in dataset.data_vars if dataset[name].dims == ("site", "time")
    }
    if QUANTILES in dataset:
        encoding[QUANTILES] = {"chunks": (1, *shape)}
    write_folder(described, path, encoding)


def write_json(content: object, path: Path) -> None:
    """Write JSON, whole or not at all; NaN and infinity are refused (say null)."""
    write_text(json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n", path)


def _with_cf_attributes(dataset: xr.Dataset) -> xr.Dataset:
    described = dataset.set_coords([name for name in ("site_id", "lat", "lon") if name in dataset.data_vars])
    described.attrs = {"Conventions": "CF-1.11", "featureType": "timeSeries", **dataset.attrs}
    for name, attrs in COORDINATE_ATTRS.items():
        described[name].attrs = {**attrs, **described[name].attrs}
    for name, words in FLUXES.items():
        if name in described:
            described[name].attrs = {
                "units": str(dataset.attrs["units"]),
                "long_name": f"{words}: {long_name(dataset.attrs)}",
                **described[name].attrs,
            }
    if all(name in described for name in BOUNDS):
        described["prediction"].attrs = {"ancillary_variables": " ".join(BOUNDS), **described["prediction"].attrs}
    if QUANTILES in described:
        described["quantile"].attrs = {"units": "1", "long_name": "level of a quantile", **described["quantile"].attrs}
    for name, meanings in FLAG_MEANINGS.items():
        if name in described:
            described[name].attrs = {"flag_values": [0, 1], "flag_meanings": meanings, **described[name].attrs}
    return described


def _one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
