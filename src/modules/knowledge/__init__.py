"""Knowledge-guided losses: the terms that a run switches on, for any network, pair and transfer technique.

Which fluxes a term speaks of stands in ``config.knowledge``; ``docs/knowledge.md`` says what each is good for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ...config.knowledge import SPEAKS_OF, KnowledgeConfig
from ...contracts import Batch, Layout, TargetScale
from ...variables import PHOTONS_PER_JOULE, TARGETS
from .spells import Driver, Spell
from .terms import NotFalling, Piece, Said, Subject, Within, WithinLight

WARMER = 2.0  # K
WARMTH = ("TA", "TA_MIN", "TA_MAX", "TS")  # drivers that a warm spell raises together
# Daily mean air temperatures, degC, between which warmth is known to raise a flux. Ecosystem respiration: Lloyd and
# Taylor 1994, Mahecha et al. 2010 (doi:10.1126/science.1189587); methane: Yvon-Durocher et al. 2014
# (doi:10.1038/nature13164). Below, soils are frozen; above, a warm spell also dries them: on up to a fifth of such days
# the true methane of the embedded world falls.
WARMTH_BAND = {"RECO": (0.0, 25.0), "FCH4": (0.0, 20.0)}

BRIGHTER = 20.0  # W m-2 of shortwave
LIGHT_BAND = (20.0, 200.0)  # W m-2, daily mean; above, light saturates and a brighter spell dries soils
PHOTONS = {"SW": PHOTONS_PER_JOULE, "PPFD": 1.0}  # umol m-2 s-1 of photons for each unit of a driver of light


@dataclass(frozen=True)
class _Run:
    """The fluxes and drivers of a run, by name."""

    pair: str
    layout: Layout
    scales: Sequence[TargetScale]
    inputs: Mapping[str, tuple[float, float]]

    def subjects(self, term: str) -> dict[str, Subject]:
        """Return the fluxes that a term speaks of."""
        names = SPEAKS_OF[term][self.pair] if term in SPEAKS_OF else self.layout.targets
        return {name: Subject.among(name, self.layout.targets, self.scales) for name in names}

    def drivers(self, names: Sequence[str]) -> dict[str, Driver]:
        """Return those of the drivers that the run has."""
        fast = self.layout.fast
        return {name: Driver(fast.index(name), *self.inputs[name]) for name in names if name in fast}


def _not_negative(run: _Run, term: str) -> list[Piece]:
    return [Within(subject, 0.0) for subject in run.subjects(term).values()]


def _range(run: _Run) -> list[Piece]:
    return [Within(subject, *TARGETS[name].plausible) for name, subject in run.subjects("range").items()]


def _temperature(run: _Run) -> list[Piece]:
    warmth = run.drivers(WARMTH)
    raised = tuple((driver, WARMER) for driver in warmth.values())
    subjects = run.subjects("temperature").items()
    return [NotFalling(subject, Spell(raised, warmth["TA"], *WARMTH_BAND[name])) for name, subject in subjects]


def _light(run: _Run) -> list[Piece]:
    lights = run.drivers(tuple(PHOTONS))
    of_a_watt = {name: PHOTONS_PER_JOULE / PHOTONS[name] for name in lights}  # a driver's units for each W m-2
    raised = tuple((driver, BRIGHTER * of_a_watt[name]) for name, driver in lights.items())
    name, judged = next(iter(lights.items()))
    spell = Spell(raised, judged, *(edge * of_a_watt[name] for edge in LIGHT_BAND))
    pieces: list[Piece] = []
    for subject in run.subjects("light").values():
        pieces += [NotFalling(subject, spell), WithinLight(subject, judged, PHOTONS[name])]
    return pieces


TERMS: dict[str, Callable[[_Run], list[Piece]]] = {
    "balance": partial(_not_negative, term="balance"),
    "non_negative": partial(_not_negative, term="non_negative"),
    "range": _range,
    "temperature": _temperature,
    "light": _light,
}


class Knowledge:
    """The terms of a run and their weights.

    Parameters
    ----------
    terms : pieces of each term, by its name; their penalties add up.
    weights : of each term in the training loss.
    warmup : days of a window that are encoded and never judged.
    """

    def __init__(self, terms: Mapping[str, Sequence[Piece]], weights: Mapping[str, float], warmup: int) -> None:
        self.terms, self.weights, self.warmup = dict(terms), dict(weights), warmup

    def penalties(
        self, batch: Batch, fluxes: Sequence[Tensor], again: Callable[[Batch], Sequence[Tensor]]
    ) -> dict[str, Tensor]:
        """Return the penalty of each term, a scalar without unit and not weighted; arguments as those of ``Said``."""
        said = Said(batch, judged_days(batch, self.warmup), fluxes, again)
        return {name: sum_of([piece.penalty(said) for piece in pieces]) for name, pieces in self.terms.items()}

    def weighted(self, penalties: Mapping[str, Tensor]) -> Tensor:
        """Return what all terms add to the training loss."""
        return sum_of([self.weights[name] * penalty for name, penalty in penalties.items()])


def judged_days(batch: Batch, warmup: int) -> Tensor:
    """Return the days (batch, day) that knowledge is asked of, bool: scored, with some driver known.

    They end with the last day of the window whose flux is trained on: later ones may be those of validation or test in
    a split in time, and a training must not depend on these, not even by their weather.
    """
    scored = batch["target_mask"].any(-1)
    until_last = scored.flip(1).cumsum(1).flip(1) > 0
    after_warmup = torch.arange(scored.shape[1], device=scored.device) >= warmup
    return until_last & after_warmup & batch["fast_mask"].bool().any(-1)


def sum_of(scalars: Sequence[Tensor]) -> Tensor:
    """Add up one scalar or several."""
    return sum(scalars[1:], start=scalars[0])


def knowledge_of(
    config: KnowledgeConfig,
    pair: str,
    layout: Layout,
    scales: Sequence[TargetScale],
    inputs: Mapping[str, tuple[float, float]],
) -> Knowledge | None:
    """Return the terms that are switched on; None when none is.

    Parameters
    ----------
    scales : of each target. inputs : mean and standard deviation of each driver, in its unit.
    """
    weights = config.weights()
    run = _Run(pair, layout, scales, inputs)
    return Knowledge({name: TERMS[name](run) for name in weights}, weights, layout.window.warmup) if weights else None
