"""Sites of a run split in time, met again in another cube: they are asked as the run asked them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..contracts import TrainingView
from ..datamodules.splits import Split
from ..errors import UserError
from ..retrieval.visibility import Places, same_site
from .predictions import scored_folders


def known_sites(fold: Path, targets: Sequence[str], places: Places) -> NDArray[np.bool_]:
    """Mask (site,) of the sites whose new years this fold was asked about, by name and place; none of a split in space.

    Parameters
    ----------
    fold : folder of a finished fold.
    places : ``site_id``, ``lat``, ``lon`` of the sites asked about now.
    """
    if _split(fold).question == "unseen":
        return np.zeros(len(places[0]), np.bool_)
    scored = next(iter(scored_folders(fold, targets).values()))
    with xr.open_zarr(scored / "predictions.zarr") as own:
        known: Places = (own["site_id"].to_numpy(), own["lat"].to_numpy(), own["lon"].to_numpy())
    return same_site(places, known) >= 0


def as_in_the_run(fold: Path, view: TrainingView) -> TrainingView:
    """Ask known sites about new years, described by the drivers of their training period, and all others as unseen.

    A known site of whose training period the view holds no day is described by all that it holds.
    """
    known = known_sites(fold, view.layout.targets, (view.site_id, view.lat, view.lon))
    if not known.any():
        return view
    split = _split(fold)
    past = split.period("train", view.site_id, view.dates) & known[:, None]
    driver_days = np.where(past.any(1, keepdims=True), past, view.driver_days)
    return replace(view, driver_days=driver_days, visible=replace(view.visible, question=split.question))


def _split(fold: Path) -> Split:
    path = fold / "splits.json"
    try:
        return Split.load(path)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path}: no readable split ({error}); train the run again") from error
