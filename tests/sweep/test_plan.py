"""A sweep is checked as a whole before anything is written, and its manifest holds what was typed and no more."""

import json
from pathlib import Path

import pytest
from raciflux.config.compose import compose
from raciflux.errors import UserError
from raciflux.sweep.plan import check_again, load_sweep, plan, write_manifest

CANARY = "canary-88e1-never-to-be-written"


def unchecked(config):
    """Ask no machine."""


def made(output, *arguments, name="trial"):
    sweep = plan([*arguments, f"output={output}"], name, unchecked)
    write_manifest(sweep)
    return sweep


def test_points_are_single_runs_in_folders_of_their_own_and_one_group(tmp_path):
    sweep = made(tmp_path, "model=lstm,raci", "seed=0..2")
    assert [point.name for point in sweep.points][::5] == ["0000-lstm-seed0", "0005-raci-seed2"]
    assert len({sweep.place(number) for number in range(6)}) == 6
    assert sweep.place(0) == tmp_path / "trial" / "0000-lstm-seed0"
    configs = [point.config() for point in sweep.points]
    assert [(config.model.name, config.seed) for config in configs] == [
        (m, s) for m in ("lstm", "raci") for s in (0, 1, 2)
    ]
    assert {config.logger.group for config in configs} == {"trial"}
    assert load_sweep(sweep.folder) == sweep


@pytest.mark.parametrize("name", ["null", "1e3", "2024"])
def test_a_name_that_yaml_would_read_otherwise_is_the_group_all_the_same(tmp_path, name):
    (point,) = made(tmp_path, name=name).points
    assert point.config().logger.group == name


def test_a_group_of_the_user_s_own_is_kept(tmp_path):
    (point,) = made(tmp_path, "logger.group=mine").points
    assert point.config().logger.group == "mine"


def test_without_a_name_the_same_grid_finds_the_same_folder():
    one, other, more = (plan([f"seed={seeds}"], None, unchecked).folder for seeds in ("0..2", "0,1,2", "0..3"))
    assert one == other != more
    assert one.parent == Path("runs") and one.name.startswith("embedded_wetland_ch4-")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["model=lstm,raci", "sed=1"], r"point 0 \(model=lstm\): no key 'sed'; did you mean 'seed'\?; 1 more points"),
        (["data.split.fold=0..5", "seed=1"], r"point 5 \(data.split.fold=5\): data.split.fold=5 but .*; nothing was"),
        (["model=lstm,racy"], r"point 1 \(model=racy\): no model 'racy'"),
        (["data.split.file=nope,fluxnet2015_spatial_v1"], r"point 0 \(data.split.file=nope\): data.split.file=nope"),
        (["resume=runs/x"], "drop resume"),
        (["output=a,b"], "a sweep has one folder"),
        (["logger.group=a,b"], "one W&B group"),
        (["seed=1", "seed=2"], "seed is given twice"),
    ],
)
def test_a_mistake_in_any_point_is_one_line_with_point_and_key(arguments, said):
    with pytest.raises(UserError, match=said) as caught:
        plan(arguments, "trial", unchecked)
    assert "\n" not in str(caught.value)


def test_a_point_that_the_machine_cannot_run_is_named():
    def check(config):
        if config.seed == 3:
            raise UserError("no third")

    with pytest.raises(UserError, match=r"^point 3 \(seed=3\): no third; nothing was started$"):
        plan(["seed=0..4"], "trial", check)


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "-x", "a b", "$(touch x)"])
def test_a_name_becomes_a_path_only_if_it_is_one_folder(tmp_path, name):
    with pytest.raises(UserError, match="sweep: the name"):
        plan([f"output={tmp_path}"], name, unchecked)
    assert not list(tmp_path.iterdir())


def test_nothing_of_the_environment_is_in_the_manifest(tmp_path, monkeypatch):
    for name in ("RACIFLUX_DATA", "WANDB_API_KEY", "HOME"):
        monkeypatch.setenv(name, f"/{CANARY}")
    sweep = made(tmp_path, "seed=0..1")
    assert CANARY in compose(sweep.points[0].overrides).data.root
    assert CANARY not in sweep.manifest.read_text()
    monkeypatch.setenv("RACIFLUX_DATA", "/elsewhere")  # the same sweep, wherever its data lie
    assert made(tmp_path, "seed=0..1") == sweep


def test_a_folder_is_held_to_its_sweep(tmp_path):
    made(tmp_path, "seed=0..1")
    with pytest.raises(UserError, match="holds a sweep of other points"):
        made(tmp_path, "seed=0..2")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "kept.txt").touch()
    with pytest.raises(UserError, match="is there and no sweep"):
        made(tmp_path, name="other")


def test_points_of_changed_recipes_are_refused(tmp_path):
    page = tmp_path / "mine.yaml"
    page.write_text("accelerator: cpu\nthreads: 1\n")
    sweep = made(tmp_path, f"trainer={page}")
    check_again(sweep, unchecked)
    page.write_text("accelerator: cpu\nthreads: 2\n")
    for again in (lambda: made(tmp_path, f"trainer={page}"), lambda: check_again(sweep, unchecked)):
        with pytest.raises(UserError, match="recipes or defaults were changed"):
            again()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        ("{", "is not JSON"),
        ("{}", "is not as sweep.py wrote it"),
        ('{"points": [{"name": "../../etc", "overrides": [], "settings": ""}]}', "the name '../../etc'"),
    ],
)
def test_a_manifest_that_is_none(tmp_path, content, said):
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(UserError, match=said):
        load_sweep(tmp_path)


def test_the_manifest_says_what_was_typed(tmp_path):
    hostile = "data.root='$(touch x); \"`'"
    sweep = made(tmp_path, hostile, "seed=0,1")
    (_, second) = json.loads(sweep.manifest.read_text())["points"]
    assert second["overrides"] == [hostile, "seed=1", f"output={tmp_path}", 'logger.group="trial"']
    assert sweep.points[1].config().data.root == '$(touch x); "`'
