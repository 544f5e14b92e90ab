"""Damaged daily tables, half-hours, chambers and their site tables: a cube or one line."""

import random
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from fuzz import AT_LENGTH, EVERY_DAY, fuzz, one_of
from mutations import BYTES, damaged
from raciflux.datamodules.sources import read
from table_layout import Product, column_map, daily, sites

HOURS = {"date": {"column": "time", "format": "%Y-%m-%d %H:%M"}, "steps": {"per_day": 24, "least": 12, "stamp": "end"}}
PORTS = {"date": {"column": "time", "format": "%Y-%m-%d %H:%M"}, "ports": {"column": "port"}}


def _hourly() -> pl.DataFrame:
    hours = pl.DataFrame({"hour": [f"{hour:02d}:00" for hour in range(24)]})
    table = daily().join(hours, how="cross").with_columns(pl.lit("p1").alias("port"))
    return table.with_columns((pl.col("date") + " " + pl.col("hour")).alias("time")).drop("date", "hour")


def _run(count: int, folder: Path, name: str, product: Product) -> dict[str, int]:
    source = product.write()
    path = folder / source.path

    def damage(path: Path, content: bytes, rng: random.Random) -> tuple[bytes, str]:
        return damaged(content, rng, BYTES) if path.suffix == ".parquet" else damaged(content, rng)

    files = [path, path, folder / source.sites]
    return fuzz(count, one_of(files, damage), lambda: read("terrestrial_carbon", source, folder), name)


def _several_a_day(folder: Path, more: dict[str, object]) -> Product:
    fluxes = {"TA": {"column": "temp", "unit": "degC"}, "NEE": {"column": "nee", "unit": "gC m-2 d-1"}}
    return Product(folder, {**column_map(), **more, "variables": fluxes}, _hourly(), sites())


def daily_csv(count: int, folder: Path) -> dict[str, int]:
    return _run(count, folder, "daily table", Product(folder, column_map(), daily(), sites()))


def daily_parquet(count: int, folder: Path) -> dict[str, int]:
    return _run(count, folder, "daily Parquet", Product(folder, column_map(), daily(), sites(), "parquet"))


def hours(count: int, folder: Path) -> dict[str, int]:
    return _run(count, folder, "table of hours", _several_a_day(folder, HOURS))


def chambers(count: int, folder: Path) -> dict[str, int]:
    return _run(count, folder, "table of chambers", _several_a_day(folder, PORTS))


# layouts of one reader, which share its files
READERS = [daily_csv, daily_parquet, hours, chambers]


@pytest.mark.parametrize("reader", READERS)
def test_a_damaged_table_is_a_cube_or_one_line(reader: Callable[[int, Path], dict[str, int]], tmp_path):
    answers = reader(EVERY_DAY // len(READERS), tmp_path)
    assert answers["cube"] > 0 and answers["line"] > 30, answers


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_many_damaged_tables_are_cubes_or_lines(reader: Callable[[int, Path], dict[str, int]], tmp_path):
    reader(AT_LENGTH // len(READERS), tmp_path)
