"""Draw the split files of configs/splits again: ``python scripts/make_splits.py [NAME ...]``; needs the real data."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from raciflux.command_line import run_script
from raciflux.config.split_names import SHIPPED
from raciflux.datamodules import xmethanewet_folds
from raciflux.datamodules.shipped_splits import RECIPES, make
from raciflux.datamodules.split_files import write_split_file


def main(arguments: Sequence[str]) -> None:
    """Write the files named on the command line, or all."""
    known = [*RECIPES, *xmethanewet_folds.NAMES.values()]
    parser = argparse.ArgumentParser(prog="make_splits.py", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(known)}")
    root = Path(os.environ.get("RACIFLUX_DATA", "../shared/data"))
    names = parser.parse_args(arguments).names
    for unknown in set(names) - set(known):
        parser.error(f"no shipped split {unknown!r}")
    for name in names or known:
        file = make(name, root)[0] if name in RECIPES else xmethanewet_folds.make(name, root)
        write_split_file(file, SHIPPED / f"{name}.json")
        print(f"{name}: {len(file.folds)} folds")


if __name__ == "__main__":
    run_script(main)
