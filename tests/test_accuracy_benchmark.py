"""The accuracy benchmark on a tiny grid: cells run once, resume, are collected, and what is missing is said."""

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from raciflux.config.compose import to_yaml
from raciflux.config.models import MODELS
from raciflux.errors import UserError
from rich.console import Console

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.accuracy import collect, main, pages, tune, work  # noqa: E402
from benchmarks.accuracy.cells import DONE, of_shared_seeds, runs_of  # noqa: E402
from benchmarks.accuracy.grids import GRIDS, SEEDLESS, Grid  # noqa: E402
from benchmarks.accuracy.settings import parse_settings  # noqa: E402

TINY = Grid(
    experiment="embedded_wetland_ch4",
    splits={
        "spatial": (
            "data.source.places=16",
            "data.source.years=3",
            "data.simulation.places=24",
            "data.simulation.years=2",
            "data.split.folds=3",
            "data.split.fold=null",
            "data.split.min_scored_days=30",
        )
    },
    models=("site_mean", "climatology", "lstm"),
    regime=tuple(
        f"transfer.{stage}.{key}" for stage in ("pretrain", "finetune") for key in ("steps=2", "check_every=2")
    ),
    seeds=2,
    tuned_on="spatial",
    about="A tiny grid.",
)
EVERYTHING = {"models": [], "splits": []}


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """The folder of runs after the whole tiny grid has run in this process."""
    folder = tmp_path_factory.mktemp("runs")
    for cell in work.cells_of(runs_of("tiny", TINY, {}, EVERYTHING, TINY.seeds), folder):
        said = work.run_cell(cell)
        assert "validation" in said, said
    return folder


def test_each_model_runs_with_every_seed_it_draws_from():
    runs = runs_of("tiny", TINY, {"lstm": ("model.hidden=8",)}, EVERYTHING, 2)
    assert [(run.model, run.seed) for run in runs] == [("site_mean", 0), ("climatology", 0), ("lstm", 0), ("lstm", 1)]
    assert set(SEEDLESS) <= set(MODELS)
    lstm = runs[2].config()
    assert (lstm.model.hidden, lstm.transfer.finetune.steps, lstm.logger.wandb) == (8, 2, "disabled")
    assert lstm.compare == []


@pytest.mark.parametrize("name", GRIDS)
def test_every_cell_of_the_shipped_grids_composes_with_every_candidate(name):
    grid = GRIDS[name]
    tried = tune.candidates(grid) if grid.tuned_on else {}
    for model in grid.models:
        for number, overrides in enumerate(tried.get(model, [[]])):
            only = {"models": [model], "splits": [grid.tuned_on] if number else []}
            for run in runs_of(name, grid, {model: tuple(overrides)}, only, 1):
                config = run.config()
                assert config.model.name == ("site_mean" if run.oracle else grid.variant(model).model)
                assert (config.label or config.model.name) == model, "tables call it by its name in the grid"


@pytest.mark.parametrize("name", ["fluxnet2015", "raci_new_years"])
def test_tuning_tries_the_same_few_configurations_of_each_model(name):
    counts = {model: len(tried) for model, tried in tune.candidates(GRIDS[name]).items()}
    assert set(counts.values()) == {4}
    assert set(counts) == set(MODELS) - {"site_mean", "neighbour_trees"}


def test_results_hold_each_site_once_a_model_and_seed(finished, tmp_path):
    runs = runs_of("tiny", TINY, {}, EVERYTHING, TINY.seeds)
    assert collect.write_results(runs, finished, tmp_path / "results.csv") == 12
    table = pl.read_csv(tmp_path / "results.csv")
    assert tuple(table.columns) == collect.COLUMNS
    key = ["model", "seed", "target", "site", "score", "metric"]
    assert table.select(key).is_duplicated().sum() == 0, "a site is tested in one fold only"
    of_lstm = table.filter(model="lstm", seed=1, score="measured", metric="rmse")
    of_mean = table.filter(model="site_mean", score="measured", metric="rmse")
    assert set(of_lstm["site"]) == set(of_mean["site"]) and set(of_lstm["fold"]) == {0, 1, 2}


