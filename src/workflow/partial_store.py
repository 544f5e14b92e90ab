"""A Zarr folder that grows block by block beside its final name, outlives interruption, and takes the name when whole.

Beside ``OUT.zarr`` stands ``OUT.zarr.partial/`` until then: ``store.zarr``, what it is made of (``made_of.json``), and
an empty file in ``blocks/`` for each block that is written whole.
"""

import json
import shutil
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr

from ..atomic import write_text
from ..errors import UserError
from ..zarr_folder import with_text_as
from .folder import locked

STORE, MADE_OF, BLOCKS = "store.zarr", "made_of.json", "blocks"


class PartialStore:
    """What is written so far; made by ``growing``.

    Parameters
    ----------
    folder : ``OUT.zarr.partial``.
    sites : length of the dimension ``site`` once whole.
    """

    def __init__(self, folder: Path, sites: int) -> None:
        self.folder, self.sites = folder, sites
        self.done = {int(path.name) for path in (folder / BLOCKS).iterdir()}

    def write(self, number: int, sites: slice, part: xr.Dataset) -> None:
        """Write a block of sites; the first that is written brings all that has no sites, and the attributes."""
        if not self.done:
            self._begin(part)
        group: Any = zarr.open_group(self.folder / STORE, mode="r+")  # the stubs know groups of groups alone
        text = with_text_as(np.object_, part)
        for name in map(str, part.variables):
            if "site" in part[name].dims:
                region = tuple(sites if dim == "site" else slice(None) for dim in part[name].dims)
                group[name][region] = text[name].to_numpy()
        (self.folder / BLOCKS / str(number)).touch()
        self.done.add(number)

    def _begin(self, part: xr.Dataset) -> None:
        """Make the store from its first block: a block of days is one chunk."""
        chunks = {
            str(name): {"chunks": tuple(1 if dim == "quantile" else part.sizes[dim] for dim in part[name].dims)}
            for name in part.variables
            if "site" in part[name].dims
        }
        path = self.folder / STORE
        with_text_as(np.object_, part).to_zarr(path, mode="w", zarr_format=3, consolidated=False, encoding=chunks)
        group: Any = zarr.open_group(path, mode="r+")
        for name in chunks:
            shape = zip(part[name].dims, part[name].shape, strict=True)
            group[name].resize(tuple(self.sites if dim == "site" else length for dim, length in shape))

    def finish(self, path: Path, attributes: Mapping[str, str]) -> None:
        """Give the whole store its final name."""
        zarr.open_group(self.folder / STORE, mode="r+").attrs.update(attributes)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Consolidated metadata is currently not part")
            zarr.consolidate_metadata(self.folder / STORE)
        (self.folder / STORE).rename(path)
        shutil.rmtree(self.folder)


@contextmanager
def growing(path: Path, sites: int, made_of: Mapping[str, str]) -> Iterator[PartialStore]:
    """Go on with what an earlier call wrote of ``path``, or begin; one process at a time.

    What the body leaves unfinished is kept, and said, if it holds a block.

    Parameters
    ----------
    sites : length of the dimension ``site``.
    made_of : what decides the store, readable or as digests; what is there must have been made of the same.

    Raises
    ------
    UserError
        ``path`` exists, another process writes it, what is there was made of something else, or the disk refuses.
    """
    folder = path.with_name(f"{path.name}.partial")
    _refuse_existing(path)
    try:
        (folder / BLOCKS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be made ({error.strerror}); give another output=FILE.zarr") from error
    with locked(folder, what="output"):
        _refuse_existing(path)  # whoever wrote it may have finished since
        store = PartialStore(folder, sites)
        if store.done:
            _refuse_other(folder, made_of)
        else:
            write_text(json.dumps(made_of, indent=1) + "\n", folder / MADE_OF)
        try:
            yield store
        except BaseException:
            if store.done:
                print(
                    f"{folder}: {len(store.done)} blocks are kept; the same command goes on with them", file=sys.stderr
                )
            else:
                shutil.rmtree(folder)
            raise


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise UserError(f"{path}: exists already; give another output=FILE.zarr")


def _refuse_other(folder: Path, made_of: Mapping[str, str]) -> None:
    try:
        before = json.loads((folder / MADE_OF).read_text())
    except (OSError, ValueError):
        before = {}
    other = [name for name, said in made_of.items() if before.get(name) != said]
    if other:
        raise UserError(
            f"{folder}: holds blocks that were made with another {' and '.join(other)}; remove it, or give another "
            "output=FILE.zarr"
        )
