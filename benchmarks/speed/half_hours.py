"""Half-hours of a FLUXNET download to days: our reader against the plain pandas way, on one made-up file.

The file has as many columns as a FULLSET table of one site has, most of which nobody asks for. The plain way reads the
table, makes -9999 missing, turns the stamps into an index and resamples; with ``usecols`` it is told which columns to
read. Both sides must say the same of every variable and day, or the benchmark stops.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import xarray as xr
from raciflux.config.sources import FluxnetSource
from raciflux.datamodules.sources import read

from .settings import Settings
from .timing import Bar, Row, Spread, paired, rates

BAR = Bar(5.0, at_least=True)
YEARS, COLUMNS = 10, 240
WANTED = ("TA_F", "SW_IN_F", "VPD_F", "P_F", "NEE_VUT_REF", "GPP_NT_VUT_REF", "RECO_NT_VUT_REF", "NEE_VUT_REF_QC")
NAME = "FLX_XX-Xxx_FLUXNET2015_FULLSET_HH_2001-2010_1-4.csv"
STEPS = 48  # of a day
FROM_MOLES = 12.011e-6 * 86400  # gC m-2 d-1 in a umol m-2 s-1
OURS, PLAIN, CHOSEN = "reader", "pandas", "pandas, told the columns"


def measure(settings: Settings, threads: int) -> list[Row]:
    """Measure the three sides on one file; our reader uses as many threads as polars was given at start."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        _write(folder, settings.seed)
        sides: dict[str, Callable[[], int]] = {
            OURS: lambda: _ours(folder).sizes["time"],
            PLAIN: lambda: len(_plain(folder, None)),
            CHOSEN: lambda: len(_plain(folder, ["TIMESTAMP_START", *WANTED])),
        }
        ours, plain = _as_table(_ours(folder)), _plain(folder, None).reset_index(drop=True)
        pd.testing.assert_frame_equal(ours, plain, check_like=True, check_dtype=False, rtol=1e-4, atol=1e-4)
        measured = rates(sides, settings.rounds)
    seconds = {name: [365 * YEARS / rate for rate in of_side] for name, of_side in measured.items()}
    return [_row(name, threads, seconds[OURS], seconds[name], bar) for name, bar in ((PLAIN, BAR), (CHOSEN, None))]


def _row(name: str, threads: int, ours: Sequence[float], theirs: Sequence[float], bar: Bar | None) -> Row:
    what = f"{YEARS} years of half-hours, {COLUMNS} columns: {name}"
    return Row(what, threads, Spread.of(ours).median, Spread.of(theirs).median, "s", paired(theirs, ours), bar)


def _write(folder: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    begins = pl.datetime_range(pl.datetime(2001, 1, 1), pl.datetime(2010, 12, 31, 23, 30), "30m", eager=True)
    table = {
        "TIMESTAMP_START": begins.dt.strftime("%Y%m%d%H%M"),
        "TIMESTAMP_END": begins.dt.offset_by("30m").dt.strftime("%Y%m%d%H%M"),
    }
    others = [f"NEE_VUT_{number:02d}" for number in range(COLUMNS - len(WANTED) - len(table))]
    for name in (*WANTED, *others):
        values = rng.normal(5, 2, len(begins)).round(3)
        table[name] = pl.Series(rng.integers(0, 4, len(begins)) if name.endswith("_QC") else np.abs(values))
    pl.DataFrame(table).write_csv(folder / NAME)
    facts = (
        "SITE_ID,GROUP_ID,VARIABLE_GROUP,VARIABLE,DATAVALUE\nXX-Xxx,1,G,LOCATION_LAT,50\nXX-Xxx,1,G,LOCATION_LONG,8\n"
    )
    (folder / "XX_BIF_1.csv").write_text(facts)


def _ours(folder: Path) -> xr.Dataset:
    """Return the days by our reader: the cube that models learn from."""
    return read("terrestrial_carbon", FluxnetSource(path="."), folder)


def _as_table(cube: xr.Dataset) -> pd.DataFrame:
    """Return the days of the one site, a column a variable, to be held against the plain way's."""
    days = cube.isel(site=0).data_vars.items()
    return pd.DataFrame({str(name): values.to_numpy() for name, values in days if values.ndim})


def _plain(folder: Path, columns: list[str] | None) -> pd.DataFrame:
    """Return the same by pandas: every variable of the cube, where enough of a day's steps are known."""
    table = pd.read_csv(folder / NAME, usecols=columns).replace(-9999, np.nan)
    table.index = pd.to_datetime(table["TIMESTAMP_START"].astype(str), format="%Y%m%d%H%M")
    days = table[list(WANTED)].resample("1D")
    enough = days.count() >= FluxnetSource.least_share * STEPS
    mean, least, most = days.mean().where(enough), days.min().where(enough), days.max().where(enough)
    measured = (table["NEE_VUT_REF_QC"] == 0).resample("1D").sum() / STEPS
    good = (table["NEE_VUT_REF_QC"] <= 1).resample("1D").sum() / STEPS
    fluxes = {"NEE": "NEE_VUT_REF", "GPP": "GPP_NT_VUT_REF", "RECO": "RECO_NT_VUT_REF"}
    made = {"TA": mean["TA_F"], "TA_MIN": least["TA_F"], "TA_MAX": most["TA_F"], "SW": mean["SW_IN_F"]}
    made |= {"VPD": mean["VPD_F"], "VPD_MAX": most["VPD_F"], "P": mean["P_F"] * STEPS}
    for flux, column in fluxes.items():
        made |= {flux: mean[column] * FROM_MOLES, f"{flux}_qc": good, f"{flux}_measured": measured}
    return pd.DataFrame(made)
