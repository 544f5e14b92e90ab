"""How much lower each technique's error is than a baseline's on the same towers, labels and seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from raciflux.evaluation.comparison.bootstrap import (
    FEWEST_CLUSTERS,
    Counts,
    cluster_draws,
    holm,
    interval,
    p_value,
    seed_draws,
    weighted_mean,
    weighted_median,
)

from .study import BASELINES, SCRATCH

Doubles = NDArray[np.float64]
STATISTICS = {"median": weighted_median, "mean": weighted_mean}


@dataclass(frozen=True)
class Change:
    """A share of the baseline's error, -0.1 is 10 % lower; ``within``, ``p`` (Holm) are None with too few clusters."""

    value: float
    within: tuple[float, float] | None
    p: float | None


@dataclass(frozen=True)
class Effect:
    """One technique under one condition, with one network.

    Attributes
    ----------
    validation : mean over folds and seeds of RMSE over spread at the validation towers.
    rmse : median and mean over towers, averaged over seeds.
    changes : of median and mean against the baseline; it has none itself.
    r2 : median over towers, averaged over seeds.
    worse : share of towers whose RMSE, averaged over seeds, is higher than the baseline's.
    by_site : RMSE of each tower, averaged over seeds.
    """

    technique: str
    validation: float
    rmse: Mapping[str, float]
    r2: float
    changes: Mapping[str, Change]
    worse: float
    by_site: Mapping[str, float]


@dataclass(frozen=True)
class Effects:
    """All techniques that are whole, the baseline among them, best on validation first."""

    condition: str
    network: str
    against: str
    seeds: tuple[int, ...]
    clusters: int
    lines: tuple[Effect, ...]

    @property
    def chosen(self) -> Effect:
        """The technique that validation chose; no baseline is one."""
        return next(line for line in self.lines if line.technique not in BASELINES)

    @property
    def baseline(self) -> Effect:
        """What all are held against."""
        return next(line for line in self.lines if line.technique == self.against)


def effects(
    cells: pl.DataFrame,
    sites: pl.DataFrame,
    condition: str,
    network: str,
    folds: Sequence[int],
    draws: int,
    against: str = SCRATCH,
) -> Effects | None:
    """Hold every technique against a baseline on the seeds that all of them have finished; None without both.

    Whole clusters of towers are resampled and, inside a draw, seeds, the same for both sides. Changes of all techniques
    in median and mean are adjusted together (Holm 1979).

    Parameters
    ----------
    cells, sites : tables of the store. folds : those that make a seed whole.
    """
    here = (pl.col("condition") == condition) & (pl.col("network") == network)
    cells, sites = cells.filter(here), sites.filter(here)
    seeds_of = {technique: _whole(cells, technique, folds) for technique in cells["technique"].unique()}
    if not seeds_of.get(against):
        return None
    compared = [technique for technique, seeds in seeds_of.items() if seeds]
    seeds = tuple(sorted(set.intersection(*(seeds_of[technique] for technique in compared))))
    if not set(compared) - set(BASELINES) or not seeds:
        return None
    errors, site_id, cluster = _scores("rmse", sites, compared, seeds)
    r2 = _scores("r2", sites, compared, seeds)[0]
    clusters = len(np.unique(cluster))
    drawn = draws if clusters >= FEWEST_CLUSTERS else 0
    counts, of_seeds = cluster_draws(cluster, drawn), seed_draws(seeds, drawn)
    changes = _adjusted(
        {
            (technique, name): _change(name, errors[technique], errors[against], counts, of_seeds)
            for technique in compared
            if technique != against
            for name in STATISTICS
        }
    )
    once = np.ones((1, len(site_id)), np.int64)
    lines = [
        Effect(
            technique,
            _validation(cells, technique, seeds),
            {name: float(np.mean([of(own, once)[0] for own in errors[technique]])) for name, of in STATISTICS.items()},
            float(np.median(r2[technique], axis=1).mean()),
            {name: changes[technique, name] for name in STATISTICS if technique != against},
            float((errors[technique].mean(0) > errors[against].mean(0)).mean()),
            dict(zip(site_id, errors[technique].mean(0).tolist(), strict=True)),
        )
        for technique in compared
    ]
    return Effects(condition, network, against, seeds, clusters, tuple(sorted(lines, key=lambda line: line.validation)))


def _whole(cells: pl.DataFrame, technique: str, folds: Sequence[int]) -> set[int]:
    found = cells.filter(pl.col("technique") == technique).group_by("seed").agg(pl.col("fold"))
    return {seed for seed, of_seed in found.iter_rows() if set(of_seed) >= set(folds)}


def _scores(
    score: str, sites: pl.DataFrame, techniques: Sequence[str], seeds: Sequence[int]
) -> tuple[dict[str, Doubles], list[str], NDArray[np.int64]]:
    """Return a score (seed, site) of each technique, and the names and clusters (site,) of the towers."""
    wide = (
        sites.filter(pl.col("seed").is_in(list(seeds)), pl.col("technique").is_in(list(techniques)))
        .pivot(on=["technique", "seed"], index=["site", "cluster"], values=score)
        .sort("site")
    )
    columns = {(technique, seed): f'{{"{technique}",{seed}}}' for technique in techniques for seed in seeds}
    scores = {
        technique: np.stack([wide[columns[technique, seed]].to_numpy() for seed in seeds]) for technique in techniques
    }
    assert all(np.isfinite(of_technique).all() for of_technique in scores.values()), "every technique has every tower"
    return scores, wide["site"].to_list(), wide["cluster"].to_numpy()


def _change(name: str, own: Doubles, baseline: Doubles, counts: Counts, seeds: Counts) -> Change:
    statistic, once = STATISTICS[name], np.ones((1, own.shape[1]), np.int64)

    def drawn(errors: Doubles) -> Doubles:
        return np.asarray((np.stack([statistic(one, counts) for one in errors], axis=1) * seeds).sum(1))

    value = float(sum(statistic(one, once)[0] for one in own) / sum(statistic(one, once)[0] for one in baseline) - 1)
    if not len(counts):
        return Change(value, None, None)
    draws = drawn(own) / drawn(baseline) - 1
    return Change(value, interval(draws), p_value(draws))


def _adjusted(changes: Mapping[tuple[str, str], Change]) -> dict[tuple[str, str], Change]:
    tested = [change.p for change in changes.values() if change.p is not None]
    p = iter(holm(tested))
    return {
        key: change if change.p is None else Change(change.value, change.within, next(p))
        for key, change in changes.items()
    }


def _validation(cells: pl.DataFrame, technique: str, seeds: Sequence[int]) -> float:
    own = cells.filter(pl.col("technique") == technique, pl.col("seed").is_in(list(seeds)))
    return float(own["validation"].to_numpy().mean())
