"""Rule 8: comparisons resample clusters and seeds, count each site once, and leave choices to validation."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import xarray as xr
from raciflux.evaluation.comparison import compare as compare_module
from raciflux.evaluation.comparison import entries
from raciflux.evaluation.comparison.asked import Asked
from raciflux.evaluation.comparison.bootstrap import cluster_draws, seed_draws
from raciflux.evaluation.comparison.compare import compare
from raciflux.evaluation.comparison.compared import Comparison
from raciflux.evaluation.comparison.validation_score import ValidationScore
from raciflux.evaluation.metrics import rmse
from raciflux.evaluation.run_folder import RunFolder
from raciflux.evaluation.scored import ScoredRun

from evaluation.fabricated import fabricate_predictions

from .world import Leak

DRAWS = 200


def run_of(model: str, error: float | np.ndarray, seed: int = 0, clusters: int = 24) -> xr.Dataset:
    """A run that errs by a constant at each site, whose clusters have one site each."""
    said = fabricate_predictions(sites=clusters, years=1, with_expected=False)
    wrong = said["observed"] + xr.DataArray(np.broadcast_to(error, clusters), dims="site")
    named = {"model": model, "seed": seed, "min_scored_days": 30}
    return said.assign(prediction=wrong, cluster=("site", np.arange(clusters))).assign_attrs(named)


def compared(runs: list[xr.Dataset], validation: Mapping[str, float] | None = None) -> Comparison:
    """The comparison of runs as their folders would give it."""
    with tempfile.TemporaryDirectory() as root:
        scored = []
        for i, run in enumerate(runs):
            folder = Path(root, str(i))
            folder.mkdir()
            if validation:
                (folder / "validation.json").write_text(json.dumps({"score": validation[run.attrs["model"]]}))
            scored.append(ScoredRun(RunFolder(folder), run, pl.DataFrame(), {}))
        return compare(scored, draws=DRAWS)


def twins(run: xr.Dataset, copies: int) -> xr.Dataset:
    """Each tower so many times over, in its cluster."""
    repeated = run.isel(site=np.repeat(np.arange(run.sizes["site"]), copies))
    names = [f"{name}-{i % copies}" for i, name in enumerate(repeated["site_id"].to_numpy())]
    return repeated.assign_coords(site_id=("site", names))


# --- what counts as evidence ------------------------------------------------------------------------------------------


def check_evidence() -> None:
    """Twins of towers narrow no interval, seeds that disagree widen it, and a handful of clusters gives none."""
    errors = np.random.default_rng(0).uniform(0.5, 3.0, 24)
    runs = [run_of("raci", errors), run_of("flat", 1.5)]
    alone, tripled = (
        compared(each).scores[0].pairs[0].differences["mean_rmse"] for each in (runs, [twins(run, 3) for run in runs])
    )
    assert alone.low is not None and alone.high is not None and alone.low < alone.high
    same = np.allclose([alone.low, alone.high, alone.p], [tripled.low, tripled.high, tripled.p])
    assert same, "three times the towers of the same places pass for three times the evidence"

    seeds = [run_of("raci", 1.0, seed=0), run_of("raci", 2.0, seed=1), run_of("flat", 1.5)]
    line = compared(seeds).scores[0].models[0].estimates["mean_rmse"]
    assert line.low is not None and line.high is not None
    assert line.low < 1.1 and line.high > 1.9, "seeds are taken for certain"

    few = [run_of("raci", errors[:9], clusters=9), run_of("flat", 1.5, clusters=9)]
    said = compared(few).scores[0].pairs[0]
    assert said.differences["mean_rmse"].low is None and said.sites, "nine clusters give an interval"


def bootstrap_by_site(patch: pytest.MonkeyPatch) -> None:
    by_site = lambda cluster, *given: cluster_draws(np.arange(len(cluster)), *given)  # noqa: E731
    patch.setattr(compare_module, "cluster_draws", by_site)


def seeds_not_drawn(patch: pytest.MonkeyPatch) -> None:
    every = lambda seeds, *given: np.ones_like(seed_draws(seeds, *given))  # noqa: E731
    patch.setattr(compare_module, "seed_draws", every)


def any_number_of_clusters(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(compare_module, "FEWEST_CLUSTERS", 2)


EVIDENCE = {
    "bootstrap by site": Leak(bootstrap_by_site, "three times the evidence"),
    "seeds that are not resampled": Leak(seeds_not_drawn, "seeds are taken for certain"),
    "an interval from nine clusters": Leak(any_number_of_clusters, "nine clusters give an interval"),
}

# --- folds ------------------------------------------------------------------------------------------------------------


def check_folds() -> None:
    """Folds given one by one are the same comparison as whole runs: no site counts twice, none is left out."""
    fold = np.array([0] * 20 + [1] * 4)
    runs = [run_of("raci", np.linspace(0.5, 3.0, 24)), run_of("flat", 1.5)]
    runs = [run.assign(fold=("site", fold)) for run in runs]
    parts = [run.isel(site=np.flatnonzero(fold == number)) for run in runs for number in (0, 1)]
    assert compared(parts).scores == compared(runs).scores, "folds are not pooled site by site"


def a_fold_counts_twice(patch: pytest.MonkeyPatch) -> None:
    """The second fold's sites stand in the pool as often as those of the first."""
    pooled = Asked.pooled

    def repeated(folds: list[Asked]) -> Asked:
        return pooled(folds if len(folds) == 1 else [*folds, folds[1]])

    patch.setattr(entries.Asked, "pooled", repeated)


