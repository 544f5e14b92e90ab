"""Compare models on one test set: each with its interval, and in pairs with difference, interval and p.

Clusters are resampled and, inside a draw, seeds; a model's number is the mean over its seeds. The claims of one score
(each pair's difference in mean and in median RMSE over sites) are adjusted together after Holm. Where all runs have
intervals alike, coverage and width at matched coverage are compared too, and the CRPS where all have quantiles. The
best baseline is the one that validation chose, never the test.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError, did_you_mean
from ..metrics import FloatArray, rmse
from ..run_folder import RunFolder
from ..scored import ScoredRun
from . import uncertainty
from .bootstrap import DRAWS, FEWEST_CLUSTERS, Counts, Resampled, cluster_draws, holm, p_value, seed_draws
from .compared import PERCENT, Comparison, Difference, Estimate, ModelLine, Pair, ScoreComparison
from .entries import Entry, entries
from .resampled_scores import STATISTICS
from .validation_score import ValidationScore, mean_score

BEST = "best_baseline"  # as a reference: the baseline that validation chose
FEWEST_DRAWS = 100
TIE = 0.01  # two RMSE of a site that differ by less than this share of the larger are a tie


CLAIMS = ("mean_rmse", "median_rmse")  # what a p-value is given for
DIFFERENCES = (*CLAIMS, "median_r2")


def compare(
    runs: Sequence[RunFolder | ScoredRun],
    *,
    reference: str | None = None,
    baselines: Sequence[str] | None = None,
    scores: Sequence[str] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Comparison:
    """Compare runs of one test set; runs of a model with different seeds count as one model.

    Parameters
    ----------
    runs : the model of interest first, then what it is compared with.
    reference : model that the others are held against; default the first, ``best_baseline`` the one validation chose.
    baselines : models among which validation chooses the best baseline; default all but the first.
    scores : which scores; default all that the data admit.
    draws, seed : number of bootstrap draws, and what they are drawn with.

    Raises
    ------
    UserError
        If test sets differ, there is nothing to compare, or a name is unknown.
    """
    listed = entries(runs, uncertainty=True)
    validation = {entry.label: mean_score(entry.folders) for entry in listed}
    return compare_entries(
        listed, validation, reference=reference, baselines=baselines, scores=scores, draws=draws, seed=seed
    )


def compare_entries(
    listed: Sequence[Entry],
    validation: dict[str, ValidationScore | None],
    *,
    reference: str | None = None,
    baselines: Sequence[str] | None = None,
    scores: Sequence[str] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Comparison:
    """Compare models that are held to one test already; ``validation`` has the score of each, by its label.

    The rest is as :func:`compare` takes and raises it.
    """
    if draws < FEWEST_DRAWS:
        raise UserError(f"{draws} draws are too few for a 95 % interval; give {FEWEST_DRAWS} or more")
    if len(listed) < 2:
        raise UserError("nothing to compare: give runs of two models, or one that was trained with compare=[...]")
    known = listed[1:] if baselines is None else [entry for entry in listed if entry.label in baselines]
    best = _best(known, validation)
    against = _reference(reference, listed, best)
    pairs = [(entry, against) for entry in listed if entry is not against]
    if best and against is not best and against is not listed[0]:
        pairs.insert(0, (listed[0], best))
    identity = next(iter(listed[0].asked.values()))[0].identity
    return Comparison(
        target=identity["target"],
        units=identity["units"],
        quality=identity["quality"],
        question=identity["question"],
        reference=against.label,
        best_baseline=best.label if best else None,
        validation=validation,
        draws=draws,
        scores=[_under(score, listed, pairs, draws, seed) for score in _chosen(scores, listed[0])],
    )


def _best(baselines: Sequence[Entry], validation: dict[str, ValidationScore | None]) -> Entry | None:
    known = {entry.label: score for entry in baselines if (score := validation[entry.label]) is not None}
    if len({score.measure for score in known.values()}) != 1:
        return None
    return min((entry for entry in baselines if entry.label in known), key=lambda entry: known[entry.label].value)


def _reference(name: str | None, listed: Sequence[Entry], best: Entry | None) -> Entry:
    if name is None:
        return listed[0]
    if name == BEST:
        if best is None:
            raise UserError("no best baseline: the runs hold no comparable validation scores; name a reference")
        return best
    found = {entry.label: entry for entry in listed}
    if name not in found:
        raise UserError(f"reference {name!r} is not among the models; {did_you_mean(name, [*found, BEST])}")
    return found[name]


def _chosen(scores: Sequence[str] | None, first: Entry) -> list[str]:
    for score in scores or ():
        if score not in first.asked:
            raise UserError(f"score {score!r} is not one of this data; {did_you_mean(score, first.asked)}")
    return list(scores or first.asked)


def _under(
    score: str, listed: Sequence[Entry], pairs: Sequence[tuple[Entry, Entry]], draws: int, seed: int
) -> ScoreComparison:
    """Compare under one score."""
    asked = listed[0].asked[score][0]
    enters = asked.enters
    cluster = asked.cluster[enters]
    clusters = len(np.unique(cluster))
    if not clusters:
        raise UserError(f"{asked.name}: no site enters the score {score!r}; lower min_scored_days in a new run")
    drawn = draws if clusters >= FEWEST_CLUSTERS else 0
    counts = cluster_draws(cluster, drawn, seed)
    sums = {entry.label: [one.sums[enters] for one in entry.asked[score]] for entry in listed}
    seeds = {entry.label: seed_draws(entry.seeds, drawn, seed) for entry in listed}
    resampled = {label: _resample(STATISTICS, of_seeds, counts, seeds[label]) for label, of_seeds in sums.items()}
    for kind in uncertainty.STATISTICS:
        for label, found in _uncertain(kind, listed, score, counts, seeds).items():
            resampled[label] |= found
    site_rmse = {label: np.mean([rmse(one) for one in of_seeds], axis=0) for label, of_seeds in sums.items()}
    named = [(model.label, other.label) for model, other in pairs]
    differences = _differences([(resampled[model], resampled[other]) for model, other in named])
    site_id = None if drawn else asked.site_id[enters]
    return ScoreComparison(
        score=score,
        sites=int(enters.sum()),
        clusters=clusters,
        days=int(asked.days[enters].sum()),
        folds=len(np.unique(asked.fold[enters])),
        interval_level=asked.intervals.asked[0] if asked.intervals and "coverage" in resampled[named[0][0]] else None,
        models=[_line(entry, resampled[entry.label]) for entry in listed],
        pairs=[
            _pair(model, other, of_pair, site_rmse[model], site_rmse[other], site_id)
            for (model, other), of_pair in zip(named, differences, strict=True)
        ],
    )


def _uncertain(
    kind: str, listed: Sequence[Entry], score: str, counts: Counts, seeds: Mapping[str, Counts]
) -> dict[str, dict[str, Resampled]]:
    """Statistics of each model's intervals or quantiles; none unless all models were measured alike."""
    enters = listed[0].asked[score][0].enters
    given = {entry.label: [getattr(one, kind) for one in entry.asked[score]] for entry in listed}
    entering = {label: [one and one[enters] for one in of_seeds] for label, of_seeds in given.items()}
    measured = uncertainty.common_sites([one for of_seeds in entering.values() for one in of_seeds])
    if measured is None:
        return {}
    statistics, drawn = uncertainty.STATISTICS[kind], counts[:, measured]
    return {
        label: _resample(statistics, [one[measured] for one in of_seeds], drawn, seeds[label])
        for label, of_seeds in entering.items()
    }


