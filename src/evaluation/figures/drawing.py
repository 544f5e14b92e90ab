"""The house's look of figures: palette, sizes, axes and saving, without Matplotlib's global state."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...errors import UserError

# Okabe and Ito (2008): told apart with every common colour vision
BLUE, ORANGE, VERMILLION = "#0072B2", "#E69F00", "#D55E00"
INK, GREY, PALE, LAND, SHORE = "#222222", "#767676", "#DDDDDD", "#E8E6E1", "#A8A49A"
SCORE_COLOURS = {"measured": BLUE, "convention": ORANGE, "published": BLUE, "simulated": BLUE}
WIDTH = 6.2  # inch: a phone shows it whole with letters still readable
DPI = 180

STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with Matplotlib: the same figure on every machine
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
}


@dataclass(frozen=True)
class Drawn:
    """A figure on disk and what the report says of it."""

    path: Path
    title: str
    caption: str


@contextmanager
def style() -> Iterator[None]:
    """Apply the house style to figures made inside, and to nothing else."""
    with mpl.rc_context(STYLE):
        yield


def new_figure(height: float) -> Figure:
    """Return an empty figure of the house's width; ``height`` in inches."""
    return Figure(figsize=(WIDTH, height), layout="constrained")


def save(figure: Figure, path: Path) -> None:
    """Write a PNG, without the date so that equal runs give equal files.

    Raises
    ------
    UserError
        If the disk does not take it.
    """
    partial = path.with_name(f".{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # the constrained layout has made room for everything; bbox_inches="tight" would draw all of it twice
        figure.savefig(partial, format="png", dpi=DPI, metadata={"Software": None})
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UserError(f"{path}: cannot be written ({error.strerror}); make room there and try again") from error


def light_grid(axes: Axes, axis: str = "both") -> None:
    """Draw a pale grid behind the data."""
    axes.set_axisbelow(True)
    axes.grid(axis=axis, color=PALE, linewidth=0.6)  # type: ignore[arg-type]  # Matplotlib's literal type
