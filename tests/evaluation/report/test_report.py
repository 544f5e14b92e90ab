import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from raciflux.atomic import write_text
from raciflux.evaluation.evaluate import evaluate_run, score_run
from raciflux.evaluation.headline import NONE, error_decimals, show
from raciflux.evaluation.report.calibration import calibration_section
from raciflux.evaluation.report.index import write_index
from raciflux.evaluation.report.trust import trust_section
from raciflux.evaluation.report.write import write_report
from raciflux.evaluation.run_folder import RunFolder, write_predictions
from raciflux.evaluation.scored import ScoredRun

from ..fabricated import fabricate_predictions, fabricate_run, with_distance, with_uncertainty

EVIL = "<script>alert(1)</script>"
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """Collects tags and texts, and refuses a page whose tags do not close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(text)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        self.text.append(data)

    def count(self, tag):
        return sum(found == tag for found, _ in self.tags)


def written(run: Path) -> str:
    """The report without its figures, which take the time."""
    evaluation = score_run(run)[0]
    write_report(evaluation.run, evaluation.baselines, [], evaluation.report)
    return evaluation.report.read_text()


def cell(table, line, column):
    """One cell of a table."""
    return table.lines[line].cells[[shown.name for shown in table.columns].index(column)]


def report(path: Path, **asked) -> str:
    return written(fabricate_run(path / "run", fabricate_predictions(**asked)))


def test_the_report_is_whole_and_needs_no_network(tmp_path: Path):
    text = evaluate_run(fabricate_run(tmp_path / "run", fabricate_predictions(sites=6)))[0].report.read_text()
    page = Page(text)
    assert (
        text.startswith("<!DOCTYPE html>")
        and text.partition("<body>")[0].count("<title>") == 1
        and page.count("img") == 2
    )
    for tag, attrs in page.tags:
        for name in ("src", "href", "action", "data", "srcset"):
            assert (attrs.get(name) or "data:").startswith(("data:", "#")), (tag, attrs)
    assert not re.search(r"https?://|url\(|@import", text)
    assert all(attrs.get("alt") for tag, attrs in page.tags if tag == "img")
    assert page.count("script") == 3


def test_it_says_what_the_numbers_are(tmp_path: Path):
    text = " ".join(Page(report(tmp_path, sites=6, odd_sites=("XX-S02",))).text)
    for said in (
        "fabricated",
        "unseen sites",
        "GPP is a partitioned product",
        "at least half was measured",
        "measured or well filled",
        "without the odd sites",
        "XX-S02",
        "noise ceiling",
        "hidden: 64",
        "python scripts/train.py",
        "2.13.0",
    ):
        assert said in text, said


@pytest.mark.parametrize(
    ("quality", "words"),
    [("published", "as published, gap-filled"), ("simulated", "the output of a process model, on every day")],
)
def test_other_data_make_no_claim_of_measurement(tmp_path: Path, quality, words):
    text = " ".join(Page(report(tmp_path, sites=3, target="FCH4", units="nmol m-2 s-1", quality=quality)).text)
    assert words in text and "partitioned" not in text
    assert "QC ≥" not in text


def test_uncertainty_has_a_section_only_where_it_is_given(tmp_path: Path):
    assert 'id="calibration"' not in report(tmp_path / "without", sites=4)
    run = fabricate_run(tmp_path / "with" / "run", with_uncertainty(fabricate_predictions(sites=24)))
    text = " ".join(Page(written(run)).text)
    for said in ("Reliability of quantiles", "Coverage of sites", "normal, made up", "CRPS", "90% interval, normal"):
        assert said in text, said
    (evaluation,) = score_run(run)
    section = calibration_section(evaluation.run, evaluation.baselines)
    models, classes = section.models, section.classes
    block = evaluation.run.summary["scores"]["measured"]["intervals"]
    decimals = error_decimals(evaluation.run)
    assert cell(models, 0, "width at matched coverage") == show(block["bounds"]["matched"]["width"], decimals)
    place = next(i for i, line in enumerate(classes.lines) if line.cells[1] == "ENF")
    assert cell(classes, place, "mean CRPS") == show(block["quantiles"]["by"]["igbp"]["ENF"]["crps"], decimals)
    assert {len(line.cells) for table in (models, classes) for line in table.lines} == {
        len(models.columns),
        len(classes.columns),
    }
    no_bounds = with_uncertainty(fabricate_predictions(sites=4)).drop_vars(["lower", "upper"])
    (evaluation,) = score_run(fabricate_run(tmp_path / "quantiles" / "run", no_bounds))
    section = calibration_section(evaluation.run, evaluation.baselines)
    assert cell(section.models, 0, "width at matched coverage") == cell(section.classes, 0, "coverage") == NONE
    assert cell(section.classes, 0, "mean CRPS") != NONE
    only_bounds = with_uncertainty(fabricate_predictions(sites=4)).drop_vars(["prediction_quantile", "quantile"])
    text = " ".join(Page(written(fabricate_run(tmp_path / "bounds" / "run", only_bounds))).text)
    assert "Coverage of sites" in text and "Reliability" not in text


def test_where_the_error_is(tmp_path: Path):
    page = Page(report(tmp_path, sites=24))
    text = " ".join(page.text)
    for said in (
        "site level",
        "inter-annual",
        "IGBP land cover",
        "latitude band",
        "Differences, measured",
        "R² of every",
    ):
        assert said in text, said
    assert {"comparison", "error", "classes", "map", "series"} <= {attrs.get("id") for _, attrs in page.tags}
    assert sum(attrs.get("class") == "site" for _, attrs in page.tags) == 24


def test_new_years_and_models_that_look_ahead_are_said_to_be_such(tmp_path: Path):
    predictions = fabricate_predictions(sites=4).assign_attrs(question="new_years", causal=0)
    text = written(fabricate_run(tmp_path / "run", predictions, ("itransformer",)))
    said = " ".join(Page(text).text)
    assert "in new years at known sites" in said and "unseen" not in said
    for model in ("raci", "itransformer"):
        shown = [cell for cell in re.findall(r"<td[^>]*>([^<]*)</td>", text) if cell.startswith(model)]
        assert shown and all("(not causal)" in cell for cell in shown), model


def test_a_model_tested_elsewhere_is_named_and_not_compared(run: Path):
    path = run / "baselines" / "ct_lstm" / "predictions.zarr"
    predictions = RunFolder(path.parent).predictions()
    predictions["measured"][2, :100] = False
    write_predictions(predictions, path)
    text = written(run)
    assert "ct_lstm is not compared" in " ".join(Page(text).text)
    assert 'data-baseline="0"' in text and 'data-baseline="1"' not in text


def test_a_run_that_predicted_nothing_and_one_with_only_its_own_seeds_beside_it_have_a_report(run: Path):
    own = RunFolder(run).predictions()
    write_predictions(own.assign_attrs(model="raci", seed=1), run / "baselines" / "ct_lstm" / "predictions.zarr")
    write_predictions(own.assign_attrs(model="raci", seed=2), run / "baselines" / "site_mean" / "predictions.zarr")
    for folder in (run / "baselines").iterdir():
        write_text((run / "config.yaml").read_text(), folder / "config.yaml")
    assert "no comparison: nothing to compare" in " ".join(Page(written(run)).text)
    for folder in (run, *(run / "baselines").iterdir()):
        write_predictions(own.assign(prediction=own["prediction"] * np.nan), folder / "predictions.zarr")
    assert "have no prediction" in " ".join(Page(written(run)).text)


def test_several_targets_share_an_index(tmp_path: Path):
    scored = []
    for target in ("GPP", "NEE"):
        folder = tmp_path / "run" / "targets" / target
        write_predictions(fabricate_predictions(sites=3, target=target), folder / "predictions.zarr")
        scored.append(ScoredRun.of(RunFolder(tmp_path / "run", target)))
    write_index(scored, tmp_path / "run" / "report.html")
    page = Page((tmp_path / "run" / "report.html").read_text())
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    assert links == ["targets/GPP/report.html", "targets/NEE/report.html"]
    assert "GPP (partitioned)" in page.text and "NEE" in page.text and page.count("script") == 0


def test_names_from_data_are_shown_not_run(tmp_path: Path):
    predictions = fabricate_predictions(sites=3, odd_sites=(EVIL,))
    predictions["site_id"] = ("site", [EVIL, "XX-S01", "XX-S02"])
    predictions["igbp"] = ("site", [f'" onmouseover="{EVIL}', r"$\frac", "GRA"])  # half a formula, to matplotlib
    predictions.attrs |= {"experiment": EVIL, "pair": EVIL, "units": EVIL, "model": EVIL}
    run = fabricate_run(tmp_path / "run", predictions)
    write_text(f"experiment: {EVIL}\n</pre>", run / "config.yaml")
    write_text(EVIL, run / "command.txt")
    text = written(run)
    page = Page(text)
    assert page.count("script") == 3 and EVIL not in text
    assert not any("onmouseover" in attrs for _, attrs in page.tags)
    assert EVIL in "".join(page.text)


def test_trust_has_a_section_where_there_is_a_bank(tmp_path: Path):
    assert 'id="trust"' not in report(tmp_path / "without", sites=4)
    run = fabricate_run(tmp_path / "with" / "run", with_distance(fabricate_predictions(sites=24)))
    text = written(run)
    page, (evaluation,) = Page(text), score_run(run)
    block = evaluation.run.summary["scores"]["measured"]["trust"]
    table = trust_section(evaluation.run).table
    assert [line.cells[0] for line in table.lines] == ["slow role", "fast role", "the larger of both"]
    for place, role in enumerate(("slow", "fast", "farthest")):
        found = block["rank_correlation"][role]
        assert cell(table, place, "rank correlation") == show(found["value"])
        bounds = found["interval"]
        assert cell(table, place, "95 % interval") == f"{show(bounds['low'])} to {show(bounds['high'])}"
        assert cell(table, place, "gain of dropping 20 %") == show(block["gain"][role]["value"])
    said = " ".join(page.text)
    assert f"{block['outside']['sites']} sites outside, mean nRMSE {show(block['outside']['mean_nrmse'], 2)}" in said
    rings = [attrs for _, attrs in page.tags if attrs.get("class") == "site outside"]
    assert len(rings) == block["outside"]["sites"] > 0
    assert sum(attrs.get("class") == "face by-far" for _, attrs in page.tags) == 24


def test_too_few_sites_are_dashes(tmp_path: Path):
    run = fabricate_run(tmp_path / "run", with_distance(fabricate_predictions(sites=6)))
    (evaluation,) = score_run(run)
    assert set(trust_section(evaluation.run).table.lines[0].cells[1:5]) == {NONE}
