"""The run folder on disk: what evaluation reads and writes, and nothing else.

``predictions.zarr`` holds dims (site, time) with the test sites, each once (folds pooled):

* ``prediction``, ``observed`` float32, NaN where there is none; ``expected`` (optional) the truth without noise;
* ``measured`` bool, the days of the primary score; ``convention`` bool, QC >= 0.75 (quality *measured* only);
* per site ``lat, lon, cluster, fold`` and classes (``igbp, koppen, ...``) where known;
* attributes ``target, units, model, experiment, pair, quality, min_scored_days, odd_sites`` (a JSON list).
"""

import json
import warnings
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import xarray as xr

from ..atomic import replacing, write_text
from ..errors import UserError
from .wording import SCORES, long_name

ATTRIBUTES = ("target", "units", "model", "experiment", "pair", "quality", "min_scored_days", "odd_sites")
PER_SITE = ("site_id", "lat", "lon", "cluster", "fold")
SITES_A_CHUNK = 64
COORDINATE_ATTRS: dict[str, dict[str, str]] = {
    "site_id": {"cf_role": "timeseries_id", "long_name": "site identifier"},
    "lat": {"standard_name": "latitude", "units": "degrees_north"},
    "lon": {"standard_name": "longitude", "units": "degrees_east"},
    "time": {"standard_name": "time", "long_name": "day, local standard time"},
}
FLAG_MEANINGS = {"measured": "other scored", "convention": "other measured_or_well_filled"}


class RunFolder:
    """A run on disk, or a baseline inside one.

    Raises
    ------
    UserError
        If the folder is not there, or (on reading) a file of it is missing or broken.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise UserError(f"{self.path}: no such run folder; give the folder that scripts/train.py printed")

    def predictions(self) -> xr.Dataset:
        """``predictions.zarr``, checked against the contract and held in memory."""
        path = self.path / "predictions.zarr"
        if not path.is_dir():
            raise UserError(f"{path}: no predictions here; finish the run with train.py resume={self.path}")
        try:
            with xr.open_zarr(path) as stored:
                dataset: xr.Dataset = stored.load()
        except Exception as error:  # a broken store raises whatever its codecs raise
            raise UserError(f"{path}: cannot be read as Zarr ({_one_line(error)}); run the training again") from error
        check_predictions(dataset, path)
        return dataset.assign({name: dataset[name].astype(object).astype(str) for name in _texts(dataset)})

    def config_text(self) -> str:
        """``config.yaml`` as it stands; empty where there is none."""
        return self._text("config.yaml")

    def command(self) -> str:
        """``command.txt``; empty where there is none."""
        return self._text("command.txt").strip()

    def versions(self) -> dict[str, str]:
        """Commit and packages of ``versions.json``; empty where there is none."""
        stored = self._json("versions.json") or {}
        packages = stored.pop("packages", {})
        return {name: str(version) for name, version in {**stored, **packages}.items()}

    def metrics(self) -> dict[str, Any] | None:
        """``metrics.json`` as stored, None where there is none."""
        return self._json("metrics.json")

    def learning_curves(self) -> dict[str, pl.DataFrame]:
        """Tables of Lightning's CSVLogger under ``logs/`` and ``fold*/logs/``, by name: ``fold0/pretrain``."""
        curves = {}
        for file in self._of_folds("logs/**/metrics.csv"):
            parts = file.parent.relative_to(self.path).parts
            table = self._table(file, lambda path: pl.read_csv(path, infer_schema_length=None))
            if "step" in table.columns and table.height:
                curves["/".join(part for part in parts if part != "logs")] = table
        return curves

    def neighbours(self) -> pl.DataFrame | None:
        """``neighbours.parquet`` of all folds: who was retrieved for each test site; None where nothing was."""
        tables = [self._table(file, pl.read_parquet) for file in self._of_folds("neighbours.parquet")]
        filled = [table for table in tables if table.height]
        return pl.concat(filled) if filled else None

    def baselines(self) -> list["RunFolder"]:
        """Run folders of the models trained beside this one, by name."""
        folder = self.path / "baselines"
        return [RunFolder(path) for path in sorted(folder.iterdir()) if path.is_dir()] if folder.is_dir() else []

    def _of_folds(self, pattern: str) -> list[Path]:
        return sorted([*self.path.glob(pattern), *self.path.glob(f"fold*/{pattern}")])

    def _text(self, name: str) -> str:
        path = self.path / name
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def _json(self, name: str) -> dict[str, Any] | None:
        text = self._text(name)
        try:
            stored = json.loads(text) if text else None
        except json.JSONDecodeError as error:
            raise UserError(
                f"{self.path / name}: not JSON ({_one_line(error)}); delete it and evaluate again"
            ) from error
        if stored is not None and not isinstance(stored, dict):
            raise UserError(f"{self.path / name}: a JSON object was expected; delete it and evaluate again")
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


