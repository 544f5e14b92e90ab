"""Chambers of one place as one site: a day's flux over its ports, how they differ, and how many they were.

Ports of a place differ by more than their errors, so that each port counts once a day however often it measured: the
median of its measurements, then the mean over ports.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class OverPorts:
    """A variable of a site, (row,) with a row for each site and day that has a value.

    Attributes
    ----------
    site, day : indices. mean : over ports. spread : standard deviation over ports, NaN of one port. ports : how many.
    """

    site: NDArray[np.int64]
    day: NDArray[np.int64]
    mean: Doubles
    spread: Doubles
    ports: Doubles


def over_ports(
    values: Doubles, site: NDArray[np.int64], day: NDArray[np.int64], port: NDArray[np.int64], least: int
) -> OverPorts:
    """Put measurements (row,) of ports together.

    Parameters
    ----------
    values : measurements, NaN where missing or masked.
    least : ports that a day needs for a value.
    """
    rows = pl.DataFrame({"site": site, "day": day, "port": port, "value": values})
    measured = rows.filter(pl.col("value").is_finite()).sort("site", "day", "port", "value")
    # in order, so that sums do not differ in the last bit from run to run
    of_port = measured.group_by("site", "day", "port", maintain_order=True).agg(pl.col("value").median())
    of_site = of_port.group_by("site", "day", maintain_order=True).agg(
        mean=pl.col("value").mean(), spread=pl.col("value").std(), ports=pl.len()
    )
    kept = of_site.filter(pl.col("ports") >= least)
    numbers = kept.with_columns(pl.col("spread").fill_null(np.nan))
    site_, day_ = (numbers[name].to_numpy().astype(np.int64) for name in ("site", "day"))
    mean, spread, ports = (numbers[name].to_numpy().astype(np.float64) for name in ("mean", "spread", "ports"))
    return OverPorts(site_, day_, mean, spread, ports)
