"""What a product's tables hold, declared in one YAML page: `docs/add_a_source.md` walks through one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import UserError, did_you_mean
from ...variables import CLASSES, DRIVERS, STATICS, TARGETS
from ...yaml_strict import load_yaml
from .declared import build, find_page
from .units import to_canonical

SHIPPED = Path(__file__).resolve().parents[3] / "configs" / "columns"
CALENDARS = ("standard", "noleap")
STAMPS = ("start", "end")
HOURS = ("%H", "%I", "%k", "%l")  # what tells the hour in a format of dates,
TIMES = ("%T", "%R", "%c")  # hour and minute at once,
ZONES = ("%z", "%:z", "%#z", "%Z", "%+", "%s")  # or the time of another zone


@dataclass(frozen=True)
class DateColumns:
    """Where the date stands: one column, in ``format`` if it is text or a number, or a year and a day of the year."""

    column: str | None = None
    format: str | None = None
    year: str | None = None
    day_of_year: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that are read."""
        return tuple(name for name in (self.column, self.year, self.day_of_year) if name is not None)


@dataclass(frozen=True)
class Replicate:
    """A column whose values make several cube sites of one place: member 7 of US-EDN becomes US-EDN-m07."""

    column: str
    tag: str


@dataclass(frozen=True)
class Ports:
    """Chambers that are one site together; rows may be measurements. A day needs ``least`` of them."""

    column: str
    least: float = 1.0


@dataclass(frozen=True)
class StepsOfDay:
    """Several rows a day, ``per_day`` of a whole one; it needs ``least`` known. A stamp is of a step's start or end."""

    per_day: float
    least: float
    stamp: str = "start"


