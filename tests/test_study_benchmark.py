"""RACI's study, run small: variants, shared cells, folds, the ceiling, worlds pooled, the sweep.

Tests that run the tiny study are slow; `test_accuracy_benchmark` runs a grid, its tables and pages in every test run.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from raciflux.errors import UserError
from raciflux.evaluation.comparison.folders import compare_folders
from raciflux.evaluation.run_folder import RunFolder, write_predictions
from raciflux.evaluation.scores.tables import summary

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.accuracy import ceiling, collect, ensembles, pages, work, worlds  # noqa: E402
from benchmarks.accuracy.cells import DONE, run_of, runs_of  # noqa: E402
from benchmarks.accuracy.committed import Committed  # noqa: E402
from benchmarks.accuracy.committed_pages import write_committed_pages  # noqa: E402
from benchmarks.accuracy.grid import CEILING, Grid, Variant  # noqa: E402
from benchmarks.accuracy.grids import GRIDS  # noqa: E402
from benchmarks.accuracy.trust_table import trust_table  # noqa: E402

EVERYTHING = {"models": [], "splits": []}


def _split(seed: int) -> tuple[str, ...]:
    return (
        f"data.source.seed={seed}",
        f"data.simulation.seed={seed}",
        "data.source.places=24",
        "data.source.years=2",
        "data.simulation.places=12",
        "data.simulation.years=1",
        "data.split.folds=3",
        "data.split.fold=null",
        "data.split.min_scored_days=30",
    )


TINY = Grid(
    experiment="embedded_wetland_ch4",
    splits={"world0": _split(0), "world1": _split(1)},
    models=("raci", "raci_no_retrieval", "lightgbm", CEILING),
    regime=tuple(
        f"transfer.{stage}.{key}"
        for stage in ("pretrain", "finetune")
        for key in ("steps=2", "check_every=2", "batch_size=4")
    ),
    seeds=1,
    tuned_on=None,
    about="A tiny study.",
    variants={
        "raci_no_retrieval": Variant("raci", ("model.retrieval.enabled=false",)),
        "lightgbm": Variant("lightgbm", ("model.rounds=20",)),
    },
    folds=(0, 1),
    pools={"claim": ("world0", "world1")},
    stem="study",
)
SWEEP = replace(
    TINY,
    pools={},
    design={
        "world0": {"towers": 24, "share": 0.5, "separation": 1.0},
        "world1": {"towers": 48, "share": 0.5, "separation": 3.0},
    },
    carried=True,
    stem="sweep",
)


@pytest.fixture(scope="module")
def runs():
    few_trees = {"raci": ("model.first_guess.trees.rounds=20",)}
    return runs_of("tiny", TINY, few_trees, EVERYTHING, TINY.seeds)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, runs) -> Path:
    """The folder of runs after the tiny study has run in this process."""
    folder = tmp_path_factory.mktemp("runs")
    for cell in work.cells_of(runs, folder):
        said = work.run_cell(cell)
        assert "min" in said, said
    return folder


@pytest.fixture(scope="module")
def whole(finished, runs):
    return list(work.pooled(runs, finished))


@pytest.fixture(scope="module")
def written(finished, runs, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("tables")
    collect.write_results(runs, finished, output / TINY.table)
    pages.write_pages("tiny", TINY, runs, finished, 200, output)
    committed = Committed()
    committed.add(work.cells_of(runs, finished))
    write_committed_pages("tiny", SWEEP, runs, committed, 200, output)
    write_committed_pages("tiny", replace(TINY, stem="carried"), runs, committed, 200, output)
    return output


def _place(whole, model, split="world0"):
    return next(place for run, place in whole if (run.model, run.split) == (model, split))


@pytest.mark.slow
def test_only_the_folds_that_are_wanted_are_run_and_pooled(finished, runs, whole):
    cells = work.cells_of(runs, finished)
    assert {cell.fold for cell in cells} == {0, 1} and len(cells) == 2 * 4 * 2
    folds = RunFolder(_place(whole, "lightgbm")).predictions()["fold"].to_numpy()
    assert set(folds.tolist()) == {0, 1}


@pytest.mark.slow
def test_models_with_a_bank_say_what_distance_tells_and_others_nothing(whole):
    of_world = [(run, place) for run, place in whole if run.split == "world0" and not run.oracle]
    rows = [line.split(" | ") for line in trust_table(of_world)[3:]]
    assert {(row[0].removeprefix("| "), row[4]) for row in rows} == {
        ("raci", "slow"),
        ("raci", "fast"),
        ("raci", "farthest"),
    }
    assert trust_table([one for one in of_world if one[0].model != "raci"]) == []


@pytest.mark.slow
def test_variants_of_one_model_are_told_apart_wherever_a_model_is_named(whole, written):
    places = [_place(whole, model) for model in ("raci", "raci_no_retrieval", "lightgbm")]
    names = [RunFolder(place).predictions().attrs["model"] for place in places]
    assert names == ["raci", "raci_no_retrieval", "lightgbm"]
    (comparison,) = compare_folders(places, reference="raci_no_retrieval", draws=100).values()
    assert [line.model for line in comparison.scores[0].models] == names
    with_, without = (RunFolder(place).predictions()["prediction"].to_numpy() for place in places[:2])
    assert not np.allclose(with_, without, equal_nan=True), "without retrieval another model answered"
    models = pl.read_csv(written / "study.csv")["model"].unique().to_list()
    assert set(models) == {"raci", "raci_no_retrieval", "lightgbm", CEILING}


@pytest.mark.slow
def test_a_variant_of_the_model_of_the_house_is_no_baseline(written):
    page = (written / "study_world0.md").read_text()
    best = [line for line in page.splitlines() if "best baseline, chosen on validation" in line]
    assert best and all(line.endswith(": lightgbm") for line in best)


@pytest.mark.slow
def test_the_ceiling_is_a_run_like_any_other_and_the_best_of_all(whole):
    oracle, model = _place(whole, CEILING), _place(whole, "lightgbm")
    said = RunFolder(oracle).predictions()
    assert said.attrs["model"] == CEILING
    assert f"name: {CEILING}" in (oracle / "config.yaml").read_text()
    assert CEILING in (oracle / "command.txt").read_text()
    (comparison,) = compare_folders([model, oracle], draws=100).values()
    r2 = {line.model: line.estimates["median_r2"].value for line in comparison.scores[0].models}
    noise = summary(said)["scores"]["measured"]["noise_ceiling"]["per_site"]["r2"]["median"]
    assert r2["lightgbm"] < r2[CEILING] < noise
    assert not np.allclose(said["prediction"], said["expected"], rtol=0.05, equal_nan=True), (
        "it is not the truth itself"
    )


def test_the_ceiling_is_refused_where_nothing_is_hidden():
    run = run_of("fluxnet2015", replace(GRIDS["fluxnet2015"], models=(CEILING,)), "spatial", CEILING, 0, ())
    assert run.oracle and run.settings["model.name"] == CEILING
    with pytest.raises(UserError, match="an embedded world alone"):
        ceiling.embedded_towers(run.config())


@pytest.mark.slow
def test_shared_cells_are_read_where_they_lie_and_never_overwritten(finished):
    sharing = replace(TINY, splits={"world0": _split(0)}, models=("lightgbm",), folds=(1,), shares={"lightgbm": "tiny"})
    (run,) = runs_of("other", sharing, {}, EVERYTHING, 1)
    (cell,) = work.cells_of([run], finished)
    assert cell.folder == finished / "tiny/world0/lightgbm-s0/fold1" and run.done(cell.folder)
    ((_, place),) = work.pooled([run], finished)
    assert place == finished / "other/world0/lightgbm-s0"
    assert set(RunFolder(place).predictions()["fold"].to_numpy().tolist()) == {1}
    assert json.loads((place / "validation.json").read_text())["score"] == run.done(cell.folder)["validation"]

    otherwise = replace(cell, run=replace(run, overrides=(*run.overrides, "model.leaves=7")))
    before = (cell.folder / DONE).read_text()
    assert "failed" in work.run_cell(otherwise)
    assert "other settings" in (cell.folder / work.FAILED).read_text()
    assert (cell.folder / DONE).read_text() == before
    (cell.folder / work.FAILED).unlink()


@pytest.mark.slow
def test_worlds_are_pooled_with_towers_and_clusters_of_their_own(finished, whole):
    of_claim = {run.model: place for run, place in worlds.pooled_worlds(whole, TINY.pools, finished)}
    assert set(of_claim) == set(TINY.models)
    pooled = RunFolder(of_claim["raci"]).predictions()
    parts = [RunFolder(_place(whole, "raci", split)).predictions() for split in TINY.pools["claim"]]
    assert pooled.sizes["site"] == sum(part.sizes["site"] for part in parts)
    assert len(np.unique(pooled["cluster"])) == sum(len(np.unique(part["cluster"])) for part in parts)
    assert np.char.startswith(pooled["site_id"].to_numpy().astype(str), "world").all()
    (comparison,) = compare_folders(list(of_claim.values()), reference="lightgbm", draws=100).values()
    assert comparison.best_baseline in TINY.models, "validation scores are there"


@pytest.mark.slow
def test_the_sweep_says_when_retrieval_pays(written, whole):
    page = (written / "sweep.md").read_text()
    assert "## When retrieval pays" in page and "sweep_gain.png" in page
    assert (written / "sweep_gain.png").stat().st_size > 10_000
    assert "| 24 | 0.5 | 1 |" in page and "| role separation | 3 |" in page
    (row,) = [line.split(" | ") for line in page.splitlines() if line.startswith("| 24 | 0.5 | 1 |")]
    ceiling = RunFolder(_place(whole, CEILING))
    r2 = summary(ceiling.predictions())["scores"]["measured"]["per_site"]["r2"]["median"]
    assert float(row[7]) == pytest.approx(r2, abs=6e-4), "the ceiling is that of its predictions"


@pytest.mark.slow
def test_pages_say_the_worlds_and_the_ceiling(written):
    page = (written / "study.md").read_text()
    assert "## Split: claim" in page and "distance to the ceiling that is closed" in page
    assert "only folds 0, 1" in page
    assert {"study_claim.md", "study_world0.md", "study_world1.md"} <= {path.name for path in written.iterdir()}


@pytest.mark.slow
def test_a_claim_of_committed_cells_has_the_tables_of_its_predictions(written):
    for split in ("claim", "world0"):
        tables = [_rows(written / f"{stem}_{split}.md", " − lightgbm |") for stem in ("study", "carried")]
        assert tables[0] == tables[1] and len(tables[0]) == 4, "two variants under two scores"
    distances = [_rows(written / f"{stem}.md", f"| {CEILING} | FCH4 |") for stem in ("study", "carried")]
    assert distances[0] == distances[1] and len(distances[0]) == 2 * 3, "two scores of the claim and of each world"


def _rows(page: Path, mark: str) -> list[str]:
    return [line for line in page.read_text().splitlines() if mark in line]


@pytest.mark.slow
def test_ensembles_of_seeds_are_compared_once_their_seeds_are_there(finished, whole, tmp_path):
    # as if RACI without retrieval were a second baseline
    rivals = {**TINY.variants, "raci_no_retrieval": Variant("tcn")}
    grid = replace(TINY, seeds=2, ensembles=("raci", "raci_no_retrieval", "lightgbm"), variants=rivals)
    of_split = [(run, place) for run, place in whole if run.split == "world0" and run.model in grid.ensembles]
    assert ensembles.ensembles_table(grid, of_split, tmp_path, 100) == [], "one seed is no ensemble"
    twins = []
    for run, place in of_split:
        twin = tmp_path / f"{run.model}-s1"
        said = RunFolder(place).predictions()
        write_predictions(
            said.assign(prediction=said["prediction"] + 1.0).assign_attrs(seed=1), twin / "predictions.zarr"
        )
        for name in ("config.yaml", "fold0/validation.json"):
            (twin / name).parent.mkdir(parents=True, exist_ok=True)
            (twin / name).write_text((place / name).read_text().replace("\nseed: 0", "\nseed: 1"))
        twins.append((replace(run, seed=1), twin))
    lines = ensembles.ensembles_table(grid, [*of_split, *twins], tmp_path, 100)
    assert "### Ensembles of 2 seeds" in lines
    assert any(line.startswith("| raci_ensemble − ") for line in lines)
    together = [line for line in lines if line.startswith("| raci_ensemble − raci_no_retrieval+lightgbm_ensemble |")]
    assert len(together) == 1
    first = RunFolder(_place(whole, "raci")).predictions()["prediction"]
    mean = RunFolder(tmp_path / "tiny/world0/raci-ensemble").predictions()["prediction"]
    np.testing.assert_allclose(mean, first + 0.5, rtol=1e-4, atol=1e-4)
