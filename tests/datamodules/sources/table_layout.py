"""A small made-up table product: its column map, its days and its sites."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import xarray as xr
import yaml
from raciflux.config.sources import TableSource
from raciflux.datamodules.sources import read


def column_map() -> dict[str, Any]:
    return {
        "product": "Test towers",
        "licence": "CC0-1.0",
        "citation": "nobody",
        "site": "site_id",
        "date": {"column": "date"},
        "missing": [-9999, "NA"],
        "variables": {
            "TA": {"column": "temp", "unit": "degC"},
            "NEE": {"column": "nee", "unit": "gC m-2 d-1", "qc": "nee_qc", "measured": "nee_measured"},
            "RECO": {"sum": ["nee", "gpp"], "unit": "gC m-2 d-1", "qc": "nee_qc"},
        },
        "site_table": {
            "site": "site_id",
            "lat": "lat",
            "lon": "lon",
            "statics": {"elevation": {"column": "elevation_m", "unit": "m"}},
            "classes": {"igbp": {"column": "IGBP"}},
        },
    }


def daily() -> pl.DataFrame:
    days = pl.date_range(pl.date(2003, 12, 30), pl.date(2004, 1, 2), eager=True).cast(pl.String)
    return pl.DataFrame(
        {
            "site_id": ["BB-Two"] * 4 + ["AA-One"] * 2,
            "date": [*days, *days[1:3]],
            "temp": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            "nee": [-1.0, -2.0, 0.5, 1.0, 2.0, -9999.0],
            "gpp": [3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
            "nee_qc": [1.0, 0.75, 0.5, 0.0, 1.0, 0.25],
            "nee_measured": [0.5, 0.25, 0.0, 0.0, 1.0, 0.0],
        }
    )


def sites() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "site_id": ["AA-One", "BB-Two", "CC-Idle"],
            "lat": [-10.0, 45.5, 0.0],
            "lon": [200.0, -3.25, 0.0],
            "elevation_m": [100.0, None, 3.0],
            "IGBP": ["CRO", "NA", "WET"],
        }
    )


@dataclass
class Product:
    """The three files of a product, in memory until `read`."""

    folder: Path
    columns: dict[str, Any]
    daily: pl.DataFrame
    sites: pl.DataFrame
    ending: str = "csv"

    def write(self) -> TableSource:
        (self.folder / "columns.yaml").write_text(yaml.safe_dump(self.columns, allow_unicode=True), encoding="utf-8")
        write: dict[str, Callable[[pl.DataFrame, Path], object]] = {
            "csv": pl.DataFrame.write_csv,
            "parquet": pl.DataFrame.write_parquet,
        }
        for name in ("daily", "sites"):
            write[self.ending](getattr(self, name), self.folder / f"{name}.{self.ending}")
        return TableSource(
            columns=str(self.folder / "columns.yaml"), path=f"daily.{self.ending}", sites=f"sites.{self.ending}"
        )

    def read(self, *only: str) -> xr.Dataset:
        return read("terrestrial_co2", self.write(), self.folder, only)

    def set_daily(self, column: str, row: int, value: object) -> None:
        cells = self.daily[column].cast(pl.String).to_list()
        cells[row] = value
        self.daily = self.daily.with_columns(pl.Series(column, cells, dtype=pl.String))