def test_pages_have_tables_and_say_what_is_missing(finished, tmp_path):
    more = replace(TINY, models=(*TINY.models, "ct_lstm"))
    runs = runs_of("tiny", more, {}, EVERYTHING, more.seeds)
    pages.write_pages("tiny", more, runs, finished, 100, tmp_path)
    first, of_split = ((tmp_path / name).read_text() for name in ("README.md", "spatial.md"))
    assert "| ct_lstm | 0 of 6 **missing** |" in first
    assert "| lstm | 6 of 6 |" in first
    assert "A tiny grid." in first and "(spatial.md)" in first
    assert "best baseline" in of_split and "| climatology | –" in of_split
    stricter, both = (page.count("| lstm | ") for page in (first, of_split))
    assert (stricter, both) == (2, 3), "the models under one score and the cells; the sizes and the models under both"


def test_a_seed_that_a_model_has_not_finished_is_shown_of_none(finished, tmp_path):
    more = runs_of("tiny", TINY, {}, EVERYTHING, 3)  # nobody has run the third seed
    pages.write_pages("tiny", TINY, more, finished, 100, tmp_path)
    assert "| lstm | 6 of 9 **missing** |" in (tmp_path / "README.md").read_text()
    rows = [line for line in (tmp_path / "README.md").read_text().splitlines() if line.startswith("| lstm")]
    assert rows[0].endswith("| 2 |"), "two seeds are whole"


@pytest.mark.parametrize("finished_of_tcn", [(0,), (1,), ()])
def test_models_are_compared_over_the_seeds_that_all_of_them_have(finished_of_tcn):
    runs = runs_of("tiny", replace(TINY, models=("climatology", "lstm", "tcn")), {}, EVERYTHING, 2)
    finished = [run for run in runs if run.model != "tcn" or run.seed in finished_of_tcn]
    kept = {(run.model, run.seed) for run in of_shared_seeds(runs, finished)}
    of_lstm = {("lstm", seed) for seed in finished_of_tcn or (0, 1)}
    assert kept == {("climatology", 0), *of_lstm, *(("tcn", seed) for seed in finished_of_tcn)}


def test_a_finished_cell_is_not_run_again_and_a_failed_one_is_said(finished, tmp_path):
    cell = work.cells_of(runs_of("tiny", TINY, {}, EVERYTHING, 1), finished)[0]
    before = (cell.folder / DONE).stat().st_mtime_ns
    assert work.work([cell], 1, Console(quiet=True)) == []  # starts no process, since nothing is to do
    assert (cell.folder / DONE).stat().st_mtime_ns == before

    broken = replace(cell, folder=tmp_path / "cell", run=replace(cell.run, overrides=(*cell.run.overrides, "no=1")))
    assert "failed" in work.run_cell(broken)
    assert "no key 'no'" in (tmp_path / "cell" / work.FAILED).read_text()


def test_a_cell_of_other_settings_is_not_taken_for_this_ones(tmp_path):
    narrow, wide = (
        runs_of("tiny", TINY, {"lstm": (f"model.hidden={hidden}",)}, {"models": ["lstm"], "splits": []}, 1)[0]
        for hidden in (8, 16)
    )
    first = work.cells_of([narrow], tmp_path)[0]
    assert "validation" in work.run_cell(first)
    left = narrow.done(first.folder)
    assert left is not None and wide.done(first.folder) is None, "the same folder, another width"
    assert {"commit", "packages", "processor", "minutes", "validation"} <= set(left)
    assert work.run_cell(replace(first, run=wide)) and wide.done(first.folder)["parameters"] > left["parameters"]
    assert narrow.done(first.folder) is None
    other_place = replace(narrow, overrides=(*narrow.overrides, f"output={tmp_path}"))
    assert other_place.settings == narrow.settings, "where a run is written decides nothing"


def test_pooled_predictions_follow_a_fold_that_was_run_again(finished):
    (run,) = runs_of("tiny", TINY, {}, {"models": ["climatology"], "splits": []}, 1)
    ((_, place),) = work.pooled([run], finished)
    before = (place / "predictions.zarr").stat().st_mtime_ns
    ((_, place),) = work.pooled([run], finished)
    assert (place / "predictions.zarr").stat().st_mtime_ns == before
    (place / "fold1" / DONE).touch()
    ((_, place),) = work.pooled([run], finished)
    assert (place / "predictions.zarr").stat().st_mtime_ns > before


