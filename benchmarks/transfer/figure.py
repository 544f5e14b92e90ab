"""Every technique's gain over scratch, condition beside condition."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from raciflux.evaluation.figures.drawing import BLUE, GREY, ORANGE, new_figure, save, style

from .effects import Effects

COLOURS = {"lstm": BLUE, "raci": ORANGE}


def draw(found: Sequence[Effects], path: Path) -> None:
    """Draw a panel a condition: a dot a technique and network, with its interval; filled where validation chose it."""
    conditions = list(dict.fromkeys(one.condition for one in found))
    techniques = sorted({line.technique for one in found for line in one.lines if line is not one.baseline})
    with style():
        figure = new_figure(1.2 + 0.32 * len(techniques))
        panels = np.atleast_1d(figure.subplots(1, len(conditions), sharey=True))
        for axes, condition in zip(panels, conditions, strict=True):
            axes.axvline(0.0, color=GREY, linewidth=0.8)
            of_condition = [one for one in found if one.condition == condition]
            for number, one in enumerate(of_condition):
                shift = 0.18 * (number - (len(of_condition) - 1) / 2)
                for line in one.lines:
                    if line is one.baseline:
                        continue
                    change, y = line.changes["median"], techniques.index(line.technique) + shift
                    if change.within is not None:
                        axes.plot(100 * np.array(change.within), [y, y], "-", color=COLOURS[one.network], linewidth=1.2)
                    axes.plot(
                        100 * change.value,
                        y,
                        "o",
                        color=COLOURS[one.network],
                        markerfacecolor=COLOURS[one.network] if line is one.chosen else "white",
                        markersize=5,
                        label=one.network if line is one.chosen else None,
                    )
            axes.set_title(condition, fontsize=9)
        panels[0].set_yticks(range(len(techniques)), techniques)
        figure.supxlabel("change of median RMSE against scratch, % (negative: a gain)", fontsize=9)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(COLOURS))
        save(figure, path)
