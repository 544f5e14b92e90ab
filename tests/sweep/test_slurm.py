"""What is handed to Slurm and made of its answers, with programs that stand in for it; tests/slurm has a real one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from raciflux.config.cluster import ClusterConfig, check_fits, read_cluster
from raciflux.config.compose import CONFIGS, compose
from raciflux.errors import UserError
from raciflux.sweep.plan import plan, write_manifest
from raciflux.sweep.slurm import submit, told_by_slurm

SCRIPT = Path("/somewhere/scripts/sweep.py")


@pytest.fixture
def sweep(tmp_path):
    made = plan(["seed=0..1", f"output={tmp_path / '100% of $(touch x)'}"], "trial", lambda config: None)
    write_manifest(made)
    return made


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A folder of programs that are found first and alone."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def stand_in(programs, name, prints="", status=0, error=""):
    path = programs / name
    path.write_text(
        f"#!{sys.executable}\nimport json, sys\nfrom pathlib import Path\n"
        f"Path({str(path)!r} + '.json').write_text(json.dumps(sys.argv[1:]))\n"
        f"sys.stdout.write({prints!r})\nsys.stderr.write({error!r})\nsys.exit({status})\n"
    )
    path.chmod(0o755)


def asked(programs, name):
    return json.loads((programs / f"{name}.json").read_text())


def test_one_array_of_what_is_missing_with_what_the_page_asks_for(sweep, programs):
    stand_in(programs, "sbatch", "17;cluster\n")
    cluster = ClusterConfig(partition="gpu", time="4:00:00", gpus=1, cpus=4, at_once=3, flags=["--constraint=a100"])
    assert submit(sweep, [0, 1, 2, 5, 7, 8], {}, cluster, SCRIPT) == "17"
    said = asked(programs, "sbatch")
    script = said.index(str(sweep.folder / "job.sh"))
    options = said[:script]
    assert "--array=0-2,5,7-8%3" in options
    assert {"--partition=gpu", "--time=4:00:00", "--gpus-per-node=1", "--cpus-per-task=4"} < set(options)
    assert {"--nodes=1", "--ntasks-per-node=1", "--constraint=a100", "--job-name=raciflux-trial"} < set(options)
    assert {"--requeue", "--signal=B:USR1@120", "--open-mode=append"} < set(options)
    assert not any(option.startswith(("--account", "--qos", "--mem")) for option in options)
    assert f"--output={str(sweep.folder).replace('%', '%%')}/slurm/%A_%a.txt" in options
    assert said[script + 1 :] == [sys.executable, str(SCRIPT), "--run", str(sweep.manifest)]


def test_the_script_is_the_page_s_and_nothing_of_the_sweep(sweep, programs, tmp_path):
    stand_in(programs, "sbatch", "17\n")
    sourced = tmp_path / "activate.sh"
    sourced.write_text('echo "sees $# arguments"\n')
    submit(sweep, [0], {}, ClusterConfig(activate=f"source {sourced}", container="echo exec -it"), SCRIPT)
    script = sweep.folder / "job.sh"
    assert "touch" not in script.read_text()
    command = ["/bin/bash", str(script), *asked(programs, "sbatch")[-7:]]
    assert command[2:5] == ["echo", "exec", "-it"] and command[5] == "python"
    done = subprocess.run(
        command, env={"SLURM_ARRAY_TASK_ID": "3", "PATH": "/bin:/usr/bin"}, capture_output=True, text=True
    )
    assert done.stdout == f"sees 0 arguments\nexec -it python {SCRIPT} --run {sweep.manifest} 3\n"


def test_on_several_nodes_a_task_for_each_device_calls_the_script(programs, tmp_path):
    grid = ["seed=0..1", "trainer=ddp", "trainer.num_nodes=2", "trainer.devices=2", f"output={tmp_path}"]
    made = plan(grid, "pair", lambda config: None)
    write_manifest(made)
    stand_in(programs, "sbatch", "17\n")
    submit(made, [0, 1], {}, ClusterConfig(nodes=2, cpus=9), SCRIPT)
    assert {"--nodes=2", "--ntasks-per-node=2", "--cpus-per-task=4"} < set(asked(programs, "sbatch"))
    stand_in(programs, "srun")
    environment = {"SLURM_ARRAY_TASK_ID": "1", "SLURM_CPUS_PER_TASK": "4", "PATH": str(programs)}
    subprocess.run(["/bin/bash", str(made.folder / "job.sh"), "python", "--run"], env=environment, check=True)
    started = asked(programs, "srun")
    assert "--cpus-per-task=4" in started and started[-3:] == ["python", "--run", "1"]


def test_points_of_an_array_on_several_nodes_take_one_number_of_devices(programs, tmp_path):
    made = plan(["trainer.num_nodes=2", "trainer.devices=1,2", f"output={tmp_path}"], "both", lambda config: None)
    with pytest.raises(UserError, match=r"trainer.devices=1,2 with nodes: 2: .* make a sweep for each"):
        submit(made, [0, 1], {}, ClusterConfig(nodes=2, cpus=2), SCRIPT)


def test_a_folder_called_as_a_flag_is_none(programs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = plan(["output='--wrap=touch x; #'"], "trial", lambda config: None)
    write_manifest(made)
    stand_in(programs, "sbatch", "17\n")
    submit(made, [0], {}, ClusterConfig(), SCRIPT)
    assert not any(word.startswith("--wrap") for word in asked(programs, "sbatch"))


def test_without_slurm_the_way_out_is_named(sweep, programs):
    with pytest.raises(UserError, match="no sbatch on this machine; run the sweep here with --local N"):
        submit(sweep, [0], {}, ClusterConfig(), SCRIPT)
    assert told_by_slurm(sweep) == {}


def test_what_sbatch_refuses_is_said_in_a_line(sweep, programs):
    stand_in(programs, "sbatch", status=1, error="sbatch: error: invalid partition\nsbatch: error: gone\n")
    with pytest.raises(UserError, match="sbatch refused the sweep: sbatch: error: invalid partition sbatch: error"):
        submit(sweep, [0], {}, ClusterConfig(), SCRIPT)


def submitted(sweep, programs, *jobs):
    for job in jobs:
        stand_in(programs, "sbatch", f"{job}\n")
        submit(sweep, [0, 1], {}, ClusterConfig(), SCRIPT)


def test_the_latest_job_is_heard_and_others_are_not(sweep, programs):
    submitted(sweep, programs, 9, 17)
    rows = (
        "17|0|PENDING|Resources\n9|0|CANCELLED|None\n17|1|RUNNING|None\n9|1|FAILED|None\n17|99|RUNNING|None\nx|N/A|R|\n"
    )
    stand_in(programs, "squeue", rows)
    told = told_by_slurm(sweep)
    assert {number: (one.state, one.job) for number, one in told.items()} == {
        0: ("PENDING", "17_0"),
        1: ("RUNNING", "17_1"),
    }
    assert told[0].waits and told[1].runs


def test_accounts_are_asked_of_jobs_that_slurm_forgot(sweep, programs):
    submitted(sweep, programs, 9, 17)
    stand_in(programs, "squeue", "17|0|RUNNING|None\n")
    stand_in(programs, "sacct", "9_0|TIMEOUT\n17_1|CANCELLED by 1000\n9_[2-3]|PENDING\n")
    told = told_by_slurm(sweep)
    assert asked(programs, "sacct")[0] == "--jobs=9,17"
    assert {number: one.state for number, one in told.items()} == {0: "RUNNING", 1: "CANCELLED"}
    stand_in(programs, "sacct", status=1, error="Slurm accounting storage is disabled\n")
    assert {number: one.state for number, one in told_by_slurm(sweep).items()} == {0: "RUNNING", 1: ""}


def test_a_slurm_that_does_not_answer_starts_nothing(sweep, programs):
    submitted(sweep, programs, 9)
    stand_in(programs, "squeue", status=1, error="slurm_load_jobs error: Unable to contact slurm controller\n")
    with pytest.raises(UserError, match=r"squeue does not answer: .*contact"):
        told_by_slurm(sweep)


# --- the pages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONFIGS / "cluster").glob("*.yaml")))
def test_the_pages_that_ship_are_read(name):
    assert isinstance(read_cluster(name), ClusterConfig)
    assert (CONFIGS / "cluster" / f"{name}.yaml").read_text().startswith("# ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("partitoin: gpu", "no key 'partitoin'; did you mean 'partition'"),
        ("gpus: -1", "gpus must lie between 0 and 64"),
        ("at_once: 0", "at_once must lie between 1"),
        ("gpus: two", "gpus takes a whole number"),
        ("partition: 'a b'", "partition takes names"),
        ("account: --wrap=x", "account takes a name"),
        ("time: soon", "time takes a duration"),
        ("time: 90", "time takes text"),
        ("warn: 0", "warn must lie between 1"),
        ("time: '2'", r"warn: 120 s is all the time of a point \(2\)"),
        ("time: 0-0:1\nwarn: 60", "is all the time"),
        ("time: '1:30'\nwarn: 90", "is all the time"),
        ("flags: [--signal=USR1]", "is said by the sweep itself"),
        ("memory: much", "memory takes a size"),
        ("flags: [-p, gpu]", "flags: '-p' does not start with '--'"),
        ("flags: [--wrap=evil]", "is said by the sweep itself"),
        ("flags: [--out=x]", "is said by the sweep itself"),
    ],
)
def test_a_mistake_on_a_page_is_said_with_its_file(tmp_path, text, said):
    page = tmp_path / "mine.yaml"
    page.write_text(f"{text}\n")
    with pytest.raises(UserError, match=said) as caught:
        read_cluster(str(page))
    assert str(caught.value).startswith(str(page))


def test_an_unknown_page_is_answered_with_those_there_are():
    with pytest.raises(UserError, match=r"no cluster 'exampel' .*did you mean 'example'"):
        read_cluster("exampel")


@pytest.mark.parametrize(
    ("override", "page", "said"),
    [
        ("trainer.num_nodes=2", ClusterConfig(), "says nodes: 1"),
        ("trainer.num_nodes=1", ClusterConfig(nodes=2), "says nodes: 2"),
        ("trainer.accelerator=gpu", ClusterConfig(), "says gpus: 0"),
        ("trainer={num_nodes: 2, devices: 4}", ClusterConfig(nodes=2, cpus=3), "says cpus: 3 for a node"),
    ],
)
def test_a_run_that_asks_for_more_than_its_page_is_refused(override, page, said):
    with pytest.raises(UserError, match=said):
        check_fits(compose([override]), page)
    check_fits(compose([]), ClusterConfig(gpus=1))
    check_fits(compose(["trainer={num_nodes: 2, devices: 4}"]), ClusterConfig(nodes=2, cpus=4))


@pytest.mark.parametrize("text", ["time: '2'\nwarn: null", "time: 1-0", "time: 1:00:00", "time: '3'", "time: '2:30'"])
def test_time_that_leaves_some_to_train_is_taken(tmp_path, text):
    page = tmp_path / "page.yaml"
    page.write_text(text + "\n")
    assert read_cluster(str(page)).time is not None


def test_a_page_may_say_that_points_are_never_warned(sweep, programs):
    stand_in(programs, "sbatch", "17\n")
    submit(sweep, [0], {}, ClusterConfig(warn=None), SCRIPT)
    assert not any(option.startswith("--signal") for option in asked(programs, "sbatch"))


def test_a_job_does_not_take_the_threads_of_the_machine_it_was_submitted_from(sweep, programs, tmp_path):
    stand_in(programs, "sbatch", "17\n")
    sourced = tmp_path / "activate.sh"
    sourced.write_text("export POLARS_MAX_THREADS=3\n")  # what the page itself says stays
    submit(sweep, [0], {}, ClusterConfig(activate=f"source {sourced}", container="env"), SCRIPT)
    inherited = {"SLURM_ARRAY_TASK_ID": "0", "OMP_NUM_THREADS": "64", "POLARS_MAX_THREADS": "64"}
    command = ["/bin/bash", str(sweep.folder / "job.sh"), "/usr/bin/env"]
    done = subprocess.run([*command, "sh", "-c", "env"], env=inherited | {"PATH": "/bin:/usr/bin"}, capture_output=True)
    said = dict(line.split("=", 1) for line in done.stdout.decode().splitlines() if "=" in line)
    assert said["POLARS_MAX_THREADS"] == "3" and "OMP_NUM_THREADS" not in said
