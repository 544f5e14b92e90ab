"""What a run took from the simulation, and whether that helped: one wording for console and report."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any, TypeVar

from ..errors import UserError
from .run_folder import RunFolder

AGAINST_SCRATCH, DOMAIN_GAP = "against_scratch.json", "domain_gap.json"
TENSORS, PRETRAININGS = "transfer.json", ("pretraining.json", "emulator/pretraining.json")
WHEN = ("before", "after")

Read = TypeVar("Read")


@dataclass(frozen=True)
class AgainstScratch:
    """A fold's validation RMSE over spread, with the simulation and without it."""

    technique: str
    score: float
    scratch: float
    negative: bool


@dataclass(frozen=True)
class DomainGap:
    """Gap of a fold's embeddings before and after the training on the towers, None where it was not measured.

    Attributes
    ----------
    a_distance, squared_discrepancy : before and after.
    towers, simulation : windows of each domain.
    """

    a_distance: tuple[float | None, ...]
    squared_discrepancy: tuple[float | None, ...]
    towers: int
    simulation: int


@dataclass(frozen=True)
class Taken:
    """What a fold took: tensors by what became of them, and the pretraining that they, or its emulator, come from."""

    fates: Mapping[str, int]
    pretraining: str
    cells: int | None
    shared: bool | None


def against_scratch(folder: RunFolder) -> dict[str, AgainstScratch]:
    """Return the verdict of each fold that was held against scratch."""
    return _read(
        folder,
        AGAINST_SCRATCH,
        lambda said: AgainstScratch(
            str(said["technique"]), float(said["score"]), float(said["scratch"]), bool(said["negative"])
        ),
    )


def domain_gaps(folder: RunFolder) -> dict[str, DomainGap]:
    """Return the gap of each fold that has one."""

    def gap(said: Mapping[str, Any]) -> DomainGap:
        distance, discrepancy = (
            tuple(None if said[when] is None else said[when][measure] for when in WHEN)
            for measure in ("a_distance", "squared_discrepancy")
        )
        windows = said["windows"]
        return DomainGap(distance, discrepancy, int(windows["towers"]), int(windows["simulation"]))

    return _read(folder, DOMAIN_GAP, gap)


def taken(folder: RunFolder) -> dict[str, Taken]:
    """Return what each fold took from a pretraining; where the pretraining was found is left out, it is a path."""

    def fates(said: Mapping[str, Any]) -> dict[str, int]:
        became = list(said["tensors"].values())
        return {fate: became.count(fate) for fate in ("loaded", "frozen", "initialised")}

    tensors = _read(folder, TENSORS, fates)
    pretrained: dict[str, tuple[str, int, bool]] = {}
    for name in PRETRAININGS:
        pretrained |= _read(
            folder, name, lambda said: (str(said["id"]), int(said["cells"]), said["taken_from"] is not None)
        )
    found = sorted({*tensors, *pretrained}, key=lambda fold: (len(fold), fold))
    unknown = ("", None, None)
    return {fold: Taken(tensors.get(fold, {}), *pretrained.get(fold, unknown)) for fold in found}


def verdict(folder: RunFolder) -> tuple[str, bool] | None:
    """Say how the technique does beside scratch on validation, and whether it is negative transfer in any fold."""
    folds = list(against_scratch(folder).values())
    if not folds:
        return None
    score, scratch = fmean(fold.score for fold in folds), fmean(fold.scratch for fold in folds)
    said = f"{folds[0].technique} on validation: RMSE / spread {score:.3f}, from scratch {scratch:.3f}"
    worse = sum(fold.negative for fold in folds)
    if len(folds) > 1:
        said += f" (mean of {len(folds)} folds); worse than scratch in {worse} of {len(folds)} folds"
    hurts = "; negative transfer: the simulation hurts here, try another technique or transfer=scratch"
    return said + (hurts if worse else ""), worse > 0


def gap_line(folder: RunFolder) -> str | None:
    """Say the domain gap before and after the training on the towers, as a mean of the folds."""
    told = []
    for place, when in enumerate(WHEN):
        gaps = [gap for fold in domain_gaps(folder).values() if (gap := fold.a_distance[place]) is not None]
        told += [f"{fmean(gaps):.2f} {when}"] if gaps else []
    return (
        f"domain gap, 0 where alike and 2 where told apart: {' and '.join(told)} the training on the towers"
        if told
        else None
    )


def _read(folder: RunFolder, name: str, of: Callable[[Mapping[str, Any]], Read]) -> dict[str, Read]:
    """Read a record of each fold.

    Raises
    ------
    UserError
        If it is not what training writes.
    """
    try:
        return {fold: of(record) for fold, record in folder.records(name).items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{folder.path}: {name} is not what training writes ({error!r}); delete it") from error
