"""Who answers the questions: one line a method, each a ``SiteAnswer``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from raciflux.own_days.answers import SiteAnswer
    from raciflux.workflow.adapt import Base


@dataclass(frozen=True)
class Given:
    """What methods are made from.

    Attributes
    ----------
    base : the runs that are corrected.
    raci : the runs of RACI, where some are named.
    raci_runs : their folders.
    fine_tuned : runs of a network that is trained on with the shown days.
    targets : fluxes that are asked about.
    jobs : cores that a method may use.
    """

    base: "Base"
    raci: "Base | None"
    raci_runs: tuple[Path, ...]
    fine_tuned: tuple[Path, ...]
    targets: tuple[str, ...]
    jobs: int


@dataclass(frozen=True)
class Method:
    """A way to answer.

    Attributes
    ----------
    uses : what it uses beside the site's own days: "nothing", or a key that names runs.
    corrects : whether it learns from what these runs say of training sites out of fold.
    """

    uses: str
    build: Callable[[Given], "SiteAnswer"]
    corrects: bool = False


def _zero_shot(given: Given) -> "SiteAnswer":
    from raciflux.own_days.answers import ZeroShot

    return ZeroShot(given.base.folds)


def _raci_zero_shot(given: Given) -> "SiteAnswer":
    from raciflux.own_days.answers import ZeroShot

    assert given.raci is not None
    return ZeroShot(given.raci.folds)


def _raci(given: Given) -> "SiteAnswer":
    from raciflux.workflow.own_answers_of_runs import OwnAnswersOfRuns

    return OwnAnswersOfRuns(given.raci_runs)


def _corrected(name: str, given: Given) -> "SiteAnswer":
    from raciflux.own_days.correct import Corrected

    return Corrected.fit([name], given.base.record, given.base.folds)[name]


def _marginal_distribution(given: Given) -> "SiteAnswer":
    from raciflux.own_days.marginal_distribution import MarginalDistribution

    return MarginalDistribution(given.base.record, given.targets)


def _fine_tuned(given: Given) -> "SiteAnswer":
    from raciflux.workflow.fine_tuned import FineTuned

    return FineTuned(given.fine_tuned)


def _site_forest(given: Given) -> "SiteAnswer":
    from raciflux.own_days.site_forest import SiteForest

    return SiteForest(given.base.record, given.targets, given.jobs)


_ZERO_SHOT = {"zero_shot": Method("base", _zero_shot)}
_RACI = {"raci_zero_shot": Method("raci", _raci_zero_shot), "raci": Method("raci", _raci)}
_EMPIRICAL_BAYES = {"empirical_bayes": Method("base", partial(_corrected, "empirical_bayes"), corrects=True)}

# A new one joins here, under each question that it answers.
METHODS: Mapping[str, Mapping[str, Method]] = {
    "few_shot": {
        **_ZERO_SHOT,
        "ridge": Method("base", partial(_corrected, "ridge"), corrects=True),
        **_EMPIRICAL_BAYES,
        "fine_tuned": Method("fine_tuned", _fine_tuned),
        **_RACI,
    },
    "gap": {
        **_ZERO_SHOT,
        "marginal_distribution": Method("nothing", _marginal_distribution),
        "site_forest": Method("nothing", _site_forest),
        **_EMPIRICAL_BAYES,
        **_RACI,
    },
}
# What every other method is held against on the page.
REFERENCES = {
    "few_shot": ("zero_shot", "raci_zero_shot", "empirical_bayes", "raci"),
    "gap": ("marginal_distribution", "site_forest", "raci"),
}
