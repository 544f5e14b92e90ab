"""The map of the report: coasts and sites in one SVG, coloured by R2 or distance from the bank, each a link."""

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
FAR_COLOURS = "plasma_r"  # distance from the bank, from 0 to the largest of the run


@dataclass(frozen=True)
class Place:
    """A site on the map: ``number`` of its series in the page, None where that is left out."""

    x: str
    y: str
    colour: str | None
    title: str
    number: int | None
    far: str | None = None  # colour of its distance from the bank
    outside: bool = False  # of the area of applicability


@dataclass(frozen=True)
class SiteMap:
    """What the map's template draws; x is the longitude, y falls with latitude."""

    box: str
    land: str
    places: list[Place]
    ramp: str
    below_zero: str = BELOW_ZERO
    far_ramp: str = ""  # colours from near to far; empty for a model without a bank
    farthest: str = ""


def site_map(run: ScoredRun, numbers: Mapping[str, int]) -> SiteMap | None:
    """Return every site that enters the primary score, the worst on top; None without any."""
    sites = run.sites.filter(score=run.primary, enters=True).sort("r2", descending=True, nulls_last=False)
    if sites.is_empty():
        return None
    window = Window.around(sites["lon"].to_numpy(), sites["lat"].to_numpy())
    stretch = window.aspect
    height = (window.north - window.south) * stretch
    decimals = error_decimals(run)
    apart: list[float] = sites["dissimilarity"].drop_nulls().to_list() if "dissimilarity" in sites.columns else []
    top = max(apart, default=None)
    return SiteMap(
        box=f"{window.west:.1f} {-window.north * stretch:.1f} {window.east - window.west:.1f} {height:.1f}",
        land=land_path(window),
        places=[
            Place(
                x=f"{record['lon']:.3f}",
                y=f"{-record['lat'] * stretch:.3f}",
                colour=_colour(record["r2"]),
                title=_title(record, decimals),
                number=numbers.get(record["site_id"]),
                far=_far(record.get("dissimilarity"), top),
                outside=record.get("inside") == "outside",
            )
            for record in sites.iter_rows(named=True)
        ],
        ramp=_ramp(COLOURS),
        far_ramp=_ramp(FAR_COLOURS) if top is not None else "",
        farthest=show(top, 2),
    )


def _ramp(colours: str) -> str:
    return ", ".join(to_hex(colour) for colour in mpl.colormaps[colours](np.linspace(0, 1, 9)))


def _far(dissimilarity: float | None, top: float | None) -> str | None:
    if dissimilarity is None or top is None:
        return None
    return to_hex(mpl.colormaps[FAR_COLOURS](dissimilarity / (top or 1.0)))


def _title(record: Mapping[str, Any], decimals: int) -> str:
    name = " ".join(filter(None, [record["site_id"], record.get("igbp")]))
    said = f"{name}: R² {show(record['r2'])}, RMSE {show(record['rmse'], decimals)}, {record['days']:,} days"
    if "inside" not in record:
        return said
    return f"{said}, distance from the bank {show(record['dissimilarity'], 2)} ({record['inside']})"


def _colour(r2: float | None) -> str | None:
    if r2 is None:
        return None
    return BELOW_ZERO if r2 < 0 else to_hex(mpl.colormaps[COLOURS](r2))


def land_path(window: Window) -> str:
    """Outline of the land around a window as an SVG path."""
    rings = []
    for ring in (ring for polygon in land_polygons() for ring in polygon):
        (west, south), (east, north) = ring.min(0), ring.max(0)
        if east < window.west or west > window.east or north < window.south or south > window.north:
            continue
        points = np.column_stack([ring[:-1, 0], -ring[:-1, 1] * window.aspect])
        rings.append("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z")
    return "".join(rings)
