"""The map of the report: coasts and sites in one SVG, coloured by R2, each a link to its series."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_hex

from ...land import land_polygons
from ..figures.maps import Window
from ..headline import error_decimals, show
from ..scored import ScoredRun

COLOURS = "viridis"  # R2 from 0 to 1: the same colour says the same in every report
BELOW_ZERO = "#d1495b"  # worse than the site's own mean would be


@dataclass(frozen=True)
class Place:
    """A site on the map: ``number`` of its series in the page, None where that is left out."""

    x: str
    y: str
    colour: str | None
    title: str
    number: int | None


@dataclass(frozen=True)
class SiteMap:
    """What the map's template draws; x is the longitude, y falls with latitude."""

    box: str
    land: str
    places: list[Place]
    ramp: str
    below_zero: str = BELOW_ZERO


def site_map(run: ScoredRun, numbers: Mapping[str, int]) -> SiteMap | None:
    """Return every site that enters the primary score, the worst on top; None without any."""
    sites = run.sites.filter(score=run.primary, enters=True).sort("r2", descending=True, nulls_last=False)
    if sites.is_empty():
        return None
    window = Window.around(sites["lon"].to_numpy(), sites["lat"].to_numpy())
    stretch = window.aspect
    height = (window.north - window.south) * stretch
    decimals = error_decimals(run)
    return SiteMap(
        box=f"{window.west:.1f} {-window.north * stretch:.1f} {window.east - window.west:.1f} {height:.1f}",
        land=_land(window),
        places=[
            Place(
                x=f"{record['lon']:.3f}",
                y=f"{-record['lat'] * stretch:.3f}",
                colour=_colour(record["r2"]),
                title=_title(record, decimals),
                number=numbers.get(record["site_id"]),
            )
            for record in sites.iter_rows(named=True)
        ],
        ramp=", ".join(to_hex(colour) for colour in mpl.colormaps[COLOURS](np.linspace(0, 1, 9))),
    )


def _title(record: Mapping[str, Any], decimals: int) -> str:
    name = " ".join(filter(None, [record["site_id"], record.get("igbp")]))
    return f"{name}: R² {show(record['r2'])}, RMSE {show(record['rmse'], decimals)}, {record['days']:,} days"


def _colour(r2: float | None) -> str | None:
    if r2 is None:
        return None
    return BELOW_ZERO if r2 < 0 else to_hex(mpl.colormaps[COLOURS](r2))


def _land(window: Window) -> str:
    """Outline of the land around a window as an SVG path."""
    rings = []
    for ring in (ring for polygon in land_polygons() for ring in polygon):
        (west, south), (east, north) = ring.min(0), ring.max(0)
        if east < window.west or west > window.east or north < window.south or south > window.north:
            continue
        points = np.column_stack([ring[:-1, 0], -ring[:-1, 1] * window.aspect])
        rings.append("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z")
    return "".join(rings)
