"""Of points that share a pretraining one makes it and the others wait, here and as Slurm is told."""

import json
import sys
from pathlib import Path

import pytest
from raciflux.config.cluster import ClusterConfig
from raciflux.errors import UserError
from raciflux.sweep.local import run_local
from raciflux.sweep.order import leaders
from raciflux.sweep.plan import Point, Sweep, load_sweep, plan, write_manifest
from raciflux.sweep.slurm import submit
from raciflux.sweep.status import DONE, LOST, MISSING, QUEUED, RUNNING, Standing

SCRIPT = Path("/somewhere/scripts/sweep.py")


def sweep_of(*keys: str, folder: Path = Path("nowhere")) -> Sweep:
    """A sweep whose points share the pretrainings that are called by the same letter."""
    points = [Point(f"{number:04d}", (), "", tuple(letters)) for number, letters in enumerate(keys)]
    return Sweep(folder, tuple(points))


def waiting(sweep: Sweep, states: str = "") -> dict[int, tuple[int, ...]]:
    """Who waits for whom, where points stand as letters say: done, running, queued, failed or missing."""
    named = {"d": DONE, "r": RUNNING, "q": QUEUED, "f": LOST, "m": MISSING}
    stand = [Standing(named[letter]) for letter in states.ljust(len(sweep.points), "m")]
    return leaders(sweep, [number for number, one in enumerate(stand) if one.state in (LOST, MISSING)], stand)


@pytest.mark.parametrize(
    ("keys", "states", "expected"),
    [
        (["a", "a", "b", "", "b", "a"], "", {1: (0,), 4: (2,), 5: (0,)}),
        (["", "", ""], "", {}),
        (["a", "b", "ab"], "", {2: (0, 1)}),
        (["a", "ab", "b", "b"], "", {1: (0,), 3: (2,)}),  # nobody waits for who waits
        (["a", "a", "a"], "dfm", {}),  # made
        (["a", "a", "a"], "ffm", {1: (0,), 2: (0,)}),
        (["a", "a", "a"], "mqr", {0: (2,)}),  # who runs comes before who is queued
        (["a", "a", "a"], "mqq", {0: (1,)}),
        (["ab", "a", "b"], "dmm", {}),
    ],
)
def test_who_waits_for_whom(keys, states, expected):
    assert waiting(sweep_of(*keys), states) == expected


def test_a_grid_knows_what_its_points_share_and_so_does_its_folder(tmp_path):
    shared = ["transfer.pretrain_seed=0", "transfer.leave_out=all", "compare=[]", f"output={tmp_path}"]
    sweep = plan(
        ["model=lstm,tcn,site_mean", "seed=0..1", "data.split.fold=0..1", *shared], "trial", lambda config: None
    )
    expected = {1: (0,), 2: (0,), 3: (0,), 5: (4,), 6: (4,), 7: (4,)}
    assert waiting(sweep) == expected
    write_manifest(sweep)
    assert waiting(load_sweep(sweep.folder)) == expected


# --- here -------------------------------------------------------------------------------------------------------------

TRAIN = """
import sys, time
from pathlib import Path
import yaml

run = Path(yaml.safe_load(sys.argv[1].partition("=")[2]))
seed = yaml.safe_load((run / "config.yaml").read_text())["seed"]
with (run.parent / "told.txt").open("a") as told:
    print("begin", seed, file=told, flush=True)
    deadline = time.monotonic() + 60
    while seed == 0 and "end 3" not in (run.parent / "told.txt").read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    print("end", seed, file=told, flush=True)
sys.exit("error: a mistake" if seed == 0 else 0)
"""


def test_followers_start_once_their_leader_has_ended_even_in_failure_and_hold_no_place_before(tmp_path):
    train = tmp_path / "train.py"
    train.write_text(TRAIN)
    sweep = plan(["seed=0..3", f"output={tmp_path}"], "trial", lambda config: None)
    write_manifest(sweep)
    said: list[str] = []
    run_local(sweep, range(4), {1: (0,), 2: (0, 7)}, 2, train, said.append)
    told = (sweep.folder / "told.txt").read_text().split("\n")[:-1]
    assert sorted(told[:3]) == ["begin 0", "begin 3", "end 3"] and told[3] == "end 0"
    assert sorted(told[4:]) == ["begin 1", "begin 2", "end 1", "end 2"]
    first, second = said[:2]  # of two that end almost at once either may be said first
    assert len(said) == 4 and "failed: 0000-seed0: a mistake" in (first + second)


# --- what Slurm is told -----------------------------------------------------------------------------------------------


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """What sbatch and scontrol, which are stood in for, were called with; a file ``refuse`` makes scontrol refuse."""
    calls = tmp_path / "calls.jsonl"
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sbatch", "scontrol"):
        path = programs / name
        path.write_text(
            f"#!{sys.executable}\nimport json, sys\nfrom pathlib import Path\n"
            f"open({str(calls)!r}, 'a').write(json.dumps([{name!r}, *sys.argv[1:]]) + '\\n')\n"
            f"if {name!r} == 'sbatch': print(len(open({str(calls)!r}).readlines()))\n"
            f"elif Path({str(tmp_path / 'refuse')!r}).exists(): sys.exit('slurm_update error: Access denied')\n"
        )
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    return lambda: [json.loads(line) for line in calls.read_text().splitlines()]


@pytest.fixture
def sweep(tmp_path):
    return sweep_of(*[""] * 6, folder=tmp_path)


def test_one_array_is_held_until_its_tasks_know_whom_they_wait_for(sweep, asked):
    assert submit(sweep, range(6), {1: (0,), 2: (0,), 4: (0, 3)}, ClusterConfig(at_once=2), SCRIPT) == "1"
    (sbatch, *said) = asked()
    assert "--hold" in sbatch and "--array=0-5%2" in sbatch
    assert said == [
        ["scontrol", "update", "JobId=1_[1-2]", "Dependency=afterany:1_0"],
        ["scontrol", "update", "JobId=1_[4]", "Dependency=afterany:1_0:1_3"],
        ["scontrol", "release", "1"],
    ]


def test_a_later_array_waits_for_the_tasks_of_an_earlier_one(sweep, asked):
    submit(sweep, [0], {}, ClusterConfig(), SCRIPT)
    submit(sweep, [1, 3], {1: (0,), 3: (5,)}, ClusterConfig(), SCRIPT)  # 5 runs outside Slurm
    first, second, *said = asked()
    assert "--hold" not in first and "--hold" in second
    assert said == [["scontrol", "update", "JobId=2_[1]", "Dependency=afterany:1_0"], ["scontrol", "release", "2"]]


def test_what_the_page_holds_stays_held(sweep, asked):
    submit(sweep, [0, 1], {1: (0,)}, ClusterConfig(flags=["--hold"]), SCRIPT)
    assert [call[1] for call in asked()[1:]] == ["update"]


def test_a_refusal_says_how_to_start_what_is_held(sweep, asked, tmp_path):
    (tmp_path / "refuse").touch()
    with pytest.raises(UserError, match=r"Access denied; Slurm job 1 is held: start it with scontrol release 1"):
        submit(sweep, [0, 1], {1: (0,)}, ClusterConfig(), SCRIPT)
    assert json.loads((sweep.folder / "jobs.json").read_text())["jobs"] == {"1": [0, 1]}
