"""Damaged FLUXNET downloads: a cube or one line."""

import io
import random
import zipfile
from pathlib import Path

import pytest
from fluxnet_layout import OFFICIAL, csv_text, half_hours, write_facts
from fuzz import AT_LENGTH, EVERY_DAY, fuzz, write
from mutations import BYTES, damaged
from raciflux.config.schema import FluxnetSource
from raciflux.datamodules.sources import read

NAME = OFFICIAL.format(site="FI-Hyy", resolution="HH", years="2004-2004")
TEXT = csv_text(half_hours(days=2)).encode()


def _packed(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(NAME, content)
    return packed.getvalue()


def _run(count: int, folder: Path) -> dict[str, int]:
    facts = write_facts(folder, ["FI-Hyy"])
    facts_text = facts.read_bytes()
    archive = folder / NAME.replace(".csv", ".zip")

    def damage(rng: random.Random) -> tuple[str, str]:
        what = rng.choice(["table", "archive", "facts"])
        content, told = TEXT, facts_text
        done, packed = "", None
        if what == "table":
            content, done = damaged(TEXT, rng)
        elif what == "facts":
            told, done = damaged(facts_text, rng)
        else:
            packed, done = damaged(_packed(TEXT), rng, BYTES)
        write(archive, packed if packed is not None else _packed(content))
        write(facts, told)
        return "", f"{what}: {done}"

    return fuzz(count, damage, lambda: read("terrestrial_carbon", FluxnetSource(path="."), folder), "fluxnet")


def test_a_damaged_download_is_a_cube_or_one_line(tmp_path):
    answers = _run(EVERY_DAY, tmp_path)
    assert answers["cube"] > 20 and answers["line"] > 60, answers


@pytest.mark.slow
def test_many_damaged_downloads_are_cubes_or_lines(tmp_path):
    print(_run(AT_LENGTH, tmp_path))
