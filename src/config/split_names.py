"""Where the file of a split lies: apart from reading it, so that a wrong name is refused before any data are read."""

from pathlib import Path

from ..errors import UserError, did_you_mean

SHIPPED = Path(__file__).resolve().parents[2] / "configs" / "splits"


def find_split_file(name: str) -> Path:
    """Return the file of a split: a name in ``configs/splits`` or a path that ends in ``.json``.

    Raises
    ------
    UserError
        None is shipped under that name, or no file is at that path.
    """
    if name.endswith(".json"):
        if not Path(name).is_file():
            raise UserError(f"data.split.file={name}: there is no such file; check the path")
        return Path(name)
    path = SHIPPED / f"{name}.json"
    if not path.is_file():
        shipped = [shipped.stem for shipped in SHIPPED.glob("*.json")]
        raise UserError(
            f"data.split.file={name}: {did_you_mean(name, shipped)} Your own: give its path, ending in .json"
        )
    return path
