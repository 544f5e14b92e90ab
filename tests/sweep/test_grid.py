"""What a grid is typed as, and the points that come of it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raciflux.config.checks import check_name
from raciflux.errors import UserError
from raciflux.sweep.grid import Axis, axes_of, grid, point_name, varied
from raciflux.yaml_strict import parse_yaml


def texts(argument: str) -> tuple[str, ...]:
    (axis,) = axes_of([argument])
    return axis.texts


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("model=lstm,raci", ("lstm", "raci")),
        ("model=lstm, raci", ("lstm", "raci")),
        ("seed=0..4", ("0", "1", "2", "3", "4")),
        ("seed=3..3", ("3",)),
        ("seed=-1..1,7", ("-1", "0", "1", "7")),
        ("compare=[a,b]", ("[a,b]",)),
        ("compare=[a,b],[c],[]", ("[a,b]", "[c]", "[]")),
        ("data.sites=[a, [b, c]],[d]", ("[a, [b, c]]", "[d]")),
        ("data.source={kind: embedded, places: 4}", ("{kind: embedded, places: 4}",)),
        ("label='a,b',c", ("'a,b'", "c")),
        ('label="a,b"', ('"a,b"',)),
        ('label="a\\",b",c', ('"a\\",b"', "c")),
        ("label='it''s, so',c", ("'it''s, so'", "c")),
        ("data.sites=['a,]',b],[c]", ("['a,]',b]", "[c]")),
        ("data.root=/o'neill,/x", ("/o'neill", "/x")),  # an apostrophe opens nothing
        ("data.root=../shared", ("../shared",)),
        ("label='0..4'", ("'0..4'",)),
        ("output=", ("",)),
        ("a=b=c,d", ("b=c", "d")),
    ],
)
def test_values_of_a_key(argument, expected):
    assert texts(argument) == expected


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("seed", "'seed' is not key=value"),
        ("=3", "'=3' is not key=value"),
        ("seed=1,,2", "seed=1,,2: a value between commas is empty"),
        ("seed=1,", "a value between commas is empty"),
        ("seed=1,2,1", "seed=1,2,1 names 1 twice"),
        ("seed=0..2,1", "names 1 twice"),
        ("seed=4..0", "seed=4..0 runs backwards; write 0..4"),
        ("seed=0..1000", "1001 values"),
        ("seed=0..99999999999999", "a sweep at most 1000"),
        ("compare=[a,b", "] is missing"),
        ("label='a,b", "' is not closed"),
    ],
)
def test_refused(argument, said):
    with pytest.raises(UserError) as caught:
        axes_of([argument])
    assert said in str(caught.value)


def test_a_grid_that_is_too_large_is_refused_by_its_size():
    with pytest.raises(UserError, match="1100 points and a sweep at most 1000"):
        axes_of(["seed=0..99", "data.split.fold=0..10"])


def test_the_last_axis_varies_fastest_and_only_what_differs_is_named():
    axes = axes_of(["experiment=e", "model=lstm,raci", "data.split.fold=0..1"])
    points = list(grid(axes))
    assert points[1] == ("experiment=e", "model=lstm", "data.split.fold=1")
    assert varied(axes, points[1]) == ("model=lstm", "data.split.fold=1")
    assert [point_name(number, varied(axes, one)) for number, one in enumerate(points)] == [
        "0000-lstm-fold0",
        "0001-lstm-fold1",
        "0002-raci-fold0",
        "0003-raci-fold1",
    ]
    assert point_name(0, ()) == "0000"


plain = st.text("abcz019._-/", min_size=1).filter(lambda text: ".." not in text)
quoted = st.text("ab,[]{} '", max_size=8).map(lambda text: "'" + text.replace("'", "''") + "'")
lists = st.lists(st.text("abc", min_size=1), max_size=4).map(lambda items: f"[{', '.join(items)}]")
values = st.lists(plain | quoted | lists, min_size=1, max_size=5, unique=True)


@given(st.lists(values, min_size=1, max_size=4))
def test_every_combination_comes_once_and_each_value_as_it_was_typed(of_axes):
    axes = axes_of([f"k{place}={','.join(one)}" for place, one in enumerate(of_axes)])
    assert [axis.texts for axis in axes] == [tuple(one) for one in of_axes]
    points = list(grid(axes))
    assert len(points) == len(set(points)) == math.prod(map(len, of_axes))


@given(quoted)
def test_what_is_quoted_is_one_value_that_yaml_reads_whole(text):
    (whole,) = texts(f"label={text}")
    assert parse_yaml(whole, "label") == text[1:-1].replace("''", "'")


@given(st.integers(-50, 50), st.integers(0, 60))
def test_a_range_holds_both_its_ends_and_every_number_between(first, more):
    assert list(map(int, texts(f"seed={first}..{first + more}"))) == [*range(first, first + more + 1)]


@given(st.integers(0, 9999), st.lists(st.text(), max_size=5))
def test_any_value_gives_the_name_of_a_safe_folder(number, of_keys):
    name = point_name(number, [f"data.root={text}" for text in of_keys])
    check_name(name, "point")
    assert name.startswith(f"{number:04d}")
    assert ".." not in name


def test_an_axis_of_one_value_is_no_difference():
    assert varied([Axis("a", ("1",)), Axis("b", ("1", "2"))], ("a=1", "b=2")) == ("b=2",)
