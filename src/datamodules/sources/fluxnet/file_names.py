"""What the name of a file of a FLUXNET-standard product says of it.

Networks name their files alike:

* FLUXNET2015, and ICOS releases in its format: ``FLX_FI-Hyy_FLUXNET2015_FULLSET_DD_1996-2014_1-4.csv``
* FLUXNET-CH4: ``FLX_US-Myb_FLUXNET-CH4_HH_2010-2018_1-1.csv``
* AmeriFlux: ``AMF_US-Ha1_FLUXNET_SUBSET_HH_1991-2020_3-5.csv``,
  ``AMF_AR-TF1_FLUXNET_FLUXMET_DD_2016-2018_v1.3_r1.csv``,
  ``AMF_US-Myb_BASE_HH_12-5.csv``
* ICOS: ``ICOSETC_SE-Svb_FLUXNET_DD_INTERIM_L2.csv``
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

BASE = "BASE"  # AmeriFlux BASE: as measured, not filled, columns with positions
DAILY, HALF_HOURLY, HOURLY = "DD", "HH", "HR"

_DATA = re.compile(
    r"(?P<network>[A-Z0-9]+)_(?P<site>[A-Z]{2}-[A-Za-z0-9]{3})_(?P<product>FLUXNET2015|FLUXNET-CH4|FLUXNET|BASE)"
    r"(?:_(?P<subset>FULLSET|SUBSET|FLUXMET))?_(?P<resolution>HH|HR|DD)"
    r"(?:_(?P<first>\d{4})-(?P<last>\d{4}))?(?:_(?P<version>[A-Za-z0-9._-]+?))?\.csv",
)
_FACTS = re.compile(r"[A-Za-z0-9._-]*(?:_BIF|_BADM)(?:_[A-Za-z0-9._-]*)?\.(?:csv|xlsx)")


@dataclass(frozen=True)
class FileName:
    """One table of one site.

    Attributes
    ----------
    product : ``FLUXNET2015``, ``FLUXNET-CH4``, ``FLUXNET`` or ``BASE``.
    subset : ``FULLSET``, ``SUBSET``, ``FLUXMET``, or nothing.
    resolution : ``DD``, ``HH`` or ``HR``.
    years : first and last year; zeros where the name does not tell.
    version : as the name gives it.
    """

    site: str
    network: str
    product: str
    subset: str
    resolution: str
    years: tuple[int, int]
    version: str

    @property
    def release(self) -> tuple[str, str, tuple[int, int], str]:
        """What files of one release of one site have in common, whatever their subset and resolution."""
        return self.network, self.product, self.years, self.version

    @property
    def rank(self) -> tuple[int, int, int, tuple[int, ...]]:
        """Order of releases of a site, the best last: by the end, the length, final or beta, and the version."""
        first, last = self.years
        final = 0 if re.search("beta|INTERIM", self.version) else 1
        return last, last - first, final, tuple(int(number) for number in re.findall(r"\d+", self.version))


def parse(name: str) -> FileName | None:
    """Read the name of a data table; None if it is of another kind (weeks, months, reanalysis, uncertainty tables)."""
    found = _DATA.fullmatch(PurePosixPath(name).name)
    if found is None:
        return None
    years = (int(found["first"] or 0), int(found["last"] or 0))
    return FileName(
        found["site"], found["network"], found["product"], found["subset"] or "", found["resolution"], years,
        found["version"] or "",
    )  # fmt: skip


def holds_site_facts(name: str) -> bool:
    """Whether a file is a table of site facts (BADM interchange format)."""
    return _FACTS.fullmatch(PurePosixPath(name).name) is not None
