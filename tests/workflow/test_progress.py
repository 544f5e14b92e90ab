"""What a run says while it trains."""

import pytest
from raciflux.workflow.progress import RunProgress


@pytest.mark.parametrize("name", ["runs/[bold]x", "runs/[/]", "[/red] y"])
def test_brackets_of_a_folder_or_a_site_are_said_as_they_are(name, capsys):
    progress = RunProgress(1, False)
    progress.say(f"tiny in {name}", "bold")
    progress.say(f"  observations: {name} has no elevation")
    assert capsys.readouterr().err == f"tiny in {name}\n  observations: {name} has no elevation\n"
