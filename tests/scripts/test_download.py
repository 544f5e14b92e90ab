"""Fetching X-MethaneWet: said first, verified, gone on with after a break."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from raciflux.errors import UserError
from xmethanewet_layout import write_all

from .conftest import SCRIPTS, load_script
from .hub import Hub, running

constants = pytest.importorskip("huggingface_hub.constants")
Download = Callable[..., str]


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    return write_all(tmp_path_factory.mktemp("hub"), 2003, 2003, rows=6)


@pytest.fixture
def hub(published):
    with running(published) as server:
        yield server


@pytest.fixture
def download(hub, tmp_path, monkeypatch, capsys) -> Download:
    """Run the script in this process against the stand-in, and return what it prints."""
    monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace("https://huggingface.co", hub.endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "home"))

    def run(*arguments: str) -> str:
        load_script("download").main([f"output={tmp_path / 'data'}", *arguments])
        return str(capsys.readouterr().out)

    return run


def test_a_plan_says_what_and_fetches_nothing(hub, download, tmp_path):
    said = download("years=2003", "plan=true")
    assert "18 files, 0 there and whole; to fetch:" in said and "CC-BY-4.0" in said
    assert hub.served == [] and not (tmp_path / "data" / "TEM-MDM").exists()


def test_every_file_comes_whole_and_only_once(hub, download, published, tmp_path):
    assert "all 18 files are there and verified" in download("years=2003")
    for path in published.rglob("*.*"):
        assert (tmp_path / "data" / path.relative_to(published)).read_bytes() == path.read_bytes()
    hub.served.clear()
    (tmp_path / "data" / "TEM-MDM" / "clelev.nc").write_bytes(b"spoilt")
    assert "17 there and whole" in download("years=2003")
    assert {name for name, _ in hub.served} == {"clelev.nc"}


def test_a_file_that_is_not_what_the_hub_says_is_removed(hub, download, tmp_path):
    hub.spoil = True
    with pytest.raises(UserError, match="is not what the hub says it is and was removed"):
        download("years=2003")
    assert not list((tmp_path / "data").rglob("*.csv"))


def run_alone(hub: Hub, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the script in a process of its own, as a user does."""
    environment = os.environ | {
        "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(folder / "home"), "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DOWNLOAD_TIMEOUT": "5", "HF_HUB_DISABLE_TELEMETRY": "1",
    }  # fmt: skip
    command = [sys.executable, str(SCRIPTS / "download.py"), f"output={folder / 'data'}", "years=2003"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_a_break_is_gone_on_with(published, tmp_path):
    large = tmp_path / "hub" / "TEM-MDM" / "clelev.nc"  # nothing of it is parsed
    shutil.copytree(published, tmp_path / "hub")
    large.write_bytes(bytes(range(256)) * 100_000)
    with running(tmp_path / "hub") as hub:
        hub.break_at = 15_000_000
        first = run_alone(hub, tmp_path)
        second = first if first.returncode == 0 else run_alone(hub, tmp_path)
        assert second.returncode == 0, second.stderr
        ranges = [asked for name, asked in hub.served if name == "clelev.nc"]
    assert len(ranges) == 2 and int(ranges[1].removeprefix("bytes=").rstrip("-")) > 0
    assert (tmp_path / "data" / "TEM-MDM" / "clelev.nc").read_bytes() == large.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["years=1979-1988"], "has no TEM-MDM/daily_ecmwf_TAIR_1979.nc; check the years"),
        (["years=1988-1979"], "years=1988-1979: give a year or a range"),
        (["year=1979"], "did you mean 'years'"),
    ],
)
def test_mistakes_are_said(download, arguments, said):
    with pytest.raises(UserError, match=said):
        download(*arguments)


def test_no_network_is_one_line(hub, tmp_path):
    nobody = Hub(hub.root)
    nobody.server_close()
    done = run_alone(nobody, tmp_path)
    assert done.returncode == 2 and "the hub cannot be asked" in done.stderr and done.stderr.count("\n") == 1
