"""What a study of transfer is, and the runs and cells that it consists of."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..accuracy.cells import Run, last_of_each_key
from ..accuracy.work import Cell, cells_of

SCRATCH = "scratch"
SEED = "{seed}"  # stands in an override for the seed of the run


@dataclass(frozen=True)
class Study:
    """Techniques held against scratch under some conditions.

    Attributes
    ----------
    experiment : recipe that every cell starts from.
    conditions : overrides of each condition, by its name in the tables.
    networks, techniques : every technique is run with every network; ``scratch`` is one of them.
    regime : overrides of every cell: the budget of training, the same for all techniques.
    seeds : number of seeds.
    about : what must be said beside every number of this study.
    folds : the only folds that are run; empty runs all.
    of_network : overrides of a network, under every technique.
    tuned_in : condition in which hyper-parameters are chosen, with the first network; None takes ``tuned_by``'s choice.
    tuned_by : study whose choice is taken; None takes defaults.
    """

    experiment: str
    conditions: Mapping[str, tuple[str, ...]]
    networks: tuple[str, ...]
    techniques: tuple[str, ...]
    regime: tuple[str, ...]
    seeds: int
    about: str
    folds: tuple[int, ...] = ()
    of_network: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tuned_in: str | None = None
    tuned_by: str | None = None


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
    """
    kept = {part: [one for one in getattr(study, part) if not only[part] or one in only[part]] for part in only}
    product = itertools.product(kept["networks"], range(seeds), kept["conditions"], kept["techniques"])
    return [
        Wanted(
            condition,
            network,
            technique,
            seed,
            run_of(name, study, condition, network, technique, seed, chosen.get(technique, ())),
        )
        for network, seed, condition, technique in product
    ]


def run_of(
    name: str, study: Study, condition: str, network: str, technique: str, seed: int, chosen: Sequence[str]
) -> Run:
    """Return one run with these hyper-parameters."""
    own = study.of_network.get(network, ())
    overrides = (*study.regime, *study.conditions[condition], *own, f"transfer={technique}", *chosen)
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
