"""Damaged files of X-MethaneWet: a cube or one line."""

import random
from pathlib import Path

import pytest
from fuzz import AT_LENGTH, EVERY_DAY, fuzz, write
from mutations import BYTES, damaged
from raciflux.config.schema import XMethaneWetSource
from raciflux.datamodules.sources import read
from xmethanewet_layout import write_grids, write_towers

YEAR, ROWS = 2003, 4


def _run(count: int, folder: Path) -> dict[str, int]:
    whole = folder / "X-MethaneWet"
    write_grids(whole / "TEM-MDM", [YEAR], ROWS)
    write_towers(whole / "FLUXNET-CH4", YEAR, YEAR, ("US-Myb", "FI-Lom"))
    tables = sorted(whole.rglob("*.csv")) + sorted(whole.rglob("*.txt"))
    grids = sorted(whole.rglob("*.nc"))
    sound = {path: path.read_bytes() for path in (*tables, *grids)}
    touched: list[Path] = []

    def damage(rng: random.Random) -> tuple[str, str]:
        for path in touched:
            write(path, sound[path])
        path = rng.choice(rng.choice([tables, grids]))
        content, done = damaged(sound[path], rng, BYTES) if path in grids else damaged(sound[path], rng)
        write(path, content)
        touched[:] = [path]
        return "", f"{path.name}: {done}"

    def both() -> object:
        cube = read("wetland_ch4", XMethaneWetSource(), folder)
        read("wetland_ch4", XMethaneWetSource(face="cells", first_year=YEAR, last_year=YEAR), folder)
        return cube

    return fuzz(count, damage, both, "xmethanewet")


def test_a_damaged_data_set_is_a_cube_or_one_line(tmp_path):
    answers = _run(EVERY_DAY, tmp_path)
    assert answers["cube"] > 20 and answers["line"] > 60, answers


@pytest.mark.slow
def test_many_damaged_data_sets_are_cubes_or_lines(tmp_path):
    print(_run(AT_LENGTH, tmp_path))
