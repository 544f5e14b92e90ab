"""Fetch X-MethaneWet (arXiv 2505.18355): ``python scripts/download.py years=1979-1988 [output=FOLDER] [plan=true]``.

Needs the extra ``hub``. Says first what it would fetch and how large that is; ``plan=true`` stops there. A download
that broke off goes on when the command is given again, and every file is verified. ``HF_ENDPOINT`` names a mirror.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from raciflux.command_line import pairs_of, run_script
from raciflux.errors import UserError

KEYS = ("years", "output", "plan")
FOLDER = "X-MethaneWet"


def main(argv: Sequence[str]) -> None:
    """Say what will be fetched, then fetch it."""
    if not argv or any(argument in ("-h", "--help") for argument in argv):
        print(__doc__)
        return
    given = pairs_of(argv, KEYS)
    years = _years(given.get("years", ""))
    folder = Path(given.get("output", Path(os.environ.get("RACIFLUX_DATA", "../shared/data")) / FOLDER))
    try:
        from raciflux.datamodules.sources.xmethanewet import download
    except ImportError:
        raise UserError("huggingface_hub is not installed; pip install 'raciflux[hub]'") from None
    plan = download.plan(years, folder)
    size = sum(piece.size for piece in plan.missing) / 1e9
    print(f"{download.REPOSITORY} at {plan.revision[:12]}, CC-BY-4.0, into {folder}")
    print(f"{len(plan.pieces)} files, {len(plan.pieces) - len(plan.missing)} there and whole; to fetch: {size:.2f} GB")
    if given.get("plan") == "true":
        return
    download.fetch(plan, folder, lambda piece: print(f"  {piece.name} ({piece.size / 1e6:.1f} MB)", flush=True))
    print(f"all {len(plan.pieces)} files are there and verified")


def _years(text: str) -> list[int]:
    first, _, last = text.partition("-")
    if not (first.isdigit() and (last or first).isdigit()) or int(first) > int(last or first):
        raise UserError(f"years={text}: give a year or a range, such as years=1979-1988")
    return list(range(int(first), int(last or first) + 1))


if __name__ == "__main__":
    run_script(main)
