"""How a sweep's points are asked of a cluster: one page in ``configs/cluster/``, written by who knows the cluster."""

# ruff: noqa: RUF009  key() is a dataclasses.field

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..yaml_strict import load_yaml
from .compose import CONFIGS, option_file
from .declare import key
from .keys import keys_of, nearest
from .layers import Given, flatten
from .schema import Config
from .values import checked

_SHAPES = {
    "partition": (r"[\w.,-]+", "names of letters, digits, '.', '_' and '-'"),
    "account": (r"[\w.,-]+", "a name of letters, digits, '.', '_' and '-'"),
    "qos": (r"[\w.,-]+", "a name of letters, digits, '.', '_' and '-'"),
    "time": (r"(\d+-)?\d+(:\d+){0,2}", "a duration, such as 4:00:00 or 1-12:00:00"),
    "memory": (r"\d+[KMGT]?", "a size, such as 16G"),
}
# What the sweep itself says to sbatch, and what would put another script in the place of its own.
_OURS = (
    *("--array", "--chdir", "--error", "--job-name", "--open-mode", "--output", "--parsable", "--signal"),
    *("--wait", "--wrap"),
)


@dataclass(frozen=True)
class ClusterConfig:
    """What each point of a sweep gets of a cluster, and how its job finds Python."""

    partition: str | None = key(None, "partition; null takes the cluster's default")
    account: str | None = key(None, "account that is charged")
    qos: str | None = key(None, "quality of service")
    time: str | None = key(None, "longest duration of a point, such as 4:00:00")
    memory: str | None = key(None, "memory of a point on a node, such as 16G")
    cpus: int = key(1, "CPU cores of a point on each node", bounds=(1, 1024))
    gpus: int = key(0, "GPUs of a point on each node", bounds=(0, 64))
    nodes: int = key(1, "nodes of a point", bounds=(1, 10_000))
    at_once: int | None = key(
        None, "points that run at the same time, at most; null leaves that to the cluster", bounds=(1, 1000)
    )
    activate: str | None = key(
        None, "shell line that makes python the right one, such as: source $HOME/raciflux/.venv/bin/activate"
    )
    container: str | None = key(
        None, "words before python that run it in a container, such as: apptainer exec --nv raciflux.sif"
    )
    warn: int | None = key(
        120,
        "seconds before the end of its time at which a point saves itself and queues up again; null: never",
        bounds=(1, 65_535),
    )
    flags: list[str] = key([], "further flags of sbatch, such as [--constraint=a100, --exclusive]")


def read_cluster(option: str, folder: Path = CONFIGS) -> ClusterConfig:
    """Return the page of a cluster: a name in ``configs/cluster`` or the path of a YAML file.

    Raises
    ------
    UserError
        There is no such page, or a key or value of it is refused; the message names the file.
    """
    path = option_file(folder, "cluster", Given(option, text=option))
    layer, keys = flatten(load_yaml(path), str(path)), keys_of({}, ClusterConfig)
    for name, given in layer.items():
        if name not in keys:
            raise given.error(f"no key {name!r}; did you mean {nearest(name, keys)!r}?")
    values: dict[str, Any] = {name: checked(keys[name], given) for name, given in layer.items()}
    cluster = ClusterConfig(**values)
    for problem in _problems(cluster):
        raise UserError(f"{path}: {problem}")
    return cluster


def check_fits(config: Config, cluster: ClusterConfig) -> None:
    """Refuse a run that asks its trainer for what the cluster's page does not ask of the cluster.

    Raises
    ------
    UserError
        Nodes differ, or there are fewer GPUs, or on several nodes fewer cores, than devices.
    """
    trainer = config.trainer
    if trainer.num_nodes != cluster.nodes:
        raise UserError(f"trainer.num_nodes={trainer.num_nodes}, but the cluster's page says nodes: {cluster.nodes}")
    if trainer.num_nodes > 1 and trainer.devices > cluster.cpus:
        raise UserError(
            f"trainer.devices={trainer.devices}, each a process, but the cluster's page says cpus: {cluster.cpus} "
            "for a node"
        )
    if trainer.accelerator == "gpu" and trainer.devices > cluster.gpus:
        raise UserError(
            f"trainer.accelerator=gpu with trainer.devices={trainer.devices}, but the cluster's page says "
            f"gpus: {cluster.gpus}"
        )


def _problems(cluster: ClusterConfig) -> Iterator[str]:
    for name, (shape, expected) in _SHAPES.items():
        value = getattr(cluster, name)
        if value is not None and not re.fullmatch(shape, value):
            yield f"{name} takes {expected}; given {value!r}"
    if cluster.time is not None and cluster.warn is not None and _seconds(cluster.time) <= cluster.warn:
        yield f"warn: {cluster.warn} s is all the time of a point ({cluster.time}); give it more, or warn: null"
    for flag in cluster.flags:
        if not flag.startswith("--"):
            yield f"flags: {flag!r} does not start with '--'; write name and value as one, such as --constraint=a100"
        name = flag.partition("=")[0]
        # sbatch takes any beginning of a flag that no other flag has
        if any(ours.startswith(name) or name.startswith(ours) for ours in _OURS):
            yield f"flags: {flag!r} is said by the sweep itself; leave it out"


def _seconds(time: str) -> int:
    """Read a duration as Slurm does: minutes, or hours after days, where there is but one number."""
    days, _, clock = time.rpartition("-")
    numbers = [int(number) for number in clock.split(":")]
    units = (3600, 60, 1) if days or len(numbers) == 3 else (60, 1)
    return int(days or 0) * 86_400 + sum(number * unit for number, unit in zip(numbers, units, strict=False))
