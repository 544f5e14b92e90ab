"""Writes files as the flux networks hand them out: names, columns, codes, archives, site facts."""

import csv
import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

MISSING = "-9999"
FACTS = {
    "LOCATION_LAT": "61.85",
    "LOCATION_LONG": "24.29",
    "LOCATION_ELEV": "181",
    "IGBP": "ENF",
    "CLIMATE_KOEPPEN": "Dfc",
}
OFFICIAL = "FLX_{site}_FLUXNET2015_FULLSET_{resolution}_{years}_1-4.csv"

Columns = Mapping[str, Sequence[object]]


def half_hours(
    days: int = 3, minutes: int = 30, seed: int = 0, first: datetime = datetime(2004, 2, 28)
) -> dict[str, list[object]]:
    """Half-hours of a made-up site, gap-filled as ONEFlux leaves them, some flagged and some missing."""
    rng = np.random.default_rng(seed)
    count = days * 24 * 60 // minutes
    begins = [first + timedelta(minutes=minutes * step) for step in range(count)]
    light = np.maximum(np.sin(2 * np.pi * (np.arange(count) * minutes / 1440 - 0.25)), 0)
    made: dict[str, list[object]] = {
        "TIMESTAMP_START": [f"{time:%Y%m%d%H%M}" for time in begins],
        "TIMESTAMP_END": [f"{time + timedelta(minutes=minutes):%Y%m%d%H%M}" for time in begins],
    }
    numbers = {
        "TA_F": 4 + 3 * light + rng.normal(0, 0.5, count),
        "SW_IN_F": 400 * light,
        "VPD_F": 2 + 3 * light,
        "P_F": np.where(rng.random(count) < 0.1, 0.4, 0.0),
        "NEE_VUT_REF": 2 - 9 * light + rng.normal(0, 0.3, count),
        "GPP_NT_VUT_REF": 8 * light,
        "RECO_NT_VUT_REF": np.full(count, 2.0),
    }
    made |= {name: [f"{value:.4f}" for value in values] for name, values in numbers.items()}
    made["NEE_VUT_REF_QC"] = rng.integers(0, 4, count).tolist()
    return made


def csv_text(columns: Columns, before: str = "") -> str:
    """Write columns as the networks do."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return before + text.getvalue()


def write_zip(path: Path, tables: Mapping[str, str]) -> Path:
    """Write an archive of texts by their names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in tables.items():
            archive.writestr(name, text)
    return path


def write_facts(folder: Path, sites: Sequence[str], facts: Mapping[str, str] = FACTS) -> Path:
    """Write the facts of sites as a BIF."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        (site, number, "GRP_FACTS", name, value) for site in sites for number, (name, value) in enumerate(facts.items())
    ]
    columns = dict(
        zip(("SITE_ID", "GROUP_ID", "VARIABLE_GROUP", "VARIABLE", "DATAVALUE"), zip(*rows, strict=True), strict=True)
    )
    path = folder / "FLX_AA-Flx_BIF_ALL_20200501.csv"
    path.write_text(csv_text(columns), encoding="utf-8")
    return path


def write_site(
    folder: Path, site: str = "FI-Hyy", columns: Columns | None = None, resolution: str = "HH", years: str = "2004-2004"
) -> Path:
    """Write one site as a ZIP of a single table in the layout of FLUXNET2015."""
    name = OFFICIAL.format(site=site, resolution=resolution, years=years)
    return write_zip(
        folder / name.replace(f"_{resolution}", "").replace(".csv", ".zip"), {name: csv_text(columns or half_hours())}
    )
