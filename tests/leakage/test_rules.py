"""The eight rules of docs/architecture.md, each with the checks that hold the house to it and the leaks they catch.

A check changes what must not matter by an absurd amount, runs the real code again, and demands that nothing moves. It
also demands that what must matter does, so that it cannot pass by being blind. A leak breaks the house in one place;
its check must then fail, and say what moved. ``pytest tests/leakage --collect-only -q`` lists all of it by name.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import pytest
from raciflux.errors import UserError

from . import (
    choices,
    clusters,
    comparisons,
    fluxes,
    guesses,
    learners,
    networks,
    own_simulation,
    pretraining,
    scores,
    visibility,
)
from .world import Leak


class Row(NamedTuple):
    """One check of a rule."""

    rule: int
    says: str
    check: Callable[[], None]
    leaks: Mapping[str, Leak]


TABLE = [
    Row(1, "training reads fluxes of training days alone", fluxes.check_learned_from, fluxes.LEARNED_FROM),
    Row(1, "places are described by training sites and years", fluxes.check_said_of_places, fluxes.SAID_OF_PLACES),
    Row(1, "estimators learn from known days alone", learners.check_estimators, learners.ESTIMATORS),
    Row(1, "losses count known days; no target is an input", learners.check_losses, learners.LOSSES),
    Row(1, "an answer knows the days its question shows", visibility.check_answers, visibility.ANSWERS),
    Row(1, "new years show the past of training alone", visibility.check_new_years, visibility.NEW_YEARS),
    Row(1, "training judges no answer that saw its truth", visibility.check_posed, visibility.POSED),
    Row(1, "own days learn from guesses that never saw them", guesses.check_guesses, guesses.GUESSES),
    Row(1, "a whole training is blind to what is held out", fluxes.check_end_to_end, fluxes.END_TO_END_LEAKS),
    Row(2, "no split cuts a cluster", clusters.check_splits, clusters.SPLITS),
    Row(2, "no site is shown while its cluster is tested", scores.check_mates, scores.MATES),
    Row(2, "clusters are those of all sites", clusters.check_chains, clusters.CHAINS),
    Row(2, "a grid is held out by blocks and a border", clusters.check_blocks, clusters.BLOCKS),
    Row(2, "retrieval never shows the own cluster", clusters.check_retrieval, clusters.RETRIEVAL),
    Row(2, "trees are never told by the own cluster", guesses.check_told, guesses.TOLD),
    Row(2, "no estimator sees the own cluster", clusters.check_estimators, clusters.ESTIMATORS),
    Row(3, "no training stops by the test", choices.check_stopping, choices.STOPPING),
    Row(3, "whole training clusters calibrate, and no other", choices.check_calibration, choices.CALIBRATED),
    Row(4, "the primary score counts measured days alone", scores.check_measured, scores.MEASURED),
    Row(4, "scores say what they count", scores.check_names, scores.NAMES),
    Row(5, "sites enter by 180 scored days, predicted or not", scores.check_sites, scores.SITES),
    Row(5, "a split in time goes by whole years", scores.check_years, scores.YEARS),
    Row(6, "pretraining keeps away from test clusters", pretraining.check_pretraining, pretraining.PRETRAINING),
    Row(
        6,
        "a run on the towers' weather sees no flux, no test",
        own_simulation.check_own_simulation,
        own_simulation.OWN_SIMULATION,
    ),
    Row(7, "causal means causal, and the others carry the mark", networks.check_causality, networks.CAUSALITY),
    Row(7, "the record is read up to the day", networks.check_record, networks.RECORD),
    Row(7, "trees read the record up to the day", networks.check_trees, networks.TREES),
    Row(7, "nobody depends on its batch mates", networks.check_batch_independence, networks.BATCHES),
    Row(8, "evidence is counted in clusters and seeds", comparisons.check_evidence, comparisons.EVIDENCE),
    Row(8, "each site counts once", comparisons.check_folds, comparisons.FOLDS),
    Row(8, "claims are adjusted for their number", comparisons.check_claims, comparisons.CLAIMS),
    Row(8, "validation chooses the best baseline", comparisons.check_choice, comparisons.CHOICE),
]
LEAKS = [(row, name) for row in TABLE for name in row.leaks]


def test_every_rule_has_a_check_and_every_check_a_leak():
    assert {row.rule for row in TABLE} == set(range(1, 9))
    assert all(row.leaks for row in TABLE)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"rule {row.rule}: {row.says}")
def test_the_house_keeps_the_rule(row):
    row.check()


@pytest.mark.parametrize(
    ("row", "leak"), LEAKS, ids=lambda each: each if isinstance(each, str) else f"rule {each.rule}"
)
def test_a_leak_is_caught(row, leak, monkeypatch):
    row.leaks[leak].build(monkeypatch)
    with pytest.raises((AssertionError, UserError, ValueError), match=row.leaks[leak].caught):
        row.check()
