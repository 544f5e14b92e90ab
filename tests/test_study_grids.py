"""What the grids of RACI's study ask: settings of variants and shared cells, the ablation, the sweep, frozen worlds."""

import itertools
import json
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.accuracy import frozen, tune  # noqa: E402
from benchmarks.accuracy.cells import hyper_parameters, run_of, runs_of  # noqa: E402
from benchmarks.accuracy.embedded_grids import (  # noqa: E402
    BASELINES,
    DEVELOPMENT_SEED,
    FACTORS,
    PAIRS,
    SHORT_AT_FIRST,
    SWEEP_SEED,
    orthogonal_design,
)
from benchmarks.accuracy.grid import Grid  # noqa: E402
from benchmarks.accuracy.grids import GRIDS  # noqa: E402
from benchmarks.accuracy.raci_grids import ROWS  # noqa: E402

EVERYTHING = {"models": [], "splits": []}
ONLY_WHERE_DAYS_ARE_SHOWN = ("model.own_days.mixed_effects", "model.own_days.trees")


def test_a_variant_has_the_hyper_parameters_of_its_model_unless_it_was_tuned():
    grid, chosen = GRIDS["embedded_sweep"], {"raci": ("model.hidden=32",), "lightgbm": ("model.leaves=15",)}
    assert hyper_parameters(grid, "raci_no_retrieval", chosen) == ("model.hidden=32",)
    own = chosen | {"raci_no_retrieval": ("model.hidden=16",)}
    world, alone = next(iter(grid.splits)), hyper_parameters(grid, "raci_no_retrieval", own)
    run = run_of("embedded_sweep", grid, world, "raci_no_retrieval", 0, alone)
    assert run.config().model.hidden == 16 and not run.config().model.retrieval.enabled


@pytest.mark.parametrize("name", [name for name, grid in GRIDS.items() if grid.shares])
def test_shared_cells_are_asked_for_with_the_settings_of_their_home(name):
    grid = GRIDS[name]
    for run in runs_of(name, grid, tune.tuned_for(name, ROOT / "benchmarks"), EVERYTHING, 1):
        if run.home:
            theirs = tune.tuned_for(run.home, ROOT / "benchmarks")
            only = {"models": [run.model], "splits": [run.split]}
            (original,) = runs_of(run.home, GRIDS[run.home], theirs, only, 1)
            assert original.settings == run.settings and original.place == run.place


def test_the_tuning_of_another_benchmark_is_taken_and_the_own_goes_before(tmp_path):
    header = ",".join(tune.COLUMNS)
    for folder, file, width in (("fluxnet2015", "tuning.csv", 32), ("raci", "full_grid_tuning.csv", 16)):
        (tmp_path / folder).mkdir()
        rows = [f"{model},0,model.hidden={width},0.5,1.0,,1" for model in ("raci", "tcn")]
        (tmp_path / folder / file).write_text("\n".join([header, *rows]) + "\n")
    chosen = tune.tuned_for("raci_ablation", tmp_path)
    assert chosen["raci"] == ("model.hidden=16",)
    assert hyper_parameters(GRIDS["raci_ablation"], "raci_no_retrieval", chosen) == chosen["raci"]
    assert chosen["tcn"] == ("model.hidden=32",), "a shared model has what its home chose"


def test_every_row_of_the_ablation_changes_something():
    grid, chosen = GRIDS["raci_ablation"], tune.tuned_for("raci_ablation", ROOT / "benchmarks")
    settings = {
        model: run_of("raci_ablation", grid, "spatial", model, 0, hyper_parameters(grid, model, chosen)).settings
        for model in ("raci", *ROWS)
    }
    # what acts only where own days are shown changes no answer at an unseen site
    told = [
        {key: value for key, value in one.items() if key not in ONLY_WHERE_DAYS_ARE_SHOWN} for one in settings.values()
    ]
    assert len({json.dumps(one, sort_keys=True) for one in told}) == len(settings)


