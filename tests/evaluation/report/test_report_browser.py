"""What only a browser can say of the report: does it sort, zoom and redraw, fit a phone, and keep to itself."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from raciflux.evaluation.evaluate import evaluate_run
from raciflux.evaluation.run_folder import RunFolder

from ..browser import Tab, browser
from ..fabricated import fabricate_predictions, fabricate_run, with_distance

EVIL = "</script><script>document.title = 'broken'</script><img src=x onerror=\"document.title = 'broken'\">"
RANGE = "document.querySelector('#series-range').textContent"
WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
CELLS = """[...document.querySelectorAll('.neighbours tbody tr')].map(
    row => [...row.cells].map(cell => cell.textContent))"""
PICTURE = "document.querySelector('canvas').toDataURL()"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    predictions = with_distance(fabricate_predictions(sites=12, years=3))
    predictions["site_id"] = ("site", [EVIL, *(f"XX-S{i:02d}" for i in range(1, 12))])
    predictions["igbp"] = ("site", np.array([EVIL, *["GRA", "CRO", "WET"] * 4])[:12])
    predictions.attrs |= {"interval_level": 0.9, "interval_method": "made up"}
    for name, sign in (("lower", -1), ("upper", 1)):
        predictions[name] = predictions["prediction"] + sign
    return evaluate_run(fabricate_run(tmp_path_factory.mktemp("report") / "run", predictions))[0].report


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser(tmp_path_factory.mktemp("browser")) as tab:
        yield tab


@pytest.fixture
def page(tab: Tab, report: Path) -> Iterator[Tab]:
    """The report on a desktop; it must have said nothing and asked for nothing by the end of each test."""
    tab.open(report)
    tab.until(RANGE)
    yield tab
    assert tab.complaints() == [] and tab.requests() == [report.as_uri()]
    assert tab.run("document.title") != "broken"


def days(text: str) -> int:
    first, last = text.split(" to ")
    return int((np.datetime64(last) - np.datetime64(first)).astype(int))


def test_a_heading_sorts_its_column(page: Tab):
    column = "[...document.querySelectorAll('.sites th')].findIndex(head => head.textContent.trim() === 'RMSE')"
    read = f"[...document.querySelectorAll('.sites tbody tr')].map(row => row.cells[{column}].textContent)"
    page.run(f"document.querySelectorAll('.sites th button')[{column}].click()")
    falling = [float(text) for text in page.run(read)]
    page.run(f"document.querySelectorAll('.sites th button')[{column}].click()")
    rising = [float(text) for text in page.run(read)]
    assert len(rising) == 12 and rising == sorted(rising) and falling == rising[::-1]


def test_a_minus_sign_is_a_number_and_what_is_missing_stays_at_the_end(page: Tab):
    page.run("""document.querySelector('.sites tbody').innerHTML = ['0.5', '–', '−2.5', '1,200', '−0.1'].map(text =>
        `<tr>${'<td></td>'.repeat(6)}<td>${text}</td></tr>`).join('')""")
    read = "[...document.querySelectorAll('.sites tbody tr')].map(row => row.cells[6].textContent)"
    page.run("document.querySelectorAll('.sites th button')[6].click()")
    assert page.run(read) == ["1,200", "0.5", "−0.1", "−2.5", "–"]
    page.run("document.querySelectorAll('.sites th button')[6].click()")
    assert page.run(read) == ["−2.5", "−0.1", "0.5", "1,200", "–"]


def test_dragging_zooms_and_a_double_click_shows_all_again(page: Tab):
    whole = page.run(RANGE)
    left, top, width, height = page.box("canvas")
    page.drag((left + 0.4 * width, top + height / 2), (left + 0.6 * width, top + height / 2))
    part = page.run(RANGE)
    assert 0.15 < days(part) / days(whole) < 0.26 and whole[:10] < part[:10] and part[-10:] < whole[-10:]
    page.run("document.querySelector('canvas').dispatchEvent(new MouseEvent('dblclick'))")
    assert page.run(RANGE) == whole


def test_the_wheel_and_the_keys_zoom_only_where_the_plot_has_the_focus(page: Tab):
    whole = page.run(RANGE)
    left, top, width, height = page.box("canvas")
    place = (left + width / 2, top + height / 2)
    page.wheel(place, -100)
    assert page.run(RANGE) == whole, "the page scrolls on"
    page.run("document.querySelector('canvas').focus({preventScroll: true})")
    left, top, width, height = page.box("canvas")
    page.wheel((left + width / 2, top + height / 2), -100)
    page.until(f"{RANGE} !== {json.dumps(whole)}")
    wheeled = page.run(RANGE)
    page.key("+")
    zoomed = page.run(RANGE)
    assert days(zoomed) < days(wheeled) < days(whole)
    page.key("ArrowRight")
    moved = page.run(RANGE)
    assert days(moved) == pytest.approx(days(zoomed), abs=1) and moved[:10] > zoomed[:10]
    page.key("Home")
    assert page.run(RANGE) == whole


def test_choosing_a_site_redraws(page: Tab):
    before, fact = page.run(PICTURE), page.run("document.querySelector('#site-fact').textContent")
    page.run("""document.querySelector('#series-panel [data-site]').click()""")  # the best site
    page.until(f"document.querySelector('#site-fact').textContent !== {json.dumps(fact)}")
    best = page.run(PICTURE)
    assert best != before
    place = "(b => [b.x + b.width / 2, b.y + b.height / 2])"
    page.box(".map svg")
    other = page.run(f"{place}(document.querySelector('.site:not(.chosen)').getBoundingClientRect())")
    page.drag(tuple(other), tuple(other))
    page.until(f"{PICTURE} !== {json.dumps(best)}")
    assert page.run("document.querySelector('.site.chosen').dataset.site") == page.run(
        "document.querySelector('#series-panel select').value"
    )


def test_a_baseline_is_drawn_once_it_is_ticked(page: Tab):
    before = page.run(PICTURE)
    page.click("[data-baseline]")
    assert page.run(PICTURE) != before
    page.click("[data-baseline]")
    assert page.run(PICTURE) == before


def test_what_is_unpacked_is_what_was_predicted(page: Tab, report: Path):
    predictions = RunFolder(report.parent).predictions()
    place = int(np.flatnonzero(predictions["site_id"].to_numpy() == "XX-S07")[0])
    page.run("""{ const select = document.querySelector('#series-panel select');
        select.value = [...select.options].find(option => option.text === 'XX-S07').value;
        select.dispatchEvent(new Event('change')); }""")
    page.until("document.querySelector('#site-fact').textContent.includes('cluster 3')")
    for _ in range(4):  # a day is then several pixels wide
        page.click("#series-panel [data-do=in]")
    left, top, width, _ = page.box("canvas")
    page.drag((left + width / 2, top + 50), (left + width / 2, top + 50))
    said = page.run("document.querySelector('#series-day').textContent")
    day = np.datetime64(said[:10])
    expected = predictions["prediction"].sel(time=day).to_numpy()[place]
    shown = float(said.split("predicted ")[1].split(" ")[0].replace("−", "-"))
    assert shown == pytest.approx(float(expected), rel=0.01, abs=0.01)
    assert "interval" in said


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_the_page_whole(tab: Tab, report: Path, dark: bool):
    tab.open(report, "phone", dark=dark)
    tab.until(RANGE)
    assert tab.run("innerWidth") == 375 and not tab.run(WIDE)
    assert tab.run("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert tab.complaints() == []
    light = tab.run("getComputedStyle(document.body).backgroundColor")
    assert (light == "rgb(255, 255, 255)") is not dark


def test_the_report_lets_no_other_script_run(tab: Tab, report: Path):
    tab.open(report)
    tab.run("""document.body.append(Object.assign(document.createElement('script'),
        {textContent: "document.title = 'broken'"}))""")
    assert tab.run("document.title") != "broken"
    assert "Content Security Policy" in tab.complaints().pop()


def chosen(page: Tab, name: str) -> None:
    page.run(f"""{{ const select = document.querySelector('#series-panel select');
        select.value = [...select.options].find(option => option.text === {json.dumps(name)}).value;
        select.dispatchEvent(new Event('change')); }}""")
    page.until(f"document.querySelector('#why-site').textContent === {json.dumps(name)}")


def test_another_site_shows_its_own_neighbours_and_season(page: Tab, report: Path):
    pictures = []
    for name in ("XX-S07", "XX-S04"):
        chosen(page, name)
        rows = page.run(CELLS)
        table = RunFolder(report.parent).neighbours().filter(site_id=name)
        expected = table.select("neighbour_id", "role", "kind").rows()
        assert sorted(tuple(row[:3]) for row in rows) == sorted(expected)
        weights = [float(row[3]) for row in rows]
        assert weights == sorted(weights, reverse=True)
        assert weights == pytest.approx(sorted(table["weight"].to_list(), reverse=True), abs=5e-4)
        assert page.run("document.querySelectorAll('#why-map .neighbour').length") == table.height
        assert page.run("document.querySelectorAll('#why-map .here').length") == 1
        pictures.append([page.run(f"document.querySelector('#why-{part}').innerHTML") for part in ("map", "season")])
    assert all(one != other for one, other in zip(*pictures, strict=True))
    drawn = "document.querySelectorAll('#why-season .season.{}').length"
    assert [page.run(drawn.format(kind)) for kind in ("predicted", "role-0", "role-1")] == [1, 1, 1]
    assert page.run("document.querySelectorAll('#why-season .mean.observed').length") == 12


def test_neighbours_lie_within_their_map(page: Tab):
    for name in ("XX-S02", "XX-S09"):
        chosen(page, name)
        assert page.run("""(frame => [...document.querySelectorAll('#why-map .dot')].every(dot => {
            const box = dot.getBoundingClientRect();
            const across = box.left >= frame.left && box.right <= frame.right;
            return across && box.top >= frame.top && box.bottom <= frame.bottom;
        }))(document.querySelector('#why-map').getBoundingClientRect())""")


def test_bars_say_what_moved_the_chosen_period(page: Tab, report: Path):
    table = RunFolder(report.parent).context()
    read = "[...document.querySelectorAll('#why-bars .name, #why-bars .number')].map(span => span.textContent)"
    for name in ("XX-S07", "XX-S04"):
        chosen(page, name)
        said = page.run(read)
        assert said[::2] == ["months", "years", "statics"]
        own = table.filter(site_id=name, level="years", month=3)
        size, shift = said[3].replace("−", "-").replace(")", "").split(" (")
        assert float(size) == pytest.approx(own["size"].item(), rel=0.01)
        assert float(shift) == pytest.approx(own["shift"].item(), rel=0.01)
    page.run("""{ const period = document.querySelector('#why-panel select');
        period.value = '6'; period.dispatchEvent(new Event('change')); }""")
    assert page.run(read) == said, "every month of these bars is the same"


def test_the_map_can_be_coloured_by_distance(page: Tab):
    shown = """[...document.querySelectorAll('.site path.face')].filter(
        path => getComputedStyle(path).display !== 'none').map(path => path.classList[1])"""
    assert set(page.run(shown)) == {"by-r2"}
    page.run("""{ const colour = document.querySelector('#map-colour');
        colour.value = 'far'; colour.dispatchEvent(new Event('change')); }""")
    assert set(page.run(shown)) == {"by-far"}
    assert page.run("[...document.querySelectorAll('.site-map .key')].map(key => getComputedStyle(key).display)") == [
        "none",
        "flex",
        "flex",
    ]
