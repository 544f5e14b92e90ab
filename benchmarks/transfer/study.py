"""What a study of transfer is."""

from collections.abc import Mapping
from dataclasses import dataclass, field

SCRATCH, LONGER = "scratch", "scratch_longer"
BASELINES = (SCRATCH, LONGER)  # what takes no simulation, and every technique is held against
# A technique under settings of its own, with the hyper-parameters that were chosen for the technique.
VARIANTS = {
    # As many steps on the towers as a technique that learns both domains at once and then the towers alone.
    LONGER: (SCRATCH, "transfer.finetune.steps=450"),
    # What the simulator itself says at the towers, in the place of a network that has learned it.
    "stacking_series": ("stacking", "transfer.simulated_flux=series"),
    "residual_series": ("residual", "transfer.simulated_flux=series"),
}
SEED = "{seed}"  # stands in an override for the seed of the run


@dataclass(frozen=True)
class Study:
    """Techniques held against scratch under some conditions.

    Attributes
    ----------
    experiment : recipe that every cell starts from.
    conditions : overrides of each condition, by its name in the tables.
    networks, techniques : every technique is run with every network; ``scratch`` is one of them. Names of ``VARIANTS``
        are techniques as well.
    regime : overrides of every cell: the budget of training, the same for all techniques.
    seeds : number of seeds.
    about : what must be said beside every number of this study.
    folds : the only folds that are run; empty runs all.
    first_seed : the seeds are counted from here.
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
    first_seed: int = 0
    of_network: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tuned_in: str | None = None
    tuned_by: str | None = None

    def drawn(self, seeds: int) -> range:
        """Return this many seeds."""
        return range(self.first_seed, self.first_seed + seeds)
