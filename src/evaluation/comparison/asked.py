"""What a run was asked: its test set, and the refusal to set numbers of two test sets beside each other."""

import hashlib
from dataclasses import dataclass, fields

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...errors import UserError
from ..metrics import Sums
from ..scores.tables import score_names, scored_days
from .uncertainty import SiteIntervals, SiteQuantiles

IDENTITY = ("target", "units", "quality", "min_scored_days", "question")
_SAME_MEAN = 1e-3  # of a site's spread: other machines round differently, other data differ by more
_REMEDY = "compare runs of one data set and one split"


@dataclass(frozen=True, eq=False)
class Asked:
    """The test set of one score and what a run made of it; sites are ordered by ``site_id``.

    Attributes
    ----------
    identity : target, units, quality, floor of scored days, and question.
    site_id, cluster, fold, days : (site,) of each tested site; ``days`` were scored, predicted or not.
    dates : (site,) fingerprints of the scored days that have a prediction.
    sums : (site,) statistics of those days.
    intervals, quantiles : of each site, where the run gives them and they were asked for.
    """

    name: str
    identity: dict[str, str]
    site_id: NDArray[np.str_]
    cluster: NDArray[np.int64]
    fold: NDArray[np.int64]
    days: NDArray[np.int64]
    dates: NDArray[np.str_]
    sums: Sums
    intervals: SiteIntervals | None = None
    quantiles: SiteQuantiles | None = None

    @classmethod
    def of(cls, predictions: xr.Dataset, score: str, name: str, *, uncertainty: bool = False) -> "Asked":
        """Read one score's test set from predictions; ``name`` is what errors call the run.

        ``uncertainty`` measures intervals and quantiles as well, which takes longer than all the rest.
        """
        order = np.argsort(predictions["site_id"].to_numpy().astype(str), kind="stable")
        ordered = predictions.isel(site=order)
        scored = scored_days(ordered, score)
        predicted = ordered["prediction"].to_numpy()
        counted = scored & np.isfinite(predicted)
        day = ordered["time"].to_numpy().astype("datetime64[D]")
        attrs = {"question": "unseen", **ordered.attrs}
        return cls(
            name=name,
            identity={key: str(attrs[key]) for key in IDENTITY},
            site_id=ordered["site_id"].to_numpy().astype(str),
            cluster=ordered["cluster"].to_numpy().astype(np.int64),
            fold=ordered["fold"].to_numpy().astype(np.int64),
            days=scored.sum(-1),
            dates=np.array([hashlib.sha256(day[row].tobytes()).hexdigest()[:32] for row in counted], dtype="<U32"),
            sums=Sums.of(ordered["observed"].to_numpy(), predicted, counted),
            intervals=SiteIntervals.of(ordered, scored) if uncertainty else None,
            quantiles=SiteQuantiles.of(ordered, scored) if uncertainty else None,
        )

    @classmethod
    def pooled(cls, folds: "list[Asked]") -> "Asked":
        """Put runs of single folds together; no site may stand in two of them."""
        first = folds[0]
        order = np.argsort(np.concatenate([one.site_id for one in folds]), kind="stable")
        columns = {
            key: np.concatenate([getattr(one, key) for one in folds])[order]
            for key in ("site_id", "cluster", "fold", "days", "dates")
        }
        sums = {f.name: np.concatenate([getattr(one.sums, f.name) for one in folds]) for f in fields(Sums)}
        intervals = SiteIntervals.joined([one.intervals for one in folds])
        quantiles = SiteQuantiles.joined([one.quantiles for one in folds])
        return cls(
            first.name,
            first.identity,
            sums=Sums(**sums)[order],
            intervals=intervals[order] if intervals else None,
            quantiles=quantiles[order] if quantiles else None,
            **columns,
        )

    @property
    def enters(self) -> NDArray[np.bool_]:
        """Sites (site,) with enough scored days, at least one of them predicted."""
        return np.asarray((self.days >= int(self.identity["min_scored_days"])) & (self.sums.n > 0))


def require_same_test(first: Asked, other: Asked) -> None:
    """Refuse to compare two runs that were not asked the same.

    Raises
    ------
    UserError
        Naming the first thing that differs.
    """
    for key, value in first.identity.items():
        if other.identity[key] != value:
            raise UserError(f"{other.name}: {key} is {other.identity[key]}, in {first.name} {value}; {_REMEDY}")
    alone = np.setxor1d(first.site_id, other.site_id)
    if alone.size:
        held, lacking = (first, other) if alone[0] in first.site_id else (other, first)
        more = f" (and {alone.size - 1} more differ)" if alone.size > 1 else ""
        raise UserError(f"{lacking.name}: site {alone[0]} is not tested, but is in {held.name}{more}; {_REMEDY}")
    unlike_days = (first.dates != other.dates) | (first.days != other.days)
    spread = np.sqrt(first.sums.ss_o / np.maximum(first.sums.n, 1))
    unlike_flux = np.abs(first.sums.mean_o - other.sums.mean_o) > _SAME_MEAN * spread + 1e-9
    for unlike, what in (
        (unlike_days, "other days are scored or predicted"),
        (unlike_flux, "another flux was observed"),
    ):
        if unlike.any():
            site = first.site_id[unlike][0]
            raise UserError(f"{other.name}: at site {site} {what} than in {first.name}; {_REMEDY}")
    for codes, others, what in ((first.fold, other.fold, "folds"), (first.cluster, other.cluster, "clusters")):
        if not _same_division(codes, others):
            raise UserError(f"{other.name}: its {what} divide the sites in another way than {first.name}; {_REMEDY}")


def ask(predictions: xr.Dataset, name: str, *, uncertainty: bool = False) -> dict[str, Asked]:
    """Read the test set of each score."""
    return {score: Asked.of(predictions, score, name, uncertainty=uncertainty) for score in score_names(predictions)}


def _same_division(a: NDArray[np.int64], b: NDArray[np.int64]) -> bool:
    """Whether two codings put the same sites together, however they number the parts."""
    pairs = len(np.unique(np.stack([a, b], 1), axis=0))
    return pairs == len(np.unique(a)) == len(np.unique(b))
