"""A run of Weights & Biases: offline unless a key is there, resumable, and never told about the machine."""

import contextlib
import netrc
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from ..atomic import write_text
from ..config.schema import Config
from ..errors import UserError

if TYPE_CHECKING:
    import wandb

UNTOLD = ("output", "resume", "logger")  # of the configuration: where things lie here, and what W&B shows anyway


@dataclass(frozen=True)
class Told:
    """What W&B is told of a run when it opens.

    Attributes
    ----------
    job : ``train`` or ``result``: the kind of run, by which a dashboard is filtered.
    config : nested; W&B shows ``{"data": {"pair": ...}}`` as ``data.pair``, the key that was typed.
    """

    job: str
    name: str
    tags: tuple[str, ...]
    config: Mapping[str, Any]


@contextlib.contextmanager
def open_run(config: Config, told: Told, folder: Path, id_file: Path) -> Iterator["wandb.Run"]:
    """Open a run, and close it at the end of the body: failed where the body fails.

    Parameters
    ----------
    config : says where to and how; runs of an experiment, or of a sweep, stand together.
    folder : run folder of the command; what W&B keeps on disk goes to its ``wandb/``.
    id_file : keeps the id of the run, so that a second session goes on with the same run.

    Raises
    ------
    UserError
        If W&B refuses the run or cannot be reached.
    """
    logger = config.logger
    with _unless_set("WANDB_ERROR_REPORTING", "false"):
        import wandb  # takes seconds, and is only wanted here

        try:
            run = wandb.init(
                id=_kept_id(id_file),
                resume="allow",
                name=told.name,
                dir=folder,
                project=logger.project,
                entity=logger.entity,
                group=logger.group or config.experiment,
                job_type=told.job,
                tags=[*dict.fromkeys([*told.tags, *logger.tags])],
                config=dict(told.config),
                mode="offline" if _offline(logger.wandb) else "online",
                settings=_settings(),
                reinit="finish_previous",
            )
        except wandb.Error as error:
            said = str(error).strip().partition("\n")[0][:160]
            raise UserError(
                f"logger.wandb={logger.wandb}: W&B opened no run ({said}); train with logger.wandb=offline"
            ) from error
        failed = True
        try:
            yield run
            failed = False
        finally:
            with contextlib.suppress(ConnectionError):  # a cluster's signal ends W&B's own process, too
                run.finish(exit_code=int(failed))


def _settings() -> "wandb.Settings":
    """Silence, and nothing about the machine: no host name, code, commit, packages, command, hardware or console."""
    import wandb

    return wandb.Settings(
        silent=True,
        console="off",
        host="",
        disable_code=True,
        disable_git=True,
        disable_job_creation=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_save_requirements=False,
    )


def _offline(wanted: str) -> bool:
    return wanted == "offline" or (wanted == "auto" and not has_key())


def has_key() -> bool:
    """Whether a W&B key is at hand: in the environment, or in the user's netrc."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(address()).hostname or ""
    try:
        return netrc.netrc().authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def address() -> str:
    """Where W&B is: a server of one's own by ``WANDB_BASE_URL``."""
    return os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")


def _kept_id(file: Path) -> str:
    """Return the id that an earlier session chose, or choose one."""
    if not file.exists():
        write_text(secrets.token_hex(8) + "\n", file)  # two runs of one id would be one, in silence
    return file.read_text().strip()


def public(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration (nested, by name) as others may see it: without the paths of this machine.

    Of a path, the last name stays: ``data.source.columns`` still says which column map was used.
    """
    told = {name: _last_names(value) for name, value in config.items() if name not in UNTOLD}
    if isinstance(told.get("data"), dict):
        told["data"].pop("root", None)
    return told


def _last_names(value: Any) -> Any:  # noqa: ANN401  a configuration's values: text, numbers, lists, sections
    if isinstance(value, Mapping):
        return {name: _last_names(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_last_names(inner) for inner in value]
    return re.split(r"[/\\]", value.rstrip("/\\"))[-1] if isinstance(value, str) else value


@contextlib.contextmanager
def _unless_set(variable: str, value: str) -> Iterator[None]:
    """Set an environment variable for the body, unless the user has set it."""
    if variable in os.environ:
        yield
        return
    os.environ[variable] = value
    try:
        yield
    finally:
        del os.environ[variable]
