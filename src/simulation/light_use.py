"""A light-use-efficiency model of gross primary production that runs on the daily weather of any tower.

What a canopy gains is the light it absorbs times an efficiency (Monteith 1972, doi:10.2307/2401901), which cold nights
and dry air lower (MOD17; Running et al. 2004, doi:10.1641/0006-3568(2004)054[0547:ACSMOG]2.0.CO;2)::

    GPP = efficiency * PAR * fAPAR * ramp(TA_MIN; cold, mild) * ramp(VPD; dry, moist)

All parameters are published ones by land cover and none is fitted here: no flux is looked at. Like `carbon`, these are
pure functions of (site, day); a day whose drivers are missing (NaN) gives a missing flux.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from .carbon import PhenologyParameters, absorbed_share, canopy
from .series import Series, column, ramp

_PHOTONS_A_JOULE = 4.57  # umol of photons per J of photosynthetically active radiation under the sun (McCree 1972)
_SECONDS_A_DAY = 86_400.0


@dataclass(frozen=True)
class Biome:
    """Parameters of a land cover.

    The first five are the Biome Property Look-Up Table of MOD17 (Running and Zhao 2015, User's Guide: Daily GPP and
    Annual NPP Products, Version 3.0); leaf area is that of WaterGAP (Mueller Schmied et al. 2021,
    doi:10.5194/gmd-14-1037-2021, after Scurlock et al. 2001).
    """

    efficiency: float  # gC per MJ of absorbed light, at best
    cold: float  # degC of daily minimum temperature: no photosynthesis below
    mild: float  # degC: no limit above
    moist: float  # hPa of vapour pressure deficit: no limit below
    dry: float  # hPa: no photosynthesis above
    lai_max: float  # m2 m-2, seasonal maximum of leaf area


# By IGBP class. MOD17's open and closed shrublands, savannas and woody savannas are those of IGBP.
BIOMES: dict[str, Biome] = {
    "ENF": Biome(0.962, -8.0, 8.31, 6.5, 46.0, 4.02),
    "EBF": Biome(1.268, -8.0, 9.09, 8.0, 31.0, 4.78),
    "DNF": Biome(1.086, -8.0, 10.44, 6.5, 23.0, 4.63),
    "DBF": Biome(1.165, -6.0, 9.94, 6.5, 16.5, 4.49),
    "MF": Biome(1.051, -7.0, 9.50, 6.5, 24.0, 4.34),
    "CSH": Biome(1.281, -8.0, 8.61, 6.5, 47.0, 2.08),
    "OSH": Biome(0.841, -8.0, 8.80, 6.5, 48.0, 1.88),
    "WSA": Biome(1.239, -8.0, 11.39, 6.5, 32.0, 2.08),
    "SAV": Biome(1.206, -8.0, 11.39, 6.5, 31.0, 1.71),
    "GRA": Biome(0.860, -8.0, 12.02, 6.5, 53.0, 1.71),
    "CRO": Biome(1.044, -8.0, 12.02, 6.5, 43.0, 3.62),
}
# Of a class that the tables have no row for (wetlands, snow, ``unknown``): the median of each parameter.
UNLISTED = Biome(*np.median([astuple(biome) for biome in BIOMES.values()], axis=0).tolist())


def light_of_photons(ppfd: Series) -> Series:
    """Photosynthetically active radiation, MJ m-2 d-1, of its photons (umol m-2 s-1, mean of the day)."""
    return np.maximum(ppfd, 0.0) / _PHOTONS_A_JOULE * _SECONDS_A_DAY * 1e-6


def absorbing(ta_min: Series, vpd: Series, hours: Series, igbp: Sequence[str]) -> Series:
    """Share of the light that is absorbed, fAPAR (site, day), where nobody measured it.

    Leaf area follows cold, dry air and short days (`carbon.canopy`; Jolly et al. 2005), that of evergreens as well: one
    rule for all classes, since none is fitted.

    Parameters
    ----------
    ta_min, vpd, hours : daily minimum temperature (degC), vapour pressure deficit (hPa) and day length, (site, day).
    igbp : class of each site.
    """
    return absorbed_share(canopy(ta_min, vpd, hours, _of_sites(igbp)["lai_max"], PhenologyParameters()))


def light_use_gpp(light: Series, fapar: Series, ta_min: Series, vpd: Series, igbp: Sequence[str]) -> Series:
    """Gross primary production, gC m-2 d-1 (site, day); never negative, NaN where a driver is.

    MOD17 reads the vapour pressure deficit of daylight; a daily mean, which tables give, is lower and limits less.

    Parameters
    ----------
    light : photosynthetically active radiation, MJ m-2 d-1, (site, day). fapar : share absorbed, 0 to 1.
    ta_min : daily minimum temperature, degC. vpd : daily mean vapour pressure deficit, hPa.
    igbp : class of each site; one without a row in `BIOMES` takes `UNLISTED`.
    """
    p = _of_sites(igbp)
    cold, dry = ramp(ta_min, p["cold"], p["mild"]), ramp(vpd, p["dry"], p["moist"])
    return column(p["efficiency"]) * light * fapar * cold * dry


def _of_sites(igbp: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Return each parameter (site,)."""
    rows = [BIOMES.get(name, UNLISTED) for name in igbp]
    return {field.name: np.array([getattr(row, field.name) for row in rows]) for field in fields(Biome)}
