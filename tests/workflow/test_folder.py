"""Run folders: names that say what was run, and which run a folder inside belongs to."""

import json
import re
from pathlib import Path

import pytest
from raciflux.config.compose import compose, from_yaml
from raciflux.errors import UserError
from raciflux.workflow.folder import locked, new_folder, run_of, write_identity


def test_the_name_says_time_model_and_seed_and_is_never_given_twice(tmp_path):
    config = compose(["model=lightgbm", "seed=3", f"output={tmp_path}"])
    names = [new_folder(config) for _ in range(20)]
    assert len(set(names)) == 20
    for folder in names:
        assert folder.parent == tmp_path / "embedded_wetland_ch4"
        assert re.fullmatch(r"\d{8}-\d{6}-lightgbm-s3-[0-9a-f]{8}", folder.name)


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(UserError, match="set output=FOLDER"):
        new_folder(compose([f"output={tmp_path}/file"]))
    with pytest.raises(UserError, match="cannot be written"), locked(tmp_path / "gone"):
        pass


@pytest.mark.parametrize(
    "inside",
    [
        "",
        "fold0",
        "fold12",
        "baselines/site_mean",
        "baselines/lstm/fold3",
        "fold1/calibration/part4",
        "baselines/ct_lstm/fold0/calibration/part0",
    ],
)
def test_a_training_inside_a_run_belongs_to_the_run(inside):
    run = Path("runs/tiny/20260101-000000-raci-s0-abcdef")
    assert run_of(run / inside) == run


def test_a_resumed_run_keeps_its_command_and_notes_other_versions(tmp_path):
    config = compose(["seed=5"])
    write_identity(config, tmp_path, ["seed=5", "experiment=embedded wetland"])
    command, versions = (tmp_path / "command.txt").read_text(), (tmp_path / "versions.json").read_text()
    assert command == "python scripts/train.py seed=5 'experiment=embedded wetland'\n"
    assert {"raciflux", "torch"} <= set(json.loads(versions)["packages"])
    write_identity(config, tmp_path, [f"resume={tmp_path}"])
    assert (tmp_path / "command.txt").read_text() == command
    assert not (tmp_path / "versions_resumed.json").exists()
    (tmp_path / "versions.json").write_text("{}")
    write_identity(config, tmp_path, [])
    assert (tmp_path / "versions.json").read_text() == "{}"
    assert (tmp_path / "versions_resumed.json").read_text() == versions
    assert from_yaml(tmp_path / "config.yaml").seed == 5
