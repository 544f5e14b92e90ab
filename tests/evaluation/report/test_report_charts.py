import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raciflux.evaluation.report.charts import Bar, BarChart, Dot, DotChart

numbers = st.floats(-1e6, 1e6).filter(lambda value: value == 0 or abs(value) > 1e-6)


@given(st.lists(numbers, min_size=1, max_size=6), st.booleans())
def test_an_axis_holds_its_marks_and_a_handful_of_ticks(values, zero):
    chart = DotChart.around("", "", [Dot(str(value), value, None, None, "") for value in values], zero=zero)
    span = chart.high - chart.low
    assert chart.low <= min(values) + 1e-9 * span and max(values) - 1e-9 * span <= chart.high
    assert not zero or chart.low <= 0 <= chart.high
    places = [float(at.rstrip("%")) for at, _ in chart.ticks]
    assert places[0] == 0 and places[-1] == pytest.approx(100) and places == sorted(places)
    assert 2 <= len(places) <= 8


def test_what_lies_below_the_floor_stands_at_the_edge():
    chart = DotChart.around("", "", [Dot("bad", -40.0, -60.0, -1.5, ""), Dot("good", 0.5, 0.2, 0.7, "")], floor=-1.0)
    assert chart.low == -1.0 and chart.at(-40.0) == "0.00%" and chart.at(chart.high) == "100.00%"
    assert chart.zero is not None and math.isclose(float(chart.zero.rstrip("%")), 100 / (1 + chart.high), abs_tol=0.01)
    nothing_above = DotChart.around("", "", [Dot("bad", -40.0, None, None, "")], floor=-1.0)
    assert nothing_above.low < nothing_above.high


def test_parts_lie_one_behind_the_other_and_the_longest_bar_fills_the_width():
    long, short = Bar("long", (1.0, 2.0, 5.0), ""), Bar("short", (2.0, 0.0, 0.0), "")
    chart = BarChart(("a", "b", "c"), (long, short))
    assert chart.spans(long) == [("0.00%", "12.50%"), ("12.50%", "25.00%"), ("37.50%", "62.50%")]
    assert chart.spans(short)[0] == ("0.00%", "25.00%")
