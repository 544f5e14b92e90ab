import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from raciflux.atomic import write_text
from raciflux.evaluation.evaluate import evaluate_run

from .fabricated import fabricate_predictions, fabricate_run

EVIL = "<script>alert(1)</script>"
VOID = {"meta", "img", "br", "hr", "link", "input"}
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")


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


def report(path: Path, **asked) -> str:
    return evaluate_run(fabricate_run(path / "run", fabricate_predictions(**asked))).report.read_text()


def test_the_report_is_whole_and_needs_no_network(tmp_path: Path):
    text = report(tmp_path, sites=6)
    page = Page(text)
    assert text.startswith("<!DOCTYPE html>") and page.count("title") == 1 and page.count("img") == 6
    for tag, attrs in page.tags:
        for name in ("src", "href", "action", "data", "srcset"):
            assert (attrs.get(name) or "data:").startswith("data:"), (tag, attrs)
    assert not re.search(r"https?://|url\(|@import", text)
    assert all(attrs.get("alt") for tag, attrs in page.tags if tag == "img")
    assert page.count("script") == 1


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
    text = evaluate_run(run).report.read_text()
    page = Page(text)
    assert page.count("script") == 1 and EVIL not in text
    assert not any("onmouseover" in attrs for _, attrs in page.tags)
    assert EVIL in "".join(page.text)


PROBE = """<script>
const heads = [...document.querySelectorAll("#sites th button")];
const column = heads.findIndex(head => head.textContent.trim() === "RMSE");
const rows = () => [...document.querySelectorAll("#sites tbody tr")];
const read = () => rows().map(row => row.cells[column].dataset.value).join(" ");
heads[column].click(); const falling = read();
heads[column].click(); const rising = read();
const wide = document.documentElement.scrollWidth > window.innerWidth;
const drawn = [...document.images].every(image => image.complete && image.naturalWidth > 0);
document.body.innerHTML = `<p id="answer">${falling}|${rising}|${wide}|${drawn}</p>`;
</script></body>"""


def test_a_browser_sorts_the_table_and_a_phone_shows_the_page_whole(tmp_path: Path):
    if CHROMIUM is None:
        assert os.environ.get("RACIFLUX_REQUIRE_BROWSER") != "1", "no Chromium on this machine; apt install chromium"
        pytest.skip("no Chromium on this machine")
    text = report(tmp_path, sites=6)
    (tmp_path / "probed.html").write_text(text.replace("</body>", PROBE))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += ["--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'browser'}"]
    command = [CHROMIUM, *flags, "--window-size=500,900", "--dump-dom", (tmp_path / "probed.html").as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    falling, rising, wide, drawn = re.search(r'<p id="answer">(.*?)</p>', dom)[1].split("|")
    values = [float(value) for value in rising.split()]
    assert len(values) == 6 and values == sorted(values) and [float(value) for value in falling.split()] == values[::-1]
    assert (wide, drawn) == ("false", "true")
