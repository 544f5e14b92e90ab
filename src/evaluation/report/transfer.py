"""The report's section on what came from the simulation: what was carried over, how alike both are, if it helped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..headline import NONE, show
from ..scored import ScoredRun
from ..transferred import AgainstScratch, DomainGap, Taken, against_scratch, domain_gaps, taken, verdict
from .tables import Column, Line, Table

GAP_READING = (
    "Of a few hundred windows of training towers and of the simulated places that were trained on, it compares what the"
    " network makes of them: 0 says that it treats both alike, 2 that it can always tell them apart. A gap that stays"
    " wide says that what was learned of the simulation is not read the same way at the towers; one that is narrow does"
    " not yet say that the transfer helps."
)
NOTES = (
    "proxy A-distance: 2 (1 − 2 error) of a logistic regression that tells simulated windows from towers', at places"
    " that it has not seen (Ben-David et al. 2010)",
    "squared MMD: maximum mean discrepancy, without bias, of a Gaussian kernel as wide as the median distance (Gretton"
    " et al. 2012); 0 on average where both domains are alike",
    "before: with the weights that the training on the towers started from; a mixed model has no before, and an input"
    " that tells it the domain",
)


@dataclass(frozen=True)
class TransferSection:
    """What the section shows; a table is None where the run has nothing for it."""

    verdict: str
    scores: Table | None
    gaps: Table | None
    taken: Table | None
    reading: str = GAP_READING
    notes: tuple[str, ...] = NOTES


def transfer_section(run: ScoredRun) -> TransferSection | None:
    """Return the section; None for a run that took nothing from a simulation."""
    scores, gaps, carried = against_scratch(run.folder), domain_gaps(run.folder), taken(run.folder)
    if not (scores or gaps or carried):
        return None
    only = str(run.predictions["fold"].to_numpy().min())  # of a run with one fold
    said = verdict(run.folder)
    return TransferSection(
        "" if said is None else said[0],
        _table(("technique", "verdict"), ("RMSE / spread", "from scratch"), _scores(scores), only),
        _table(
            (),
            ("A-distance before", "after", "squared MMD before", "after", "windows of towers", "simulated"),
            _gaps(gaps),
            only,
        ),
        _table(
            ("pretraining", "made"),
            ("simulated places", "tensors loaded", "frozen", "initialised"),
            _taken(carried),
            only,
        ),
    )


def _scores(folds: Mapping[str, AgainstScratch]) -> dict[str, list[str]]:
    return {
        fold: [
            said.technique,
            "negative transfer" if said.negative else "no negative transfer",
            show(said.score),
            show(said.scratch),
        ]
        for fold, said in folds.items()
    }


def _gaps(folds: Mapping[str, DomainGap]) -> dict[str, list[str]]:
    return {
        fold: [
            *(show(value, 2) for value in gap.a_distance),
            *(show(value) for value in gap.squared_discrepancy),
            f"{gap.towers:,}",
            f"{gap.simulation:,}",
        ]
        for fold, gap in folds.items()
    }


def _taken(folds: Mapping[str, Taken]) -> dict[str, list[str]]:
    made = {None: NONE, False: "by this run", True: "before, by another run"}
    return {
        fold: [
            of.pretraining or NONE,
            made[of.shared],
            NONE if of.cells is None else f"{of.cells:,}",
            *(str(of.fates[fate]) if of.fates else NONE for fate in ("loaded", "frozen", "initialised")),
        ]
        for fold, of in folds.items()
    }


def _table(texts: Sequence[str], numbers: Sequence[str], folds: Mapping[str, Sequence[str]], only: str) -> Table | None:
    """Return a table of a line for each fold, columns of texts first; None without any fold."""
    columns = [Column("fold"), *(Column(name, is_text=True) for name in texts), *map(Column, numbers)]
    lines = [Line((fold.removeprefix("fold") or only, *cells)) for fold, cells in folds.items()]
    return Table(columns, lines) if lines else None
