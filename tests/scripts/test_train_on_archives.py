"""From the networks' downloads to a finished run: train on a folder of archives, predict with it."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from fluxnet_layout import csv_text, write_facts, write_zip

from .conftest import load_script

PLACES = {f"DE-T{i:02d}": (48.0 + 1.5 * (i % 4), 5.0 + 1.5 * (i // 4)) for i in range(12)}
DAYS = 800


def write_network(folder: Path) -> None:
    """Twelve towers in the daily layout of FLUXNET2015, each with a level of its own."""
    rng = np.random.default_rng(0)
    days = [datetime(2004, 1, 1) + timedelta(days=day) for day in range(DAYS)]
    season = -np.cos(2 * np.pi * (np.arange(DAYS) - 10) / 365.25)
    for number, (site, (lat, lon)) in enumerate(PLACES.items()):
        warmth, light = 10 + 9 * season + rng.normal(0, 2, DAYS), 150 + 90 * season
        gpp = (1 + 0.1 * number) * np.maximum(0.02 * light + 0.2 * warmth, 0)
        numbers = {
            "TA_F": warmth, "SW_IN_F": light, "VPD_F": 4 + 2 * season, "GPP_NT_VUT_REF": gpp, "NEE_VUT_REF": 2 - gpp,
            "RECO_NT_VUT_REF": np.full(DAYS, 2.0), "NEE_VUT_REF_QC": np.full(DAYS, 0.9),
        }  # fmt: skip
        columns = {"TIMESTAMP": [f"{day:%Y%m%d}" for day in days]}
        columns |= {name: [f"{value:.3f}" for value in values] for name, values in numbers.items()}
        stem = f"FLX_{site}_FLUXNET2015_SUBSET{{}}_2004-2006_1-4"
        write_zip(folder / (stem.format("") + ".zip"), {stem.format("_DD") + ".csv": csv_text(columns)})
        write_facts(folder / site, [site], {"LOCATION_LAT": str(lat), "LOCATION_LONG": str(lon), "IGBP": "GRA"})


@pytest.fixture(scope="module")
def downloads(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_network(folder / "downloads")
    return folder


def test_a_folder_of_archives_trains_and_predicts(downloads, tmp_path):
    source = "data.source={kind: fluxnet, path: downloads}"
    load_script("train").main(
        [
            "experiment=fluxnet2015", source, f"data.root={downloads}", "data.odd_sites=[]", "data.quality=published",
            "data.split.folds=3", "data.split.min_scored_days=30", "model=lightgbm", "model.rounds=30",
            "compare=[site_mean]", "trainer.progress=false", "logger.wandb=disabled", f"output={tmp_path / 'runs'}",
        ]
    )  # fmt: skip
    (run,) = (tmp_path / "runs").glob("*/*-s[0-9]*")
    metrics = json.loads((run / "targets" / "GPP" / "metrics.json").read_text())
    assert metrics["scores"] and (run / "report.html").is_file()
    page = tmp_path / "archives.yaml"
    page.write_text(f"pair: terrestrial_carbon\nroot: {downloads}\nsource: {{kind: fluxnet, path: downloads}}\n")
    load_script("predict").main([str(run), f"data={page}", f"output={tmp_path / 'said.zarr'}"])
    assert (tmp_path / "said.zarr").is_dir()
