"""Typed values and typos: what is refused, and what the message says."""

import string

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from raciflux.config.compose import compose
from raciflux.config.keys import KINDS, keys_of, kind_keys, nearest
from raciflux.errors import UserError

DEFAULT_KINDS = {"data.source": "embedded", "data.simulation": "embedded", "model": "raci"}
KEYS = keys_of(DEFAULT_KINDS)
SECTIONS = {path.rsplit(".", n)[0] for path in KEYS for n in range(path.count(".") + 1)}


def refusal(*overrides):
    with pytest.raises(UserError) as caught:
        compose(overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


def distance(a, b):
    """Levenshtein's distance."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row, last = [i], row
        for j, y in enumerate(b, 1):
            row.append(min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y)))
    return row[-1]


@st.composite
def typos(draw):
    """A key with one letter lost, added, changed or swapped with the next."""
    key = draw(st.sampled_from(sorted(KEYS)))
    place = draw(st.integers(0, len(key) - 1))
    letter = draw(st.sampled_from(string.ascii_lowercase + "_"))
    head, tail = key[:place], key[place:]
    return key, draw(
        st.sampled_from(
            [head + tail[1:], head + letter + tail, head + letter + tail[1:], head + tail[1::-1] + tail[2:]]
        )
    )


@settings(max_examples=100, deadline=None)
@given(typos())
def test_typo_is_refused_and_a_near_key_named(case):
    key, typo = case
    assume(typo and typo not in KEYS and typo not in SECTIONS)
    message = refusal(f"{typo}=1")
    assert f"{typo!r}; did you mean " in message
    named = message.split("did you mean '")[1].split("'")[0]
    assert named in KEYS or named in SECTIONS
    assert distance(named, typo) <= max(2, distance(key, typo))


@settings(max_examples=50, deadline=None)
@given(st.from_regex(r"[a-z_]{1,12}(\.[a-z_]{1,12}){0,3}", fullmatch=True))
def test_any_unknown_key_is_refused_with_one_that_exists(path):
    assume(path not in KEYS and path not in SECTIONS)
    message = refusal(f"{path}=1")
    assert path in message


def test_dotted_path_is_named_in_full():
    assert refusal("modle.hidden=3") == "no key 'modle.hidden'; did you mean 'model.hidden'?"
    assert "did you mean 'model.hidden'" in refusal("hidden=3")
    assert "did you mean 'model'" in refusal("modle=raci")
    assert "did you mean 'model.retrieval.kinds'" in refusal("kinds=[functional]")
    assert "did you mean 'transfer.name'" in refusal("transfername=scratch")


def test_key_of_another_kind_says_whose_it_is():
    message = refusal("model=lstm", "model.embedding=4")
    assert "model.name is lstm" in message
    assert "it belongs to ct_lstm, ea_lstm" in message and message.endswith(", raci")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("model.hidden=3.5", "model.hidden takes a whole number; given 3.5"),
        ("model.hidden=wide", "model.hidden takes a whole number; given wide"),
        ("model.hidden=true", "model.hidden takes a whole number; given true"),
        ("model.hidden='3'", "model.hidden takes a whole number; given '3'"),
        ("model.hidden=null", "model.hidden takes a whole number; given null"),
        ("model.hidden=[3]", "model.hidden takes a whole number; given [3]"),
        ("model.dropout=half", "model.dropout takes a number; given half"),
        ("model.dropout=true", "model.dropout takes a number; given true"),
        ("trainer.progress=1", "trainer.progress takes true or false; given 1"),
        ("trainer.progress=yes", "trainer.progress takes true or false; given yes"),
        ("output=[a]", "output takes text; given [a]"),
        ("output=null", "output takes text; given null"),
        ("data.sites=NO", "data.sites takes a list of texts, such as [A, B]; given NO"),
        ("data.sites=[1]", "put it in quotes"),
        ("data.sites=[null]", "data.sites takes a list of texts"),
        ("data.split.fold=x", "data.split.fold takes a whole number or null; given x"),
        ("data.split=3", "data.split is a section and takes no value; set a key of it, such as data.split.kind"),
        ("data.source=3", "data.source.kind is not given; add one of embedded, table, cube"),
        ("data.simulation=3", "data.simulation.kind is not given; add one of embedded, table, cube"),
        ("model.hidden=0", "model.hidden must lie between 1 and 4096; given 0"),
        ("model.hidden=4097", "model.hidden must lie between 1 and 4096"),
        ("model.dropout=-0.1", "must lie between"),
        ("model.dropout=1", "must lie between 0.0 and 0.95; given 1"),
        ("model.dropout=.nan", "must lie between"),
        ("transfer.finetune.weight_decay=.inf", "must lie between"),
        ("data.split.kind=spatal", "data.split.kind cannot be 'spatal'; did you mean 'spatial'?"),
        ("data.source.kind=tabel", "data.source.kind cannot be 'tabel'; did you mean 'table'?"),
        ("model.name=ractor", "model.name cannot be 'ractor'; did you mean 'raci'?"),
        ("model.retrieval.roles=[slow,medium]", "model.retrieval.roles cannot be 'medium'"),
        ("compare=[lstn]", "compare cannot be 'lstn'; did you mean 'lstm'?"),
        ("data.sites=[A-b,C-d,A-b]", "data.sites names 'A-b' twice"),
        ("data.root=???", "data.root: '???'"),
    ],
)
def test_wrong_value(override, words):
    assert words in refusal(override)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["model.hidden="], "model.hidden= has no value"),
        (["model.hidden= "], "has no value"),
        (["resume=#3"], "resume= has no value"),
        (["seed"], "'seed' is not key=value"),
        (["=3"], "'=3' is not key=value"),
        (["seed=1", "seed=2"], "seed is given twice"),
        (["seed=1", "seed=1"], "seed is given twice"),
        (["model=raci", "model=lstm"], "model is given twice"),
        (["data.split={fold: 1}", "data.split.fold=2"], "data.split.fold is given twice"),
        (["data.simulation=null", "data.simulation.places=3"], "contradict each other"),
        (["data.split={fold: 1, fold: 2}"], "'fold' is given twice"),
        (["data.sites=[A"], "data.sites=[A, line 1"),
        (["model=null"], "model takes the name of an option or the path of a YAML file; given null"),
        (["model=[raci]"], "model takes the name of an option"),
    ],
)
def test_wrong_argument(overrides, words):
    assert words in refusal(*overrides)


def test_yaml_traps():
    assert compose(["data.sites=[NO, on, Y]"]).data.sites == ["NO", "on", "Y"]
    assert compose(["transfer.finetune.learning_rate=1e-3"]).transfer.finetune.learning_rate == 0.001
    assert compose(["data.split.folds=010"]).data.split.folds == 10
    assert compose(["logger.entity=NO"]).logger.entity == "NO"
    assert compose(["logger.entity=null"]).logger.entity is None


def test_text_that_looks_like_a_number_stays_as_typed():
    assert compose(["output=007"]).output == "007"
    assert compose(["logger.project=1e3"]).logger.project == "1e3"
    assert compose(["logger.entity=true"]).logger.entity == "true"


def test_number_keys_take_whole_numbers_as_floats():
    radius = compose(["model.retrieval.radius_km=500"]).model.retrieval.radius_km
    assert (radius, type(radius)) == (500.0, float)


def test_every_number_has_bounds_and_every_key_a_description():
    every = dict(KEYS)
    for section, kinds in KINDS.items():
        for kind in kinds.table:
            every |= kind_keys(section, kind)
    for key in every.values():
        assert key.help
        assert key.type in (str, bool, list) or key.bounds, key.path


def test_nearest_prefers_the_same_last_part():
    assert nearest("fold", ["data.split.folds", "data.split.fold", "seed"]) == "data.split.fold"
