"""Damaged files of AgroFlux and PyKGML: a cube or one line."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from agriculture_layout import write_agroflux, write_pykgml
from fuzz import AT_LENGTH, EVERY_DAY, fuzz, one_of
from mutations import BYTES, damaged
from raciflux.config.sources import AgroFluxSource, PykgmlSource
from raciflux.datamodules.sources import read


def _damage(path: Path, content: bytes, rng: random.Random) -> tuple[bytes, str]:
    return damaged(content, rng) if path.suffix == ".csv" else damaged(content, rng, BYTES)


def agroflux(count: int, folder: Path) -> dict[str, int]:
    write_agroflux(folder / "AgroFlux", counties=2, years=1, towers=1)
    shutil.rmtree(folder / "AgroFlux" / "data_files" / "t0_mw")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "Ecosys_99points.csv")
    source = AgroFluxSource(sites="AgroFlux/towers.csv")
    return fuzz(count, one_of(files, _damage), lambda: read("cropland_gpp", source, folder), "agroflux")


def pykgml(count: int, folder: Path) -> dict[str, int]:
    write_pykgml(folder / "PyKGML", sites=2, years=1)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    source = PykgmlSource(sites="PyKGML/sites.csv")
    return fuzz(count, one_of(files, _damage), lambda: read("cropland_co2", source, folder), "pykgml")


@pytest.mark.parametrize("reader", [agroflux, pykgml])
def test_damaged_arrays_are_a_cube_or_one_line(reader: Callable[[int, Path], dict[str, int]], tmp_path):
    answers = reader(EVERY_DAY, tmp_path)
    assert answers["cube"] > 20 and answers["line"] > 60, answers


@pytest.mark.slow
@pytest.mark.parametrize("reader", [agroflux, pykgml])
def test_many_damaged_arrays_are_cubes_or_lines(reader: Callable[[int, Path], dict[str, int]], tmp_path):
    reader(AT_LENGTH, tmp_path)
