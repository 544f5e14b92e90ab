"""A list of sites that a product does not hold itself: ``site_id, lat, lon``, a row a site."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .files import check_columns, collect, number_column, scan, text_column

COLUMNS = ("site_id", "lat", "lon")


@dataclass(frozen=True)
class SiteList:
    """Sites in the order of the file.

    Attributes
    ----------
    names : site ids. lat, lon : (site,) degrees, NaN where empty.
    """

    names: list[str]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]


def read_site_list(path: Path) -> SiteList:
    """Read a list of sites; what no cube takes (a name, a position) is refused when the cube is checked.

    Raises
    ------
    UserError
        The file is missing or damaged, a column is missing, or a position is no number.
    """
    lazy = scan(path)
    check_columns(lazy, COLUMNS, path)
    table = collect(lazy, path)
    names = [str(name) for name in text_column(table, "site_id").fill_null("")]
    lat, lon = (number_column(table, name, (), path).to_numpy().astype(np.float64) for name in COLUMNS[1:])
    return SiteList(names, lat, lon)