def a_fold_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    pooled = Asked.pooled
    patch.setattr(entries.Asked, "pooled", lambda folds: pooled(folds[:1]))


FOLDS = {
    "a fold that counts twice": Leak(a_fold_counts_twice, "folds are not pooled"),
    "a fold that is forgotten": Leak(a_fold_is_forgotten, "folds are not pooled"),
}

# --- claims -----------------------------------------------------------------------------------------------------------


def check_claims() -> None:
    """The more models are tried in one table, the less a single small p is worth."""
    rng = np.random.default_rng(3)
    near = 1.5 + rng.normal(0.12, 0.3, 24)
    others = [run_of(f"model{i}", 1.5 + rng.normal(0.12, 0.3, 24)) for i in range(4)]
    runs = [run_of("raci", 1.5), run_of("lstm", near)]
    few, many = (
        next(pair for pair in compared(each).scores[0].pairs if pair.model == "lstm").differences["mean_rmse"]
        for each in (runs, [*runs, *others])
    )
    assert few.p == many.p is not None and few.p_holm is not None and many.p_holm is not None
    assert 0 < few.p < 0.2, "this p is nothing to adjust"
    assert many.p_holm > few.p_holm >= few.p, "a p-value forgets how many were tried"


def no_adjustment(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(compare_module, "holm", list)


CLAIMS = {"claims without Holm's adjustment": Leak(no_adjustment, "forgets how many were tried")}

# --- the best baseline ------------------------------------------------------------------------------------------------


def check_choice() -> None:
    """A baseline that does wonders on the test is not the best one, if validation says otherwise."""
    validation = {"raci": 0.9, "lstm": 0.5, "trees": 0.6}
    lstm = run_of("lstm", 2.0)
    for trees in (run_of("trees", 3.0), run_of("trees", 0.001)):
        best = compared([run_of("raci", 1.0), lstm, trees], validation).best_baseline
        assert best == "lstm", "the test chose the best baseline"
    other = compared([run_of("raci", 1.0), lstm, run_of("trees", 3.0)], validation | {"trees": 0.4}).best_baseline
    assert other == "trees", "validation has no say"


def chosen_on_the_test(patch: pytest.MonkeyPatch) -> None:
    best = compare_module._best

    def by_test(baselines, validation):
        tested = {one.label: float(rmse(one.asked["measured"][0].sums).mean()) for one in baselines}
        return best(baselines, {name: ValidationScore("test", value) for name, value in tested.items()})

    patch.setattr(compare_module, "_best", by_test)


CHOICE = {"best baseline chosen on the test": Leak(chosen_on_the_test, "the test chose")}
