"""AgroFlux's recipes on a small data set in the published arrays."""

import json

import pytest
from agriculture_layout import write_agroflux

from .conftest import load_script

SMALL = [
    "data.split.fold=0", "compare=[]", "model=lstm", "model.hidden=8", "data.split.min_scored_days=30",
    "transfer.pretrain.steps=4", "transfer.pretrain.check_every=2", "transfer.finetune.steps=4",
    "transfer.finetune.check_every=2", "trainer.progress=false", "logger.wandb=disabled",
]  # fmt: skip


@pytest.mark.parametrize(("name", "target"), [("agroflux_gpp", "GPP"), ("agroflux_co2", "NEE")])
def test_towers_are_learned_after_the_runs_of_ecosys(tmp_path, name, target):
    write_agroflux(tmp_path / "data" / "AgroFlux", counties=18, towers=4)
    load_script("train").main(
        [f"experiment={name}", *SMALL, f"data.root={tmp_path / 'data'}", f"output={tmp_path / 'runs'}"]
    )
    (run,) = (tmp_path / "runs").glob("*/*-s[0-9]*")
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["scores"] and json.loads((run / "transfer.json").read_text())
    assert f"{target}" in (run / "report.html").read_text()
    assert "NEE: uptake is positive in the files, turned" in (run / "data_notes.txt").read_text()
