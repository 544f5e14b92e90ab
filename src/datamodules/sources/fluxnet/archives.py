"""The tables inside downloads: ZIP archives, folders of them, or what was unpacked from them.

An archive is somebody else's file. Nothing of it is unpacked to where its names say, a member that would grow beyond
reason is refused before it is read, and a damaged one is said in one line.
"""

import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ....errors import UserError

LARGEST = 8 * 2**30  # bytes of one table: fifty years of half-hours with all columns take 2 GiB
RATIO = 400  # times that a table may shrink in an archive; numbers in text shrink 3 to 20 times, repeated codes 100


@dataclass(frozen=True)
class Member:
    """One table: a file, or a member of an archive.

    Attributes
    ----------
    path : the file, or the archive that holds the member.
    inside : name in the archive; empty for a file.
    """

    path: Path
    inside: str = ""

    @property
    def name(self) -> str:
        """File name of the table."""
        return PurePosixPath(self.inside).name if self.inside else self.path.name

    @property
    def where(self) -> str:
        """The table, for messages."""
        return f"{self.path}:{self.inside}" if self.inside else str(self.path)

    @contextmanager
    def as_file(self) -> Iterator[Path]:
        """Give the table as a file, for as long as this lasts.

        Raises
        ------
        UserError
            If the member is damaged, locked or too large.
        """
        if not self.inside:
            yield self.path
            return
        with tempfile.TemporaryDirectory(prefix="raciflux-") as folder:
            unpacked = Path(folder) / "table.csv"
            _unpack(self, unpacked)
            yield unpacked


def members(path: Path) -> list[Member]:
    """List the tables (``.csv``) under a file or folder, those in ZIP archives too, in the order of their names.

    Raises
    ------
    UserError
        If the path is missing or of another kind, an archive is damaged, or a name in it leaves the archive.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file or folder; check data.root (or RACIFLUX_DATA) and the path")
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in (".csv", ".zip") and file.is_file())
        return [member for file in files for member in members(file)]
    if path.suffix.lower() == ".csv":
        return [Member(path)]
    if path.suffix.lower() != ".zip":
        raise UserError(
            f"{path}: FLUXNET downloads are .zip, .csv or folders of them, not {path.suffix or 'without ending'!r}"
        )
    with _opened(path) as archive:
        listed = archive.infolist()
    for entry in listed:
        _refuse_strange(entry, path)
    return [Member(path, entry.filename) for entry in listed if entry.filename.lower().endswith(".csv")]


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{path}: cannot be read as ZIP ({reason}); it may be cut off: download it again") from None


def _refuse_strange(entry: zipfile.ZipInfo, path: Path) -> None:
    name = PurePosixPath(entry.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or ":" in entry.filename:
        raise UserError(f"{path}: the member {entry.filename!r} points outside the archive; do not use this file")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise UserError(f"{path}: the member {entry.filename!r} is a link; do not use this file")


def _unpack(member: Member, place: Path) -> None:
    with _opened(member.path) as archive:
        entry = archive.getinfo(member.inside)
        if entry.flag_bits & 1:
            raise UserError(f"{member.where}: is locked with a password; unpack it first")
        size, packed = entry.file_size, max(entry.compress_size, 1)
        if size > LARGEST or size > RATIO * packed + 2**20:
            raise UserError(
                f"{member.where}: {size:,} bytes from {packed:,} packed ones is no table of fluxes; download it again"
            )
        with archive.open(entry) as source, place.open("wb") as target:
            shutil.copyfileobj(source, target, 2**20)
