"""A run with its scores, recomputed from its folder: what tables, figures and the report are made from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import xarray as xr

from .run_folder import RunFolder
from .scores.tables import score, score_names
from .wording import model_name


@dataclass(frozen=True)
class ScoredRun:
    """One model's run, scored.

    Attributes
    ----------
    sites : every site and score, see :func:`raciflux.evaluation.scores.tables.per_site`.
    summary : what ``metrics.json`` holds.
    """

    folder: RunFolder
    predictions: xr.Dataset
    sites: pl.DataFrame
    summary: dict[str, Any]

    @classmethod
    def of(cls, folder: RunFolder) -> "ScoredRun":
        """Score a run folder."""
        predictions = folder.predictions()
        return cls(folder, predictions, *score(predictions))

    @property
    def model(self) -> str:
        """Name of the model."""
        return str(self.summary["model"])

    @property
    def label(self) -> str:
        """Name of the model as tables show it, marked where it is not causal."""
        return model_name(self.summary)

    @property
    def primary(self) -> str:
        """Name of the primary score."""
        return score_names(self.predictions)[0]

    def entering(self, score: str) -> pl.DataFrame:
        """Sites that enter a score and have an R2, best first; ties by site_id."""
        chosen = self.sites.filter((pl.col("score") == score) & pl.col("enters") & pl.col("r2").is_not_null())
        return chosen.sort(["r2", "site_id"], descending=[True, False])

    def median_site(self) -> str | None:
        """Return the site in the middle of the primary score's R2; None where no site has one."""
        ranked = self.entering(self.primary)["site_id"].to_list()
        return ranked[len(ranked) // 2] if ranked else None

    def position(self, site_id: str) -> int:
        """Place of a site on the predictions' site axis."""
        return int(np.flatnonzero(self.predictions["site_id"].to_numpy().astype(str) == site_id)[0])
