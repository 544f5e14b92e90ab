"""Damaged files of AgroFlux and PyKGML: a cube or one line."""

import random
import shutil
from pathlib import Path

import pytest
import xarray as xr
from agriculture_layout import write_agroflux, write_pykgml
from fuzz import AT_LENGTH, EVERY_DAY, fuzz, one_of
from mutations import BYTES, damaged
from raciflux.config.schema import AgroFluxSource, PykgmlSource
from raciflux.datamodules.sources import read


def _run(count: int, folder: Path) -> dict[str, int]:
    write_agroflux(folder / "AgroFlux", counties=2, years=1, towers=1)
    write_pykgml(folder / "PyKGML", sites=2, years=1)
    shutil.rmtree(folder / "AgroFlux" / "data_files" / "t0_mw")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "Ecosys_99points.csv")

    def damage(path: Path, content: bytes, rng: random.Random) -> tuple[bytes, str]:
        return damaged(content, rng) if path.suffix == ".csv" else damaged(content, rng, BYTES)

    def both() -> xr.Dataset:
        read("cropland_co2", PykgmlSource(sites="PyKGML/sites.csv"), folder)
        return read("cropland_gpp", AgroFluxSource(sites="AgroFlux/towers.csv"), folder)

    return fuzz(count, one_of(files, damage), both, "agriculture")


def test_damaged_arrays_are_a_cube_or_one_line(tmp_path):
    answers = _run(EVERY_DAY, tmp_path)
    assert answers["cube"] > 20 and answers["line"] > 60, answers


@pytest.mark.slow
def test_many_damaged_arrays_are_cubes_or_lines(tmp_path):
    print(_run(AT_LENGTH, tmp_path))
