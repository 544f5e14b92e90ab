"""Fetch X-MethaneWet from the Hugging Face hub: say what, go on where it stopped, and verify every file."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from huggingface_hub import HfApi

from ....errors import UserError
from .layout import (
    CARBON_DIOXIDE_IN_AIR,
    CODES,
    DAILY,
    DAILY_TABLE,
    EMISSION,
    GRIDS,
    METHANE_IN_AIR,
    PRODUCTION,
    SITE_TABLE,
    STATICS,
    TOWERS,
)

REPOSITORY = "ymsun99/X-MethaneWet"
BYTES_AT_ONCE = 2**20


@dataclass(frozen=True)
class Piece:
    """One file of the data set.

    Attributes
    ----------
    name : with its folder. size : bytes. sha256 : of large files; empty for small ones, which have a git ``blob`` id.
    there : whether the folder has it already, whole.
    """

    name: str
    size: int
    sha256: str
    blob: str
    there: bool


@dataclass(frozen=True)
class Plan:
    """What a download takes.

    Attributes
    ----------
    revision : commit of the repository; a later one cannot mix in.
    """

    revision: str
    pieces: tuple[Piece, ...]

    @property
    def missing(self) -> tuple[Piece, ...]:
        """Files still to fetch."""
        return tuple(piece for piece in self.pieces if not piece.there)


def wanted(years: Sequence[int]) -> list[str]:
    """Return the files of both faces, the grids that come by year for these years alone."""
    fixed = [grid.file for grid in (*STATICS, *CODES)] + [METHANE_IN_AIR, CARBON_DIOXIDE_IN_AIR]
    yearly = [grid.file.format(year=year) for year in years for grid in (*DAILY, PRODUCTION, EMISSION)]
    return [f"{TOWERS}/{name}" for name in (SITE_TABLE, DAILY_TABLE)] + [f"{GRIDS}/{name}" for name in fixed + yearly]


def plan(years: Sequence[int], folder: Path, repository: str = REPOSITORY) -> Plan:
    """Ask the hub for sizes and digests, and look at what the folder holds already.

    Raises
    ------
    UserError
        The hub is out of reach, or the repository lacks a file.
    """
    try:
        about = HfApi().dataset_info(repository, files_metadata=True)
    except Exception as error:  # the hub's library and its transport each raise their own kinds
        raise UserError(f"{repository}: the hub cannot be asked ({_reason(error)}); check the network") from None
    listed = {entry.rfilename: entry for entry in about.siblings or ()}
    pieces = []
    for name in wanted(years):
        if name not in listed:
            raise UserError(f"{repository}: has no {name}; check the years, or its layout has changed")
        entry = listed[name]
        sha256 = entry.lfs.sha256 if entry.lfs else ""
        piece = Piece(name, entry.size or 0, sha256, entry.blob_id or "", there=False)
        whole = (folder / name).is_file() and is_whole(folder / name, piece)
        pieces.append(replace(piece, there=whole))
    return Plan(str(about.sha), tuple(pieces))


def fetch(what: Plan, folder: Path, say: Callable[[Piece], None], repository: str = REPOSITORY) -> None:
    """Fetch what is missing; a file that broke off is gone on with, and each is verified when it is there.

    Raises
    ------
    UserError
        The hub is out of reach, or a file is not what the hub says it is; that file is removed.
    """
    for piece in what.missing:
        say(piece)
        (folder / piece.name).unlink(missing_ok=True)  # is not whole; what broke off lies elsewhere
        try:
            HfApi().hf_hub_download(
                repository, piece.name, repo_type="dataset", revision=what.revision, local_dir=folder
            )
        except Exception as error:  # the hub's library and its transport each raise their own kinds
            raise UserError(f"{piece.name}: broke off ({_reason(error)}); run the command again to go on") from None
        if not is_whole(folder / piece.name, piece):
            (folder / piece.name).unlink()
            raise UserError(f"{piece.name}: is not what the hub says it is and was removed; run the command again")


def is_whole(path: Path, piece: Piece) -> bool:
    """Whether a file has the size and digest that the hub tells: SHA-256, or the id that git gives small files."""
    if path.stat().st_size != piece.size:
        return False
    digest = hashlib.sha256() if piece.sha256 else hashlib.sha1(usedforsecurity=False)
    if not piece.sha256:
        digest.update(f"blob {piece.size}\0".encode())
    with path.open("rb") as file:
        while part := file.read(BYTES_AT_ONCE):
            digest.update(part)
    return digest.hexdigest() == (piece.sha256 or piece.blob)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
