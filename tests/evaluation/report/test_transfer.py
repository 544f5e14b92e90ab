"""What report and console say of a run that took something from a simulation: from the files of its folder alone."""

import io
import json
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from raciflux.atomic import write_text
from raciflux.errors import UserError
from raciflux.evaluation.console import print_evaluation
from raciflux.evaluation.evaluate import evaluate_run, score_run
from raciflux.evaluation.figures import curves
from raciflux.evaluation.figures.curves import draw_curves
from raciflux.evaluation.figures.drawing import BLUE, GREY, ORANGE
from raciflux.evaluation.report.transfer import transfer_section
from raciflux.evaluation.report.write import write_report
from raciflux.evaluation.run_folder import NOT_LEARNED, RunFolder
from rich.console import Console

from ..fabricated import fabricate_predictions, fabricate_run
from .test_report import Page

SECRET = "/home/somebody/pretrained/f00d"


def keep(folder: Path, name: str, **record) -> None:
    write_text(json.dumps(record), folder / name)


def fabricated(path: Path, *, hurts: bool, folds: tuple[str, ...] = ("fold0", "fold1")) -> Path:
    """A run whose folds were fine-tuned; where it hurts, in the second fold alone."""
    run = fabricate_run(path / "run", fabricate_predictions(sites=4, years=1), ())
    for number, fold in enumerate(folds):
        place, score = run / fold, 0.9 if hurts and number == len(folds) - 1 else 0.7
        keep(place, "against_scratch.json", technique="finetune", score=score, scratch=0.8, negative=score > 0.8)
        gaps = {"before": 1.5 + number / 10, "after": 0.5 + number / 10}
        measured = {when: {"a_distance": gap, "squared_discrepancy": gap / 10} for when, gap in gaps.items()}
        keep(place, "domain_gap.json", technique="finetune", windows={"towers": 1200, "simulation": 199}, **measured)
        tensors = {"fast.weight": "loaded", "fast.bias": "loaded", "head.weight": "frozen", "own.weight": "initialised"}
        keep(place, "transfer.json", checkpoint="best.ckpt", tensors=tensors)
        keep(place, "pretraining.json", id=f"ab{number}", cells=4321, taken_from=SECRET if number else None)
    return run


def shown(run: Path) -> tuple[str, str]:
    """The page and the console of a run."""
    (evaluation,) = score_run(run)
    write_report(evaluation.run, evaluation.baselines, [], evaluation.report)
    console = Console(file=io.StringIO(), width=300)
    print_evaluation(evaluation, console)
    return evaluation.report.read_text(), console.file.getvalue()


@pytest.mark.parametrize("hurts", [True, False])
def test_the_verdict_stands_in_page_and_console_and_warns_where_it_hurts(tmp_path: Path, hurts):
    page, console = shown(fabricated(tmp_path, hurts=hurts))
    text = " ".join(Page(page).text)
    verdict = f"RMSE / spread {0.8 if hurts else 0.7:.3f}, from scratch 0.800 (mean of 2 folds)"
    for said in (text, console):
        assert verdict in said and f"worse than scratch in {int(hurts)} of 2 folds" in said
    warned = [line for line in page.splitlines() if 'class="warning"' in line and "from scratch" in line]
    assert bool(warned) == hurts == ("negative transfer: the simulation hurts" in console)


def test_what_folds_did_not_learn_of_own_days_is_said_once(tmp_path: Path):
    run = fabricated(tmp_path, hurts=False)
    for fold in ("fold0", "fold1"):
        keep(run / fold, NOT_LEARNED, why="only 3 training <sites>")
    page, console = shown(run)
    assert console.count("only 3 training <sites>") == page.count("only 3 training &lt;sites&gt;") == 1


def test_one_fold_is_not_called_a_mean(tmp_path: Path):
    run = fabricated(tmp_path, hurts=True, folds=("",))
    _, console = shown(run)
    assert "0.900, from scratch 0.800; negative transfer" in console and "folds" not in console.split("domain gap")[0]
    (evaluation,) = score_run(run)
    section = transfer_section(evaluation.run)
    assert [line.cells for line in section.scores.lines] == [("0", "finetune", "negative transfer", "0.900", "0.800")]


