"""Studies of transfer on a tiny world: cells are kept, known again, paired, and the page says what is missing."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from raciflux.config.compose import compose, to_yaml
from raciflux.config.transfer import TECHNIQUES
from raciflux.errors import UserError
from raciflux.evaluation.run_folder import RunFolder
from rich.console import Console

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.accuracy.work import _data_overrides, run_cell  # noqa: E402
from benchmarks.transfer import main, page, tuning  # noqa: E402
from benchmarks.transfer.effects import effects  # noqa: E402
from benchmarks.transfer.runs import wanted  # noqa: E402
from benchmarks.transfer.settings import NARROWED, parse_settings  # noqa: E402
from benchmarks.transfer.store import Store  # noqa: E402
from benchmarks.transfer.studies import STUDIES  # noqa: E402
from benchmarks.transfer.study import LONGER, SCRATCH, VARIANTS, Study  # noqa: E402

NAME = "pmodel_gpp"  # which the tiny study stands for: settings know the shipped names alone
STEPS = tuple(f"transfer.{stage}.{key}=2" for stage in ("pretrain", "finetune") for key in ("steps", "check_every"))
TINY = Study(
    experiment="embedded_terrestrial_gpp",
    conditions={
        "few": (
            *("data.source.places=14", "data.source.years=2", "data.simulation.places=12", "data.simulation.years=2"),
            *("data.split.folds=3", "data.split.fold=null", "data.split.min_scored_days=30"),
            *("data.split.label_share=0.5", "data.split.seed={seed}"),
        )
    },
    networks=("lstm",),
    techniques=("scratch", "finetune"),
    regime=("model.hidden=8", *STEPS),
    seeds=2,
    tuned_in="few",
    about="A tiny study.",
)
EVERYTHING: dict[str, tuple[str, ...]] = dict.fromkeys(NARROWED, ())
BUDGET = {"pretrain": 300, "finetune": 150}  # steps of a stage on the simulation or on both domains, on the towers
ONLY = {"networks": ("lstm",), "conditions": ("share_5",)}


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """The folder of runs after both techniques ran with seed 0, and scratch with seed 1."""
    folder = tmp_path_factory.mktemp("runs")
    for one in wanted(NAME, TINY, {}, EVERYTHING, 2):
        if (one.technique, one.seed) != ("finetune", 1):
            for cell in one.cells(folder):
                said = run_cell(cell)
                assert "validation" in said, said
    return folder


@pytest.fixture
def tiny(monkeypatch) -> Study:
    monkeypatch.setitem(STUDIES, NAME, TINY)
    return TINY


@pytest.mark.parametrize("name", list(STUDIES))
def test_techniques_of_a_study_compose_with_one_budget_of_training(name):
    study, budgets = STUDIES[name], set()
    assert SCRATCH in study.techniques and set(study.techniques) <= {*TECHNIQUES, *VARIANTS}
    for one in wanted(name, study, {}, EVERYTHING, 1):
        config = one.run.config()
        assert config.model.name == one.network
        stages = (config.transfer.pretrain, config.transfer.finetune)
        if one.technique == LONGER:
            assert config.transfer.name == SCRATCH
            assert config.transfer.finetune.steps == BUDGET["pretrain"] + BUDGET["finetune"]
            continue
        technique, flux = one.technique.removesuffix("_series"), config.transfer.simulated_flux
        assert (config.transfer.name, flux == "series") == (technique, technique != one.technique)
        budgets.add(tuple((stage.steps, stage.batch_size, stage.check_every, stage.patience) for stage in stages))
    assert len(budgets) == 1


def test_every_technique_has_as_many_configurations_tried():
    tried = tuning.candidates()
    assert {technique: len(of) for technique, of in tried.items()} == dict.fromkeys(TECHNIQUES, 4)
    for technique, of_technique in tried.items():
        for overrides in of_technique:
            one = wanted("labels", STUDIES["labels"], {technique: overrides}, ONLY | {"techniques": (technique,)}, 1)[0]
            assert one.run.config().transfer.name == technique


def test_a_cell_that_reads_the_simulation_reads_it_with_the_towers():
    only = {**EVERYTHING, "techniques": ("stacking", "stacking_series")}
    for one in wanted("pmodel_gpp", STUDIES["pmodel_gpp"], {}, only, 1):
        composed = compose([f"experiment={one.run.experiment}", *_data_overrides(one.run)])
        assert (composed.transfer.simulated_flux == "series") == one.technique.endswith("_series")
        assert composed.data == one.run.config().data


def test_a_seed_draws_its_own_labelled_towers(runs):
    shown = {}
    for one in wanted(NAME, TINY, {}, EVERYTHING, 2):
        if one.technique == SCRATCH:
            split = json.loads((one.cells(runs)[0].folder / "splits.json").read_text())
            shown[one.seed] = (set(split["train"]) | set(split["validation"])) - set(split["unlabelled"])
    assert shown[0] != shown[1] and all(shown.values())


def test_cells_are_kept_and_known_by_the_command_that_made_them(runs, tmp_path, tiny):
    of_study = wanted(NAME, tiny, {}, EVERYTHING, 2)
    store = Store(NAME, tmp_path)
    store.take(of_study, runs)
    assert store.cells.height == 9, "three folds of three runs"
    again = Store(NAME, tmp_path)
    assert again.cells.equals(store.cells) and again.sites.equals(store.sites)
    held = [again.holds(one, cell) for one in of_study for cell in one.cells(runs)]
    assert sum(held) == 9
    again.take(of_study, tmp_path / "no runs left")
    assert again.cells.equals(store.cells) and again.sites.equals(store.sites), "the tables alone hold the cells"

    other = wanted(NAME, replace(tiny, regime=(*tiny.regime, "model.dropout=0.1")), {}, EVERYTHING, 2)
    assert not any(again.holds(one, cell) for one in other for cell in one.cells(runs))
    fewer = wanted(NAME, tiny, {}, EVERYTHING, again.seeds(replace(tiny, seeds=1)))
    again.take(fewer, tmp_path / "no runs left")
    assert again.cells.equals(store.cells), "a study of fewer seeds keeps those that the tables reach to"
    again.take(other, tmp_path / "no runs left")
    assert again.cells.height == 0 and again.sites.height == 0, "what the study runs no more is dropped"


def test_the_kept_scores_are_those_of_the_predictions(runs, tmp_path, tiny):
    store = Store(NAME, tmp_path)
    store.take(wanted(NAME, tiny, {}, EVERYTHING, 2), runs)
    one = wanted(NAME, tiny, {}, EVERYTHING, 1)[0]
    cell = one.cells(runs)[1]
    said = RunFolder(cell.folder).predictions()
    rows = store.sites.filter(technique=one.technique, seed=0, fold=cell.fold)
    assert rows.height
    for site, rmse, cluster in rows.select("site", "rmse", "cluster").iter_rows():
        at = said.sel(site=said.site_id == site).squeeze("site")
        days = at.measured.values.astype(bool) & np.isfinite(at.observed.values)
        error = (at.prediction.values - at.observed.values)[days]
        assert rmse == pytest.approx(np.sqrt((error**2).mean()), abs=1e-3)
        assert cluster == int(at.cluster)


VALIDATION = {"scratch": 0.9, "finetune": 0.7, "stacking": 0.8, "scratch_longer": 0.6}
FACTOR = {"scratch": 1.0, "finetune": 0.95, "stacking": 0.85, "scratch_longer": 0.9}  # the test orders them otherwise


def made_up(clusters: int, seeds: int = 4) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Cells and sites of four techniques; what one gains differs between clusters of two towers, and between seeds."""
    rng = np.random.default_rng(3)
    level, by_cluster = rng.uniform(1, 3, 2 * clusters), rng.normal(0, 0.25, clusters)
    by_cluster -= np.average(by_cluster, weights=level.reshape(-1, 2).sum(1))
    by_seed = np.array([-0.1, -0.01, 0.01, 0.1])
    key = {"condition": "few", "network": "lstm"}
    cells, sites = [], []
    for technique, factor in FACTOR.items():
        for seed in range(seeds):
            named = key | {"technique": technique, "seed": seed, "validation": VALIDATION[technique]}
            cells.extend(named | {"fold": fold} for fold in (0, 1))
            for site in range(2 * clusters):
                gain = 1.0 if technique == "scratch" else factor + by_cluster[site // 2] + by_seed[seed]
                sites.append(key | {"technique": technique, "seed": seed, "fold": site // 2 % 2, "site": f"S{site:02d}",
                                    "cluster": site // 2, "rmse": level[site] * gain,
                                    "r2": 1 - 0.2 * gain})  # fmt: skip
    return pl.DataFrame(cells), pl.DataFrame(sites)


def errors_of(sites: pl.DataFrame, technique: str) -> np.ndarray:
    """RMSE (seed, site)."""
    return np.array([sites.filter(technique=technique, seed=seed).sort("site")["rmse"] for seed in range(4)])


def test_validation_alone_chooses_and_no_baseline_is_chosen():
    cells, sites = made_up(12)
    found = effects(cells, sites, "few", "lstm", (0, 1), draws=200)
    assert found is not None and found.chosen.technique == "finetune", "though the test prefers stacking"
    assert [line.technique for line in found.lines] == ["scratch_longer", "finetune", "stacking", "scratch"]
    longer = effects(cells, sites, "few", "lstm", (0, 1), draws=200, against="scratch_longer")
    assert longer is not None and longer.chosen.technique == "finetune"
    assert longer.chosen.changes["mean"].value > 0 > found.chosen.changes["mean"].value


def test_effects_are_paired_by_tower_and_seed():
    cells, sites = made_up(12)
    found = effects(cells, sites, "few", "lstm", (0, 1), draws=500)
    assert found is not None and found.seeds == (0, 1, 2, 3)
    own, scratch = errors_of(sites, "finetune"), errors_of(sites, "scratch")
    for statistic, reduce in (("median", np.median), ("mean", np.mean)):
        plain = reduce(own, axis=1).mean() / reduce(scratch, axis=1).mean() - 1
        assert found.chosen.changes[statistic].value == pytest.approx(plain)
        assert found.chosen.rmse[statistic] == pytest.approx(reduce(own, axis=1).mean())
    assert found.chosen.worse == pytest.approx((own.mean(0) > scratch.mean(0)).mean())
    r2 = [sites.filter(technique="finetune", seed=seed)["r2"].median() for seed in range(4)]
    assert found.chosen.r2 == pytest.approx(np.mean(r2))


def naive_interval(own: np.ndarray, scratch: np.ndarray, clusters: bool, seeds: bool) -> np.ndarray:
    """Interval of the change in the mean, draw by draw: of clusters of two towers or of towers, of seeds or not."""
    rng, drawn = np.random.default_rng(8), []
    for _ in range(4000):
        size = own.shape[1]
        if clusters:
            towers = (2 * rng.integers(0, size // 2, size // 2)[:, None] + np.arange(2)).ravel()
        else:
            towers = rng.integers(0, size, size)
        of_seeds = rng.integers(0, len(own), len(own)) if seeds else np.arange(len(own))
        drawn.append(own[of_seeds][:, towers].mean() / scratch[of_seeds][:, towers].mean() - 1)
    return np.quantile(drawn, [0.025, 0.975])


def test_intervals_resample_clusters_and_seeds_as_a_plain_loop_does():
    cells, sites = made_up(20)
    found = effects(cells, sites, "few", "lstm", (0, 1), draws=4000)
    assert found is not None and found.chosen.changes["mean"].within is not None
    low, high = found.chosen.changes["mean"].within
    own, scratch = errors_of(sites, "finetune"), errors_of(sites, "scratch")
    np.testing.assert_allclose([low, high], naive_interval(own, scratch, True, True), atol=0.008)
    for clusters, seeds in ((False, True), (True, False)):
        other = naive_interval(own, scratch, clusters, seeds)
        assert other[1] - other[0] < 0.9 * (high - low), "the made-up towers tell the ways of resampling apart"


def test_p_values_of_a_table_are_adjusted_together(monkeypatch):
    cells, sites = made_up(12)
    adjusted = effects(cells, sites, "few", "lstm", (0, 1), draws=2000)
    monkeypatch.setattr("benchmarks.transfer.effects.holm", lambda p: p)
    plain = effects(cells, sites, "few", "lstm", (0, 1), draws=2000)
    assert adjusted is not None and plain is not None
    p = {(line.technique, name): change.p for line in plain.lines for name, change in line.changes.items()}
    assert len(p) == 6, "three techniques, median and mean"
    by_size, least = sorted(p, key=lambda key: p[key] or 0.0), 0.0
    for rank, (technique, name) in enumerate(by_size):
        least = max(least, min(1.0, (6 - rank) * (p[technique, name] or 0.0)))
        line = next(line for line in adjusted.lines if line.technique == technique)
        assert line.changes[name].p == pytest.approx(least)


def test_too_few_clusters_allow_no_interval_and_an_unfinished_seed_counts_for_nobody():
    cells, sites = made_up(6)
    found = effects(cells, sites, "few", "lstm", (0, 1), draws=200)
    assert found is not None and found.chosen.changes["mean"].within is None
    own, scratch = (errors_of(sites, technique).mean(0)[0] for technique in ("finetune", "scratch"))
    row = next(line for line in page._sites(found) if line.startswith("| S00 |"))
    assert row.split("|")[2].strip() == f"{scratch:.2f}" and f" {own - scratch:+.2f} " in row
    unfinished = cells.filter(~((pl.col("technique") == "finetune") & (pl.col("seed") == 1) & (pl.col("fold") == 1)))
    fewer = effects(unfinished, sites, "few", "lstm", (0, 1), draws=200)
    assert fewer is not None and fewer.seeds == (0, 2, 3)
    baselines = cells.filter(pl.col("technique").str.starts_with("scratch"))
    assert effects(baselines, sites, "few", "lstm", (0, 1), draws=200) is None


def test_the_page_says_what_validation_chose_and_what_is_missing(runs, tmp_path, tiny, monkeypatch):
    main.measure_transfer(
        [f"transfer={NAME}", "jobs=0", "draws=200", f"runs={runs}", f"output={tmp_path}"], Console(quiet=True)
    )
    said = (tmp_path / f"{NAME}.md").read_text()
    assert "| lstm | few | finetune |" in said and "seeds 0." in said
    assert "| lstm | finetune | 3 of 6 **missing** |" in said and "| lstm | scratch | 6 of 6 |" in said
    assert "| " + " | ".join(page.HEADER) + " |" in said and "A tiny study." in said
    called = []
    monkeypatch.setattr("benchmarks.accuracy.work.work", lambda cells, *_: called.extend(cells) or [])
    main.measure_transfer(
        [f"transfer={NAME}", "draws=200", f"runs={tmp_path}", f"output={tmp_path}"], Console(quiet=True)
    )
    assert {cell.run.model for cell in called} == {"lstm_finetune"} and len(called) == 3, "only what is not kept"


def test_the_median_r2_of_each_technique_is_read_along_the_conditions():
    cells, sites = made_up(12)
    found = effects(cells, sites, "few", "lstm", (0, 1), draws=200)
    study = replace(TINY, conditions={"few": (), "many": ()}, techniques=("finetune", "scratch", "residual"))
    assert found is not None
    header, _, *rows = page._r2_by_condition(study, [found])
    r2 = {line.technique: line.r2 for line in found.lines}
    assert header == "| network | technique | few | many |"
    assert rows == [f"| lstm | {name} | {r2[name]:.3f} | – |" for name in ("finetune", "scratch")] + [
        "| lstm | residual | – | – |"
    ]


def test_tuning_takes_the_best_mean_over_seeds_and_is_used(tmp_path, tiny):
    tried = tuning.trials(NAME, tiny, tmp_path, [])
    assert [trial.technique for trial in tried] == ["scratch"] * 4 + ["finetune"] * 4
    assert [len(trial.cells) for trial in tried] == [2] * 8
    scores = {"scratch": [(3.0, 1.0), (1.5, 1.5), (2.0, 2.0), (9.0, 0.1)], "finetune": [(1, 1), (2, 2), (3, 3)]}
    for trial in tried:
        of_trial = scores[trial.technique][trial.number : trial.number + 1]
        for cell, score in zip(trial.cells, of_trial[0] if of_trial else (), strict=False):
            cell.folder.mkdir(parents=True)
            (cell.folder / "cell.json").write_text(json.dumps({"validation": score}))
            (cell.folder / "config.yaml").write_text(to_yaml(cell.run.config()))
    table = tuning.tuning_table(NAME, tmp_path)
    tuning.write_tuning(tried, table)
    assert tuning.chosen(NAME, tmp_path) == {"scratch": ("transfer.finetune.learning_rate=0.001",)}, (
        "finetune has a trial to go"
    )
    run = wanted(NAME, tiny, tuning.chosen(NAME, tmp_path), EVERYTHING, 1)[0].run
    assert run.config().transfer.finetune.learning_rate == 0.001


def test_nothing_else_is_run_while_a_technique_has_a_trial_to_go(tmp_path, tiny, monkeypatch):
    handed = []

    def all_but_the_last(cells, jobs, console):
        handed.extend(cells)
        return cells[-1:]

    monkeypatch.setattr("benchmarks.accuracy.work.work", all_but_the_last)
    asked = [f"transfer={NAME}", "tune=true", "draws=100", f"runs={tmp_path}", f"output={tmp_path}"]
    monkeypatch.setattr("benchmarks.transfer.settings.STUDIES", {NAME: tiny})
    with pytest.raises(UserError, match=r"1 cells are not finished, the first .*finetune3-s1"):
        main.measure_transfer(asked, Console(quiet=True))
    assert len(handed) == 16 and all("tuning" in cell.folder.parts for cell in handed)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["transfer=label"], "labels"),
        (["transfer=labels", "networks=[gru]"], "has no 'gru'"),
        (["transfer=labels", "techniques=[fintune]"], "did you mean 'finetune'"),
        (["transfer=pmodel_gpp", "tune=true"], "takes the choice of another study"),
        (["transfer=labels", "conditions=[share_50]"], "share_5"),
    ],
)
def test_mistakes_are_said(arguments, said):
    with pytest.raises(UserError, match=said):
        parse_settings(arguments)


def test_further_draws_are_none_of_those_that_were_opened():
    drawn = {
        name: {one.seed for one in wanted(name, STUDIES[name], {}, dict.fromkeys(NARROWED, ()), STUDIES[name].seeds)}
        for name in ("labels", "more_draws")
    }
    assert drawn["labels"] == {0, 1, 2} and drawn["more_draws"] == set(range(3, 11))
