"""Predict with a finished run: ``python scripts/predict.py RUN data=... [output=FILE.zarr] [data.key=value]``.

``own_days=true`` shows a model that looks at own days the measured fluxes of these data: predictions then fill their
gaps, or go on from a few of them.
"""

from collections.abc import Sequence
from pathlib import Path

from raciflux.command_line import run_script
from raciflux.errors import UserError

USAGE = (
    "usage: python scripts/predict.py RUN data=OPTION|FILE.yaml|CUBE.zarr [data.key=value ...] [own_days=true] "
    "[output=FILE.zarr]"
)


def main(argv: Sequence[str]) -> None:
    """Read the places asked about, predict each of their days, and write CF Zarr."""
    if not argv or any(argument in ("-h", "--help") for argument in argv):
        print(f"{__doc__}\n\n{USAGE}")
        return
    run, *given = argv
    if "=" in run:
        raise UserError(f"the first argument is the run folder, not {run!r}; {USAGE}")
    from raciflux.datamodules.cube import write_zarr
    from raciflux.workflow.apply import predict_cube, read_places
    from raciflux.workflow.stages import quiet

    quiet()
    own_days = _own_days(given)
    places = read_places(Path(run), [text for text in given if not text.startswith(("output=", "own_days="))])
    for note in str(places.attrs.get("reading_notes", "")).splitlines():
        print(f"  {note}")
    target = Path(next((a.removeprefix("output=") for a in given if a.startswith("output=")), f"{run}/predicted.zarr"))
    if target.exists():
        raise UserError(f"{target}: exists already; give another output=FILE.zarr")
    predicted = predict_cube(Path(run), places, own_days)
    write_zarr(predicted, target)
    sites, days = predicted.sizes["site"], predicted.sizes["time"]
    said = ", ".join(f"{name} ({values.attrs.get('units', 'flag')})" for name, values in predicted.data_vars.items())
    print(f"{target}: {predicted.attrs['target']}, {sites} sites x {days} days: {said}")
    for name in ("known_sites", "own_days", "interval_method"):
        if name in predicted.attrs:
            print(f"  {name.replace('_', ' ')}: {predicted.attrs[name]}")


def _own_days(given: Sequence[str]) -> bool:
    """Say whether own days are shown."""
    said = [text.removeprefix("own_days=") for text in given if text.startswith("own_days=")]
    if set(said) - {"true", "false"}:
        raise UserError(f"own_days={said[-1]}: say true or false")
    return said[-1:] == ["true"]


if __name__ == "__main__":
    run_script(main)
