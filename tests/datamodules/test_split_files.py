"""Split files: what is written is read, what is wrong is said, and what is shipped is what the code draws."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from made_towers import all_folds, made_towers, years_of_towers
from raciflux.config.schema import SplitConfig
from raciflux.config.split_names import SHIPPED, find_split_file
from raciflux.datamodules import xmethanewet_folds
from raciflux.datamodules.shipped_splits import RECIPES, make
from raciflux.datamodules.split_check import check_split
from raciflux.datamodules.split_draws import draw, fold_count
from raciflux.datamodules.split_files import SplitFile, read_split_file, write_split_file
from raciflux.datamodules.splits import PARTS
from raciflux.errors import UserError
from raciflux.geography import tower_clusters

TOWERS = made_towers(np.repeat(np.arange(12), 2))
FOLDS = tuple(all_folds(SplitConfig(folds=3), TOWERS))


@pytest.fixture
def path(tmp_path):
    """A file of three folds in space."""
    write_split_file(SplitFile("mine", ("data.split.folds=3",), 50.0, FOLDS), tmp_path / "mine.json")
    return tmp_path / "mine.json"


# --- use --------------------------------------------------------------------------------------------------------------


def test_what_is_written_is_read(tmp_path):
    in_time = years_of_towers([[100] * 5] * 20)
    drawn = draw(SplitConfig(kind="temporal", label_share=0.5), 0, in_time)
    assert drawn.periods and drawn.unlabelled
    for folds in (FOLDS, (drawn,)):
        file = SplitFile("né", ("a=b", "c=d"), 12.5, folds)
        write_split_file(file, tmp_path / "one.json")
        assert read_split_file(tmp_path / "one.json") == file


def test_a_file_is_taken_instead_of_a_draw(path):
    config = SplitConfig(kind="leave_site_out", file=str(path))  # the kind says nothing beside a file
    assert fold_count(config, TOWERS) == 3
    assert all_folds(config, TOWERS) == list(FOLDS)
    with pytest.raises(UserError, match=r"data.split.fold=3, but there are folds 0 to 2"):
        draw(config, 3, TOWERS)


def test_only_sites_of_the_data_are_taken_and_sites_unknown_to_the_file_are_in_no_part(path):
    fewer = made_towers([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 99])
    fewer.site_id[-1] = "XX-New"
    for fold, drawn in enumerate(FOLDS):
        split = draw(SplitConfig(file=str(path)), fold, fewer)
        for part in PARTS:
            there = [name for name in getattr(drawn, part) if name in fewer.site_id]
            assert list(getattr(split, part)) == there
        assert "XX-New" not in split.train + split.validation + split.test


def test_labels_of_a_file_can_be_thinned(path):
    split = draw(SplitConfig(file=str(path), label_share=0.3), 0, TOWERS)
    assert split == draw(SplitConfig(folds=3, label_share=0.3), 0, TOWERS)
    assert split.unlabelled


# --- refusals ---------------------------------------------------------------------------------------------------------


def changed(path, change):
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.update(version=2), "version 2 is unknown; this raciflux reads version 1"),
        (lambda f: f.pop("version"), "version None is unknown"),
        (lambda f: f.update(folds=[]), "'folds' holds no fold"),
        (lambda f: f.update(folds="five"), "'folds' holds no fold"),
        (lambda f: f.update(fods=[]), "no key 'fods'; did you mean 'folds'"),
        (lambda f: f.pop("made_by"), "the key 'made_by' is missing"),
        (lambda f: f.update(made_by="by hand"), "made_by: expected a list of texts"),
        (lambda f: f.update(cluster_km="50"), "'cluster_km' a number of km"),
        (lambda f: f["folds"].insert(0, 3), "fold 0: expected an object, found a int"),
        (lambda f: f["folds"].pop(0), "fold 0: is numbered 1; number the folds from 0"),
        (lambda f: f["folds"][0].pop("validation"), "fold 0: the key 'validation' is missing"),
        (lambda f: f["folds"][0].update(unlabeled=[]), "no key 'unlabeled'; did you mean 'unlabelled'"),
        (lambda f: f["folds"][0].update(train="XX-S001"), "fold 0: train: expected a list of texts"),
        (lambda f: f["folds"][0].update(test=[1, 2]), "fold 0: test: expected a list of texts"),
        (lambda f: f["folds"][0].update(periods=[]), "fold 0: periods: expected site_id"),
        (lambda f: f["folds"][0].update(periods={"a": ["2001"]}), "periods of 'a': expected two dates"),
        (lambda f: f["folds"][0].update(periods={"a": ["2001-01-01", "soon"]}), "periods of 'a': expected two dates"),
        (lambda f: f["folds"][0].update(periods={"a": ["2002-01-01", "2001-01-01"]}), "not before the test"),
        (lambda f: f["folds"][0].update(shown_until=["a"]), "fold 0: shown_until: expected site_id"),
        (lambda f: f["folds"][0].update(shown_until={"a": "soon"}), "shown_until of 'a': expected a date"),
        (lambda f: f["folds"][0].update(shown_until={"a": 2001}), "shown_until of 'a': expected a date"),
        (
            lambda f: f["folds"][0].update(shown_until={f["folds"][0]["train"][0]: "2001-01-01"}),
            "is in shown_until and not in periods",
        ),
        (lambda f: f["folds"][0].update(test=[]), "fold 0 has no test site"),
        (lambda f: f["folds"][0]["test"].append(f["folds"][0]["train"][0]), "stands in both train and test"),
        (lambda f: f["folds"][0]["test"].append(f["folds"][0]["train"].pop()), "cuts a cluster of data.split"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(path, change, said):
    changed(path, change)
    with pytest.raises(UserError, match=said) as caught:
        draw(SplitConfig(file=str(path)), 0, TOWERS)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file; check the path"),
        (b"{\n 'a'", "line 2: is not JSON"),
        (b"[]", "expected an object with name, version"),
        (b"\xff{}", "is not UTF-8"),
    ],
)
def test_no_json_is_refused_in_one_line(tmp_path, content, said):
    if content is not None:
        (tmp_path / "bad.json").write_bytes(content)
    with pytest.raises(UserError, match=said) as caught:
        fold_count(SplitConfig(file=str(tmp_path / "bad.json")), TOWERS)
    assert "\n" not in str(caught.value)


def test_a_file_of_other_sites_is_refused(path):
    other = replace(TOWERS, site_id=np.array([f"YY-{i}" for i in range(24)]))
    with pytest.raises(UserError, match="has no train site among the sites of this data"):
        draw(SplitConfig(file=str(path)), 0, other)


# --- what is shipped --------------------------------------------------------------------------------------------------


def test_a_wrong_name_names_the_nearest():
    assert find_split_file("fluxnet2015_spatial_v1") == SHIPPED / "fluxnet2015_spatial_v1.json"
    with pytest.raises(UserError, match="did you mean 'fluxnet2015_spatial_v1'"):
        find_split_file("fluxnet2015_spacial_v1")


def test_every_shipped_file_has_its_recipe_and_its_name():
    assert {path.stem for path in SHIPPED.glob("*.json")} == {*RECIPES, *xmethanewet_folds.NAMES.values()}
    for name, overrides in RECIPES.items():
        file = read_split_file(find_split_file(name))
        assert (file.name, file.made_by) == (name, overrides)


def test_sparse_files_are_nested_and_are_the_spatial_folds():
    spatial = read_split_file(find_split_file("fluxnet2015_spatial_v1")).folds
    sparse = [read_split_file(find_split_file(f"fluxnet2015_sparse_{share}_v1")).folds for share in (1, 5, 10, 50)]
    for fold, whole in enumerate(spatial):
        of_fold = [file[fold] for file in sparse]
        assert all(replace(split, unlabelled=()) == whole for split in of_fold)
        hidden = [set(split.unlabelled) for split in of_fold]
        assert all(fewer > more for fewer, more in pairwise(hidden))


@pytest.mark.data
@pytest.mark.parametrize("name", RECIPES)
def test_what_is_shipped_is_what_is_drawn_and_leaks_nothing(name, data_root):
    drawn, towers = make(name, data_root)
    path = find_split_file(name)
    shipped = read_split_file(path)
    assert shipped == drawn
    config = SplitConfig(file=name)
    assert all_folds(config, towers) == list(shipped.folds)
    for split in shipped.folds:
        check_split(split, towers)
        for part in ("train", "validation"):
            assert (split.days(part, towers.site_id, towers.time) & towers.labelled).any()
    tested = [site for split in shipped.folds for site in split.test]
    assert len(tested) == len(set(tested))


# --- X-MethaneWet's folds ---------------------------------------------------------------------------------------------


def test_the_published_folds_are_the_papers_and_the_others_the_same_towers():
    published, whole = (read_split_file(find_split_file(name)).folds for name in xmethanewet_folds.NAMES.values())
    assert [set(fold.test) for fold in published] == [set(fold) for fold in xmethanewet_folds.PUBLISHED]
    for folds in (published, whole):
        assert sorted(site for fold in folds for site in fold.test) == sorted(sum(xmethanewet_folds.PUBLISHED, ()))
        for fold in folds:
            assert len({*fold.train, *fold.validation, *fold.test}) == 30 and min(map(len, (fold.train, fold.test))) > 2


@pytest.mark.data
def test_no_cluster_is_cut_but_by_the_published_folds(data_root):
    for name in xmethanewet_folds.NAMES.values():
        assert xmethanewet_folds.make(name, data_root) == read_split_file(find_split_file(name))
    table = pl.read_csv(data_root / xmethanewet_folds.SITES)
    codes = tower_clusters(table["lat"].to_numpy(), table["lon"].to_numpy(), 50.0)
    code = {site.upper(): int(number) for site, number in zip(table["site_id"], codes, strict=True)}
    cut = {}
    for kind, name in xmethanewet_folds.NAMES.items():
        folds_of: dict[int, set[int]] = {}
        for fold in read_split_file(find_split_file(name)).folds:
            for site in fold.test:
                folds_of.setdefault(code[site.upper()], set()).add(fold.fold)
            parts = [{code[site.upper()] for site in part} for part in (fold.train, fold.validation, fold.test)]
            assert kind == "published" or not (parts[0] & parts[1] or parts[1] & parts[2] or parts[0] & parts[2])
        cut[kind] = sum(len(folds) > 1 for folds in folds_of.values())
    assert cut == {"published": 6, "whole": 0}
