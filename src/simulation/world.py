"""The embedded world as a cube: from a seed to towers or grid cells."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..config.sources import EmbeddedSource
from ..errors import UserError
from ..sun import extraterrestrial_radiation
from ..variables import CLASSES, EXPECTED_SUFFIX, MEASURED_SUFFIX, NET, QC_SUFFIX, SINK, SOURCE, lookup
from .calendar import day_of_year, days_of
from .carbon import nee
from .climate import Climate, Sites, normals
from .crops import rotation_of
from .ecosystems import (
    Field,
    Setting,
    cropland_simulation,
    cropland_truth,
    upland_simulation,
    upland_truth,
    wetland_simulation,
    wetland_truth,
)
from .fields import local_generators
from .hidden import Hidden, WorldParameters
from .observation import ObservationParameters, observe, partition
from .places import draw_cells, draw_towers
from .series import Series
from .simulators import TRUE, told_by
from .soils import Land, cropland_land, upland_land, wetland_land
from .weather import daily_weather

_CHUNK = 256  # places made at a time, to bound memory
_SPIN_UP = 1  # years run and thrown away, in which soils forget how they were started


@dataclass(frozen=True)
class Flux:
    """A face's output for some places: the target, croplands' management, the fluxes NEE is made of; (site, day)."""

    target: Series
    management: dict[str, Series]
    gross: dict[str, Series] = field(default_factory=dict)


@dataclass(frozen=True)
class Ecosystem:
    """What differs from pair to pair.

    Attributes
    ----------
    target : variable of the cube, which towers observe. name : of the kind of place; pairs of one name share their
    places. suitable : which climates it is found in. land : its mapped properties. statics : those offered to models.
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


def _upland_climate(climate: Climate) -> NDArray[np.bool_]:
    return (climate.mean + climate.half_range > 8.0) & (climate.rain > 200.0) & (climate.mean > -12.0)


def _upland_classes(at: Setting) -> dict[str, NDArray[np.str_]]:
    grassy = np.isin(at.land.kind, ("GRA", "SAV")) & (at.climate.mean > 20.0)
    pathway = np.where(grassy, "C4", "C3")
    return {"koppen": at.land.koppen, "igbp": at.land.kind, "photosynthesis": pathway.astype(np.str_)}


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
    return _managed(nee(field.gpp, field.reco), field)


def _balance(field_: Field) -> Flux:
    return replace(_nee(field_), gross={SINK: field_.gpp, SOURCE: field_.reco})


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
    "terrestrial_gpp": Ecosystem(
        target="GPP",
        name="upland",
        suitable=_upland_climate,
        land=upland_land,
        statics=("elevation", "abs_lat", "mat", "map", "whc"),
        classes=_upland_classes,
        truth=lambda at, hidden: Flux(upland_truth(at, hidden), {}),
        simulation=lambda at: Flux(upland_simulation(at), {}),
        observation=ObservationParameters(noise_floor=0.35, noise_slope=0.12),
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
    "carbon_balance": Ecosystem(
        target=NET,
        name="cropland",
        suitable=_cropland_climate,
        land=cropland_land,
        statics=_CROPLAND_STATICS,
        classes=_cropland_classes,
        truth=lambda at, hidden: _balance(cropland_truth(at, hidden)),
        simulation=lambda at: _balance(cropland_simulation(at)),
        observation=ObservationParameters(noise_floor=0.35, noise_slope=0.12),
    ),
}


