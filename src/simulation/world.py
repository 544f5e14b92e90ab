"""The embedded world as a cube: from a seed to towers or grid cells."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..config.schema import EmbeddedSource
from ..errors import UserError
from ..sun import extraterrestrial_radiation
from ..variables import CLASSES, EXPECTED_SUFFIX, MEASURED_SUFFIX, QC_SUFFIX, lookup
from .calendar import day_of_year, days_of
from .climate import Climate, Sites, normals
from .crops import rotation_of
from .ecosystems import Field, Setting, cropland_simulation, cropland_truth, wetland_simulation, wetland_truth
from .fields import local_generators
from .hidden import Hidden, WorldParameters
from .observation import ObservationParameters, observe
from .places import draw_cells, draw_towers
from .series import Series
from .soils import Land, cropland_land, wetland_land
from .weather import daily_weather

_CHUNK = 256  # places made at a time, to bound memory
_SPIN_UP = 1  # years run and thrown away, in which soils forget how they were started


@dataclass(frozen=True)
class Flux:
    """A face's output for some places: the target and, of croplands, their management; each (site, day)."""

    target: Series
    management: dict[str, Series]


@dataclass(frozen=True)
class Ecosystem:
    """What differs from pair to pair.

    Attributes
    ----------
    target : variable of the cube. name : of the kind of place; pairs of one name share their places.
    suitable : which climates it is found in. land : its mapped properties. statics : those offered to models.
    classes : class variables (site,). truth, simulation : the two faces. observation : how towers see it.
    """

    target: str
    name: str
    suitable: Callable[[Climate], NDArray[np.bool_]]
    land: Callable[[int, Sites, Sites, Climate], Land]
    statics: tuple[str, ...]
    classes: Callable[[Setting], dict[str, NDArray[np.str_]]]
    truth: Callable[[Setting, Hidden], Flux]
    simulation: Callable[[Setting], Flux]
    observation: ObservationParameters


def _wetland_climate(climate: Climate) -> NDArray[np.bool_]:
    return (climate.mean + climate.half_range > 6.0) & (climate.rain > 300.0) & (climate.mean > -13.0)


def _cropland_climate(climate: Climate) -> NDArray[np.bool_]:
    warmest, coldest = climate.mean + climate.half_range, climate.mean - climate.half_range
    return (
        (warmest > 15.0) & (warmest < 31.0) & (coldest > -20.0) & (climate.rain > 350.0) & (climate.elevation < 2000.0)
    )


def _wetland_classes(at: Setting) -> dict[str, NDArray[np.str_]]:
    return {"wetland": at.land.kind, "koppen": at.land.koppen, "igbp": np.full(len(at.lat), "WET")}


def _cropland_classes(at: Setting) -> dict[str, NDArray[np.str_]]:
    rotation = rotation_of(at.seed, at.lat, at.lon, at.climate)
    pathway = np.select([rotation == "maize", rotation == "maize-soybean"], ["C4", "C3/C4"], "C3")
    return {"crop": rotation, "koppen": at.land.koppen, "igbp": at.land.kind, "photosynthesis": pathway.astype(np.str_)}


def _managed(target: Series, field: Field) -> Flux:
    return Flux(target, {"N_RATE": field.season.nitrogen, "PLANTED": field.season.planted})


def _gpp(field: Field) -> Flux:
    return _managed(field.gpp, field)


def _nee(field: Field) -> Flux:
    return _managed(field.reco - field.gpp, field)


_CROPLAND_STATICS = ("elevation", "abs_lat", "mat", "map", "soil_ph", "soil_carbon", "clay", "whc", "lai_max")

ECOSYSTEMS: dict[str, Ecosystem] = {
    "wetland_ch4": Ecosystem(
        target="FCH4",
        name="wetland",
        suitable=_wetland_climate,
        land=wetland_land,
        statics=("elevation", "abs_lat", "mat", "map", "soil_ph", "soil_carbon", "clay", "whc", "lai_max"),
        classes=_wetland_classes,
        truth=lambda at, hidden: Flux(wetland_truth(at, hidden), {}),
        simulation=lambda at: Flux(wetland_simulation(at), {}),
        observation=ObservationParameters(noise_floor=2.0, noise_slope=0.2, measured=0.55, long_gaps=1.3),
    ),
    "cropland_gpp": Ecosystem(
        target="GPP",
        name="cropland",
        suitable=_cropland_climate,
        land=cropland_land,
        statics=_CROPLAND_STATICS,
        classes=_cropland_classes,
        truth=lambda at, hidden: _gpp(cropland_truth(at, hidden)),
        simulation=lambda at: _gpp(cropland_simulation(at)),
        observation=ObservationParameters(noise_floor=0.35, noise_slope=0.12),
    ),
    "cropland_co2": Ecosystem(
        target="NEE",
        name="cropland",
        suitable=_cropland_climate,
        land=cropland_land,
        statics=_CROPLAND_STATICS,
        classes=_cropland_classes,
        truth=lambda at, hidden: _nee(cropland_truth(at, hidden)),
        simulation=lambda at: _nee(cropland_simulation(at)),
        observation=ObservationParameters(noise_floor=0.35, noise_slope=0.12),
    ),
}


