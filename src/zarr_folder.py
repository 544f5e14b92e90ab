"""The one way in which cubes and predictions become Zarr folders."""

import warnings
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from .atomic import replacing


def write_folder(dataset: xr.Dataset, path: Path, encoding: Mapping[Hashable, Mapping[str, Any]] | None = None) -> None:
    """Write a dataset as Zarr (format 3), whole or not at all, so that a plain ``xarray.open_zarr`` reads it quietly.

    Raises
    ------
    UserError
        If the disk does not take it.
    """
    # Text of any length is stored as such; numpy's fixed-length text has no Zarr 3 specification.
    stored = with_text_as(np.object_, dataset)
    with replacing(path) as partial, warnings.catch_warnings():
        # xarray warns a reader without consolidated metadata, and Zarr warns a writer with it
        warnings.filterwarnings("ignore", message="Consolidated metadata is currently not part")
        stored.to_zarr(partial, mode="w", zarr_format=3, consolidated=True, encoding=encoding)


def with_text_as(dtype: type, dataset: xr.Dataset) -> xr.Dataset:
    """Hold text in another dtype: numpy's has fixed length, Zarr's has any, and only `object` converts to both."""
    names = [name for name in dataset.variables if dataset[name].dtype.kind in "UOT"]
    text = {name: dataset[name].astype(object).astype(dtype) for name in names}
    return dataset.assign_coords({name: text.pop(name) for name in dataset.coords if name in text}).assign(text)
