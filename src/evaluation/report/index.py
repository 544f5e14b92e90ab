"""``report.html`` at the top of a run with several targets: one line a target, linking its own report."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from ...atomic import write_text
from ..headline import rows
from ..scored import ScoredRun
from ..wording import LABELS, pretty_unit, target_name, where
from .write import render


def write_index(runs: Sequence[ScoredRun], path: Path) -> None:
    """Write the index of a run's targets; ``runs`` are the parts of one run, one a target."""
    first = runs[0]
    content = {
        "model": first.label,
        "experiment": first.summary["experiment"],
        "where": where(first.summary),
        "lines": [
            {
                "address": quote((run.folder.scored_path / "report.html").relative_to(path.parent).as_posix()),
                "flux": target_name(run.summary),
                "unit": pretty_unit(run.summary["units"]),
                "score": LABELS[run.primary],
                "row": rows(run, [], run.primary)[0],
            }
            for run in runs
        ],
    }
    write_text(render("report_index.html", content), path)
