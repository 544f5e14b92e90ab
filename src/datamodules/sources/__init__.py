"""From a source to a cube: one table of readers."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ...config.sources import LightUseSource, Source
from ...errors import UserError
from ..cube import attributes, check_form, validate
from . import embedded, light_use, pooled, stored_cube, table
from .agriculture import agroflux, pykgml
from .fluxnet import read as fluxnet
from .gridded import read as gridded
from .xmethanewet import read as xmethanewet

Reader = Callable[[str, Any, Path, Sequence[str]], xr.Dataset]

READERS: dict[str, Reader] = {
    "embedded": embedded.read,
    "table": table.read,
    "cube": stored_cube.read,
    "fluxnet": fluxnet.read,
    "xmethanewet": xmethanewet.read,
    "grid": gridded.read,
    "pool": pooled.read,
    "agroflux": agroflux.read,
    "pykgml": pykgml.read,
}


def read(
    pair: str,
    source: Source,
    root: Path,
    sites: Sequence[str] = (),
) -> xr.Dataset:
    """Read a source into a validated cube.

    Parameters
    ----------
    pair : flux/ecosystem pair; the embedded world makes what the pair needs, files give what they hold.
    source : a section ``data.source`` or ``data.simulation``.
    root : folder that paths of the source are relative to.
    sites : site_ids to keep; empty keeps all.

    Raises
    ------
    UserError
        The source cannot be read as declared.
    """
    return validate(_from(READERS[source.kind], pair, source, root, sites), f"source {source.kind}")


def open_or_read(pair: str, source: Source, root: Path, sites: Sequence[str] = ()) -> xr.Dataset:
    """Read a source as ``read`` does, but leave the daily values of a stored cube on disk, for ``cube.loaded`` to read.

    Raises
    ------
    UserError
        As ``read``; infinite values in a stored cube are for ``validate`` to find once they are loaded.
    """
    if source.kind == "cube":
        return check_form(_from(stored_cube.opened, pair, source, root, sites), f"source {source.kind}")
    return read(pair, source, root, sites)


def _from(reader: Reader, pair: str, source: Source, root: Path, sites: Sequence[str]) -> xr.Dataset:
    """Take a cube from a reader, and add what follows from its coordinates."""
    if source.kind != "embedded" and not root.is_dir():
        raise UserError(f"{root}: the data folder is missing; set data.root or the variable RACIFLUX_DATA")
    cube = reader(pair, source, Path(root), sites)
    distance = xr.DataArray(np.abs(cube["lat"].to_numpy()).astype(np.float32), dims="site", attrs=attributes("abs_lat"))
    return cube.assign(abs_lat=distance)


def read_simulation(pair: str, simulation: Source | LightUseSource, root: Path, towers: xr.Dataset) -> xr.Dataset:
    """Read ``data.simulation`` into a validated cube, or run it on the drivers of the towers that ``data.source`` gave.

    Parameters
    ----------
    pair, simulation, root : as ``read`` takes them.
    towers : cube of the observations, every site of it; looked at only by a simulation that runs on it.

    Raises
    ------
    UserError
        As ``read``; or the towers lack what the simulation runs on.
    """
    if isinstance(simulation, LightUseSource):
        return validate(light_use.run_on(towers), f"simulation {simulation.kind}")
    return read(pair, simulation, root)
