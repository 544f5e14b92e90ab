"""How each kind of split is drawn: in space by whole clusters of towers, in time by each tower's own years."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..config.schema import SplitConfig
from ..errors import UserError
from .cube import UNKNOWN
from .splits import Split
from .towers import Towers

TAIL_SHARE = 0.2  # share of the sites that a temperature tail tests
MINIMUM_YEARS = 4  # docs/architecture.md, rule 5
LABELLED_YEAR_DAYS = 30  # a year with fewer labelled days could neither stop a training nor be scored, and counts not


@dataclass(frozen=True)
class Kind:
    """A kind of split: how many folds it has, and how one of them is drawn."""

    folds: Callable[[SplitConfig, Towers], int]
    draw: Callable[[SplitConfig, int, Towers], Split]


# --- how many folds ---------------------------------------------------------------------------------------------------


def _one_a_cluster(config: SplitConfig, towers: Towers) -> int:
    clusters = len(np.unique(towers.cluster))
    if clusters < 3:
        raise UserError(
            f"data.split: {clusters} cluster(s) of sites cannot give training, validation and test; add sites"
        )
    return clusters


def _as_configured(config: SplitConfig, towers: Towers) -> int:
    clusters = _one_a_cluster(config, towers)
    if config.folds > clusters:
        raise UserError(
            f"data.split.folds={config.folds}, but the sites form {clusters} clusters of {config.cluster_km:g} km; "
            f"set data.split.folds to {clusters} or fewer"
        )
    return config.folds


def _single_in_space(config: SplitConfig, towers: Towers) -> int:
    return min(1, _one_a_cluster(config, towers))


def _single(config: SplitConfig, towers: Towers) -> int:
    return 1


# --- in space: clusters are never cut ---------------------------------------------------------------------------------


def spatial(config: SplitConfig, fold: int, towers: Towers) -> Split:
    """Deal clusters, in seeded order, to the fold that has the fewest sites."""
    return _dealt(config, fold, towers, _as_configured(config, towers))


def leave_site_out(config: SplitConfig, fold: int, towers: Towers) -> Split:
    """Test one cluster a fold, in seeded order."""
    return _dealt(config, fold, towers, _one_a_cluster(config, towers))


def stratified(of: Literal["igbp", "koppen"], config: SplitConfig, fold: int, towers: Towers) -> Split:
    """Deal clusters class by class, so that each fold has its share of each class.

    A cluster counts as what most of its sites are. Within a class the larger clusters go first, equals in seeded
    order, each to the fold that has the fewest sites of the class, and among those the fewest sites.

    Raises
    ------
    UserError
        If no site has a class.
    """
    classes = getattr(towers, of)
    if (classes == UNKNOWN).all():
        raise UserError(
            f"data.split.kind={config.kind}: no site has a class {of}; map it in the site table or take kind=spatial"
        )
    count = _as_configured(config, towers)
    codes, sizes = np.unique(towers.cluster, return_counts=True)
    class_of = np.array([_majority(classes[towers.cluster == code]) for code in codes])
    shuffled = np.random.default_rng(config.seed).permutation(len(codes))
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    fold_of = np.zeros(len(codes), np.int64)
    load = np.zeros(count, np.int64)
    for name in np.unique(class_of):
        of_class = np.zeros(count, np.int64)
        for i in order[class_of[order] == name]:
            fold_of[i] = np.lexsort((load, of_class))[0]
            of_class[fold_of[i]] += sizes[i]
            load[fold_of[i]] += sizes[i]
    return _hold_out(config, fold, towers, fold_of[np.searchsorted(codes, towers.cluster)] == fold)


def temperature_tail(config: SplitConfig, fold: int, towers: Towers) -> Split:
    """Test the warmest clusters, those that hold about a fifth of the sites; train on the colder ones, at least two.

    Raises
    ------
    UserError
        If a site has no air temperature.
    """
    unknown = ~np.isfinite(towers.temperature)
    if unknown.any():
        raise UserError(
            f"data.split.kind=temperature_tail: the site {str(towers.site_id[unknown][0])!r} has no air temperature; "
            "map TA or mat, or leave the site out with data.sites"
        )
    codes, row, sizes = np.unique(towers.cluster, return_inverse=True, return_counts=True)
    mean = np.bincount(row, towers.temperature) / sizes
    warmest = np.argsort(-mean, kind="stable")
    held = np.cumsum(sizes[warmest])
    tested = 1 + int(np.abs(held[:-2] - TAIL_SHARE * held[-1]).argmin())  # two are left, to train and to validate
    return _hold_out(config, fold, towers, np.isin(towers.cluster, codes[warmest[:tested]]))


def _dealt(config: SplitConfig, fold: int, towers: Towers, count: int) -> Split:
    codes, row, sizes = np.unique(towers.cluster, return_inverse=True, return_counts=True)
    load = np.zeros(count, np.int64)
    fold_of = np.zeros(len(codes), np.int64)
    for i in np.random.default_rng(config.seed).permutation(len(codes)):
        fold_of[i] = load.argmin()
        load[fold_of[i]] += sizes[i]
    return _hold_out(config, fold, towers, fold_of[row] == fold)


def _hold_out(config: SplitConfig, fold: int, towers: Towers, test: NDArray[np.bool_]) -> Split:
    """Draw validation clusters from what the test leaves, in seeded order, so that each fold has its own."""
    rest = np.unique(towers.cluster[~test])
    drawn = np.random.default_rng([config.seed, fold, 1]).permutation(rest)
    drawn = drawn[: max(1, round(config.validation_share * len(rest)))]
    validation = np.isin(towers.cluster, drawn)
    return Split.from_masks(fold, towers.site_id, train=~test & ~validation, validation=validation & ~test, test=test)


def _majority(classes: NDArray[np.str_]) -> str:
    names, counts = np.unique(classes, return_counts=True)
    return str(names[counts.argmax()])


# --- in time ----------------------------------------------------------------------------------------------------------


def temporal(config: SplitConfig, fold: int, towers: Towers) -> Split:
    """Test the last labelled years of each site, or all from a year on; validate on the year before, train on earlier.

    A labelled year is a calendar year with at least 30 labelled days; sites with fewer than four of them, or without
    two before ``test_from`` and one after, are in no part. From the day on which a cluster mate's test begins, a site
    shows no flux; where that leaves it no training day, it is tested and not trained on.

    Raises
    ------
    UserError
        If no site has four.
    """
    years = towers.time.astype("datetime64[Y]")
    periods: dict[str, tuple[str, str]] = {}
    for name, labelled in zip(towers.site_id.tolist(), towers.labelled, strict=True):
        own, days = np.unique(years[labelled], return_counts=True)
        own = own[days >= LABELLED_YEAR_DAYS]
        tested = max(1, round(config.test_share * len(own)))
        if config.test_from is not None:
            tested = int((own >= np.datetime64(str(config.test_from))).sum())
        if len(own) >= MINIMUM_YEARS and 0 < tested <= len(own) - 2:
            validation, test = own[[-tested - 1, -tested]].astype("datetime64[D]")
            periods[name] = (str(validation), str(test))
    if not periods:
        raise UserError(
            f"data.split.kind=temporal: no site has {MINIMUM_YEARS} years of {LABELLED_YEAR_DAYS} labelled days or "
            "more, two of them before data.split.test_from if that is given; take longer records or another kind"
        )
    sites = tuple(periods)
    return Split(fold, sites, sites, sites, periods, shown_until=_until_mates_are_tested(periods, towers))


def _until_mates_are_tested(periods: Mapping[str, tuple[str, str]], towers: Towers) -> dict[str, str]:
    """Return the first day on which a cluster mate is tested, for each site whose own test begins later."""
    cluster = dict(zip(towers.site_id.tolist(), towers.cluster.tolist(), strict=True))
    first_test: dict[int, str] = {}
    for name, (_, test) in periods.items():
        first_test[cluster[name]] = min(test, first_test.get(cluster[name], test))
    return {name: first_test[cluster[name]] for name, (_, test) in periods.items() if first_test[cluster[name]] < test}


DRAWS: dict[str, Kind] = {
    "spatial": Kind(_as_configured, spatial),
    "leave_site_out": Kind(_one_a_cluster, leave_site_out),
    "stratified_igbp": Kind(_as_configured, partial(stratified, "igbp")),
    "stratified_koppen": Kind(_as_configured, partial(stratified, "koppen")),
    "temperature_tail": Kind(_single_in_space, temperature_tail),
    "temporal": Kind(_single, temporal),
}
