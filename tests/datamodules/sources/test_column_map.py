import copy

import pytest
import yaml
from raciflux.datamodules.sources.column_map import SHIPPED, load_column_map
from raciflux.errors import UserError

MINIMAL = {
    "product": "p",
    "licence": "l",
    "citation": "c",
    "site": "site_id",
    "date": {"column": "date"},
    "variables": {"TA": {"column": "t", "unit": "degC"}},
    "site_table": {"site": "site_id", "lat": "lat", "lon": "lon"},
}


def load(tmp_path, declared):
    path = tmp_path / "map.yaml"
    path.write_text(declared if isinstance(declared, str) else yaml.safe_dump(declared))
    return load_column_map(str(path))


def changed(where, value):
    declared = copy.deepcopy(MINIMAL)
    *parents, last = where.split(".")
    place = declared
    for name in parents:
        place = place.setdefault(name, {})
    if value is None:
        del place[last]
    else:
        place[last] = value
    return declared


def test_minimal_map(tmp_path):
    declared = load(tmp_path, MINIMAL)
    assert declared.calendar == "standard"
    assert declared.daily_columns == ("t",)
    assert declared.missing_texts == ("",)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_maps_load_by_name(path):
    declared = load_column_map(path.stem)
    assert declared.variables
    assert declared.licence
    assert declared.citation


def test_terms_of_a_sum_carry_their_signs(tmp_path):
    declared = load(
        tmp_path, changed("variables.NEE", {"sum": ["+a", "-b", "c"], "unit": "gC m-2 d-1", "negate": True})
    )
    assert declared.variables["NEE"].terms == ((-1.0, "a"), (1.0, "b"), (-1.0, "c"))


@pytest.mark.parametrize(
    ("where", "value", "words"),
    [
        ("licence", None, "the key 'licence' is missing"),
        ("variable", {}, "unknown key 'variable'; did you mean 'variables'"),
        ("variables.TA.units", "degC", "variables.TA: unknown key 'units'; did you mean 'unit'"),
        ("variables.TAA", {"column": "t", "unit": "degC"}, "'TAA' is no variable here; did you mean 'TA'"),
        ("variables.TA.unit", "degK", "variables.TA: unit 'degK' cannot become 'degC'"),
        ("variables.TA.unit_at", {"X": "Pa"}, "variables.TA.unit_at.X: unit 'Pa'"),
        ("variables.TA.unit", 1, "variables.TA: unit: expected text, found 1; put it in quotes"),
        ("variables.TA.negate", "yes", "variables.TA: negate: expected true or false, found 'yes'"),
        ("variables.TA.column", None, "variables.TA needs either 'column' or 'sum'"),
        ("variables.TA.sum", ["a", "b"], "variables.TA needs either 'column' or 'sum'"),
        ("variables.TA.qc", "q", "variables.TA is a driver; only fluxes take 'qc'"),
        ("variables.TA", "t", "variables.TA: expected 'key: value' pairs, found 't'"),
        ("variables", {}, "variables: declares none"),
        ("calendar", "no_leap", "calendar 'no_leap'; did you mean 'noleap'"),
        ("missing", -9999, "missing: expected a list, found -9999"),
        ("missing", [True], "missing: expected a number, found True"),
        ("date", {}, "date needs either 'column' or both"),
        ("date", {"year": "y"}, "date needs either 'column' or both"),
        ("date", {"column": "d", "year": "y", "day_of_year": "n"}, "date needs either 'column' or both"),
        ("site_table.statics", {"height": {"column": "h", "unit": "m"}}, "'height' is no variable here"),
        ("site_table.statics", {"mat": {"column": "h", "unit": "mm"}}, "site_table.statics.mat: unit 'mm'"),
        ("site_table.classes", {"IGBP": {"column": "h"}}, "'IGBP' is no variable here; did you mean 'igbp'"),
    ],
)
def test_faulty_map_is_refused(tmp_path, where, value, words):
    with pytest.raises(UserError) as caught:
        load(tmp_path, changed(where, value))
    assert "map.yaml" in str(caught.value)
    assert words in str(caught.value)


def test_yaml_traps(tmp_path):
    text = yaml.safe_dump(MINIMAL)
    with pytest.raises(UserError, match=r"map\.yaml, line \d+: the key 'site' is given twice"):
        load(tmp_path, text + "site: other\n")
    with pytest.raises(UserError, match=r"map\.yaml, line \d+: the key 'version' has no value"):
        load(tmp_path, text + "version:\n")
    norway = text.replace("variables:\n  TA:", "variables:\n  TA:\n    unit_at: {NO: K}")
    assert dict(load(tmp_path, norway).variables["TA"].unit_at) == {"NO": "K"}


def test_unknown_name_offers_the_shipped_maps():
    with pytest.raises(UserError, match=r"'fluxnet2105': did you mean 'fluxnet2015'\?"):
        load_column_map("fluxnet2105")
    with pytest.raises(UserError, match=r"gone\.yaml"):
        load_column_map("gone.yaml")


def test_the_map_of_the_documentation_loads(tmp_path):
    page = (SHIPPED.parents[1] / "docs" / "add_a_source.md").read_text(encoding="utf-8")
    declared = load(tmp_path, page.split("```yaml\n")[1].split("```")[0])
    assert declared.product == "My peatlands"
    assert declared.variables["RECO"].terms == ((1.0, "NEE"), (-1.0, "gpp"))
