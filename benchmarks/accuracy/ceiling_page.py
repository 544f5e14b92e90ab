"""How near models come to what could be known: the truth without noise, and the truth of kriged properties."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from raciflux.evaluation.comparison.compared import Comparison
from raciflux.evaluation.scores.tables import summary
from raciflux.evaluation.wording import LABELS

from .cells import Run
from .collect import of_targets
from .grid import CEILING
from .markdown import markdown

HEADER = ("model", "target", "score", "median R²", "share of the distance to the ceiling that is closed")


def noise_ceiling(place: Path) -> list[str]:
    """Say what the truth without noise would score, where it is known: no model can do better."""
    lines = []
    for folder in of_targets(place):
        for score, block in summary(folder.predictions())["scores"].items():
            best = block["noise_ceiling"]
            if best:
                r2, rmse = best["per_site"]["r2"]["median"], best["per_site"]["rmse"]["median"]
                lines.append(f"* noise ceiling, {LABELS[score]}: median R2 {r2:.3f}, median RMSE {rmse:.2f}")
    return ["", *lines] if lines else []


def ceiling_r2(of_split: Sequence[tuple[Run, Path]]) -> dict[tuple[str, str], float]:
    """Return the median R2 of the ceiling under each target and score; empty where it was not run."""
    found = {}
    for place in [place for run, place in of_split if run.oracle]:
        for folder in of_targets(place):
            said = summary(folder.predictions())
            for score, block in said["scores"].items():
                found[said["target"], score] = block["per_site"]["r2"]["median"]
    return found


def closed(r2: float, baseline: float, ceiling: float) -> float:
    """Return the share of the distance from the baseline's R2 to the ceiling's that a model's R2 has closed."""
    return (r2 - baseline) / (ceiling - baseline)


def closed_table(best: Mapping[tuple[str, str], float], comparisons: Sequence[Comparison]) -> list[str]:
    """Return the table of what each model closes of the distance from the best baseline; none without a ceiling.

    Parameters
    ----------
    best : median R2 of the ceiling under each target and score.
    """
    rows = []
    for comparison in comparisons:
        for compared in comparison.scores:
            ceiling = best.get((comparison.target, compared.score))
            r2 = {line.model: line.estimates["median_r2"].value for line in compared.models}
            baseline = r2.get(comparison.best_baseline or "")
            if ceiling is None or baseline is None or ceiling <= baseline:
                continue
            where = (comparison.target, LABELS[compared.score])
            rows.append((CEILING, *where, f"{ceiling:.3f}", "1"))
            for model, value in sorted(r2.items(), key=lambda item: -(item[1] or 0.0)):
                if value is not None:
                    rows.append((model, *where, f"{value:.3f}", f"{closed(value, baseline, ceiling):.2f}"))
    about = f"{CEILING}: the truth, given the hidden properties of the training towers and nothing of the tested ones"
    return ["", *markdown(HEADER, rows), "", f"* {about}"] if rows else []
