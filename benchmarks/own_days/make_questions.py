"""Draw the committed questions again from the data they were drawn from."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from raciflux.config.compose import compose
from raciflux.datamodules.roles import scored_days
from raciflux.own_days.question_files import FewShotFile, GapFile
from raciflux.own_days.questions import draw_gaps, draw_starts
from raciflux.workflow.prepare import prepare

Asked = TypeVar("Asked")  # what a site is asked

_FLUXNET2015 = ("experiment=fluxnet2015", "data.split.file=fluxnet2015_spatial_v1")
_PEPRMT = ("experiment=peprmt_ch4", "transfer=scratch")

RECIPES: dict[str, tuple[str, ...]] = {
    "few_shot_v1": _FLUXNET2015,
    "gaps_v1": _FLUXNET2015,
    "gaps_peprmt_ch4_v1": _PEPRMT,
}


def make(name: str, root: Path) -> FewShotFile | GapFile:
    """Draw a file of questions from the data below ``root``; ``name`` is a key of ``RECIPES``."""
    config = compose([*RECIPES[name], "compare=[]", f"data.root={root}"])
    prepared = prepare(config)
    towers = prepared.towers
    measured, _ = scored_days(towers, prepared.roles.targets, config.data.quality)
    sites, dates = towers["site_id"].to_numpy().astype(str), towers["time"].to_numpy()
    if name.startswith("few_shot"):
        return FewShotFile(name, RECIPES[name], _asked(sites, dates, measured, draw_starts))
    return GapFile(name, RECIPES[name], _asked(sites, dates, measured, draw_gaps))


def _asked(
    sites: NDArray[np.str_],
    dates: NDArray[np.datetime64],
    measured: NDArray[np.bool_],
    draw: Callable[[str, NDArray[np.datetime64], NDArray[np.bool_]], Asked],
) -> dict[str, Asked]:
    """Ask each site, and leave out those that cannot be asked."""
    drawn = {str(name): draw(str(name), dates, days) for name, days in zip(sites, measured, strict=True)}
    return {name: asked for name, asked in sorted(drawn.items()) if asked}
