"""The report's section on why: neighbours, their season beside the site's, and which level of context moved the answer.

Everything of a site is packed as JSON beside its series; ``report_why.js`` draws it. Neighbours and levels are lists
that the sites point into by number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..figures.maps import Window
from ..reasons import level_rows
from ..scored import ScoredRun
from ..scores.tables import scored_days
from .map import land_path
from .tables import Column, Line, Table

FEWEST_DAYS = 5  # of a month, for a mean of it
PLACE = ("neighbour_id", "neighbour_lon", "neighbour_lat")
ROUNDED = 4  # significant digits
NEIGHBOUR_NOTE = (
    "neighbours: training sites that were looked up for the site; weights of a role and its learned null sum to 1; a "
    "larger dot weighs more"
)
SEASON_NOTE = (
    f"mean season: of months with at least {FEWEST_DAYS} days; observed and predicted over the same scored days, "
    "neighbours over the training days that were visible, weighted as in the model"
)
LEVEL_NOTES = (
    "change: the site is predicted again with one level unknown to the model; the bar is the mean absolute change of "
    "the daily flux, in brackets the mean of prediction minus prediction without the level; last two years of a site",
    "it tells what the trained model makes of a level, not what the level does to the flux; levels overlap and do not "
    "add up",
)


@dataclass(frozen=True)
class Why:
    """What the section shows; the table of neighbours is filled in the page."""

    packed: dict[str, Any]
    neighbours: Table | None
    levels: Table | None
    land: str
    aspect: float
    notes: Sequence[str]


def why_section(run: ScoredRun, site_ids: Sequence[str]) -> Why | None:
    """Return the section for the sites whose series are in the page; None for a run that tells no reasons."""
    shown, moved = run.folder.neighbours(), run.folder.context()
    if (shown is None and moved is None) or not site_ids:
        return None
    named = pl.DataFrame({"site_id": list(site_ids)})
    packed: dict[str, Any] = {"roles": [], "kinds": [], "places": [], "levels": [], "sites": _seasons(run, site_ids)}
    notes, table, window = [SEASON_NOTE], None, None
    if shown is not None:
        seasons = run.folder.neighbour_seasons()
        _pack_neighbours(packed, named.join(shown, on="site_id", how="left", maintain_order="left"), seasons)
        texts = [Column(name, is_text=True) for name in ("neighbour", "role", "kind")]
        table = Table([*texts, Column("weight"), Column("km")], [], "neighbours", tall=True)
        window = _window(packed)
        notes = [NEIGHBOUR_NOTE, *notes]
    if moved is not None:
        _pack_context(packed, named.join(moved, on="site_id", how="left", maintain_order="left"))
        notes += LEVEL_NOTES
    land, aspect = (land_path(window), round(window.aspect, 4)) if window else ("", 1.0)
    return Why(packed, table, level_table(run), land, aspect, notes)


def _window(packed: Mapping[str, Any]) -> Window:
    """Return the part of the world that holds all sites and all neighbours."""
    places = [site["at"] for site in packed["sites"]] + [place[1:3] for place in packed["places"]]
    lon, lat = np.array(places, np.float64).T
    return Window.around(lon, lat)


def level_table(run: ScoredRun) -> Table | None:
    """Return the levels of context as the report shows them."""
    rows = level_rows(run)
    if not rows:
        return None
    lines = [Line((row.level, *row.cells.values())) for row in rows]
    return Table([Column("level", is_text=True), *map(Column, rows[0].cells)], lines, "levels")


def _seasons(run: ScoredRun, site_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Where each site is, and its observed and predicted mean of each month over the same scored days."""
    observed, predicted = (run.predictions[name].to_numpy() for name in ("observed", "prediction"))
    counted = scored_days(run.predictions, run.primary) & np.isfinite(predicted)
    month = run.predictions["time"].to_numpy().astype("datetime64[M]").astype(np.int64) % 12
    lon, lat = (run.predictions[name].to_numpy() for name in ("lon", "lat"))
    sites = []
    for row in map(run.position, site_ids):
        days = counted[row]
        sites.append(
            {
                "at": [round(float(lon[row]), 3), round(float(lat[row]), 3)],
                "observed": _by_month(observed[row, days], month[days]),
                "predicted": _by_month(predicted[row, days], month[days]),
                "shown": {},
                "moved": None,
            }
        )
    return sites


def _by_month(flux: NDArray[np.floating], month: NDArray[np.int64]) -> list[float | None]:
    count, total = np.bincount(month, minlength=12), np.bincount(month, flux, minlength=12)
    return [_short(total[m] / count[m]) if count[m] >= FEWEST_DAYS else None for m in range(12)]


def _pack_neighbours(packed: dict[str, Any], rows: pl.DataFrame, seasons: pl.DataFrame | None) -> None:
    """Put the neighbours of each site, by role, and each neighbour's season once."""
    known = rows.drop_nulls("neighbour_id")
    packed["roles"] = known["role"].unique(maintain_order=True).to_list()
    packed["kinds"] = known["kind"].unique(maintain_order=True).to_list()
    keyed = [*PLACE, *(["fold"] if "fold" in known.columns else [])]
    places = known.select(keyed).unique(maintain_order=True).with_row_index("place")
    flux = _flux_by_month(seasons)
    for row in places.iter_rows(named=True):
        season = flux.get((row.get("fold"), row["neighbour_id"]))
        at = [round(row["neighbour_lon"], 3), round(row["neighbour_lat"], 3)]
        packed["places"].append([row["neighbour_id"], *at, season])
    numbers = {site: place for place, site in enumerate(rows["site_id"].unique(maintain_order=True).to_list())}
    for row in known.join(places, on=keyed, maintain_order="left").iter_rows(named=True):
        entry = [row["place"], packed["kinds"].index(row["kind"]), _short(row["weight"]), round(row["distance_km"])]
        packed["sites"][numbers[row["site_id"]]]["shown"].setdefault(row["role"], []).append(entry)


def _flux_by_month(seasons: pl.DataFrame | None) -> Mapping[tuple[int | None, str], list[float | None]]:
    """Season of each neighbour of each fold, by months."""
    found: dict[tuple[int | None, str], list[float | None]] = {}
    for row in seasons.iter_rows(named=True) if seasons is not None else ():
        months = found.setdefault((row["fold"], row["neighbour_id"]), [None] * 12)
        if row["days"] >= FEWEST_DAYS:
            months[row["month"] - 1] = _short(row["flux"])
    return found


def _pack_context(packed: dict[str, Any], rows: pl.DataFrame) -> None:
    """Put the days of each month, and for each level the mean shift and size of each, of every site."""
    known = rows.drop_nulls("level")
    packed["levels"] = known["level"].unique(maintain_order=True).to_list()
    numbers = {site: place for place, site in enumerate(rows["site_id"].unique(maintain_order=True).to_list())}
    for row in known.iter_rows(named=True):
        site = packed["sites"][numbers[row["site_id"]]]
        if site["moved"] is None:
            empty = [[[0.0] * 12 for _ in packed["levels"]] for _ in range(2)]
            site["moved"] = {"days": [0] * 12, "shift": empty[0], "size": empty[1]}
        level, month = packed["levels"].index(row["level"]), row["month"] - 1
        site["moved"]["days"][month] = row["days"]
        for name in ("shift", "size"):
            site["moved"][name][level][month] = _short(row[name])


def _short(value: float) -> float:
    return float(f"{value:.{ROUNDED}g}")
