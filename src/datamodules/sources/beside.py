"""Cubes of different sites and years beside each other."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from .account import with_accounts_of


def side_by_side(cubes: Sequence[xr.Dataset]) -> xr.Dataset:
    """Join cubes of the same variables along their sites, over the days of all; without attributes of a whole cube."""
    begin = min(cube["time"].to_numpy()[0] for cube in cubes).astype("datetime64[D]")
    end = max(cube["time"].to_numpy()[-1] for cube in cubes).astype("datetime64[D]")
    days = np.arange(begin, end + 1).astype("datetime64[ns]")
    joined = xr.concat([cube.reindex(time=days) for cube in cubes], "site", data_vars="minimal", coords="minimal")
    no_leap = any(cube["time"].attrs.get("source_calendar") == "noleap" for cube in cubes)
    joined["time"].attrs = {"standard_name": "time", "source_calendar": "noleap" if no_leap else "standard"}
    joined.attrs = {}
    return with_accounts_of(joined, cubes)