def check_predictions(dataset: xr.Dataset, path: Path) -> None:
    """Check a predictions dataset against the contract of this module.

    Raises
    ------
    UserError
        Naming the first thing that is missing, repeated or infinite.
    """
    missing = [name for name in ATTRIBUTES if name not in dataset.attrs]
    if missing:
        raise UserError(
            f"{path}: attribute {missing[0]!r} is missing; write such a file with run_folder.write_predictions"
        )
    if dataset.attrs["quality"] not in SCORES:
        raise UserError(f"{path}: quality {dataset.attrs['quality']!r} is unknown; expected one of {', '.join(SCORES)}")
    flags = SCORES[dataset.attrs["quality"]]
    needed: dict[str, tuple[str, ...]] = {
        "prediction": ("site", "time"),
        "observed": ("site", "time"),
        "measured": ("site", "time"),
    }
    needed |= {"convention": ("site", "time")} if "convention" in flags else {}
    needed |= {name: ("site",) for name in PER_SITE} | {"time": ("time",)}
    for name, dims in needed.items():
        if name not in dataset.variables:
            raise UserError(f"{path}: variable {name!r} is missing; expected it with dims {dims}")
        if dataset[name].dims != dims:
            raise UserError(f"{path}: variable {name!r} has dims {dataset[name].dims}; expected {dims}")
    site_id = dataset["site_id"].to_numpy().astype(object).astype(str)
    ids, counts = np.unique(site_id, return_counts=True)
    if (counts > 1).any():
        raise UserError(
            f"{path}: site {str(ids[counts > 1][0])!r} stands there more than once; each test site is scored once"
        )
    infinite = np.isinf(dataset["prediction"].to_numpy())
    if infinite.any():
        site = str(site_id[infinite.any(1)][0])
        raise UserError(
            f"{path}: infinite prediction at site {site!r}: the model diverged; train with a lower learning rate"
        )


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
    encoding = {name: {"chunks": shape} for name in dataset.data_vars if dataset[name].dims == ("site", "time")}
    with replacing(path) as partial, warnings.catch_warnings():
        # xarray warns a reader without consolidated metadata, and Zarr warns a writer with it
        warnings.filterwarnings("ignore", message="Consolidated metadata is currently not part")
        described.to_zarr(partial, zarr_format=3, consolidated=True, encoding=encoding, mode="w")


def write_json(content: object, path: Path) -> None:
    """Write JSON, whole or not at all; NaN and infinity are refused (say null)."""
    write_text(json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n", path)


def _with_cf_attributes(dataset: xr.Dataset) -> xr.Dataset:
    # Text of variable width: Zarr 3 does not specify the fixed-width kind, which other readers may refuse.
    described = dataset.assign({name: dataset[name].astype(object) for name in _texts(dataset)})
    described = described.set_coords([name for name in ("site_id", "lat", "lon") if name in described.data_vars])
    described.attrs = {"Conventions": "CF-1.11", "featureType": "timeSeries", **dataset.attrs}
    for name, attrs in COORDINATE_ATTRS.items():
        described[name].attrs = {**attrs, **described[name].attrs}
    for name in ("prediction", "observed", "expected"):
        if name in described:
            described[name].attrs = {
                "units": str(dataset.attrs["units"]),
                "long_name": f"{name}: {long_name(dataset.attrs)}",
                **described[name].attrs,
            }
    for name, meanings in FLAG_MEANINGS.items():
        if name in described:
            described[name].attrs = {"flag_values": [0, 1], "flag_meanings": meanings, **described[name].attrs}
    return described


def _texts(dataset: xr.Dataset) -> list[Hashable]:
    return [name for name, variable in dataset.variables.items() if variable.dtype.kind in "OTU"]


def _one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
