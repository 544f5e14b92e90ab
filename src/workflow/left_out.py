"""The towers that no pretraining may have been near (docs/architecture.md, rule 6)."""

from pathlib import Path

import numpy as np
import polars as pl
import xarray as xr
from numpy.typing import NDArray

from ..config.schema import Config
from ..datamodules.splits import PARTS, Split
from ..errors import UserError

Places = tuple[NDArray[np.float64], NDArray[np.float64]]  # latitude and longitude (place,), degrees


def left_out(config: Config, towers: xr.Dataset, split: Split) -> Places:
    """Return the places that simulated ones must be away from: the tested towers, and those of a user's own table.

    Of a split over sites the tested are those that neither train nor validate: a part of a calibration names only its
    own test, and has to keep away from that of the fold as well. ``transfer.leave_out=all`` keeps away from all towers.

    Raises
    ------
    UserError
        If the table of ``transfer.leave_out_near`` cannot be read.
    """
    train, validation, tested = (split.members(part, towers["site_id"].to_numpy()) for part in PARTS)
    if config.transfer.leave_out == "all":
        tested = np.ones_like(tested)
    elif not split.periods:
        tested = ~(train | validation)
    lat, lon = (towers[name].to_numpy()[tested].astype(np.float64) for name in ("lat", "lon"))
    if config.transfer.leave_out_near is None:
        return lat, lon
    more_lat, more_lon = _table(Path(config.transfer.leave_out_near))
    return np.concatenate([lat, more_lat]), np.concatenate([lon, more_lon])


def _table(path: Path) -> Places:
    """Read columns ``lat`` and ``lon`` of a CSV."""
    named = f"transfer.leave_out_near={path}"
    try:
        table = pl.read_csv(path, columns=["lat", "lon"], schema_overrides={"lat": pl.Float64, "lon": pl.Float64})
    except (OSError, pl.exceptions.PolarsError) as error:
        why = (" ".join(str(error).split()) or type(error).__name__)[:120]
        raise UserError(f"{named}: no readable CSV with columns lat and lon, in degrees ({why})") from error
    lat, lon = table["lat"].to_numpy(), table["lon"].to_numpy()
    wrong = ~((np.abs(lat) <= 90.0) & (np.abs(lon) <= 360.0))
    if wrong.any() or not len(lat):
        where = f"row {int(wrong.argmax()) + 2}" if wrong.any() else "the table is empty and"
        raise UserError(f"{named}: {where} has no latitude and longitude in degrees; give one place a row")
    return lat, lon