def embedded_cube(pair: str, source: EmbeddedSource, world: WorldParameters | None = None) -> xr.Dataset:
    """Make the towers or the grid cells of one world.

    Parameters
    ----------
    pair : wetland_ch4, cropland_gpp or cropland_co2.
    source : face, seed, number of places, years and first year. Both faces of one seed share land and weather.
    world : strength and reach of hidden properties.

    Returns
    -------
    Dataset with dims (site, time), drivers, target, statics and classes under the names and units of ``variables``.
    Towers also have ``<target>_qc``, ``_measured`` and ``_expected``, the flux without observation error.

    Raises
    ------
    UserError
        If no embedded world has the pair, or the world has fewer suitable grid cells than asked for.
    """
    if pair not in ECOSYSTEMS:
        raise UserError(f"data.pair={pair} is not in the embedded world, which has {', '.join(ECOSYSTEMS)}")
    kind = ECOSYSTEMS[pair]
    draw = draw_towers if source.face == "towers" else draw_cells
    lat, lon = draw(source.seed, kind.name, source.places, kind.suitable)
    parts = [
        _chunk(kind, source, world or WorldParameters(), lat[first : first + _CHUNK], lon[first : first + _CHUNK])
        for first in range(0, len(lat), _CHUNK)
    ]
    cube = (
        parts[0]
        if len(parts) == 1
        else xr.concat(parts, dim="site", data_vars="minimal", coords="minimal", compat="override", join="override")
    )
    prefix, width = ("TW", 3) if source.face == "towers" else ("SM", 4)
    names = np.array([f"{prefix}-{number:0{width}d}" for number in range(1, len(lat) + 1)])
    cube = cube.assign_coords(site_id=("site", names))
    cube["time"].attrs["source_calendar"] = "standard"
    cube["lat"].attrs = {"units": "degrees_north", "standard_name": "latitude"}
    cube["lon"].attrs = {"units": "degrees_east", "standard_name": "longitude"}
    title = f"embedded world {source.seed}: {pair}, {source.face}"
    cube.attrs = {"title": title, "featureType": "timeSeries", "Conventions": "CF-1.11"}
    return cube


def _chunk(kind: Ecosystem, source: EmbeddedSource, world: WorldParameters, lat: Sites, lon: Sites) -> xr.Dataset:
    """Cube of some of the places."""
    seed, first, years = source.seed, source.start - _SPIN_UP, source.years + _SPIN_UP
    climate = normals(seed, lat, lon)
    days = days_of(first, years)
    weather = daily_weather(seed, lat, lon, climate, first, years)
    at = Setting(seed, lat, lon, days, climate, kind.land(seed, lat, lon, climate), weather)
    drivers = {
        "TA": weather.ta,
        "TA_MIN": weather.ta_min,
        "TA_MAX": weather.ta_max,
        "SW": weather.sw,
        "VPD": weather.vpd,
        "P": weather.rain,
        "PA": weather.pa,
    }
    kept = slice(len(days_of(first, _SPIN_UP)), None)
    if source.face == "towers":
        flux = kind.truth(at, Hidden(seed, lat, lon, world))
        sun = extraterrestrial_radiation(lat[:, None], day_of_year(days[kept])[None, :])
        rngs = local_generators(seed, f"observation/{kind.target}", lat, lon)
        seen = observe(flux.target[:, kept], sun, rngs, kind.observation)
        target = {
            kind.target: seen.value,
            kind.target + QC_SUFFIX: seen.qc,
            kind.target + MEASURED_SUFFIX: seen.measured,
            kind.target + EXPECTED_SUFFIX: flux.target[:, kept],
        }
    else:
        flux = kind.simulation(at)
        whole = np.ones((len(lat), len(days[kept])))
        target = {
            kind.target: flux.target[:, kept],
            kind.target + QC_SUFFIX: whole,
            kind.target + MEASURED_SUFFIX: whole,
        }
    series = {name: values[:, kept] for name, values in (drivers | flux.management).items()} | target
    statics = _statics(at)
    variables: dict[str, tuple[tuple[str, ...], NDArray[np.float32], dict[str, str]]] = {
        name: (("site", "time"), values.astype(np.float32), _attributes(name)) for name, values in series.items()
    }
    variables |= {name: (("site",), statics[name].astype(np.float32), _attributes(name)) for name in kind.statics}
    classes = {name: (("site",), values, {"long_name": CLASSES[name]}) for name, values in kind.classes(at).items()}
    coords = {"time": days[kept].astype("datetime64[ns]"), "lat": ("site", lat), "lon": ("site", lon)}
    return xr.Dataset(variables | classes, coords=coords)


def _statics(at: Setting) -> dict[str, Sites]:
    """Collect the static properties (site,) by the names of the cube."""
    return {
        "elevation": at.climate.elevation,
        "abs_lat": np.abs(at.lat),
        "mat": at.climate.mean,
        "map": at.climate.rain,
        "soil_ph": at.land.soil_ph,
        "soil_carbon": at.land.soil_carbon,
        "clay": at.land.clay,
        "whc": at.land.whc,
        "lai_max": at.land.lai_max,
    }


def _attributes(name: str) -> dict[str, str]:
    """CF attributes of a variable or of a target's companion."""
    companions = {
        QC_SUFFIX: ("1", "share of the day measured or well filled"),
        MEASURED_SUFFIX: ("1", "share of the day measured"),
    }
    for suffix, (unit, meaning) in companions.items():
        if name.endswith(suffix):
            return {"units": unit, "long_name": f"{lookup(name.removesuffix(suffix)).long_name}: {meaning}"}
    if name.endswith(EXPECTED_SUFFIX):
        entry = lookup(name.removesuffix(EXPECTED_SUFFIX))
        return {"units": entry.unit, "long_name": f"{entry.long_name}, without observation error"}
    entry = lookup(name)
    attributes = {"units": entry.unit, "long_name": entry.long_name}
    return attributes | ({"standard_name": entry.standard_name} if entry.standard_name else {})
