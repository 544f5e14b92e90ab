"""Studies whose cells are committed: what is drawn from the tables is what is drawn from predictions themselves."""

import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from raciflux.errors import UserError
from raciflux.evaluation.comparison.compared import Comparison
from raciflux.evaluation.comparison.folders import compare_folders
from rich.console import Console

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.accuracy import collect, main, work, worlds  # noqa: E402
from benchmarks.accuracy.cells import Run, runs_of  # noqa: E402
from benchmarks.accuracy.committed import Committed  # noqa: E402
from benchmarks.accuracy.grid import Grid, Variant  # noqa: E402
from benchmarks.accuracy.grids import GRIDS  # noqa: E402

TINY = Grid(
    experiment="embedded_wetland_ch4",
    splits={
        "spatial": (
            "data.source.places=48",
            "data.source.years=2",
            "data.split.folds=3",
            "data.split.fold=null",
            "data.split.min_scored_days=30",
        )
    },
    models=("climatology", "lightgbm", "few_leaves"),
    regime=("transfer=scratch",),
    seeds=2,
    tuned_on=None,
    about="A tiny study.",
    variants={
        "lightgbm": Variant("lightgbm", ("model.rounds=10",)),
        "few_leaves": Variant("lightgbm", ("model.rounds=10", "model.leaves=4")),
    },
    folds=(0, 1),
    carried=True,
    stem="study",
)
EVERYTHING = {"models": [], "splits": []}
FOLDS = (0, 1)


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    return runs_of("tiny", TINY, {}, EVERYTHING, TINY.seeds)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, runs) -> Path:
    """The folder of runs after the tiny study has run in this process."""
    folder = tmp_path_factory.mktemp("runs")
    for cell in work.cells_of(runs, folder):
        said = work.run_cell(cell)
        assert "min" in said, said
    return folder


@pytest.fixture
def stored(finished, runs, tmp_path) -> Path:
    """The tables that are committed of it."""
    committed, file = Committed(), tmp_path / "tables" / "study_cells.json"
    committed.add(work.cells_of(runs, finished))
    assert committed.write(file) == 2 + 4 + 4
    return file


def _compare(committed: Committed, runs: list[Run], draws: int = 100) -> Comparison:
    return committed.compare(runs, FOLDS, "FCH4", "lightgbm", ["climatology", "lightgbm"], draws)


def test_a_comparison_of_committed_cells_is_that_of_their_predictions(finished, runs, stored):
    places = [place for _, place in work.pooled(runs, finished)]
    of_folders = compare_folders(places, reference="lightgbm", baselines=["climatology", "lightgbm"], draws=100)
    again = _compare(Committed.read(stored), runs)
    assert again == of_folders["FCH4"]
    assert again.scores[0].models[1].seeds == (0, 1) and again.best_baseline == "lightgbm"


def test_worlds_pooled_from_committed_cells_are_those_pooled_from_predictions(finished, runs, stored):
    """A world and its twin: clusters and folds are counted on, towers named after their world."""
    twin = [replace(run, split="twin") for run in runs]
    places = list(work.pooled(runs, finished))
    places += [(replace(run, split="twin"), place) for run, place in places]
    pools = {"both": ("spatial", "twin")}
    of_folders = compare_folders(
        [place for _, place in worlds.pooled_worlds(places, pools, finished)],
        reference="lightgbm",
        baselines=["climatology", "lightgbm"],
        draws=100,
    )
    committed = Committed.read(stored)
    committed.runs |= {name.replace("spatial/", "twin/"): run for name, run in committed.runs.items()}
    committed.identity["twin/FCH4"] = committed.identity["spatial/FCH4"]
    committed.sums = pl.concat([committed.sums, committed.sums.with_columns(split=pl.lit("twin"))])
    whole = {"spatial": runs, "twin": [run for run in twin if run.model != "few_leaves"]}
    together, of_pools = worlds.pooled_committed(committed, pools, whole)
    assert {run.model for run in of_pools["both"]} == {"climatology", "lightgbm"}, "the rest has not finished both"
    together, of_pools = worlds.pooled_committed(committed, pools, whole | {"twin": twin})
    assert together.folds("both") == [0, 1, 2, 3]
    again = together.compare(of_pools["both"], [0, 1, 2, 3], "FCH4", "lightgbm", ["climatology", "lightgbm"], 100)
    assert again == of_folders["FCH4"]
    assert again.scores[0].sites == 2 * _compare(committed, runs).scores[0].sites
    assert "both/lightgbm-s0" not in committed.runs, "what is committed stays as it was"