@dataclass(frozen=True)
class DailyVariable:
    """A driver or target: one column, or a sum of signed ones, in a unit."""

    unit: str
    column: str | None = None
    sum: tuple[str, ...] = ()
    negate: bool = False
    unit_at: Mapping[str, str] = field(default_factory=dict)
    qc: str | None = None
    measured: str | None = None

    @property
    def terms(self) -> tuple[tuple[float, str], ...]:
        """The sign and the column of each term."""
        overall = -1.0 if self.negate else 1.0
        terms = (self.column,) if self.column is not None else self.sum
        return tuple((-overall if term.startswith("-") else overall, term.lstrip("+-").strip()) for term in terms)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that are read."""
        companions = tuple(name for name in (self.qc, self.measured) if name is not None)
        return tuple(column for _, column in self.terms) + companions


@dataclass(frozen=True)
class StaticVariable:
    """A number of the site table."""

    column: str
    unit: str


@dataclass(frozen=True)
class ClassVariable:
    """A class of the site table, or of the daily table where it is fixed for each cube site.

    ``first_letter`` keeps the first letter only (Koeppen's main group); ``values`` then renames.
    """

    column: str
    daily: bool = False
    first_letter: bool = False
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SiteTable:
    """Columns of the site table; ``site`` holds the same ids as the daily table."""

    site: str
    lat: str
    lon: str
    statics: Mapping[str, StaticVariable] = field(default_factory=dict)
    classes: Mapping[str, ClassVariable] = field(default_factory=dict)


@dataclass(frozen=True)
class ColumnMap:
    """A whole column map."""

    product: str
    licence: str
    citation: str
    site: str
    date: DateColumns
    variables: Mapping[str, DailyVariable]
    site_table: SiteTable
    version: str = ""
    calendar: str = "standard"
    missing: tuple[str | float, ...] = ()
    replicate: Replicate | None = None
    ports: Ports | None = None
    steps: StepsOfDay | None = None

    @property
    def daily_columns(self) -> tuple[str, ...]:
        """Numeric columns of the daily table, each once."""
        return tuple(dict.fromkeys(column for variable in self.variables.values() for column in variable.columns))

    @property
    def missing_numbers(self) -> tuple[float, ...]:
        """Missing codes that are numbers."""
        return tuple(float(code) for code in self.missing if not isinstance(code, str))

    @property
    def missing_texts(self) -> tuple[str, ...]:
        """Missing codes that are text; an empty cell always is one."""
        return ("", *(code for code in self.missing if isinstance(code, str)))


def load_column_map(name: str) -> ColumnMap:
    """Read a column map by its name in ``configs/columns`` or by its path.

    Raises
    ------
    UserError
        No such map; or a key, variable or unit in it is unknown, missing, given twice or of the wrong type.
    """
    path = find_column_map(name)
    declared = build(ColumnMap, load_yaml(path), str(path))
    _check(declared, str(path))
    return declared


def find_column_map(name: str) -> Path:
    """Return the file of a column map."""
    return find_page(name, SHIPPED, "column map")


def _check(declared: ColumnMap, where: str) -> None:
    """Refuse what types alone cannot: names of the house, units, and contradictions."""
    if declared.calendar not in CALENDARS:
        raise UserError(f"{where}: calendar {declared.calendar!r}; {did_you_mean(declared.calendar, CALENDARS)}")
    if (declared.date.column is None) == (declared.date.year is None and declared.date.day_of_year is None) or (
        (declared.date.year is None) != (declared.date.day_of_year is None)
    ):
        raise UserError(f"{where}: date needs either 'column' or both 'year' and 'day_of_year'")
    if declared.replicate and declared.ports:
        raise UserError(f"{where}: 'replicate' makes each port a site and 'ports' all of them one; keep one of the two")
    if declared.steps and (declared.ports or declared.date.column is None):
        other = "ports" if declared.ports else "year and day_of_year"
        raise UserError(f"{where}: 'steps' does not go with {other}; it needs a column of times")
    if declared.steps and declared.steps.stamp not in STAMPS:
        raise UserError(f"{where}: steps.stamp {declared.steps.stamp!r}; {did_you_mean(declared.steps.stamp, STAMPS)}")
    if declared.steps and declared.date.format is not None:
        _check_time(declared.date.format, where)
    for key, least in (
        ("ports", declared.ports.least if declared.ports else 1.0),
        ("steps", declared.steps.least if declared.steps else 1.0),
    ):
        if least < 1 or least % 1:
            raise UserError(f"{where}: {key}.least is {least:g}; give a whole number from 1")
    if declared.steps and (declared.steps.per_day < declared.steps.least or declared.steps.per_day % 1):
        raise UserError(f"{where}: steps.per_day is {declared.steps.per_day:g}; give a whole number, 48 of half-hours")
    _check_names(declared.variables, {**DRIVERS, **TARGETS}, f"{where}: variables")
    _check_names(declared.site_table.statics, STATICS, f"{where}: site_table.statics")
    _check_names(declared.site_table.classes, CLASSES, f"{where}: site_table.classes")
    if not declared.variables:
        raise UserError(f"{where}: variables: declares none; name at least one driver or flux")
    for name, variable in declared.variables.items():
        to_canonical(name, variable.unit, f"{where}: variables.{name}")
        if (variable.column is None) == (not variable.sum):
            raise UserError(f"{where}: variables.{name} needs either 'column' or 'sum'")
        _check_terms(variable, f"{where}: variables.{name}.sum")
        if name not in TARGETS and (variable.qc or variable.measured):
            raise UserError(f"{where}: variables.{name} is a driver; only fluxes take 'qc' and 'measured'")
        if declared.ports and (variable.qc or variable.measured):
            raise UserError(
                f"{where}: variables.{name}: chambers are measured or missing; leave out 'qc' and 'measured'"
            )
        for site, unit in variable.unit_at.items():
            to_canonical(name, unit, f"{where}: variables.{name}.unit_at.{site}")
    for name, static in declared.site_table.statics.items():
        to_canonical(name, static.unit, f"{where}: site_table.statics.{name}")


def _check_time(form: str, where: str) -> None:
    """Refuse a format of steps that tells no hour and minute, or a zone."""
    if not any(whole in form for whole in TIMES) and not (any(hour in form for hour in HOURS) and "%M" in form):
        raise UserError(f"{where}: date.format {form!r} has no hours and minutes; 'steps' needs them, such as '%H:%M'")
    if any(zone in form for zone in ZONES):
        raise UserError(f"{where}: date.format {form!r} has a time zone; days are of local standard time: take it away")


def _check_terms(variable: DailyVariable, where: str) -> None:
    """Refuse a sum that names no column in a term, or one column twice."""
    named = [column for _, column in variable.terms]
    for column in named:
        if not column:
            raise UserError(f"{where}: a term names no column; write each as 'column' or '-column'")
        if named.count(column) > 1:
            raise UserError(f"{where}: the column {column!r} stands twice; name each column once")


def _check_names(given: Mapping[str, object], known: Mapping[str, object], where: str) -> None:
    for name in given:
        if name not in known:
            raise UserError(f"{where}: {name!r} is no variable here; {did_you_mean(name, known)}")
