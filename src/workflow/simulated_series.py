"""The simulation's own flux at a place, where it ran there: no network need learn it first.

What a simulation says of a tower is no observed flux, so it is an input like any other, at tested towers too
(docs/architecture.md, rule 1).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..datamodules.base import days_with_drivers
from ..datamodules.cube import DIMS, attributes, cell_size
from ..datamodules.roles import Pair
from ..datamodules.sources.light_use import MARK
from ..errors import UserError
from ..geography import cells_that_hold, haversine_km
from ..retrieval.visibility import SAME_PLACE_KM
from ..variables import SIMULATED_SUFFIX

AS_NEAR_KM = 1e-3  # members of an ensemble stand at one place, up to rounding
NAMED = 5  # sites that a line names at most


def with_series(cube: xr.Dataset, simulation: xr.Dataset, pair: Pair) -> xr.Dataset:
    """Return a cube with ``<target>_simulated`` (site, time) for each target: what the simulation says of each site.

    Several simulated places that stand for a site, such as members of an ensemble, are averaged day by day. A day that
    the simulation does not cover is missing.
    """
    places, time = places_at(simulation, cube), cube["time"].to_numpy()
    flux = np.full((len(places), len(time), len(pair.targets)), np.nan, np.float32)
    for site, rows in enumerate(places):
        if len(rows):
            here = simulation[[*pair.targets]].isel(site=rows).mean("site").reindex(time=time)
            flux[site] = np.stack([here[name].to_numpy() for name in pair.targets], axis=-1)
    return with_simulated(cube, dict(zip(pair.targets, np.moveaxis(flux, -1, 0), strict=True)))


def with_simulated(cube: xr.Dataset, flux: Mapping[str, NDArray[np.float32]]) -> xr.Dataset:
    """Return a cube with the simulated flux (site, day) of each target as ``<target>_simulated``."""
    named = {name + SIMULATED_SUFFIX: values for name, values in flux.items()}
    return cube.assign({name: (DIMS, values, attributes(name)) for name, values in named.items()})


def series_of(cube: xr.Dataset, targets: Sequence[str]) -> NDArray[np.float32]:
    """Return the simulated flux (site, day, target) of a cube."""
    series = [cube[name + SIMULATED_SUFFIX].transpose(*DIMS).to_numpy() for name in targets]
    return np.stack(series, axis=-1)


def places_at(simulation: xr.Dataset, cube: xr.Dataset) -> list[NDArray[np.intp]]:
    """Return for each site the simulated places that stand for it, by their positions; none where there is none.

    These are the nearest within a kilometre, of several as near its namesake alone if it is among them; else the cells
    that hold the site.
    """
    size = cell_size(simulation)
    lat, lon = (simulation[name].to_numpy().astype(np.float64) for name in ("lat", "lon"))
    named = np.array([str(name).removeprefix(MARK) for name in simulation["site_id"].to_numpy()])
    found = []
    for site_id, *here in zip(*(cube[name].to_numpy() for name in ("site_id", "lat", "lon")), strict=True):
        km = haversine_km(lat, lon, *here)
        stands = km <= min(km.min() + AS_NEAR_KM, SAME_PLACE_KM)
        if (stands & (named == site_id)).any():
            stands &= named == site_id
        elif size is not None and not stands.any():
            stands = cells_that_hold(lat, lon, *size, *(np.array([degrees]) for degrees in here))[:, 0]
        found.append(np.flatnonzero(stands))
    return found


def sites_without(cube: xr.Dataset, pair: Pair) -> list[str]:
    """Return the ids of the sites without a day that has both drivers and the simulated flux of each target."""
    days = days_with_drivers(cube, pair.required)[..., None] & np.isfinite(series_of(cube, pair.targets))
    return [str(name) for name in cube["site_id"].to_numpy()[~days.any(1).all(-1)]]


def refuse_without(cube: xr.Dataset, pair: Pair, without: list[str], instead: str) -> None:
    """Refuse sites that the simulation does not cover, if there are any.

    Raises
    ------
    UserError
        With their number, some of their names, and what to do ``instead`` of leaving them out.
    """
    if without:
        shown = ", ".join(without[:NAMED]) + (", ..." if len(without) > NAMED else "")
        raise UserError(
            f"transfer.simulated_flux=series: data.simulation has no day of {' or '.join(pair.targets)} at "
            f"{len(without)} of {cube.sizes['site']} sites, within {SAME_PLACE_KM:g} km or by the cell that holds them "
            f"({shown}); leave them out with data.sites, or {instead}"
        )


def notes_of_series(cube: xr.Dataset, simulation: xr.Dataset, pair: Pair, without: list[str]) -> tuple[str, ...]:
    """Say, a line each, what the simulation was read with, and where its flux is missing."""
    lines = [line for line in str(simulation.attrs.get("reading_notes", "")).split("\n") if line]
    days = days_with_drivers(cube, pair.required)
    missing = int((days & ~np.isfinite(series_of(cube, pair.targets)).all(-1)).sum())
    if missing:
        lines.append(f"its flux is missing on {missing:,} of {int(days.sum()):,} site-days with drivers")
    if without:
        lines.append(f"no day at {len(without)} of {cube.sizes['site']} towers: {', '.join(without)}")
    return tuple(f"simulation: {line}" for line in lines)
