"""What scripts share: reading the command line, and ending with one line when something is wrong."""

import errno
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from .config.checks import check_files, check_machine
from .config.compose import Recipe, read, to_yaml
from .config.help import help_text
from .config.keys import nearest
from .config.schema import Config, SplitConfig
from .errors import UserError, did_you_mean
from .stopping import NOTHING_NEW, TO_BE_GONE_ON_WITH, Stopped

FLAGS = ("--help", "--print-config", "--validate")
USER_ERROR = 2
INTERRUPTED = 130  # 128 + SIGINT, as a shell would say it
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# torch's checkpoint writer and polars' Parquet writer say it in words only
_FULL_WORDS = ("unexpected pos", "PytorchStreamWriter failed", *(f"(os error {number})" for number in _FULL))


def run_script(main: Callable[[Sequence[str]], None]) -> NoReturn:
    """Run a script's ``main`` on the command line's arguments and leave with its exit status.

    A `UserError` and a full disk become one line on stderr and status 2, an interruption status 130, a run that was
    asked to stop 75, or 76 where it kept nothing new; any other exception is a defect of raciflux and keeps its
    traceback.
    """
    # read when torch is loaded: on several devices it would warn of each stage in which every weight is used
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    try:
        main(sys.argv[1:])
    except UserError as error:
        _leave(str(error), USER_ERROR)
    except KeyboardInterrupt:
        _leave("interrupted", INTERRUPTED)
    except Stopped as stopped:
        print(stopped, file=sys.stderr)
        sys.unraisablehook = lambda _: None  # W&B's own process may have heard the signal, too
        left = TO_BE_GONE_ON_WITH if stopped.kept else NOTHING_NEW
        sys.exit(INTERRUPTED if stopped.by == signal.SIGINT else left)
    except SystemExit as leaving:  # Lightning turns an interruption into a plain exit
        if any(isinstance(cause, KeyboardInterrupt) for cause in _chain(leaving)):
            _leave("interrupted", INTERRUPTED)
        raise
    except Exception as error:
        full = next((cause for cause in _chain(error) if _is_full(cause)), None)
        if full is None:
            raise
        _hush_other_writers()
        _leave(f"disk full ({full}); free some space or give output=FOLDER on another disk", USER_ERROR)
    sys.exit(0)


def parse(argv: Sequence[str]) -> Config | None:
    """Return the configuration to run, or None when the command line only asked to see something, now printed.

    Raises
    ------
    UserError
        An argument is refused, a split file is not there, or this machine cannot give what is asked for.
    """
    flags = ["--help" if argument == "-h" else argument for argument in argv if argument.startswith("-")]
    for flag in flags:
        if flag not in FLAGS:
            raise UserError(f"no flag {flag!r}; did you mean {nearest(flag, FLAGS)!r}? Keys are given as key=value")
    if "--help" in flags:
        _show(help_text())
        return None
    recipe = read([argument for argument in argv if not argument.startswith("-")])
    if "--print-config" in flags:
        _show(to_yaml(recipe.config))
        return None
    check_files(recipe.config)
    if "--validate" in flags:
        _show(describe(recipe))
        return None
    check_machine(recipe.config)
    return recipe.config


def pairs_of(argv: Sequence[str], keys: Sequence[str]) -> dict[str, str]:
    """Return what a script without a configuration was given as ``key=value``.

    Raises
    ------
    UserError
        An argument is no ``key=value``, or its key is unknown.
    """
    given = {}
    for argument in argv:
        name, found, value = argument.partition("=")
        if not found or name not in keys:
            raise UserError(f"{argument!r}: {did_you_mean(name, keys)} Keys are given as key=value")
        given[name] = value
    return given


def describe(recipe: Recipe) -> str:
    """Return what would run, a line each."""
    config = recipe.config
    data = config.data
    beside = f", beside it {', '.join(config.compare)}" if config.compare else ""
    simulation = f", simulation {data.simulation.kind}" if data.simulation is not None else ""
    lines = {
        "experiment": config.experiment,
        "pair": f"{data.pair}, source {data.source.kind}{simulation}",
        "model": f"{config.model.name}{beside}",
        "transfer": config.transfer.name,
        "folds": _folds(data.split),
        "groups": " ".join(f"{group}={option}" for group, option in recipe.groups.items())
        or "those of the resumed run",
        "writes to": config.resume or f"{config.output}/{config.experiment}/",
    }
    return "\n".join(f"{name:<12}{text}" for name, text in lines.items()) + "\nvalid; nothing was started\n"


def _folds(split: SplitConfig) -> str:
    which = "all" if split.fold is None else f"fold {split.fold}"
    folded = split.kind == "spatial" or split.kind.startswith("stratified")
    of = f"{split.folds} {split.kind} folds" if folded else f"the {split.kind} folds"
    return f"{which} of {of if split.file is None else f'the split file {split.file}'}"


def _show(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has seen enough; nor may the flush at exit complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _hush_other_writers() -> None:
    """Keep zarr's concurrent writers, which fail on the same full disk, from burying the one line in tracebacks."""
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    sys.unraisablehook = lambda _: None


def _is_full(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in _FULL
    return any(words in str(error) for words in _FULL_WORDS)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Return an exception and those it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _leave(message: str, status: int) -> NoReturn:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(status)
