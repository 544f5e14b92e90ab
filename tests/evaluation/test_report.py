import re
from html.parser import HTMLParser
from pathlib import Path

from raciflux.atomic import write_text
from raciflux.evaluation.evaluate import evaluate_run, score_run
from raciflux.evaluation.report import write_report

from .fabricated import fabricate_predictions, fabricate_run

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


def report(path: Path, **asked) -> str:
    return written(fabricate_run(path / "run", fabricate_predictions(**asked)))


def test_the_report_is_whole_and_needs_no_network(tmp_path: Path):
    text = evaluate_run(fabricate_run(tmp_path / "run", fabricate_predictions(sites=6)))[0].report.read_text()
    page = Page(text)
    assert (
        text.startswith("<!DOCTYPE html>")
        and text.partition("<body>")[0].count("<title>") == 1
        and page.count("img") == 3
    )
    for tag, attrs in page.tags:
        for name in ("src", "href", "action", "data", "srcset"):
            assert (attrs.get(name) or "data:").startswith(("data:", "#")), (tag, attrs)
    assert not re.search(r"https?://|url\(|@import", text)
    assert all(attrs.get("alt") for tag, attrs in page.tags if tag == "img")
    assert page.count("script") == 2


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


def test_published_data_make_no_claim_of_measurement(tmp_path: Path):
    text = " ".join(Page(report(tmp_path, sites=3, target="FCH4", units="nmol m-2 s-1", quality="published")).text)
    assert "as published, gap-filled" in text and "partitioned" not in text
    assert "QC ≥" not in text


def test_names_from_data_are_shown_not_run(tmp_path: Path):
    predictions = fabricate_predictions(sites=3, odd_sites=(EVIL,))
    predictions["site_id"] = ("site", [EVIL, "XX-S01", "XX-S02"])
    predictions["igbp"] = ("site", [f'" onmouseover="{EVIL}', "GRA", "GRA"])
    predictions.attrs |= {"experiment": EVIL, "pair": EVIL, "units": EVIL}
    run = fabricate_run(tmp_path / "run", predictions)
    write_text(f"experiment: {EVIL}\n</pre>", run / "config.yaml")
    write_text(EVIL, run / "command.txt")
    text = written(run)
    page = Page(text)
    assert page.count("script") == 2 and EVIL not in text
    assert not any("onmouseover" in attrs for _, attrs in page.tags)
    assert EVIL in "".join(page.text)