def test_gap_and_what_was_taken_are_told_fold_by_fold(tmp_path: Path):
    run = fabricated(tmp_path, hurts=False)
    (evaluation,) = score_run(run)
    section = transfer_section(evaluation.run)
    assert [line.cells for line in section.gaps.lines] == [
        ("0", "1.50", "0.50", "0.150", "0.050", "1,200", "199"),
        ("1", "1.60", "0.60", "0.160", "0.060", "1,200", "199"),
    ]
    assert [line.cells for line in section.taken.lines] == [
        ("0", "ab0", "by this run", "4,321", "2", "1", "1"),
        ("1", "ab1", "before, by another run", "4,321", "2", "1", "1"),
    ]
    for table in (section.scores, section.gaps, section.taken):
        assert {len(line.cells) for line in table.lines} == {len(table.columns)}
    page, console = shown(run)
    text = " ".join(Page(page).text)
    for said in ("From the simulation", "Domain gap", "Ben-David", "Gretton", "1.60", "ab1", "What was taken"):
        assert said in text, said
    assert "1.55 before and 0.55 after" in console and SECRET not in page, "a page may be sent, paths may not"


def test_what_is_unknown_is_left_out(tmp_path: Path):
    run = fabricate_run(tmp_path / "run", fabricate_predictions(sites=4, years=1), ())
    page, console = shown(run)
    assert 'id="transfer"' not in page and "domain gap" not in console and "scratch" not in console
    measured = {"a_distance": None, "squared_discrepancy": 0.25}
    windows = {"towers": 3, "simulation": 9}
    keep(run, "domain_gap.json", technique="mixed", windows=windows, before=None, after=measured)
    (evaluation,) = score_run(run)
    section = transfer_section(evaluation.run)
    assert section.gaps.lines[0].cells == ("0", "–", "–", "–", "0.250", "3", "9")
    assert section.scores is None and section.taken is None
    page, console = shown(run)
    assert 'id="transfer"' in page and "What was taken" not in page and "domain gap" not in console
    keep(run / "emulator", "pretraining.json", id="e1", cells=12, taken_from=None)
    (evaluation,) = score_run(run)
    assert transfer_section(evaluation.run).taken.lines[0].cells == ("0", "e1", "by this run", "12", "–", "–", "–")


@pytest.mark.parametrize("name", ["against_scratch.json", "domain_gap.json", "transfer.json", "pretraining.json"])
def test_a_record_that_training_did_not_write_is_named(tmp_path: Path, name):
    run = fabricated(tmp_path, hurts=False)
    keep(run / "fold0", name, tensors=3, before=2)
    (evaluation,) = score_run(run)
    with pytest.raises(UserError, match=name):
        transfer_section(evaluation.run)


def test_folds_stand_in_their_order(tmp_path: Path):
    for fold in (10, 2, 0):
        keep(tmp_path / f"fold{fold}", "transfer.json", tensors={})
    assert list(RunFolder(tmp_path).records("transfer.json")) == ["fold0", "fold2", "fold10"]


def curve(folder: Path, *parts: str) -> None:
    write_text("step,train/loss,val/score\n1,0.9,\n2,0.8,0.7\n", folder.joinpath(*parts, "metrics.csv"))


def test_every_stage_has_its_curves_and_scratch_stands_beside_the_towers(tmp_path: Path, monkeypatch):
    for fold in ("fold0", "fold1"):
        for parts in (("logs", "towers"), ("logs", "joint"), ("emulator", "logs", "pretrain")):
            curve(tmp_path, fold, *parts)
        curve(tmp_path, fold, "scratch", "logs", "towers")
    found = RunFolder(tmp_path).learning_curves()
    assert {"fold0/towers", "fold0/joint", "fold0/emulator/pretrain", "fold1/scratch/towers"} <= set(found)
    assert len(found) == 8
    titles, lines, kept = [], [], Axes.plot
    monkeypatch.setattr(Axes, "set_title", lambda self, title: titles.append(title))
    monkeypatch.setattr(Axes, "plot", lambda self, *at, **how: (lines.append(how["color"]), kept(self, *at, **how))[1])
    monkeypatch.setattr(curves, "save", lambda figure, path: None)
    drawn = draw_curves(found, tmp_path / "learning_curves.png")
    assert titles == ["pretrain, 2 folds", "joint, 2 folds", "towers, 2 folds"]
    assert {colour: lines.count(colour) for colour in lines} == {GREY: 6, BLUE: 6, ORANGE: 4}
    assert "from scratch" in drawn.caption
    alone = {name: table for name, table in found.items() if "scratch" not in name}
    assert "from scratch" not in draw_curves(alone, tmp_path / "alone.png").caption


def test_the_curves_stand_in_the_report(tmp_path: Path):
    run = fabricated(tmp_path, hurts=False)
    curve(run, "fold0", "logs", "joint")
    (evaluation,) = evaluate_run(run)
    assert "learning_curves" in {figure.path.stem for figure in evaluation.figures}
    captions = [attrs["alt"] for tag, attrs in Page(evaluation.report.read_text()).tags if tag == "img"]
    assert any(caption.startswith("Learning curves") for caption in captions)
