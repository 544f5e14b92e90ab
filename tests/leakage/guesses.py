"""Rules 1 and 2 of the trees beside a network: a training day is guessed, and a place told, by others than its own."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import raciflux.workflow.first_guess as first_guess_module
from fabricated_view import KM, fabricated_view, with_flux
from raciflux.config.raci import RetrievalConfig
from raciflux.contracts import TrainingView
from raciflux.retrieval.bank import Bank
from raciflux.retrieval.index import Exclusion
from raciflux.retrieval.neighbour_flux import NeighbourFlux

from workflow import test_first_guess

from .world import Leak


def check_guesses() -> None:
    """No training day is guessed by trees that were grown on its cluster, or in a split in time on its year."""
    for check in (
        test_first_guess.test_a_training_site_is_guessed_by_trees_that_never_saw_its_cluster,
        test_first_guess.test_a_known_year_is_guessed_by_trees_that_never_saw_it,
    ):
        with tempfile.TemporaryDirectory() as folder:
            try:
                check(Path(folder))
            except AssertionError as error:
                raise AssertionError(f"{check.__name__} fails") from error


def guessed_by_all(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(first_guess_module, "_by_clusters", lambda view, parts: np.full(view.driver_days.shape, -1))


def years_guessed_by_all(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(first_guess_module, "_by_years", lambda days, view, parts: np.full(days.shape, -1))


def dealt(deal: Callable[..., np.ndarray]) -> Leak:
    return Leak(lambda patch: patch.setattr(first_guess_module, "_by_clusters", deal), "never_saw_its_cluster fails")


def by_sites(view, parts):
    """Deal sites, whatever stands beside them."""
    part = np.where(view.train_sites, np.arange(len(view.site_id)) % parts, -1)
    return np.repeat(part[:, None], len(view.dates), axis=1)


GUESSES = {
    "trees of all training clusters": Leak(guessed_by_all, "never_saw_its_cluster fails"),
    "trees of all training years": Leak(years_guessed_by_all, "never_saw_it fails"),
    "parts by site instead of cluster": dealt(by_sites),
}


def check_told() -> None:
    """What trees are told of a place never comes from its own cluster."""
    view = fabricated_view()
    before = told_everywhere(view)
    for code in np.unique(view.visible.cluster[view.train_sites]):
        mates = view.visible.cluster == code
        after = told_everywhere(with_flux(view, mates, 50.0))
        np.testing.assert_array_equal(after[mates], before[mates])
        assert (after[~mates] != before[~mates]).any()


def told_everywhere(view: TrainingView) -> np.ndarray:
    told = NeighbourFlux(Bank.build(view, KM), view, True, RetrievalConfig(neighbours=3))
    return np.stack([told.of_site(site) for site in range(len(view.site_id))])


def nothing_hidden(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Bank, "hidden_from", lambda self, view, same, exclude_km=0.0: Exclusion.nothing(len(view.site_id)))


TOLD = {"the own cluster among the neighbours": Leak(nothing_hidden, "Arrays are not equal")}
