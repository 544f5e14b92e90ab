"""Made-up towers for tests of splits."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from raciflux.config.schema import SplitConfig
from raciflux.datamodules.split_draws import draw, fold_count
from raciflux.datamodules.splits import Split
from raciflux.datamodules.towers import Towers

FIRST = np.datetime64("2001-01-01", "ns")
IN_SPACE = ["spatial", "leave_site_out", "stratified_igbp", "stratified_koppen"]


def names(sites: int) -> np.ndarray:
    return np.array([f"XX-S{i:03d}" for i in range(sites)])


def made_towers(cluster: Any, days: int = 3, **given: Any) -> Towers:
    """Towers of these clusters, every day labelled; ``given`` replaces what is made up."""
    cluster = np.asarray(cluster, np.int64)
    sites = len(cluster)
    made = {
        "site_id": names(sites),
        "cluster": cluster,
        "igbp": np.array(["ENF", "GRA", "unknown"])[np.arange(sites) % 3],
        "koppen": np.array(["C", "D"])[cluster % 2],
        "temperature": (7.0 * np.arange(sites)) % 31,
        "labelled": np.ones((sites, days), bool),
        "time": FIRST + np.arange(days) * np.timedelta64(1, "D"),
    }
    return Towers(**(made | given))


def years_of_towers(labelled_days: list[list[int]], cluster: Any = None) -> Towers:
    """Towers, each a cluster if none is given, with so many labelled days a year from 2001 on, from March on."""
    years = max(len(days) for days in labelled_days)
    time = np.arange(FIRST, np.datetime64(f"{2001 + years}-01-01", "ns"), np.timedelta64(1, "D"))
    labelled = np.zeros((len(labelled_days), len(time)), bool)
    for site, of_years in enumerate(labelled_days):
        for year, days in enumerate(of_years):
            begin = int(np.flatnonzero(time == np.datetime64(f"{2001 + year}-03-01", "ns"))[0])
            labelled[site, begin : begin + days] = True
    return made_towers(np.arange(len(labelled_days)) if cluster is None else cluster, labelled=labelled, time=time)


def all_folds(config: SplitConfig, towers: Towers) -> list[Split]:
    return [draw(config, fold, towers) for fold in range(fold_count(config, towers))]


@st.composite
def divisions(draw: Any) -> tuple[SplitConfig, Towers]:
    """Clusters of sites in any order and of any size, and folds that they can fill."""
    count = draw(st.integers(3, 9))
    extra = draw(st.lists(st.integers(0, count - 1), max_size=25))
    towers = made_towers(draw(st.permutations([*range(count), *extra])))
    kind = draw(st.sampled_from(IN_SPACE))
    return SplitConfig(kind=kind, folds=draw(st.integers(3, count)), seed=draw(st.integers(0, 99))), towers
