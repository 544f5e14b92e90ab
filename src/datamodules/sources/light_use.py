"""A light-use-efficiency simulation of the towers that are learned from: their own weather, none of their fluxes.

It runs on the cube of ``data.source`` instead of one of its own. A nested source would name the same files a second
time, and the two could drift apart; run on what was read, the simulation has the towers' sites, days, units and masks
by construction, and a recipe says ``simulation: {kind: light_use_efficiency}``.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...errors import UserError
from ...simulation.calendar import day_of_year
from ...simulation.carbon import usable_light
from ...simulation.light_use import BIOMES, absorbing, light_of_photons, light_use_gpp
from ...simulation.series import day_length
from ...variables import CLASSES, DRIVERS, STATICS
from ..cube import UNKNOWN
from .assemble import described, plausible_days

MARK = "lue."  # leads the id of a site, so that it is never taken for the tower at its place
VERSION = "1"
CITATION = (
    "Monteith 1972, 10.2307/2401901; Running et al. 2004, 10.1641/0006-3568(2004)054[0547:ACSMOG]2.0.CO;2; "
    "Running and Zhao 2015, MOD17 User's Guide; Jolly et al. 2005, 10.1111/j.1365-2486.2005.00930.x; "
    "Mueller Schmied et al. 2021, 10.5194/gmd-14-1037-2021"
)
LIGHT = ("PPFD", "SW")  # the first that is known on a day
WEATHER = ("TA_MIN", "VPD")
RUNS_ON = frozenset({*LIGHT, *WEATHER, "FAPAR", "igbp"})  # of a cube; the last two where there are any
_KEY = "data.simulation.kind=light_use_efficiency"

Doubles = NDArray[np.float64]


def run_on(towers: xr.Dataset) -> xr.Dataset:
    """Run the model of `simulation.light_use` on the drivers of towers.

    Parameters
    ----------
    towers : a cube with ``TA_MIN``, ``VPD`` and ``SW`` or ``PPFD``. ``FAPAR`` is used on the days that have it and
        ``igbp`` where there is one. Fluxes and whatever comes with them are not looked at.

    Returns
    -------
    xr.Dataset
        The drivers, statics and classes of the towers under marked site ids, with ``GPP`` (site, time) in gC m-2 d-1:
        simulated on every day whose drivers are known. Sites without such a day are left out and said.

    Raises
    ------
    UserError
        A driver is missing altogether, or no site has a day on which all are known.
    """
    _refuse_without_drivers(towers)
    kept = [str(name) for name in towers.data_vars if name in DRIVERS or name in STATICS or name in CLASSES]
    igbp = towers["igbp"].to_numpy().tolist() if "igbp" in towers else [UNKNOWN] * towers.sizes["site"]
    notes = _notes(towers, igbp)
    gpp = plausible_days("GPP", _simulated(towers, igbp), notes, unit="gC m-2 d-1")
    gpp.attrs["long_name"] = "gross primary production, simulated by light-use efficiency"
    site_id = towers["site_id"].to_numpy()
    cube = (
        towers[kept]
        .assign(GPP=gpp)
        .assign_coords(site_id=("site", np.array([f"{MARK}{name}" for name in site_id]), towers["site_id"].attrs))
    )
    running = np.isfinite(gpp.to_numpy()).any(1)
    if not running.any():
        raise UserError(f"{_KEY}: no site has a day with {', '.join(WEATHER)} and light; check these columns")
    if not running.all():
        notes.append(f"left out for want of a day with all drivers: {', '.join(map(str, site_id[~running]))}")
    about = {key: str(towers.attrs.get(key, "")) for key in ("title", "licence", "citation")}
    cited = "; ".join(filter(None, [CITATION, about["citation"]]))
    title = f"light-use-efficiency simulation on the weather of {about['title'] or 'towers'}"
    cube.attrs = described(title, VERSION, about["licence"], cited, notes)
    return cube.isel(site=running)


def _refuse_without_drivers(towers: xr.Dataset) -> None:
    if not any(name in towers for name in LIGHT):
        raise UserError(
            f"{_KEY} runs on light, and data.source has neither SW nor PPFD; map a column to one of them, or take "
            "transfer=scratch"
        )
    for name in WEATHER:
        if name not in towers:
            raise UserError(
                f"{_KEY} runs on {name}, which data.source does not have; map a column to it, or take transfer=scratch"
            )


def _simulated(towers: xr.Dataset, igbp: Sequence[str]) -> Doubles:
    """Gross primary production (site, day), gC m-2 d-1."""
    ta_min, vpd = (_days(towers, name) for name in WEATHER)
    photons, shortwave = (_days(towers, name) for name in LIGHT)
    light = _first_known(light_of_photons(photons), usable_light(shortwave))
    days = day_of_year(towers["time"].to_numpy().astype("datetime64[D]"))
    hours = day_length(towers["lat"].to_numpy()[:, None], days[None])
    fapar = _first_known(_days(towers, "FAPAR"), absorbing(ta_min, vpd, hours, igbp))
    return light_use_gpp(light, fapar, ta_min, vpd, igbp)


def _days(towers: xr.Dataset, name: str) -> Doubles:
    """Return a driver (site, day), all missing where the cube does not have it."""
    if name not in towers:
        return np.full((towers.sizes["site"], towers.sizes["time"]), np.nan)
    return np.asarray(towers[name].transpose("site", "time").to_numpy(), np.float64)


def _first_known(first: Doubles, second: Doubles) -> Doubles:
    return np.where(np.isfinite(first), first, second)


def _notes(towers: xr.Dataset, igbp: Sequence[str]) -> list[str]:
    """Say what the model ran on; nothing of what was said while fluxes were read."""
    light = " or, where missing, ".join(name for name in LIGHT if name in towers)
    leaves = (
        "FAPAR or, where missing, leaves that follow the weather"
        if "FAPAR" in towers
        else "leaves that follow the weather"
    )
    unlisted = Counter(name for name in igbp if name not in BIOMES)
    counted = ", ".join(f"{name} ({count})" for name, count in sorted(unlisted.items()))
    medians = [f"sites of a class without parameters of its own took the medians: {counted}"] if unlisted else []
    return [f"run on {', '.join(WEATHER)}, {light}; {leaves}", *medians]
