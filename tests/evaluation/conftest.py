from pathlib import Path

import pytest

from .fabricated import fabricate_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A fabricated run folder with two baselines, the test's own to break."""
    return fabricate_run(tmp_path / "run")
