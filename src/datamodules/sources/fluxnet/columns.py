"""Which columns of a FLUXNET-standard table mean which variable of the house, and in which unit.

Names and units: https://fluxnet.org/data/fluxnet2015-dataset/fullset-data-product/ (FLUXNET2015, and the networks that
follow it), Delwiche et al. 2021 (FLUXNET-CH4, doi:10.5194/essd-13-3607-2021), https://ameriflux.lbl.gov/data/
aboutdata/data-variables/ (AmeriFlux BASE). Fluxes of carbon dioxide are umol m-2 s-1 in half-hours and gC m-2 d-1 in
days; rain is a sum over the time step; methane is nmol m-2 s-1 in both.
"""

from dataclasses import dataclass
from typing import Literal

from .file_names import BASE, DAILY

Over = Literal["mean", "sum", "min", "max"]


@dataclass(frozen=True)
class Column:
    """A variable's columns, the first that a table has is read.

    Attributes
    ----------
    names : in the order in which they are preferred.
    unit : of half-hours and days alike, or of half-hours.
    daily_unit : of days, where it is another.
    over : how steps become a day.
    """

    names: tuple[str, ...]
    unit: str
    daily_unit: str = ""
    over: Over = "mean"

    def unit_at(self, resolution: str) -> str:
        """Return the unit in tables of a resolution; a sum over a day's steps is in the unit of days."""
        if resolution == DAILY or self.over == "sum":
            return self.daily_unit or self.unit
        return self.unit


@dataclass(frozen=True)
class Flux(Column):
    """A flux and how its quality is told.

    Attributes
    ----------
    quality : flag of each name: in half-hours 0 is measured, 1 well filled; in days a share.
    """

    quality: tuple[str, ...] = ()


_CARBON = ("umol CO2 m-2 s-1", "gC m-2 d-1")

DRIVERS: dict[str, Column] = {
    "TA": Column(("TA_F", "TA_F_MDS", "TA"), "degC"),
    "TA_MIN": Column(("TA_F", "TA_F_MDS", "TA"), "degC", over="min"),
    "TA_MAX": Column(("TA_F", "TA_F_MDS", "TA"), "degC", over="max"),
    "SW": Column(("SW_IN_F", "SW_IN_F_MDS", "SW_IN"), "W m-2"),
    "LW": Column(("LW_IN_F", "LW_IN_F_MDS", "LW_IN"), "W m-2"),
    "VPD": Column(("VPD_F", "VPD_F_MDS", "VPD", "VPD_PI"), "hPa"),
    "VPD_MAX": Column(("VPD_F", "VPD_F_MDS", "VPD", "VPD_PI"), "hPa", over="max"),
    "P": Column(("P_F", "P"), "mm", "mm d-1", over="sum"),
    "PA": Column(("PA_F", "PA"), "kPa"),
    "WS": Column(("WS_F", "WS"), "m s-1"),
    "CO2": Column(("CO2_F_MDS", "CO2"), "umol mol-1"),
    "TS": Column(("TS_F_MDS_1", "TS_1", "TS"), "degC"),
    "SWC": Column(("SWC_F_MDS_1", "SWC_1", "SWC"), "percent"),
    "WTD": Column(("WTD_F", "WTD"), "m"),
    "PPFD": Column(("PPFD_IN_F", "PPFD_IN"), "umol m-2 s-1"),
}

FLUXES: dict[str, Flux] = {
    "NEE": Flux(
        ("NEE_VUT_REF", "NEE_CUT_REF", "NEE_F", "NEE_PI_F", "NEE_PI", "NEE", "FC"),
        *_CARBON,
        quality=("NEE_VUT_REF_QC", "NEE_CUT_REF_QC", "NEE_F_QC"),
    ),
    # GPP and RECO are partitioned from NEE (night-time method): their quality is that of the NEE below them.
    "GPP": Flux(
        ("GPP_NT_VUT_REF", "GPP_NT_CUT_REF", "GPP_NT", "GPP_PI_F", "GPP_PI"),
        *_CARBON,
        quality=("NEE_VUT_REF_QC", "NEE_CUT_REF_QC", "NEE_F_QC"),
    ),
    "RECO": Flux(
        ("RECO_NT_VUT_REF", "RECO_NT_CUT_REF", "RECO_NT", "RECO_PI_F", "RECO_PI"),
        *_CARBON,
        quality=("NEE_VUT_REF_QC", "NEE_CUT_REF_QC", "NEE_F_QC"),
    ),
    "FCH4": Flux(
        ("FCH4_F_ANNOPTLM", "FCH4_F", "FCH4"),
        "nmol CH4 m-2 s-1",
        quality=("FCH4_F_ANNOPTLM_QC", "FCH4_F_QC"),
    ),
}


def chosen(column: Column, there: set[str], product: str) -> str | None:
    """Return the column of a table that a variable is read from; None where it has none.

    AmeriFlux BASE marks horizontal position, height and replicate (``TA_1_1_1``), or aggregates without (``TA_1``); of
    several positions the first is read.
    """
    for name in column.names:
        if name in there:
            return name
        if product == BASE:
            placed = sorted(other for other in there if _position(other, name))
            if placed:
                return placed[0]
    return None


def _position(column: str, name: str) -> bool:
    """Whether a column is a variable at some position: ``TA_1_2_1``, ``TA_1_1_A``, ``TA_1``."""
    if not column.startswith(f"{name}_"):
        return False
    *places, last = column.removeprefix(f"{name}_").split("_")
    return len(places) < 3 and all(place.isdigit() for place in places) and (last.isdigit() or last == "A")
