"""A configuration written to YAML and read again is the same, whatever text and numbers it holds."""

import copy
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from raciflux.config.compose import compose, from_yaml, to_yaml
from raciflux.config.keys import keys_of, kind_keys
from raciflux.config.sources import TableSource

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=30).filter(
    lambda text: text.strip() and "${" not in text and text != "???"
)
TRICKY = st.sampled_from(
    [
        "NO",
        "no",
        "on",
        "0o7",
        "1e3",
        "1_000",
        "12:30",
        "~",
        "null",
        "2001-01-31",
        ".nan",
        "0x1F",
        "010",
        "8_0",
        "=",
        "<<",
    ]
) | st.sampled_from(
    ["-", "- a", "[a]", "{a: b}", "a: b", "#a", "a #b", "'a'", '"a', "!a", "&a", "*a", "%a", " a", "a\n"]
)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)


def value_of(key):
    if key.choices:
        values = st.sampled_from(key.choices)
    elif key.type is str:
        values = TEXT | TRICKY
    elif key.type is bool:
        values = st.booleans()
    elif key.type is int:
        values = st.integers(*key.bounds)
    elif key.type is float:
        values = st.floats(*key.bounds)
    else:
        values = NAMES
    if key.type is list:
        values = st.lists(values, unique=True, max_size=5)
    return st.none() | values if key.optional else values


DEFAULT = compose([])
FREE = ("output", "data.root", "data.sites", "data.quality", "logger.project", "logger.entity", "logger.tags", "seed")
NUMBERS = ("data.split.validation_share", "transfer.pretrain.weight_decay", "data.split.cluster_km", "trainer.progress")
VALUES = st.fixed_dictionaries({path: value_of(keys_of({})[path]) for path in (*FREE, *NUMBERS)})
TABLES = st.builds(
    TableSource,
    **{path.removeprefix("data.source."): value_of(key) for path, key in kind_keys("data.source", "table").items()},
)


@settings(max_examples=40, deadline=None)
@given(values=VALUES, source=TABLES, simulation=TABLES)
def test_round_trip(values, source, simulation):
    config = copy.deepcopy(DEFAULT)
    for path, value in (values | {"data.source": source, "data.simulation": simulation}).items():
        set_key(config, path, value)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.yaml"
        file.write_text(to_yaml(config), encoding="utf-8", newline="")
        assert from_yaml(file) == config


def set_key(config, path, value):
    *sections, name = path.split(".")
    for section in sections:
        config = getattr(config, section)
    setattr(config, name, value)


def test_every_key_is_written_out():
    text = to_yaml(compose([]))
    for path in keys_of({}):
        assert f"{path.rpartition('.')[2]}:" in text
    assert "${" not in text
