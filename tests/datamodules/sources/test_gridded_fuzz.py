"""Damaged gridded products: a cube or one line."""

import random
from pathlib import Path

import numpy as np
import pytest
from fuzz import AT_LENGTH, EVERY_DAY, fuzz, one_of
from gridded_layout import months, truth, write_page, write_product
from mutations import BYTES, damaged
from raciflux.config.sources import GridSource
from raciflux.datamodules.sources import read

PAGE = "  FCH4: {name: ch4, files: 'flux.*'}\n  TA: {name: t2m, files: 't2m.*', unit: K}\n"


def _run(count: int, folder: Path) -> dict[str, int]:
    product = folder / "product"
    page = write_page(folder / "page.yaml", PAGE)
    flux, warmth = truth(12, rows=4), np.full((12, 8, 16), 285.0)
    write_product(product / "flux.nc", flux, months(2003, 1, "standard"))
    write_product(product / "t2m.zarr", warmth, months(2003, 1, "standard"), name="t2m", unit="K")
    stored = sorted(path for path in (product / "t2m.zarr").rglob("*") if path.is_file())
    files = [product / "flux.nc"] * len(stored) + stored

    def damage(_: Path, content: bytes, rng: random.Random) -> tuple[bytes, str]:
        return damaged(content, rng, BYTES)

    source = GridSource(page=str(page), path="product", first_year=2003, last_year=2003)
    return fuzz(count, one_of(files, damage), lambda: read("wetland_ch4", source, folder), "gridded")


def test_a_damaged_product_is_a_cube_or_one_line(tmp_path):
    answers = _run(EVERY_DAY, tmp_path)
    assert answers["cube"] > 2 and answers["line"] > 60, answers  # checksums and headers tell most damage


@pytest.mark.slow
def test_many_damaged_products_are_cubes_or_lines(tmp_path):
    _run(AT_LENGTH, tmp_path)
