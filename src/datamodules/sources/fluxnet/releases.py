"""Which of the files that lie about are read: of each site one release, of it one table.

Rule: the release whose record ends latest, then the longest, then a final one before a beta, then the highest version;
half-hours (they tell what was measured, and the extremes of a day) before days; FULLSET before FLUXMET before SUBSET.
What is left out is reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ....errors import UserError
from .archives import Member
from .file_names import DAILY, FileName, parse

SUBSETS = ("SUBSET", "", "FLUXMET", "FULLSET")  # the last is preferred
STEPS = ("auto", "half_hours", "days")


@dataclass(frozen=True)
class Chosen:
    """The table that is read of a site."""

    name: FileName
    member: Member


def choose(members: Sequence[Member], product: str, steps: str, where: str) -> tuple[list[Chosen], list[str]]:
    """Choose one table a site, in the order of site names; and notes on what was left out.

    Parameters
    ----------
    product : only files of this product; empty takes all.
    steps : ``auto`` prefers half-hours, ``half_hours`` and ``days`` take nothing else.

    Raises
    ------
    UserError
        If no file is left.
    """
    of_site: dict[str, list[Chosen]] = {}
    for member in members:
        name = parse(member.name)
        if name is not None and product in ("", name.product) and steps in ("auto", _kind(name)):
            of_site.setdefault(name.site, []).append(Chosen(name, member))
    if not of_site:
        wanted = f" of {product}" if product else ""
        raise UserError(
            f"{where}: no table{wanted} of {steps.replace('auto', 'half_hours or days')} by its name, such as "
            "FLX_FI-Hyy_FLUXNET2015_FULLSET_DD_1996-2014_1-4.csv; keep the names that the network gave"
        )
    chosen, notes = [], []
    for site in sorted(of_site):
        tables = sorted(of_site[site], key=_order)
        best = tables[-1]
        chosen.append(best)
        left = [one for one in tables if one.name.release != best.name.release]
        if left:
            names = ", ".join(sorted(one.member.name for one in left))
            notes.append(f"{site}: {best.member.where} is read; older or shorter: {names}")
    return chosen, notes


def _kind(name: FileName) -> str:
    return "days" if name.resolution == DAILY else "half_hours"


def _order(table: Chosen) -> tuple[tuple[int, int, int, tuple[int, ...]], bool, int, str]:
    return table.name.rank, table.name.resolution != DAILY, SUBSETS.index(table.name.subset), table.member.where
