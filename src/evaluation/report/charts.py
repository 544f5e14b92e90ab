"""Charts of the report as numbers for its templates: marks at percentages of a width that stretches with the page."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

LOWEST_R2 = -1.0  # marks below are drawn at the edge: one bad model must not flatten the rest


@dataclass(frozen=True)
class Dot:
    """A dot with its whisker; ``kind`` is its class in ``report.css``. A dot without whisker has no bounds."""

    name: str
    value: float
    low: float | None
    high: float | None
    text: str
    kind: str = ""
    main: bool = False


@dataclass(frozen=True)
class DotChart:
    """Dots and whiskers on one axis, which reaches from its first mark to its last."""

    title: str
    axis: str
    dots: Sequence[Dot]
    marks: Sequence[float]

    @classmethod
    def around(
        cls, title: str, axis: str, dots: Sequence[Dot], *, zero: bool = False, floor: float = -math.inf
    ) -> "DotChart":
        """Choose an axis that holds dots and whiskers, and 0 if asked; what is below ``floor`` stands at its edge."""
        held = [value for dot in dots for value in (dot.value, dot.low, dot.high) if value is not None]
        held += [0.0] if zero else []
        low, high = max(min(held), floor), max(*held, floor)
        step = _step(high - low or 1.0)
        first = math.floor(low / step)
        last = max(math.ceil(high / step), first + 1)
        return cls(title, axis, dots, [step * i for i in range(first, last + 1)])

    @property
    def low(self) -> float:
        """Left end of the axis."""
        return self.marks[0]

    @property
    def high(self) -> float:
        """Right end of the axis."""
        return self.marks[-1]

    @property
    def ticks(self) -> list[tuple[str, str]]:
        """Place and text of each mark of the axis."""
        return [(self.at(mark), f"{mark:.6g}".replace("-", "−")) for mark in self.marks]

    @property
    def zero(self) -> str | None:
        """Place of 0, where the axis crosses it."""
        return self.at(0.0) if self.low < 0 < self.high else None

    def at(self, value: float) -> str:
        """Place of a value; beyond the axis it stands at its edge."""
        share = (value - self.low) / (self.high - self.low)
        return f"{100 * min(max(share, 0.0), 1.0):.2f}%"


@dataclass(frozen=True)
class Bar:
    """A bar of parts that lie one behind the other."""

    name: str
    parts: Sequence[float]
    text: str
    main: bool = False


@dataclass(frozen=True)
class BarChart:
    """Stacked bars from 0 on one axis; ``parts`` are the names of the parts."""

    parts: Sequence[str]
    bars: Sequence[Bar]

    def spans(self, bar: Bar) -> list[tuple[str, str]]:
        """Place and width of each part of a bar."""
        longest = max(sum(other.parts) for other in self.bars) or 1.0
        spans, start = [], 0.0
        for part in bar.parts:
            spans.append((f"{100 * start / longest:.2f}%", f"{100 * part / longest:.2f}%"))
            start += part
        return spans


def _step(span: float) -> float:
    """Step of an axis with three to six marks."""
    power = 10.0 ** math.floor(math.log10(span / 4))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if span / (factor * power) <= 5)
