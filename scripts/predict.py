"""Predict with a finished run: ``python scripts/predict.py RUN data=... [output=FILE.zarr] [data.key=value]``."""

from collections.abc import Sequence
from pathlib import Path

from raciflux.command_line import run_script
from raciflux.errors import UserError

USAGE = "usage: python scripts/predict.py RUN data=OPTION|FILE.yaml|CUBE.zarr [data.key=value ...] [output=FILE.zarr]"


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
    places = read_places(Path(run), [argument for argument in given if not argument.startswith("output=")])
    for note in str(places.attrs.get("reading_notes", "")).splitlines():
        print(f"  {note}")
    target = Path(next((a.removeprefix("output=") for a in given if a.startswith("output=")), f"{run}/predicted.zarr"))
    if target.exists():
        raise UserError(f"{target}: exists already; give another output=FILE.zarr")
    predicted = predict_cube(Path(run), places)
    write_zarr(predicted, target)
    sites, days = predicted.sizes["site"], predicted.sizes["time"]
    said = ", ".join(f"{name} ({values.attrs['units']})" for name, values in predicted.data_vars.items())
    print(f"{target}: {predicted.attrs['target']}, {sites} sites x {days} days: {said}")
    for name in ("known_sites", "interval_method"):
        if name in predicted.attrs:
            print(f"  {name.replace('_', ' ')}: {predicted.attrs[name]}")


if __name__ == "__main__":
    run_script(main)
