"""What a benchmark is: models and variants of them, splits, folds and seeds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

SEEDLESS = ("site_mean", "climatology", "nearest_climatology")  # the same whatever the seed
HOUSE = "raci"  # what the others are baselines of
CEILING = "kriged_truth"  # no model: what `ceiling.py` knows and no model can


@dataclass(frozen=True)
class Variant:
    """A model under settings of its own, which tables list under a name of its own."""

    model: str
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grid:
    """One benchmark.

    Attributes
    ----------
    experiment : recipe that every cell starts from.
    splits : overrides of each split, by its name in the results.
    models : models that are run, variants by their names; ``CEILING`` among them sets the oracle beside them.
    regime : overrides of every cell: the budget of training.
    seeds : number of seeds of models that draw anything.
    tuned_on : split on whose ``tuning_folds`` hyper-parameters are chosen, by validation alone; None where there is no
        tuning.
    tuning_folds : the folds whose mean validation score chooses.
    candidates : file of what tuning tries here of some models in place of ``candidates.yaml``; "" tries that.
    leaves_out : models that a split does without, by the split's name.
    about : what must be said beside every number of this benchmark.
    variants : the models among ``models`` that are a variant of another.
    folds : the only folds that are run; empty runs all.
    shares : models whose cells lie in another benchmark's folder, and that benchmark: what it ran is not run again.
        They take its hyper-parameters with them, and are not tuned here.
    tuned_by : other benchmarks whose choice of hyper-parameters is taken; this one's own choice goes before.
    reference : model that the others are held against; None takes the best baseline on validation.
    pools : groups of splits whose sites are pooled for tables of their own (each a world), by the group's name.
    ensembles : models whose seeds' mean prediction is compared as well, in a table of its own.
    design : the level of each factor at each split, of a sweep.
    carried : whether finished cells are committed as tables, from which a call on another machine goes on.
    folder : folder of the tables; "" takes the benchmark's name. ``stem`` tells files of one folder apart.
    """

    experiment: str
    splits: Mapping[str, tuple[str, ...]]
    models: tuple[str, ...]
    regime: tuple[str, ...]
    seeds: int
    tuned_on: str | None
    about: str
    tuning_folds: tuple[int, ...] = (0,)
    candidates: str = ""
    leaves_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    variants: Mapping[str, Variant] = field(default_factory=dict)
    folds: tuple[int, ...] = ()
    shares: Mapping[str, str] = field(default_factory=dict)
    tuned_by: tuple[str, ...] = ()
    reference: str | None = None
    pools: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ensembles: tuple[str, ...] = ()
    design: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    carried: bool = False
    folder: str = ""
    stem: str = ""

    def variant(self, name: str) -> Variant:
        """Return what is run under a name."""
        return self.variants.get(name, Variant(name))

    @property
    def baselines(self) -> list[str]:
        """Models that are neither the house's, in whatever variant, nor the ceiling."""
        return [name for name in self.models if name != CEILING and self.variant(name).model != HOUSE]

    @property
    def page(self) -> str:
        """File name of the first page."""
        return f"{self.stem or 'README'}.md"

    @property
    def table(self) -> str:
        """File name of the per-site numbers."""
        return f"{self.stem or 'results'}.csv"

    def file(self, name: str) -> str:
        """File name of anything else."""
        return f"{self.stem}_{name}" if self.stem else name
