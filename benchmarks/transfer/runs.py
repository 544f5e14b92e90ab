"""The runs that a study consists of, and their cells by fold."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..accuracy.cells import Run, last_of_each_key
from ..accuracy.work import Cell, cells_of
from .study import SEED, VARIANTS, Study


@dataclass(frozen=True)
class Wanted:
    """One technique with one network, under one condition and seed, and its cells by fold."""

    condition: str
    network: str
    technique: str
    seed: int
    run: Run

    def cells(self, folder: Path) -> list[Cell]:
        """List the cells, below the folder of runs."""
        return cells_of([self.run], folder)


def wanted(
    name: str, study: Study, chosen: Mapping[str, Sequence[str]], only: Mapping[str, Sequence[str]], seeds: int
) -> list[Wanted]:
    """List what a study runs, network by network and seed by seed, so that an early stop leaves whole tables.

    Parameters
    ----------
    chosen : hyper-parameters of each technique, as overrides.
    only : ``networks``, ``conditions`` and ``techniques`` to keep; an empty list keeps all.
    seeds : how many.
    """
    kept = {part: [one for one in getattr(study, part) if not only[part] or one in only[part]] for part in only}
    product = itertools.product(kept["networks"], study.drawn(seeds), kept["conditions"], kept["techniques"])
    return [
        Wanted(
            condition,
            network,
            technique,
            seed,
            run_of(name, study, condition, network, technique, seed, chosen.get(_named(technique)[0], ())),
        )
        for network, seed, condition, technique in product
    ]


def run_of(
    name: str, study: Study, condition: str, network: str, technique: str, seed: int, chosen: Sequence[str]
) -> Run:
    """Return one run with these hyper-parameters."""
    own = study.of_network.get(network, ())
    transfer, *more = _named(technique)
    overrides = (*study.regime, *study.conditions[condition], *own, f"transfer={transfer}", *more, *chosen)
    return Run(
        f"transfer_{name}",
        study.experiment,
        condition,
        f"{network}_{technique}",
        seed,
        last_of_each_key([text.replace(SEED, str(seed)) for text in overrides]),
        trained=network,
        only=study.folds,
    )


def _named(technique: str) -> tuple[str, ...]:
    """Return the value of ``transfer`` and the overrides beside it."""
    return VARIANTS.get(technique, (technique,))
