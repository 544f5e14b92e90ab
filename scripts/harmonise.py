"""Harmonise many sources into one pool: ``python scripts/harmonise.py configs/pool/*.yaml [output=FOLDER] [jobs=N]``.

``python scripts/harmonise.py --inspect FILE ...`` says what a file is and what would be read from it.

Each page names sources; the pool holds a cube of each, a catalogue, an audit and the citations they ask for. Only what
changed is read again. docs/pool.md says what comes out.
"""

from collections.abc import Sequence
from pathlib import Path

from raciflux.command_line import pairs_of, run_script
from raciflux.errors import UserError
from raciflux.threads import cores

KEYS = ("output", "jobs")


def main(argv: Sequence[str]) -> None:
    """Read the pages, bring the pool up to date, and say what was done."""
    if not argv or any(argument in ("-h", "--help") for argument in argv):
        print(__doc__)
        return
    if "--inspect" in argv:
        _inspect([Path(argument) for argument in argv if argument != "--inspect"])
        return
    pages = [Path(argument) for argument in argv if "=" not in argument]
    given = pairs_of([argument for argument in argv if "=" in argument], KEYS)
    if not pages:
        raise UserError("name at least one page, such as configs/pool/observed.yaml")
    from raciflux.pool.build import build
    from raciflux.pool.plan import load_plan
    from raciflux.pool.progress import progress_of

    plan = load_plan(pages, given.get("output"))
    with progress_of(len(plan.entries)) as say:
        built = build(plan, _jobs(given.get("jobs", "")), say)
    print(f"{plan.output}: {len(plan.entries)} sources, {len(built.read)} read, {len(built.kept)} as they were")
    print(f"  catalogue, audit and citations: {plan.output / 'current'}")


def _inspect(paths: Sequence[Path]) -> None:
    if not paths:
        raise UserError("--inspect needs a file, such as --inspect downloads/FLX_FI-Hyy_FLUXNET2015_FULLSET.zip")
    from raciflux.pool.inspect import inspect

    for path in paths:
        print("\n".join(inspect(path)))


def _jobs(text: str) -> int:
    if not text:
        return min(4, cores())
    if not text.isdigit() or not 1 <= int(text) <= 256:
        raise UserError(f"jobs={text}: give a whole number from 1 to 256")
    return int(text)


if __name__ == "__main__":
    run_script(main)
