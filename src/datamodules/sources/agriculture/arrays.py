"""Arrays that other projects saved: read as numbers or not at all.

A ``.npy`` file may hold Python objects and a ``.sav`` file is a pickle: both could run code. Neither is ever asked to:
numpy reads with ``allow_pickle=False``, torch with ``weights_only=True``.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....errors import UserError, did_you_mean

Numbers = NDArray[np.float64]


def read_array(path: Path, dimensions: int) -> Numbers:
    """Read the numbers of a ``.npy`` file.

    Raises
    ------
    UserError
        The file is missing or damaged, holds objects instead of numbers, or has another number of dimensions.
    """
    if not path.is_file():
        there = [file.name for file in path.parent.glob("*.npy")] if path.parent.is_dir() else []
        raise UserError(f"{path}: no such file; {did_you_mean(path.name, there)}")
    try:
        values = np.load(path, allow_pickle=False)
    except Exception as error:  # a damaged header raises whatever its parser meets
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise UserError(f"{path}: cannot be read as numbers ({reason}); it may be cut off: download it again") from None
    return _numbers(values, dimensions, str(path))


def read_dictionary(path: Path, arrays: Mapping[str, int], names: tuple[str, ...]) -> dict[str, Any]:
    """Read a serialised dictionary of arrays and lists of names, without running what is in it.

    Parameters
    ----------
    arrays : keys of arrays and their dimensions. names : keys of lists of text.

    Raises
    ------
    UserError
        The file is missing or damaged, needs code to be read, or lacks a key.
    """
    import torch

    if not path.is_file():
        there = [file.name for file in path.parent.glob("*.sav")] if path.parent.is_dir() else []
        raise UserError(f"{path}: no such file; {did_you_mean(path.name, there)}")
    try:
        with torch.serialization.safe_globals(_plain_numpy()):
            raw = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a pickle may raise anything
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"{path}: is refused: it is damaged, or would run code to be read ({reason}); ask for plain arrays"
        ) from None
    if not isinstance(raw, dict):
        raise UserError(f"{path}: holds a {type(raw).__name__}, expected a dictionary with {', '.join(arrays)}")
    made: dict[str, Any] = {}
    for key, dimensions in arrays.items():
        if key not in raw:
            raise UserError(f"{path}: no {key!r}; {did_you_mean(key, [str(each) for each in raw])}")
        values = raw[key].numpy() if isinstance(raw[key], torch.Tensor) else raw[key]
        made[key] = _numbers(np.asarray(values), dimensions, f"{path}: {key}")
    for key in names:
        if key not in raw or not isinstance(raw[key], list | tuple) or not all(isinstance(n, str) for n in raw[key]):
            raise UserError(f"{path}: {key!r} is no list of names; ask its makers for one")
        made[key] = [str(name) for name in raw[key]]
    return made


def unscaled(values: Numbers, scaler: Numbers, where: str) -> Numbers:
    """Undo standardisation of the last axis.

    Parameters
    ----------
    scaler : (feature, 2), mean and standard deviation.

    Raises
    ------
    UserError
        The scaler is of other features, or no scaler.
    """
    if scaler.shape != (values.shape[-1], 2) or not np.isfinite(scaler).all() or (scaler[:, 1] < 0).any():
        raise UserError(f"{where}: a scaler of shape {scaler.shape} does not fit {values.shape[-1]} features")
    with np.errstate(over="ignore"):  # of a damaged file: what is infinite is refused or masked later
        return np.asarray(values * scaler[:, 1] + scaler[:, 0])


def _numbers(values: NDArray[Any], dimensions: int, where: str) -> Numbers:
    if values.dtype.kind not in "fiub" or values.ndim != dimensions or 0 in values.shape:
        raise UserError(
            f"{where}: has shape {values.shape} of {values.dtype}, expected numbers in {dimensions} dimensions"
        )
    with np.errstate(invalid="ignore"):  # signalling NaNs of a damaged file
        plain = values.astype(np.float64)
    return np.where(np.isfinite(plain), plain, np.nan)


def _plain_numpy() -> list[Any]:
    """Names that a pickled numpy array of numbers needs; none of them runs what the file says."""
    reconstruct = importlib.import_module("numpy._core.multiarray")._reconstruct
    scalars = [type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8", "u1", "?")]
    return [(reconstruct, "numpy.core.multiarray._reconstruct"), reconstruct, np.ndarray, np.dtype, *scalars]