def test_the_table_of_sites_is_that_of_the_run_folders(finished, runs, stored, tmp_path):
    collect.write_results(runs, finished, tmp_path / "of_runs.csv")
    Committed.read(stored).write_results(runs, tmp_path / "committed.csv")
    key = list(collect.COLUMNS[:-1])
    one, other = (pl.read_csv(tmp_path / name).sort(key) for name in ("of_runs.csv", "committed.csv"))
    assert one.height > 100
    assert_frame_equal(one, other, check_exact=False, abs_tol=1e-4)


def test_where_cells_are_committed_none_is_run_again(stored, tmp_path, monkeypatch):
    monkeypatch.setitem(GRIDS, "raci_ablation", TINY)
    output = tmp_path / "elsewhere"
    (output / "raci_ablation").mkdir(parents=True)
    for file in stored.parent.iterdir():
        (output / "raci_ablation" / file.name).write_bytes(file.read_bytes())
    handed = []
    monkeypatch.setattr(work, "work", lambda cells, jobs, console: handed.extend(cells) or [])
    arguments = ["accuracy=raci_ablation", "draws=100", f"runs={tmp_path / 'none'}", f"output={output}"]
    main.measure_accuracy(arguments, Console(quiet=True))
    assert handed == []
    page = (output / "raci_ablation" / "study.md").read_text()
    assert "10 cells" in page and "**missing**" not in page
    assert "| few_leaves − lightgbm |" in page, "the best baseline is what others are held against where none is named"
    before = {file.name: file.read_bytes() for file in stored.parent.iterdir()}
    after = {file.name: (output / "raci_ablation" / file.name).read_bytes() for file in stored.parent.iterdir()}
    assert before == after, "what was committed is written as it was"

    monkeypatch.setitem(
        GRIDS,
        "raci_ablation",
        replace(TINY, splits={"spatial": (*TINY.splits["spatial"][:-1], "data.split.min_scored_days=40")}),
    )
    main.measure_accuracy(arguments, Console(quiet=True))
    assert len(handed) == 10, "of other settings: all are wanted anew"
    assert "no cell is finished yet" in (output / "raci_ablation" / "study.md").read_text()


def test_cells_of_other_settings_take_the_place_of_the_old(finished, runs, stored):
    committed = Committed.read(stored)
    run = next(run for run in runs if run.model == "few_leaves" and run.seed == 1)
    other = replace(run, overrides=(*run.overrides, "model.min_leaf=50"))
    cells = work.cells_of([other], finished.parent / "others")
    assert committed.cell(other, 0) is None and committed.left(other) == []
    for cell in cells:
        assert "min" in work.run_cell(cell)
    committed.add(cells)
    assert committed.cell(other, 0) and committed.cell(run, 0) is None
    rows = committed.sums.filter(model="few_leaves", seed=1)
    assert rows.height == rows.unique(["cell", "target", "score", "site_id"]).height, "nothing of the old is left"


def test_a_seed_that_a_model_lacks_is_left_out_of_all(finished, runs):
    committed = Committed()
    cells = work.cells_of(runs, finished)
    committed.add(cell for cell in cells if (cell.run.model, cell.run.seed, cell.fold) != ("few_leaves", 1, 1))
    whole = committed.whole(runs, FOLDS)
    assert {(run.model, run.seed) for run in whole} == {("climatology", 0), ("lightgbm", 0), ("few_leaves", 0)}
    assert [line.seeds for line in _compare(committed, whole).scores[0].models] == [(0,), (0,), (0,)]


def test_cells_that_were_asked_otherwise_are_refused_until_all_are_run_anew(finished, runs, stored):
    committed = Committed.read(stored)
    committed.identity["spatial/FCH4"]["min_scored_days"] = "20"
    for run in committed.runs.values():
        run["settings"]["data.split.min_scored_days"] = 20
    with pytest.raises(UserError, match="run those anew"):
        committed.add(work.cells_of(runs[:1], finished))
    committed.add(work.cells_of(runs, finished))
    assert committed.identity["spatial/FCH4"]["min_scored_days"] == "30"
    assert _compare(committed, runs) == _compare(Committed.read(stored), runs), "nothing of the old is left"