def test_the_sweep_is_orthogonal_and_small():
    design = orthogonal_design()
    for a, b in itertools.combinations(range(len(FACTORS)), 2):
        assert len({(point[a], point[b]) for point in design}) == 9, "two factors meet in all pairs of their levels"
    grid = GRIDS["embedded_sweep"]
    assert list(grid.design) == list(grid.splits) and grid.seeds == 2
    source = run_of("embedded_sweep", grid, "t160_h0.9_s1", "raci", 0, ()).config().data.source
    assert (source.places, source.hidden_share, source.role_separation) == (160, 0.9, 1.0)
    for model in ("raci", "lightgbm"):
        of_sweep, of_claim = (
            tune.tuned_for(name, ROOT / "benchmarks")[model]
            for name in ("embedded_sweep", "embedded_unseen_wetland_ch4")
        )
        assert of_sweep == of_claim != (), "when retrieval pays is asked of the form that was chosen"


def test_the_claim_holds_every_baseline_against_raci_and_tells_trees_of_the_simulation():
    for pair in PAIRS:
        grid = GRIDS[f"embedded_unseen_{pair}"]
        assert grid.reference == "raci"
        assert len({len(of) for model, of in tune.candidates(grid).items() if model in (*BASELINES, "raci")}) == 1
        config = run_of("claim", grid, "world101", "lightgbm_told", 0, ()).config()
        assert (config.model.name, config.transfer.name, config.transfer.emulator) == (
            "lightgbm",
            "stacking",
            "ct_lstm",
        )


@pytest.mark.parametrize("pair", SHORT_AT_FIRST)
def test_a_second_claim_differs_from_the_first_in_its_worlds_and_in_how_long_networks_are_trained(pair):
    first, again = GRIDS[f"embedded_unseen_{pair}"], GRIDS[f"embedded_again_{pair}"]
    assert again.regime == GRIDS["embedded_unseen_cropland_co2"].regime and again.carried
    assert (again.experiment, again.models, again.candidates) == (first.experiment, first.models, first.candidates)
    assert not set(again.pools["claim"]) & set(first.pools["claim"]), "a world is opened once"
    opened = [sources(first, name)[0]["seed"] for name in first.pools["claim"]]
    for name in again.pools["claim"]:
        towers, simulation = sources(again, name)
        assert towers["seed"] == simulation["seed"]
        assert towers["seed"] not in (*opened, DEVELOPMENT_SEED, SWEEP_SEED)
        frozen_before = sources(first, first.pools["claim"][0])
        for one, other in zip((towers, simulation), frozen_before, strict=True):
            assert one | {"seed": 0} == other | {"seed": 0}, "worlds are made as frozen"


def sources(grid: Grid, world: str) -> tuple[dict[str, object], dict[str, object]]:
    """The settings of a world's towers and of its simulation."""
    data = run_of("claim", grid, world, "raci", 0, ()).config().data
    return asdict(data.source), asdict(data.simulation)


def test_the_worlds_of_the_claim_are_those_that_were_frozen():
    """If this fails, a world was changed: the claim is then of other worlds than those frozen before tuning."""
    stored, now = json.loads(frozen.FILE.read_text()), frozen.frozen_world()
    assert now["sha256"] == stored["sha256"]
    assert (now["pairs"], now["claim_seeds"]) == (stored["pairs"], stored["claim_seeds"])
    assert now["mean_flux"] == pytest.approx(stored["mean_flux"], rel=1e-3)
    for pair in stored["pairs"].values():
        assert (pair["hidden"]["hidden_share"], pair["hidden"]["hidden_range_km"]) == (0.5, 700.0)


def test_another_world_has_another_hash(monkeypatch):
    before = frozen.frozen_world()["sha256"]
    monkeypatch.setattr(frozen.WorldParameters, "of", classmethod(lambda cls, source: cls(vigour=0.3)))
    assert frozen.frozen_world()["sha256"] != before
