"""Writing checkpoints whole, and reading them without running anything that is in them.

A checkpoint is a ZIP archive in which torch keeps a checksum (CRC-32) of every record. torch does not look at it when
it reads; here it is held against the bytes each time, so that a flipped bit is no weight. The archive's list of records
has no checksum: a bit that calls one a folder, of which torch would read nothing, is looked for by itself.
"""

import io
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..atomic import replacing
from ..errors import UserError

PREFIX = "network."


def save_checkpoint(content: dict[str, Any], path: Path, former: Path | None = None) -> None:
    """Write a checkpoint, whole or not at all.

    Parameters
    ----------
    former : where to keep the checkpoint that was there before; None keeps it nowhere.

    Raises
    ------
    UserError
        If the disk does not take it.
    """
    buffer = io.BytesIO()  # torch's own writer does not say what the disk says
    torch.save(content, buffer)
    with replacing(path, former) as partial:
        partial.write_bytes(buffer.getbuffer())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Load a checkpoint with ``weights_only=True``.

    Raises
    ------
    UserError
        If the file is missing, torn, changed since it was written, or holds anything but tensors and plain values.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint; train first, or resume the run with resume=RUN")
    try:
        with zipfile.ZipFile(path) as archive:
            changed = archive.testzip() or next((one.filename for one in archive.infolist() if one.external_attr), None)
        if changed is not None:
            raise ValueError(f"{changed} is not as it was written")
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle fails in whichever way its next instruction does
        raise UserError(
            f"{path}: the checkpoint is damaged ({_first_line(error)}); delete it and resume the run"
        ) from error
    if not isinstance(content, dict) or "state_dict" not in content:
        raise UserError(f"{path}: no state_dict inside; this is no checkpoint of raciflux")
    return content


def load_into(module: nn.Module, path: Path) -> None:
    """Load a checkpoint's weights into a module of the same shape.

    Raises
    ------
    UserError
        If the checkpoint cannot be read or was written by another model.
    """
    try:
        module.load_state_dict(load_checkpoint(path)["state_dict"])
    except RuntimeError as error:
        raise UserError(
            f"{path}: the weights do not fit the model of config.yaml; was it edited after the training?"
        ) from error


def network_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of the network in a checkpoint, by their names inside the network."""
    state: dict[str, Tensor] = load_checkpoint(path)["state_dict"]
    return {name.removeprefix(PREFIX): value for name, value in state.items() if name.startswith(PREFIX)}


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
