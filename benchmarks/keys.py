"""Settings of a benchmark from ``key=value``, checked as the keys of a run are."""

from collections.abc import Sequence
from typing import Any, TypeVar

from omegaconf import OmegaConf
from raciflux.config.keys import keys_of, nearest
from raciflux.config.layers import nest
from raciflux.config.overrides import parse_overrides
from raciflux.config.values import checked

CHOOSERS = ("accuracy", "own_days", "speed", "transfer")  # keys that say which benchmark is meant

T = TypeVar("T")


def settings_of(schema: type[T], arguments: Sequence[str]) -> T:
    """Return the settings of a schema that these ``key=value`` make.

    Raises
    ------
    UserError
        A key or value is refused.
    """
    keys = keys_of({}, schema)
    typed = parse_overrides(arguments)
    values = {}
    for path, given in (typed.choices | typed.values).items():
        if path not in keys:
            near = nearest(path, (*keys, *CHOOSERS))
            named = f"{'=..., '.join(CHOOSERS[:-1])}=... or {CHOOSERS[-1]}=... names the benchmark"
            raise given.error(f"no key {path!r}; did you mean {near!r}? {named}")
        values[path] = checked(keys[path], given)
    settings: Any = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), nest(values)))
    assert isinstance(settings, schema)
    return settings


def lines_of(schema: type) -> str:
    """Return one line a key: default and meaning."""
    keys = keys_of({}, schema).values()
    choices = {key.path: f" ({' | '.join(key.choices)})" if key.choices else "" for key in keys}
    defaults = {key.path: "null" if key.default is None else str(key.default) for key in keys}
    defaults |= {path: "$RACIFLUX_DATA, else ../shared/data" for path in defaults if path.endswith("data.root")}
    return "\n".join(f"  {key.path} = {defaults[key.path]}{choices[key.path]}: {key.help}" for key in keys)
