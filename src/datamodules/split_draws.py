"""From ``data.split`` to a split: drawn or read from a file, thinned to a share of labels, and checked."""

from dataclasses import replace

import numpy as np

from ..config.schema import SplitConfig
from ..config.split_names import find_split_file
from ..errors import UserError
from .split_check import check_split
from .split_files import read_split_file, restrict
from .split_kinds import DRAWS
from .splits import Split, beside
from .towers import Towers

FEWEST_LABELLED = 4  # training sites that keep their labels however small the share


def fold_count(config: SplitConfig, towers: Towers) -> int:
    """Return how many folds there are: in the file, or of the kind.

    Raises
    ------
    UserError
        The file cannot be used, or the sites do not form enough clusters.
    """
    if config.file is not None:
        return len(read_split_file(find_split_file(config.file)).folds)
    return DRAWS[config.kind].folds(config, towers)


def draw(config: SplitConfig, fold: int, towers: Towers) -> Split:
    """Return one fold of a split; its faults are refused by `check_split`, wherever it comes from.

    Parameters
    ----------
    towers : sites with a labelled day. Sites that a file does not name are in no part.

    Raises
    ------
    UserError
        The fold does not exist, cannot be drawn from these sites, or leaks.
    """
    count = fold_count(config, towers)
    if fold >= count:
        raise UserError(f"data.split.fold={fold}, but there are folds 0 to {count - 1}")
    if config.file is None:
        split, where = DRAWS[config.kind].draw(config, fold, towers), "data.split"
    else:
        path = find_split_file(config.file)
        split, where = restrict(read_split_file(path).folds[fold], towers.site_id), str(path)
    if config.cluster_km > 0:
        split = without_border(split, towers)
    split = show_share(config, split)
    check_split(split, towers, where)
    return split


def without_border(split: Split, towers: Towers) -> Split:
    """Leave out the training and validation cells that touch what is held out; towers and splits in time stay whole."""
    if towers.cells is None or split.periods:
        return split
    tested, validated = (split.members(part, towers.site_id) for part in ("test", "validation"))
    touches_test = set(towers.site_id[beside(*towers.cells, tested)].tolist())
    touches_any = set(towers.site_id[beside(*towers.cells, tested | validated)].tolist())
    return replace(
        split,
        train=tuple(name for name in split.train if name not in touches_any),
        validation=tuple(name for name in split.validation if name not in touches_test),
    )


def show_share(config: SplitConfig, split: Split) -> Split:
    """Let only ``label_share`` of the training and validation sites keep their fluxes, and at least four and one.

    Sites keep them in one seeded order, so that a smaller share is part of a larger one. In time, training and
    validation sites are the same, and are drawn once.

    Raises
    ------
    UserError
        The split comes from a file that hides labels itself.
    """
    if config.label_share == 1.0:
        return split
    if split.unlabelled:
        raise UserError(
            f"data.split.label_share={config.label_share:g}, but {config.file} says itself which sites keep their "
            "labels; drop one of the two"
        )
    known: set[str] = set()
    only_validation = tuple(name for name in split.validation if name not in split.train)
    for key, sites, fewest in ((3, split.train, FEWEST_LABELLED), (4, only_validation, 1)):
        order = np.random.default_rng([config.seed, split.fold, key]).permutation(len(sites))
        known |= {sites[i] for i in order[: max(fewest, round(config.label_share * len(sites)))]}
    return replace(split, unlabelled=tuple(n for n in (*split.train, *only_validation) if n not in known))
