"""Missing drivers: a day is masked and counted, a whole site is refused."""

import numpy as np
import xarray as xr

from ..errors import UserError
from .roles import Pair, Roles


def refuse_sites_without(cube: xr.Dataset, pair: Pair) -> None:
    """Refuse a cube in which a required driver is missing at a whole site.

    Raises
    ------
    UserError
        Naming the driver, the first such site and their number.
    """
    site_id = cube["site_id"].to_numpy()
    for name in pair.required:
        empty = ~np.isfinite(cube[name].transpose("site", "time").to_numpy()).any(1)
        if empty.any():
            raise UserError(
                f"{name} has no value at {site_id[empty][0]} ({int(empty.sum())} of {len(empty)} sites without it); "
                f"{pair.name} needs it: give its column, or leave these sites out with data.sites"
            )


def missing_days(cube: xr.Dataset, roles: Roles) -> list[str]:
    """Count, a line each, the days of the record on which a driver is missing; such days are masked, never filled."""
    known = {name: np.isfinite(cube[name].to_numpy()) for name in roles.fast if name in cube}
    record = np.logical_or.reduce(list(known.values()))
    total = int(record.sum())
    lines = []
    for name, present in known.items():
        missing = int((record & ~present).sum())
        if missing:
            lines.append(f"{name}: missing on {missing:,} of {total:,} site-days, masked")
    return lines