def _resample(
    statistics: Mapping[str, Callable[[Any, Counts], FloatArray]], sums: Sequence[Any], counts: Counts, seeds: Counts
) -> dict[str, Resampled]:
    """Each statistic of one model: the mean over its seeds, and over the drawn seeds of each draw."""
    once = np.ones((1, counts.shape[1]), np.int64)
    resampled = {}
    for name, statistic in statistics.items():
        value = np.mean([statistic(one, once)[0] for one in sums])
        of_seeds = np.stack([statistic(one, counts) for one in sums], axis=1)  # (draw, seed)
        resampled[name] = Resampled(float(value), (of_seeds * seeds).sum(1) / len(sums))
    return resampled


def _line(entry: Entry, resampled: dict[str, Resampled]) -> ModelLine:
    estimates = {name: Estimate.of(value) for name, value in resampled.items()}
    return ModelLine(entry.label, entry.seeds, entry.causal, estimates)


def _differences(pairs: Sequence[tuple[dict[str, Resampled], dict[str, Resampled]]]) -> list[dict[str, Difference]]:
    """Difference of each pair and statistic; the claims of all pairs are adjusted together."""
    compared = (*DIFFERENCES, *uncertainty.DIFFERENCES)
    differences = [
        {name: model[name] - other[name] for name in compared if name in model}
        | {PERCENT: model[CLAIMS[0]].relative_to(other[CLAIMS[0]])}
        for model, other in pairs
    ]
    p = {(i, name): p_value(of_pair[name].draws) for i, of_pair in enumerate(differences) for name in CLAIMS}
    known = {claim: value for claim, value in p.items() if value is not None}
    p_holm = dict(zip(known, holm(list(known.values())), strict=True))
    return [
        {
            name: Difference(**vars(Estimate.of(value)), p=p.get((i, name)), p_holm=p_holm.get((i, name)))
            for name, value in of_pair.items()
        }
        for i, of_pair in enumerate(differences)
    ]


def _pair(
    model: str,
    reference: str,
    differences: dict[str, Difference],
    own: FloatArray,
    other: FloatArray,
    site_id: NDArray[np.str_] | None,
) -> Pair:
    """Count sites; ``own`` and ``other`` are the RMSE (site,) of model and reference."""
    tie = (own == other) | (np.abs(own - other) < TIE * np.maximum(own, other))
    wins, losses = int((~tie & (own < other)).sum()), int((~tie & (own > other)).sum())
    apart = None if site_id is None else dict(zip(site_id.tolist(), (own - other).tolist(), strict=True))
    return Pair(model, reference, differences, wins, int(tie.sum()), losses, apart)
