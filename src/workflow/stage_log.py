"""What a stage logs, as a table: the same one however often the stage was interrupted."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from ..atomic import write_text

Row = dict[str, float]


class StageLog(Logger):
    """Lightning's way to ``logs/<stage>/metrics.csv``; its own logger deletes what an earlier session wrote.

    The rows are part of the checkpoint, so that steps which are taken again are told once.

    Parameters
    ----------
    path : the table.
    """

    name, version = "stage", ""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.rows: list[Row] = []

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float | Tensor], step: int | None = None) -> None:
        """Add a row: what Lightning has at an optimiser step."""
        values = {name: float(value) for name, value in metrics.items()}
        self.rows.append(values if step is None else values | {"step": step})

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  Lightning's signature
        """Say nothing: the configuration stands in the run folder."""

    @rank_zero_only
    def save(self) -> None:
        """Write the table, with the columns in the order of their names."""
        if not self.rows:
            return
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, sorted(set().union(*self.rows)))
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(text.getvalue(), self.path)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write the table when the stage ends, however it does."""
        self.save()
