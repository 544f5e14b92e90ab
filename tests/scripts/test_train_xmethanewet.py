"""X-MethaneWet's recipes, each on a small data set in the published layout: from the files to a finished run."""

import json
from pathlib import Path

import pytest
from xmethanewet_layout import write_all

from .conftest import load_script

FIRST, LAST = 2001, 2004
SMALL = [
    "model=lightgbm", "model.rounds=20", "compare=[site_mean]", "data.split.min_scored_days=30",
    "trainer.progress=false", "logger.wandb=disabled",
]  # fmt: skip
SOURCE, SIMULATION = (
    [f"data.{of}.first_year={FIRST}", f"data.{of}.last_year={LAST}"] for of in ("source", "simulation")
)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_all(folder / "X-MethaneWet", FIRST, LAST)
    return folder


def trained(root: Path, output: Path, arguments: list[str]) -> Path:
    load_script("train").main([*arguments, f"data.root={root}", f"output={output}"])
    (run,) = output.glob("*/*-s[0-9]*")
    return run


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("tem_temporal", [*SOURCE, "data.source.cells=60", "data.split.test_from=2004"]),
        ("tem_spatial", [*SOURCE, "data.split.folds=3", "data.split.fold=1"]),
        ("tower_temporal", ["transfer=scratch"]),
        ("tower_spatial", ["transfer=scratch", "data.split.fold=1"]),
        ("sparse", ["transfer=scratch", "data.split.fold=1", "data.split.label_share=0.5"]),
    ],
)
def test_a_recipe_ends_in_a_report(root, tmp_path, name, more):
    run = trained(root, tmp_path, [f"experiment=xmethanewet_{name}", *SMALL, *more])
    scores = json.loads((run / "metrics.json").read_text())["scores"]
    score = "measured" if name.startswith(("tower", "sparse")) else "simulated"
    assert scores[score]["sites"] > 0 and (run / "report.html").is_file()


def test_a_network_pretrains_on_cells_and_learns_from_towers(root, tmp_path):
    run = trained(
        root,
        tmp_path,
        [
            "experiment=xmethanewet_tower_spatial", "data.split.fold=1", "compare=[]", "model=lstm", "model.hidden=8",
            *SMALL[3:], *SIMULATION, "data.simulation.cells=80", "transfer.pretrain.steps=4",
            "transfer.pretrain.check_every=2", "transfer.finetune.steps=4", "transfer.finetune.check_every=2",
        ],
    )  # fmt: skip
    assert json.loads((run / "transfer.json").read_text())
    notes = (run / "data_notes.txt").read_text()
    assert "CH4_emission: the files state no unit" in notes and "FCH4 count as measured" in notes


def test_the_published_folds_need_to_be_asked_for(root, tmp_path):
    published = ["experiment=xmethanewet_tower_spatial", *SMALL, "transfer=scratch", "data.split.fold=1"]
    run = trained(
        root,
        tmp_path,
        [*published, "data.split.file=xmethanewet_published_v1", "data.split.cluster_km=0",
         "data.source.paper_compat=true", "data.quality=published"],
    )  # fmt: skip
    assert (run / "metrics.json").is_file()
