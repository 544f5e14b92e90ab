"""Who calibrates: the training clusters of a split in parts, each tested by a model that trains on the others.

The outer split's validation clusters stop every one of these trainings, as they stop the model itself; its test
clusters take part in nothing (docs/architecture.md, rule 3).
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..config.schema import Config
from ..datamodules.splits import Split, beside
from ..datamodules.towers import Towers
from ..errors import UserError
from ..evaluation.conformal import refuse_few_sites

Cells = tuple[NDArray[np.float64], NDArray[np.float64]] | None


def inner_splits(config: Config, split: Split, described: Towers) -> list[Split]:
    """Divide the training sites of a split as the configuration asks, see `calibration_parts`."""
    blocks = described.cells if config.data.split.cluster_km > 0 else None
    return calibration_parts(
        split, described.site_id, described.cluster, config.calibration.parts, config.data.split.seed, blocks
    )


def calibration_parts(
    split: Split, site_id: NDArray[np.str_], cluster: NDArray[np.int64], parts: int, seed: int, blocks: Cells = None
) -> list[Split]:
    """Divide the training clusters of a split into parts, each the test of one inner split.

    Only sites whose fluxes are shown are dealt: whole clusters, the larger first, equals in seeded order, each to the
    part that has the fewest sites. An inner split trains on the other parts; sites without labels keep their place
    there, unless a cluster mate is tested. The fold number stays that of ``split``. Cells that touch a tested block are
    trained on by nobody.

    Parameters
    ----------
    site_id, cluster : (site,) all sites of the cube, in one order.
    blocks : lat, lon (site,) where clusters are blocks of a grid's cells.

    Raises
    ------
    UserError
        If the split is one in time, has fewer labelled training clusters than parts, or all cells touch a tested block.
    """
    if split.periods:
        raise UserError(
            "calibration.kind=cross_conformal needs a split over sites, and this one is in time; "
            "take calibration.kind=none or another data.split"
        )
    train = split.members("train", site_id)
    labelled = train & ~np.isin(site_id, split.unlabelled)
    codes, sizes = np.unique(cluster[labelled], return_counts=True)
    if len(codes) < parts:
        raise UserError(
            f"calibration.parts={parts}, but the labelled training sites of fold {split.fold} form {len(codes)} "
            f"clusters; set calibration.parts to {len(codes)} or fewer, or add sites"
        )
    drawn = np.random.default_rng([seed, split.fold, 5]).permutation(len(codes))
    part_of, load = np.zeros(len(codes), np.int64), np.zeros(parts, np.int64)
    for i in drawn[np.argsort(-sizes[drawn], kind="stable")]:
        part_of[i] = load.argmin()
        load[part_of[i]] += sizes[i]
    inner = []
    for part in range(parts):
        tested = np.isin(cluster, codes[part_of == part])
        near = tested if blocks is None else beside(*blocks, labelled & tested) | tested
        if not (train & ~near).any():
            raise UserError(
                f"calibration.parts={parts}, but all training cells of fold {split.fold} touch the blocks of one part; "
                "set calibration.parts higher, or take a larger grid"
            )
        made = Split.from_masks(split.fold, site_id, train=train & ~near, test=labelled & tested)
        left = {*made.train, *split.validation}
        unlabelled = tuple(name for name in split.unlabelled if name in left)
        made = replace(made, validation=split.validation, unlabelled=unlabelled)
        check_part(made, split, site_id, cluster, blocks)
        inner.append(made)
    return inner


def check_calibration(config: Config, split: Split, described: Towers, scored: NDArray[np.bool_]) -> None:
    """Refuse, before anything is trained, what could not be calibrated on the training sites of a split.

    Parameters
    ----------
    scored : (site, day, target) days of the primary score that can be predicted.

    Raises
    ------
    UserError
        If the split is one in time, or has too few clusters for the parts, or sites for the level.
    """
    parts = inner_splits(config, split, described)
    calibrating = np.isin(described.site_id, [name for part in parts for name in part.test])
    enough = scored[calibrating].sum(1) >= config.data.split.min_scored_days  # (site, target)
    refuse_few_sites(int(enough.sum(0).min()), config.calibration.level)


def check_part(
    inner: Split, outer: Split, site_id: NDArray[np.str_], cluster: NDArray[np.int64], blocks: Cells = None
) -> None:
    """Refuse an inner split that would make calibration lie (docs/architecture.md, rule 3).

    Raises
    ------
    ValueError
        If it calibrates or trains on anything but training clusters of the outer split, stops on other sites than that
        does, cuts a cluster, trains beside a calibrating block, or calibrates on fluxes that are not shown.
    """

    def clusters(split: Split, part: str) -> set[int]:
        return set(cluster[split.members(part, site_id)].tolist())

    tested, trained = clusters(inner, "test"), clusters(inner, "train")
    held_out = clusters(outer, "test") | clusters(outer, "validation")
    calibrating = inner.members("test", site_id)
    near = calibrating if blocks is None else beside(*blocks, calibrating)
    faults: dict[str, set[int] | set[str]] = {
        "a cluster of the outer test or validation is calibrated on": tested & held_out,
        "a cluster of the outer test or validation is trained on": trained & held_out,
        "a cluster is both trained and calibrated on": tested & trained,
        "a cell is trained on that touches a calibrating one": {*inner.train} & {*site_id[near].tolist()},
        "a site is not of the outer training": {*inner.train, *inner.test} - {*outer.train},
        "the stopping sites differ from the outer ones": set(inner.validation) ^ set(outer.validation),
        "hidden fluxes are calibrated on": set(inner.test) & set(outer.unlabelled),
        "hidden fluxes are shown": ({*inner.train, *inner.validation} & set(outer.unlabelled)) - {*inner.unlabelled},
    }
    for fault, found in faults.items():
        if found:
            raise ValueError(f"calibration of fold {outer.fold}: {fault}: {sorted(map(str, found))[:3]}")