def test_the_model_of_the_house_is_no_baseline(finished, tmp_path, monkeypatch):
    for module in ("grid", "pages"):
        monkeypatch.setattr(f"benchmarks.accuracy.{module}.HOUSE", "climatology")
    pages.write_pages("tiny", TINY, runs_of("tiny", TINY, {}, EVERYTHING, 2), finished, 100, tmp_path)
    page = (tmp_path / "spatial.md").read_text()
    best = [line for line in page.splitlines() if "best baseline, chosen on validation" in line]
    assert best and all(line.endswith(("site_mean", "lstm")) for line in best)


def test_the_choice_is_the_best_on_validation_once_all_were_tried(tmp_path, monkeypatch):
    tried = [[], ["model.hidden=8"], ["model.dropout=0.1"]]
    monkeypatch.setattr(tune, "candidates", lambda grid: {"lstm": tried})
    grid = replace(TINY, tuning_folds=(0, 2))
    cells, table = tune.tuning_cells("tiny", grid, tmp_path, []), tmp_path / "tuning.csv"
    assert [cell.run.overrides[-1] for cell in cells[2:]] == ["model.hidden=8"] * 2 + ["model.dropout=0.1"] * 2
    assert [cell.fold for cell in cells] == [0, 2] * 3
    for cell, score in zip(cells, [0.7, 0.7, 0.6, 0.4, 0.1, 1.1], strict=True):
        tune.write_tuning(grid, cells, table)
        assert tune.chosen(table) == {}, "not every configuration has been tried yet"
        cell.folder.mkdir(parents=True)
        (cell.folder / "config.yaml").write_text(to_yaml(cell.run.config()))
        (cell.folder / DONE).write_text(json.dumps({"validation": score, "minutes": 1.0, "parameters": None}))
    tune.write_tuning(grid, cells, table)
    assert tune.chosen(table) == {"lstm": ("model.hidden=8",)}, "the mean over folds chooses"
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["chosen"] for row in rows] == ["0", "1", "0"]
    assert [float(row["validation"]) for row in rows] == pytest.approx([0.7, 0.5, 0.6])
    tune.write_tuning(grid, [], table)
    assert tune.chosen(table) == {"lstm": ("model.hidden=8",)}, "models not tried now keep their rows"


def test_nothing_else_is_run_while_a_model_has_a_trial_to_go(tmp_path, monkeypatch):
    handed = []

    def all_but_the_last(cells, jobs, console):
        handed.extend(cells)
        return cells[-1:]

    monkeypatch.setattr(work, "work", all_but_the_last)
    asked = ["accuracy=fluxnet2015", "tune=true", "models=[lightgbm]", f"runs={tmp_path}", f"output={tmp_path}"]
    with pytest.raises(UserError, match=r"1 cells are not finished, the first .*lightgbm"):
        main.measure_accuracy(asked, Console(quiet=True))
    assert handed and all("tuning" in cell.folder.parts for cell in handed)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["accuracy=fluxnet"], "fluxnet2015"),
        (["models=[lstmm]"], "did you mean 'lstm'"),
        (["splits=[time]"], "has no 'time'"),
        (["accuracy=embedded", "tune=true"], "leave tune out"),
        (["job=1"], "did you mean 'jobs'"),
    ],
)
def test_mistakes_are_said_in_one_line(given, said):
    with pytest.raises(UserError) as caught:
        parse_settings(given)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_command_writes_the_tables_of_what_is_finished(finished, tmp_path, monkeypatch):
    monkeypatch.setitem(GRIDS, "embedded", TINY)
    renamed = tmp_path / "runs"
    renamed.mkdir()
    (renamed / "embedded").symlink_to(finished / "tiny", target_is_directory=True)
    arguments = ["accuracy=embedded", "jobs=0", "draws=100", f"runs={renamed}", f"output={tmp_path}"]
    main.measure_accuracy(arguments, Console(quiet=True))
    made = {path.name for path in (tmp_path / "embedded").iterdir()}
    assert made == {"README.md", "spatial.md", "results.csv"}
