"""The five folds of towers that X-MethaneWet published, and the same with clusters of towers kept whole.

Of the 30 towers, 12 have a mate within 50 km that stands in another fold, so that six of seven clusters are cut: a
model tested on one has trained on the other. The corrected folds move mates together. The paper validates on nothing;
both files draw validation towers, by cluster, from what a fold leaves.
"""

from pathlib import Path

import numpy as np
import polars as pl

from ..geography import tower_clusters
from .split_files import SplitFile
from .splits import Split

PUBLISHED = (
    ("BW-Gum", "FI-Sii", "RU-Ch2", "US-Ivo", "US-Srr", "US-Bes"),
    ("CA-SCB", "FI-Lom", "US-WPT", "US-BZF", "US-LA2", "US-BZB"),
    ("DE-Zrk", "RU-Che", "US-MRM", "US-LA1", "US-Los", "US-NC4"),
    ("JP-BBY", "FR-LGt", "US-ICs", "US-Atq", "US-Myb", "US-OWC"),
    ("DE-SfN", "DE-Hte", "US-ORv", "US-DPW", "FI-Si2", "US-Beo"),
)
KM = 50.0
VALIDATION_SHARE = 0.2
SITES = "fluxnet_ch4_sites/sites.csv"  # where the towers of FLUXNET-CH4 are
NAMES = {"published": "xmethanewet_published_v1", "whole": "xmethanewet_spatial_v1"}


def make(name: str, root: Path) -> SplitFile:
    """Make one of the two divisions.

    Parameters
    ----------
    name : a value of ``NAMES``.
    root : folder of the data, with the site table of FLUXNET-CH4.
    """
    towers = [site for fold in PUBLISHED for site in fold]
    cluster = _clusters(towers, root)
    fold_of = {site: number for number, fold in enumerate(PUBLISHED) for site in fold}
    if name == NAMES["whole"]:
        fold_of = _moved_together(fold_of, cluster)
        kept_whole, words = KM, "clusters of towers (50 km) moved into one of their folds"
    else:
        cluster = {site: number for number, site in enumerate(towers)}
        kept_whole, words = 0.0, "as published; it cuts six clusters of towers, see docs/splits.md"
    folds = tuple(_fold(number, fold_of, cluster) for number in range(len(PUBLISHED)))
    return SplitFile(name, (f"X-MethaneWet, five folds of towers: {words}",), kept_whole, folds)


def _clusters(towers: list[str], root: Path) -> dict[str, int]:
    """Return the cluster of each tower, computed on all sites of the network."""
    table = pl.read_csv(root / SITES, columns=["site_id", "lat", "lon"])
    code = tower_clusters(table["lat"].to_numpy(), table["lon"].to_numpy(), KM)
    known = {str(site).upper(): int(number) for site, number in zip(table["site_id"], code, strict=True)}
    return {site: known[site.upper()] for site in towers}


def _moved_together(fold_of: dict[str, int], cluster: dict[str, int]) -> dict[str, int]:
    """Move each cluster to that fold of its towers' which has the fewest so far, uncut clusters first."""
    folds = {code: sorted({fold_of[site] for site in fold_of if cluster[site] == code}) for code in cluster.values()}
    load = [0] * len(PUBLISHED)
    chosen: dict[int, int] = {}
    for code, among in sorted(folds.items(), key=lambda item: (len(item[1]), item[0])):
        chosen[code] = min(among, key=lambda fold: (load[fold], fold))
        load[chosen[code]] += list(cluster.values()).count(code)
    return {site: chosen[cluster[site]] for site in fold_of}


def _fold(number: int, fold_of: dict[str, int], cluster: dict[str, int]) -> Split:
    rest = sorted({cluster[site] for site, fold in fold_of.items() if fold != number})
    drawn = np.random.default_rng([0, number, 1]).permutation(rest)[: round(VALIDATION_SHARE * len(rest))].tolist()
    parts: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    for site in sorted(fold_of):
        held = "validation" if cluster[site] in drawn else "train"
        parts["test" if fold_of[site] == number else held].append(site)
    return Split(number, tuple(parts["train"]), tuple(parts["validation"]), tuple(parts["test"]))
