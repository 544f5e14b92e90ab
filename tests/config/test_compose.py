"""Precedence, groups, recipes and run folders' configurations."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from raciflux.config.compose import compose, from_yaml, read, to_yaml
from raciflux.config.models import CtLstmConfig, LstmConfig
from raciflux.config.raci import RaciConfig
from raciflux.config.sources import CubeSource, EmbeddedSource, TableSource
from raciflux.errors import UserError


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path):
    """A small folder of recipes in which each layer sets trainer.threads over the one below."""
    root = tmp_path / "configs"
    write(
        root / "train.yaml",
        "groups: {data: towers, model: raci, transfer: finetune, trainer: slow, logger: off}\nexperiment: first\n"
        "trainer: {threads: 1, devices: 2}\nseed: 1\n",
    )
    write(
        root / "data/towers.yaml",
        "pair: wetland_ch4\nsource: {kind: embedded, places: 9}\nsimulation: {kind: embedded, face: simulation}\n",
    )
    write(root / "data/mine.yaml", "pair: terrestrial_gpp\nsource: {kind: cube, path: a.zarr}\n")
    for name in ("raci", "lstm", "ct_lstm"):
        write(root / f"model/{name}.yaml", f"name: {name}\n")
    for name in ("finetune", "scratch"):
        write(root / f"transfer/{name}.yaml", f"name: {name}\n")
    write(root / "trainer/slow.yaml", "threads: 2\n")
    write(root / "trainer/fast.yaml", "threads: 3\n")
    write(root / "logger/off.yaml", "wandb: disabled\n")
    write(root / "experiment/first.yaml", "seed: 5\n")
    write(root / "experiment/second.yaml", "groups: {trainer: fast, model: lstm}\ntrainer: {threads: 4}\n")
    return root


def refusal(overrides, folder):
    with pytest.raises(UserError) as caught:
        compose(overrides, folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_result_is_the_plain_dataclasses(folder):
    config = compose([], folder)
    assert type(config.model) is RaciConfig
    assert type(config.data.source) is EmbeddedSource
    assert type(config.data.sites) is list
    assert config.data.window.scored_days == 360  # a default of the schema


def test_group_option_beats_root(folder):
    config = compose([], folder)
    assert config.trainer.threads == 2
    assert config.trainer.devices == 2  # what the option leaves out stays


def test_recipe_beats_groups_and_chooses_them(folder):
    recipe = read(["experiment=second"], folder)
    assert recipe.config.trainer.threads == 4
    assert recipe.config.experiment == "second"
    assert recipe.groups["trainer"] == "fast"
    assert type(recipe.config.model) is LstmConfig


def test_command_line_beats_all(folder):
    assert compose(["experiment=second", "trainer.threads=5"], folder).trainer.threads == 5
    recipe = read(["experiment=second", "trainer=slow", "model=ct_lstm"], folder)
    assert recipe.groups["trainer"] == "slow"
    assert recipe.config.trainer.threads == 4  # the recipe's own value still beats the option's
    assert type(recipe.config.model) is CtLstmConfig


def test_order_of_arguments_does_not_matter(folder):
    arguments = ["model.hidden=7", "model=lstm", "experiment=second", "seed=3"]
    assert compose(arguments, folder) == compose(arguments[::-1], folder)


def test_default_experiment_and_its_values(folder):
    config = compose([], folder)
    assert (config.experiment, config.seed) == ("first", 5)


def test_unknown_recipe_and_option_name_the_nearest(folder):
    assert "did you mean 'second'" in refusal(["experiment=secnd"], folder)
    message = refusal(["trainer=fats"], folder)
    assert "did you mean 'fast'" in message
    assert "configs/trainer" in message


def test_option_may_be_a_file_of_the_users(folder, tmp_path):
    mine = write(tmp_path / "elsewhere/mine.yaml", "pair: terrestrial_gpp\nsource: {kind: cube, path: x.zarr}\n")
    config = compose([f"data={mine}", "transfer=scratch"], folder)
    assert config.data.source == CubeSource(path="x.zarr")
    assert config.data.simulation is None  # nothing of the option it replaces is left
    recipe = write(tmp_path / "elsewhere/own_towers.yaml", f"groups: {{data: {mine}, transfer: scratch}}\n")
    assert compose([f"experiment={recipe}"], folder).experiment == "own_towers"
    assert "absent.yaml" in refusal(["data=absent.yaml"], folder)


def test_error_in_a_file_names_the_file_and_key(folder, tmp_path):
    mine = write(tmp_path / "mine.yaml", "pair: wetland_ch4\nsource: {kind: embedded, plces: 3}\n")
    message = refusal([f"data={mine}"], folder)
    assert message.startswith(str(mine))
    assert "'data.source.plces'; did you mean 'data.source.places'" in message


def test_key_given_twice_in_a_file_names_the_line(folder, tmp_path):
    mine = write(tmp_path / "mine.yaml", "pair: wetland_ch4\nsource: {kind: embedded}\npair: wetland_ch4\n")
    message = refusal([f"data={mine}"], folder)
    assert str(mine) in message
    assert "line 3" in message
    dotted = write(tmp_path / "dotted.yaml", "split: {fold: 1}\nsplit.fold: 2\npair: wetland_ch4\n")
    assert "data.split.fold is given twice" in refusal([f"data={dotted}"], folder)


def test_recipe_may_not_rename_itself_nor_choose_an_unknown_group(folder):
    write(folder / "experiment/liar.yaml", "experiment: other\n")
    assert "drop 'experiment'" in refusal(["experiment=liar"], folder)
    write(folder / "experiment/odd.yaml", "groups: {modle: raci}\n")
    assert "no group 'modle'; did you mean 'model'" in refusal(["experiment=odd"], folder)
    write(folder / "experiment/flat.yaml", "groups: raci\n")
    assert "'groups' takes lines" in refusal(["experiment=flat"], folder)


def test_changing_a_kind_starts_the_section_afresh(folder):
    table = ["data.source.kind=table", "data.source.columns=c", "data.source.path=p", "data.source.sites=s"]
    config = compose([*table, "data.pair=wetland_ch4"], folder)
    assert config.data.source == TableSource(columns="c", path="p", sites="s")
    assert compose(["model.name=lstm", "model.hidden=8"], folder).model == LstmConfig(hidden=8)
    assert compose(["model={name: lstm, hidden: 9}"], folder).model == LstmConfig(hidden=9)


def test_repeating_a_kind_keeps_what_lies_below(folder):
    assert compose(["data.source.kind=embedded"], folder).data.source.places == 9


def test_section_switched_off_and_on(folder):
    assert compose(["data.simulation=null", "transfer=scratch"], folder).data.simulation is None
    write(folder / "experiment/none.yaml", "data: {simulation: null}\n")
    on = ["experiment=none", "data.simulation={kind: embedded, face: simulation, places: 4}"]
    assert compose(on, folder).data.simulation.places == 4
    assert "data.simulation.kind is not given" in refusal(["experiment=none", "data.simulation.places=4"], folder)


def test_required_keys(folder):
    assert "data.source.columns is not given" in refusal(["data.source.kind=table"], folder)
    assert "data.source.kind is not given" in refusal(["data.source=null"], folder)
    bare = write(folder / "data/bare.yaml", "source: {kind: embedded}\n")
    assert bare.exists()
    assert "data.pair is not given" in refusal(["data=bare"], folder)


def test_environment_fills_the_data_folder_alone(folder, monkeypatch):
    monkeypatch.setenv("RACIFLUX_DATA", "/somewhere")
    monkeypatch.setenv("SECRET", "s3cret")
    config = compose([], folder)
    assert config.data.root == "/somewhere"
    assert "root: /somewhere" in to_yaml(config)
    for key in ("logger.project", "data.root", "output", "data.source.kind", "logger.entity"):
        message = refusal([f"{key}=${{oc.env:SECRET}}"], folder)
        assert "s3cret" not in message
        assert key in message
    assert "data.sites" in refusal(["data.sites=['${oc.env:SECRET}']"], folder)
    write(folder / "experiment/thief.yaml", "logger: {project: '${oc.env:SECRET}'}\n")
    assert "thief.yaml" in refusal(["experiment=thief"], folder)


def test_resume_takes_the_runs_own_config(folder, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    config = compose(["seed=77", "experiment=second"], folder)
    (run / "config.yaml").write_text(to_yaml(config), encoding="utf-8")
    resumed = compose([f"resume={run}"], folder)
    assert resumed == dataclasses.replace(config, resume=str(run))
    assert read([f"resume={run}"], folder).groups == {}
    assert "drop model=lstm, seed=1" in refusal([f"resume={run}", "seed=1", "model=lstm"], folder)
    assert "no run folder" in refusal([f"resume={tmp_path / 'nowhere'}"], folder)
    write(folder / "experiment/again.yaml", f"resume: {run}\n")
    assert "command line, alone" in refusal(["experiment=again"], folder)


def test_run_folder_config_is_checked_like_any_other(folder, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(to_yaml(compose([], folder)).replace("hidden: 64", "hiden: 64"), encoding="utf-8")
    with pytest.raises(UserError, match=r"config\.yaml: no key 'model\.hiden'; did you mean 'model\.hidden'"):
        from_yaml(path)
    path.write_text(to_yaml(compose([], folder)).replace("fold: null", "fold: 9"), encoding="utf-8")
    with pytest.raises(UserError, match="folds count from 0 to 4"):
        from_yaml(path)


def test_compose_needs_no_torch():
    code = "import sys; from raciflux.config.compose import compose; compose([]); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
