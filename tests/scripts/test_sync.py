"""Offline W&B runs are sent by W&B's own client to a server on loopback: once, under their ids, and again in vain."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from raciflux.config.models import SiteMeanConfig
from raciflux.config.schema import Config, DataConfig, LoggerConfig
from raciflux.config.sources import EmbeddedSource
from raciflux.config.transfer import TransferConfig
from raciflux.errors import UserError
from raciflux.workflow.folder import locked
from raciflux.workflow.tracking import StageCurves, tracked_training

from .conftest import load_script
from .wandb_server import FakeWandb, fake_wandb

KEY = "0123456789abcdef0123456789abcdef01234567"
CONFIG = Config(
    experiment="tiny",
    data=DataConfig(pair="terrestrial_gpp", source=EmbeddedSource()),
    model=SiteMeanConfig(),
    transfer=TransferConfig(name="scratch"),
    logger=LoggerConfig(wandb="offline"),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder in whose ``wandb/`` lie two sessions of one run: three steps, and three more after a resume."""
    run = tmp_path_factory.mktemp("output") / "tiny" / "20260101-site_mean"
    (run / "fold2").mkdir(parents=True)
    for first in (0, 3):
        with tracked_training(CONFIG, run / "fold2", 2) as tracked:
            assert tracked.run is not None
            curves = StageCurves(tracked.run, "towers", ["GPP"], 5)
            for step in range(first, first + 3):
                curves.log_metrics({"val/score": 1 / (1 + step)}, step=step)
    return run


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "runs" / "tiny" / trained.name, symlinks=True))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeWandb]:
    """A server, its address, a key for it, and a home where nothing else is."""
    with fake_wandb() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        yield server


def sync(*folders: Path) -> None:
    load_script("sync").main([str(folder) for folder in folders])


def sessions(run: Path) -> list[Path]:
    return sorted(run.glob("wandb/offline-run-*"))


def steps(server: FakeWandb, run: Path) -> list[tuple[int, int]]:
    """Every row that was sent, by W&B's step and the stage's."""
    (told,) = server.runs.values()
    assert list(server.runs) == [(run / "fold2" / "wandb_id.txt").read_text().strip()]
    return [(row["_step"], row["towers/step"]) for row in told.history]


def test_sent_once_gone_on_with_and_never_twice(run, server, capsys, tmp_path):
    later = shutil.move(sessions(run)[1], tmp_path / sessions(run)[1].name)
    sync(run)
    assert steps(server, run) == [(0, 0), (1, 1), (2, 2)]
    shutil.move(later, run / "wandb")
    capsys.readouterr()
    sync(tmp_path / "runs")  # a folder of folders of runs
    assert steps(server, run) == [(step, step) for step in range(6)]
    (name,) = server.runs
    assert capsys.readouterr().out.splitlines() == [f"{run}  {name}  sent", "1 sent"]
    asked = len(server.asked)
    sync(run, run.parent)
    assert capsys.readouterr().out.splitlines() == [f"{run}  {name}  up to date", "1 up to date"]
    assert len(server.asked) == asked
    # Killed before it was marked: the rows that go up again bear the steps that they had, which W&B has already.
    next(sessions(run)[1].glob("*.synced")).unlink()
    sync(run)
    sent = steps(server, run)
    assert sent[:6] == [(step, step) for step in range(6)] and set(sent[6:]) == {(3, 3), (4, 4), (5, 5)}
    told = b"".join(server.bodies).decode(errors="replace")
    assert KEY not in told and str(tmp_path) not in told


def test_what_is_refused_is_said_and_sent_at_the_next_call_in_order(run, server, capsys):
    server.refuses = 400
    with pytest.raises(UserError, match="1 of 1 runs were refused; give the command again"):
        sync(run)
    (told,) = server.runs.values()
    assert "refused: " in capsys.readouterr().out and told.history == []
    assert not list(run.rglob("*.synced"))  # W&B's own client takes it for sent
    assert len(list(run.rglob("*.syncstate"))) == 1  # the second session was not tried
    server.refuses = 0
    sync(run)
    assert steps(server, run) == [(step, step) for step in range(6)]


def test_a_run_that_is_being_written_waits_for_the_next_call(run, server, capsys):
    with locked(run), pytest.raises(UserError, match="refused"):
        sync(run)
    assert "refused: " in capsys.readouterr().out and not server.runs


def test_a_run_whose_id_was_deleted_is_not_sent_under_the_old_one(run, server, capsys):
    (run / "fold2" / "wandb_id.txt").unlink()
    with pytest.raises(UserError, match="refused"):
        sync(run)
    assert "keeps no such id" in capsys.readouterr().out and not server.runs


def test_a_copy_beside_its_original_is_named(run, server):
    copy = shutil.copytree(run, run.with_name("copy"), symlinks=True)
    with pytest.raises(UserError, match=f"{copy}|{run}: holds W&B run .* delete the wandb folder of one"):
        sync(run.parent)
    assert not server.runs


def test_without_a_key_or_a_server_one_line_says_what_to_do(run, server, monkeypatch):
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"127\.0\.0\.1:9 does not answer .*send from a machine that reaches it"):
        sync(run)
    monkeypatch.delenv("WANDB_API_KEY")
    with pytest.raises(UserError, match="no W&B key is here; call `wandb login`"):
        sync(run)


def test_folders_without_offline_runs_need_no_key(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    sync(tmp_path)
    assert capsys.readouterr().out == "no offline runs there\n"
    with pytest.raises(UserError, match="none: no such folder"):
        sync(tmp_path / "none")
