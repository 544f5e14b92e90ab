"""A sweep: points that were checked together, their folder, and the manifest that says what each of them is."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ..atomic import write_text
from ..config.checks import check_files, check_name
from ..config.compose import compose, to_yaml
from ..config.schema import Config
from ..config.trainings import pretrainings
from ..errors import UserError
from ..json_strict import read_object
from .grid import axes_of, grid, point_name, varied

MANIFEST = "manifest.json"
_ALONE = {
    "resume": "a sweep goes on when its command is given again; drop resume",
    "output": "a sweep has one folder; give one output",
    "logger.group": "a sweep is one W&B group; give one, or leave it out",
}


@dataclass(frozen=True)
class Point:
    """One run of a sweep.

    Attributes
    ----------
    name : its folder inside the sweep's.
    overrides : what would be typed for it alone.
    settings : hash of the configuration that these gave when the sweep was made, wherever the data lie.
    pretrainings : keys of those that it shares with other points, as the configuration tells them.
    """

    name: str
    overrides: tuple[str, ...]
    settings: str
    pretrainings: tuple[str, ...] = field(default=(), compare=False)  # follow from the settings

    def config(self) -> Config:
        """Return the configuration to run.

        Raises
        ------
        UserError
            The recipes were changed since the sweep was made: its points would no longer be comparable.
        """
        config = compose(self.overrides)
        if settings_of(config) != self.settings:
            raise UserError(
                "the recipes or defaults were changed since the sweep was made; make another with sweep=NAME"
            )
        return config


@dataclass(frozen=True)
class Sweep:
    """Points and the folder that holds a run folder for each."""

    folder: Path
    points: tuple[Point, ...]

    @property
    def manifest(self) -> Path:
        """File that says what each point is."""
        return self.folder / MANIFEST

    def place(self, number: int) -> Path:
        """Run folder of a point."""
        return self.folder / self.points[number].name


def plan(arguments: Sequence[str], name: str | None, check: Callable[[Config], None]) -> Sweep:
    """Expand a grid and check every point of it; nothing is written.

    Parameters
    ----------
    arguments : overrides, of which any may have several values (see `axes_of`).
    name : what the sweep is called; None names it after its experiment and its points.
    check : a further check of each point, of the machine or cluster it is to run on.

    Raises
    ------
    UserError
        The grid cannot be read, or a point is refused; the message names the point and its key.
    """
    axes = axes_of(arguments)
    for axis in axes:
        if axis.key in _ALONE and (len(axis.texts) > 1 or axis.key == "resume"):
            raise UserError(f"{axis.key}={','.join(axis.texts)}: {_ALONE[axis.key]}")
    of_points = list(grid(axes))
    differing = [varied(axes, overrides) for overrides in of_points]
    configs = _checked(of_points, differing, check)
    name = f"{configs[0].experiment[:80]}-{_digest(json.dumps(of_points))}" if name is None else name
    check_name(name, "sweep")
    if not any(axis.key == "logger.group" for axis in axes) and configs[0].logger.group is None:
        # quoted, since a name may look like a number or null
        of_points = [(*overrides, f"logger.group={json.dumps(name)}") for overrides in of_points]
        configs = [replace(config, logger=replace(config.logger, group=name)) for config in configs]
    points = [
        Point(
            point_name(number, differing[number]), overrides, settings_of(config), tuple(sorted(pretrainings(config)))
        )
        for number, (overrides, config) in enumerate(zip(of_points, configs, strict=True))
    ]
    return Sweep(Path(configs[0].output) / name, tuple(points))


def check_again(sweep: Sweep, check: Callable[[Config], None]) -> None:
    """Check the points of a sweep that was made before.

    Raises
    ------
    UserError
        A point is refused, or its recipes were changed.
    """
    for point in sweep.points:
        try:
            check(point.config())
        except UserError as error:
            raise UserError(f"point {point.name}: {error}; nothing was started") from error


def make_folder(sweep: Sweep) -> None:
    """Make the folder of a sweep, if it is not there.

    Raises
    ------
    UserError
        If it cannot be made.
    """
    try:
        sweep.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{sweep.folder}: cannot be made ({error.strerror}); set output=FOLDER") from error


def write_manifest(sweep: Sweep) -> None:
    """Write what each point is; where that stands already, hold the sweep to it.

    The manifest holds what was typed, and nothing of the environment.

    Raises
    ------
    UserError
        The folder holds another sweep or something else, or cannot be written.
    """
    if sweep.manifest.exists():
        held = load_sweep(sweep.folder).points
        if [point.overrides for point in held] != [point.overrides for point in sweep.points]:
            raise UserError(f"{sweep.folder}: holds a sweep of other points; give another sweep=NAME")
        if held != sweep.points:
            raise UserError(
                f"{sweep.folder}: the recipes or defaults were changed since this sweep was made; "
                "make another with sweep=NAME"
            )
        return
    if sweep.folder.is_dir() and any(path.name != ".lock" for path in sweep.folder.iterdir()):
        raise UserError(f"{sweep.folder}: is there and no sweep; give another sweep=NAME")
    content = {"points": [asdict(point) for point in sweep.points]}
    write_text(json.dumps(content, indent=1) + "\n", sweep.manifest)


def load_sweep(folder: Path) -> Sweep:
    """Read the sweep of a folder.

    Raises
    ------
    UserError
        There is none, or its manifest is not as `write_manifest` wrote it.
    """
    path = folder / MANIFEST
    raw = read_object(path, ["points"], "give the folder of a sweep, as sweep.py printed it")
    try:
        points = [
            Point(
                str(one["name"]),
                tuple(map(str, one["overrides"])),
                str(one["settings"]),
                tuple(map(str, one.get("pretrainings", ()))),
            )
            for one in raw["points"]
        ]
    except (AttributeError, KeyError, TypeError) as error:
        raise UserError(f"{path}: is not as sweep.py wrote it; make the sweep anew") from error
    for point in points:  # they become paths
        check_name(point.name, str(path))
    return Sweep(folder, tuple(points))


def settings_of(config: Config) -> str:
    """Hash a configuration; where the data lie, which the environment may say, is left out."""
    return _digest(to_yaml(replace(config, data=replace(config.data, root=""))))


def _checked(
    of_points: Sequence[Sequence[str]], differing: Sequence[Sequence[str]], check: Callable[[Config], None]
) -> list[Config]:
    """Return the configurations of points, or say the first mistake and how many points have one."""
    configs, problems = [], []
    for number, overrides in enumerate(of_points):
        try:
            config = compose(overrides)
            check_files(config)
            check(config)
            configs.append(config)
        except UserError as error:
            told = f" ({' '.join(differing[number])})" if differing[number] else ""
            problems.append(f"point {number}{told}: {error}")
    if problems:
        more = f"; {len(problems) - 1} more points are refused" if len(problems) > 1 else ""
        raise UserError(f"{problems[0]}{more}; nothing was started")
    return configs


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
