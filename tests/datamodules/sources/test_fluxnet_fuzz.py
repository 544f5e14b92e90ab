"""Damaged FLUXNET downloads: a cube or one line."""

import io
import random
import zipfile
from pathlib import Path

import pytest
from fluxnet_layout import OFFICIAL, csv_text, half_hours, write_facts
from fuzz import AT_LENGTH, EVERY_DAY, fuzz, write
from mutations import BYTES, damaged
from raciflux.config.sources import FluxnetSource
from raciflux.datamodules.sources import read

MADE = half_hours(days=2)
STAMPS = {name: values for name, values in MADE.items() if name.startswith("TIMESTAMP")}
BASE = STAMPS | {"FC_1_1_1": MADE["NEE_VUT_REF"], "TA_1_1_1": MADE["TA_F"], "TA_1_2_1": MADE["TA_F"]}
LAYOUTS = {  # of one reader: name of the archive, of the table in it, and what stands there
    "FLUXNET2015": (
        "FLX_FI-Hyy_FLUXNET2015_FULLSET_2004-2004_1-4.zip",
        OFFICIAL.format(site="FI-Hyy", resolution="HH", years="2004-2004"),
        csv_text(MADE).encode(),
    ),
    "AmeriFlux BASE": (
        "AMF_FI-Hyy_BASE-BADM_12-5.zip",
        "AMF_FI-Hyy_BASE_HH_12-5.csv",
        csv_text(BASE, "# Site: FI-Hyy\n# Version: 12-5\n").encode(),
    ),
}


def _packed(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return packed.getvalue()


def _run(count: int, folder: Path, layout: str) -> dict[str, int]:
    archive_name, name, text = LAYOUTS[layout]
    facts = write_facts(folder, ["FI-Hyy"])
    facts_text = facts.read_bytes()
    archive = folder / archive_name

    def damage(rng: random.Random) -> str:
        what = rng.choice(["table", "archive", "facts"])
        content, told = text, facts_text
        done, packed = "", None
        if what == "table":
            content, done = damaged(text, rng)
        elif what == "facts":
            told, done = damaged(facts_text, rng)
        else:
            packed, done = damaged(_packed(name, text), rng, BYTES)
        write(archive, packed if packed is not None else _packed(name, content))
        write(facts, told)
        return f"{what}: {done}"

    return fuzz(count, damage, lambda: read("terrestrial_carbon", FluxnetSource(path="."), folder), layout)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_damaged_download_is_a_cube_or_one_line(tmp_path, layout):
    answers = _run(EVERY_DAY // len(LAYOUTS), tmp_path, layout)
    assert answers["cube"] > 10 and answers["line"] > 30, answers


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_many_damaged_downloads_are_cubes_or_lines(tmp_path, layout):
    _run(AT_LENGTH // len(LAYOUTS), tmp_path, layout)
