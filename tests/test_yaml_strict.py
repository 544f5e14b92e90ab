import pytest
from raciflux.errors import UserError, did_you_mean
from raciflux.yaml_strict import load_yaml, parse_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[NO, no, yes, on, Off, y, n]", ["NO", "no", "yes", "on", "Off", "y", "n"]),
        ("[true, False, TRUE]", [True, False, True]),
        ("[null, ~, Null]", [None, None, None]),
        ("[010, +3, -4, 0]", [10, 3, -4, 0]),
        ("[1e-3, .5, 2., -1.5E+2]", [1e-3, 0.5, 2.0, -150.0]),
        ("[12:30, 2001-01-31, 1_000, 0x1F]", ["12:30", "2001-01-31", "1_000", "0x1F"]),
        ("['', \"\"]", ["", ""]),
        ("{a: NO}", {"a": "NO"}),
        ("NO: {no: 1}", {"NO": {"no": 1}}),
        ("<<: 1", {"<<": 1}),
    ],
)
def test_scalars_mean_what_they_look_like(text, value):
    assert parse_yaml(text, "here") == value


def test_infinity_and_nan_are_floats():
    assert parse_yaml("-.inf", "here") == float("-inf")
    assert parse_yaml(".nan", "here") != parse_yaml(".nan", "here")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3", 3, "'a' is given twice"),
        ("top:\n  a: 1\n  a: 1", 3, "'a' is given twice"),
        ("a: 1\nb:\nc: 2", 2, "'b' has no value"),
        ("{a: 1, b}", 1, "'b' has no value"),
        ("a:\n  - 1\n  -\n", 3, "list item has no value"),
        ("a: [1, 2", 1, ""),
        ("a: 1\n\tb: 2", 2, ""),
        ("a: !!python/object:os.system x", 1, ""),
        ("1: x", 1, "quotes"),
        ("a: &x [*x]\nb: *y", 2, ""),
    ],
)
def test_traps_are_refused_with_file_and_line(tmp_path, text, line, words):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as refusal:
        load_yaml(path)
    message = str(refusal.value)
    assert f"recipe.yaml, line {line}: " in message
    assert words in message
    assert "\n" not in message


def test_file_that_is_missing_or_is_no_mapping(tmp_path):
    with pytest.raises(UserError, match=r"gone\.yaml"):
        load_yaml(tmp_path / "gone.yaml")
    listing = tmp_path / "list.yaml"
    listing.write_text("- a\n")
    with pytest.raises(UserError, match="found a list"):
        load_yaml(listing)
    listing.write_bytes(b"a: \xff\xfe\n")
    with pytest.raises(UserError, match="UTF-8"):
        load_yaml(listing)
    listing.write_text("a: !!int x\n")
    with pytest.raises(UserError, match=r"list\.yaml"):
        load_yaml(listing)


def test_comments_alone_are_an_empty_mapping(tmp_path):
    path = tmp_path / "empty.yaml"
    path.write_text("# nothing yet\n")
    assert load_yaml(path) == {}


def test_nearest_name_is_offered():
    assert did_you_mean("TA_f", ["TA_F", "SW_IN_F"]) == "did you mean 'TA_F'?"
    assert did_you_mean("zzz", ["TA_F", "SW_IN_F"]) == "known: SW_IN_F, TA_F"
    assert did_you_mean("zzz", []) == "there is none to choose from"
