"""Predict with a finished run: ``python scripts/predict.py RUN data=... [output=FILE.zarr] [data.key=value]``.

Sites are read, predicted and written block by block, so that a stored cube (``data=CUBE.zarr``) may be larger than
memory; the same command goes on with what an interrupted one has written. ``block=N`` sites at once; by default as
many as the number of days lets memory hold.

``own_days=true`` shows a model that looks at own days the measured fluxes of these data: predictions then fill their
gaps, or go on from a few of them. All sites are then held in memory at once.
"""

from collections.abc import Sequence
from pathlib import Path

from raciflux.command_line import run_script
from raciflux.errors import UserError

USAGE = (
    "usage: python scripts/predict.py RUN data=OPTION|FILE.yaml|CUBE.zarr [data.key=value ...] [own_days=true] "
    "[block=N] [output=FILE.zarr]"
)
OWN = ("output=", "own_days=", "block=")


def main(argv: Sequence[str]) -> None:
    """Read the places asked about, predict each of their days, and write CF Zarr."""
    if not argv or any(argument in ("-h", "--help") for argument in argv):
        print(f"{__doc__}\n\n{USAGE}")
        return
    run, *given = argv
    if "=" in run:
        raise UserError(f"the first argument is the run folder, not {run!r}; {USAGE}")
    own = dict(text.split("=", 1) for text in given if text.startswith(OWN))
    own_days, block = _own_days(own.get("own_days", "false")), _block(own.get("block", "0"))
    from raciflux.workflow.apply import finished_run, read_places
    from raciflux.workflow.blocks import blocks_of, predict_in_blocks
    from raciflux.workflow.stages import quiet

    quiet()
    places = read_places(Path(run), [text for text in given if not text.startswith(OWN)])
    for note in str(places.attrs.get("reading_notes", "")).splitlines():
        print(f"  {note}")
    target = Path(own.get("output", f"{run}/predicted.zarr"))
    if target.exists():
        raise UserError(f"{target}: exists already; give another output=FILE.zarr")
    finished = finished_run(Path(run), own_days)
    if own_days and block:
        raise UserError("block and own_days=true: own days are shown to all sites at once; leave block out")
    predicted = predict_in_blocks(finished, places, target, block)
    sites, days = predicted.sizes["site"], predicted.sizes["time"]
    said = ", ".join(f"{name} ({values.attrs.get('units', 'flag')})" for name, values in predicted.data_vars.items())
    in_blocks = f" in {count} blocks" if (count := len(blocks_of(finished, places, block))) > 1 else ""
    print(f"{target}: {predicted.attrs['target']}, {sites} sites x {days} days{in_blocks}: {said}")
    for name in ("known_sites", "own_days", "interval_method"):
        if name in predicted.attrs:
            print(f"  {name.replace('_', ' ')}: {predicted.attrs[name]}")


def _own_days(said: str) -> bool:
    """Say whether own days are shown."""
    if said not in ("true", "false"):
        raise UserError(f"own_days={said}: say true or false")
    return said == "true"


def _block(said: str) -> int:
    """Return how many sites are predicted at once; 0 leaves it to the number of days."""
    if said != "0" and not (said.isdigit() and int(said) > 0):
        raise UserError(f"block={said}: give a whole number of sites from 1")
    return int(said)


if __name__ == "__main__":
    run_script(main)
