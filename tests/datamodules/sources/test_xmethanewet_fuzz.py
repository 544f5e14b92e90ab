"""Damaged files of X-MethaneWet: a cube or one line."""

import random
from pathlib import Path

import pytest
from fuzz import AT_LENGTH, EVERY_DAY, fuzz, one_of
from mutations import BYTES, damaged
from raciflux.config.sources import XMethaneWetSource
from raciflux.datamodules.sources import read
from xmethanewet_layout import write_grids, write_towers

YEAR, ROWS = 2003, 4


def _run(count: int, folder: Path) -> dict[str, int]:
    whole = folder / "X-MethaneWet"
    write_grids(whole / "TEM-MDM", [YEAR], ROWS)
    write_towers(whole / "FLUXNET-CH4", YEAR, YEAR, ("US-Myb", "FI-Lom"))
    tables = sorted(whole.rglob("*.csv")) + sorted(whole.rglob("*.txt"))
    files = tables * 4 + sorted(whole.rglob("*.nc"))  # four tables are damaged as often as eighteen grids

    def damage(path: Path, content: bytes, rng: random.Random) -> tuple[bytes, str]:
        return damaged(content, rng, BYTES) if path.suffix == ".nc" else damaged(content, rng)

    def both() -> object:
        cube = read("wetland_ch4", XMethaneWetSource(), folder)
        read("wetland_ch4", XMethaneWetSource(face="cells", first_year=YEAR, last_year=YEAR), folder)
        return cube

    return fuzz(count, one_of(files, damage), both, "xmethanewet")


def test_a_damaged_data_set_is_a_cube_or_one_line(tmp_path):
    answers = _run(EVERY_DAY, tmp_path)
    assert answers["cube"] > 20 and answers["line"] > 60, answers


@pytest.mark.slow
def test_many_damaged_data_sets_are_cubes_or_lines(tmp_path):
    _run(AT_LENGTH // 4, tmp_path)  # each is two faces of twenty files: ten times another reader's time