def embedded_cube(pair: str, source: EmbeddedSource, world: WorldParameters | None = None) -> xr.Dataset:
    """Make the towers or the grid cells of one world.

    Parameters
    ----------
    pair : wetland_ch4, terrestrial_gpp, cropland_gpp, cropland_co2 or carbon_balance.
    source : face, seed, number of places, years and first year. Both faces of one seed share land and weather.
    world : strength and reach of hidden properties; default: as the source says.

    Returns
    -------
    Dataset with dims (site, time), drivers, target, statics and classes under the names and units of ``variables``.
    Each target has ``<target>_qc`` and ``_measured``, of towers also ``_expected``, the flux without observation error.

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
        _chunk(
            kind, source, world or WorldParameters.of(source), lat[first : first + _CHUNK], lon[first : first + _CHUNK]
        )
        for first in range(0, len(lat), _CHUNK)
    ]
    cube = (
        parts[0]
        if len(parts) == 1
        else xr.concat(parts, dim="site", data_vars="minimal", coords="minimal", compat="override", join="override")
    )
    cube = told_by(source, cube, (kind.target, SINK, SOURCE))
    prefix, width = ("TW", 3) if source.face == "towers" else ("SM", 4)
    names = np.array([f"{prefix}-{number:0{width}d}" for number in range(1, len(lat) + 1)])
    cube = cube.assign_coords(site_id=("site", names))
    cube["time"].attrs["source_calendar"] = "standard"
    cube["lat"].attrs = {"units": "degrees_north", "standard_name": "latitude"}
    cube["lon"].attrs = {"units": "degrees_east", "standard_name": "longitude"}
    title = f"embedded world {source.seed}: {pair}, {source.face}"
    cube.attrs = {"title": title, "featureType": "timeSeries", "Conventions": "CF-1.11"}
    return cube


def setting(kind: Ecosystem, source: EmbeddedSource, lat: Sites, lon: Sites) -> Setting:
    """Return all that the process models read about places (site,), years run to settle included."""
    seed, first, years = source.seed, source.start - _SPIN_UP, source.years + _SPIN_UP
    climate = normals(seed, lat, lon)
    weather = daily_weather(seed, lat, lon, climate, first, years)
    return Setting(seed, lat, lon, days_of(first, years), climate, kind.land(seed, lat, lon, climate), weather)


def recorded(source: EmbeddedSource) -> slice:
    """Days of a setting that are the record; those before it settled the soils."""
    return slice(len(days_of(source.start - _SPIN_UP, _SPIN_UP)), None)


def _chunk(kind: Ecosystem, source: EmbeddedSource, world: WorldParameters, lat: Sites, lon: Sites) -> xr.Dataset:
    """Cube of some of the places."""
    at = setting(kind, source, lat, lon)
    days, weather = at.days, at.weather
    drivers = {
        "TA": weather.ta,
        "TA_MIN": weather.ta_min,
        "TA_MAX": weather.ta_max,
        "SW": weather.sw,
        "VPD": weather.vpd,
        "P": weather.rain,
        "PA": weather.pa,
    }
    kept = recorded(source)
    towers = source.face == "towers"
    is_true = towers or source.simulator == TRUE
    flux = kind.truth(at, Hidden(at.seed, lat, lon, world)) if is_true else kind.simulation(at)
    made = {name: values[:, kept] for name, values in ({kind.target: flux.target} | flux.gross).items()}
    targets = _observed(kind, at, made, days[kept]) if towers else _whole(made)
    series = {name: values[:, kept] for name, values in (drivers | flux.management).items()} | targets
    statics = _statics(at)
    variables: dict[str, tuple[tuple[str, ...], NDArray[np.float32], dict[str, str]]] = {
        name: (("site", "time"), values.astype(np.float32), _attributes(name)) for name, values in series.items()
    }
    variables |= {name: (("site",), statics[name].astype(np.float32), _attributes(name)) for name in kind.statics}
    classes = {name: (("site",), values, {"long_name": CLASSES[name]}) for name, values in kind.classes(at).items()}
    coords = {"time": days[kept].astype("datetime64[ns]"), "lat": ("site", lat), "lon": ("site", lon)}
    return xr.Dataset(variables | classes, coords=coords)


def _observed(kind: Ecosystem, at: Setting, true: dict[str, Series], days: NDArray[np.datetime64]) -> dict[str, Series]:
    """Return true fluxes (site, day) as towers see them, with their companions; gross ones come out of the net one."""
    sun = extraterrestrial_radiation(at.lat[:, None], day_of_year(days)[None, :])
    rngs = local_generators(at.seed, f"observation/{kind.target}", at.lat, at.lon)
    seen = observe(true[kind.target], sun, rngs, kind.observation)
    values = {kind.target: seen.value}
    if SOURCE in true:
        rngs = local_generators(at.seed, "observation/partition", at.lat, at.lon)
        values[SINK], values[SOURCE] = partition(seen.value, true[SOURCE], rngs)
    companions = {QC_SUFFIX: seen.qc, MEASURED_SUFFIX: seen.measured}
    shares = {name + suffix: share for name in values for suffix, share in companions.items()}
    return values | shares | {name + EXPECTED_SUFFIX: flux for name, flux in true.items()}


def _whole(made: dict[str, Series]) -> dict[str, Series]:
    """Return a simulation's fluxes (site, day) with their companions: nothing is missing."""
    return made | {name + suffix: np.ones_like(made[name]) for name in made for suffix in (QC_SUFFIX, MEASURED_SUFFIX)}


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
