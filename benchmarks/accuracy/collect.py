"""From finished cells to ``results.csv``: one row a site and number."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl
from raciflux.atomic import replacing
from raciflux.evaluation.run_folder import RunFolder
from raciflux.evaluation.scores.tables import per_site

from .cells import Run

METRICS = ("r2", "rmse", "bias", "days")
OF_INTERVALS = ("coverage", "width", "crps")  # where the run has them
COLUMNS = ("experiment", "split", "model", "fold", "seed", "target", "site", "score", "metric", "value")


def write_results(runs: Sequence[Run], folder: Path, path: Path) -> int:
    """Write the per-site numbers of every finished cell; sites with too few scored days are left out.

    Returns
    -------
    Number of cells.
    """
    cells = [(run, fold) for run in runs for fold in run.folds(folder)]
    tables = [_rows(run, fold) for run, fold in cells]
    if tables:
        with replacing(path) as partial:
            pl.concat(tables).select(COLUMNS).write_csv(partial, float_precision=4)
    return len(cells)


def of_targets(folder: Path) -> list[RunFolder]:
    """Return the scored folders of a run or fold, one a target."""
    return [RunFolder(folder, target) for target in RunFolder(folder).targets()] or [RunFolder(folder)]


def _rows(run: Run, fold: Path) -> pl.DataFrame:
    tables = []
    for one in of_targets(fold):
        predictions = one.predictions()
        sites = per_site(predictions).filter("enters").with_columns(target=pl.lit(predictions.attrs["target"]))
        metrics = [*METRICS, *(name for name in OF_INTERVALS if name in sites.columns)]
        tables.append(sites.select("fold", "target", "score", pl.col("site_id").alias("site"), *metrics))
    wide = pl.concat(tables).with_columns(pl.col(metrics).cast(pl.Float64), fold=pl.col("fold").cast(pl.Int64))
    long = wide.unpivot(metrics, index=["fold", "target", "score", "site"], variable_name="metric")
    return long.drop_nulls("value").with_columns(
        experiment=pl.lit(run.experiment), split=pl.lit(run.split), model=pl.lit(run.model), seed=pl.lit(run.seed)
    )
