"""JSON files that users write or edit: every mistake is one line that names the file."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import UserError


def read_object(path: Path, keys: Sequence[str], remedy: str) -> Mapping[str, Any]:
    """Read a file that holds one JSON object.

    Parameters
    ----------
    keys : what the object is expected to hold; told where it is none, not checked.
    remedy : what to do where the file cannot be read.

    Raises
    ------
    UserError
        If it cannot be read, is no UTF-8, no JSON, or no object.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {remedy}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}, line {error.lineno}: is not JSON ({error.msg})") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path}: expected an object with {', '.join(keys)}, found a {type(raw).__name__}")
    return raw
