"""A training view from made-up arrays: towers in pairs that share a cluster, two targets, gaps everywhere."""

from dataclasses import replace

import numpy as np
from raciflux.contracts import Layout, TargetScale, TrainingView, VisibleSet, WindowLayout

SITES, DAYS, KM = 16, 800, 50.0
TRAIN, VALIDATION = 12, 14  # sites before the one train, before the other validate, the rest is tested
PAST = 500  # days that a split in time trains on


def layout() -> Layout:
    return Layout(
        targets=("GPP", "NEE"),
        fast=("TA", "SW", "VPD"),
        slow=(),
        static=("elevation", "mat"),
        classes=("igbp", "koppen"),
        class_sizes=(5, 3),
        window=WindowLayout(warmup=30, scored=60, block_days=30, history=2),
    )


def fabricated_view(question: str = "unseen", seed: int = 3) -> TrainingView:
    """Return sixteen sites of which twelve train and two validate, or which all train on their past."""
    rng = np.random.default_rng(seed)
    site, day = np.arange(SITES), np.arange(DAYS)
    pair = site // 2
    shape = (SITES, DAYS)
    south = pair % 3 == 2
    season = np.where(south, 1, -1)[:, None] * np.cos(2 * np.pi * (day - 15) / 365.25)[None]
    fast = rng.normal(size=(*shape, 3)) + 0.5 * rng.normal(size=(SITES, 1, 3)) + 2 * season[..., None]
    fast_mask = rng.random(fast.shape) < 0.9
    fast_mask[3, 200:420, 1] = False  # a gap over which the means of weeks and quarters go missing
    label = pair % 4
    level = label[:, None] - 1.5 + 0.3 * rng.normal(size=(SITES, 1))
    gpp = level + fast[..., 0] + 0.5 * np.maximum(fast[..., 1], 0) + 0.3 * rng.normal(size=shape)
    flux = np.stack([gpp, 0.5 - gpp + 0.2 * rng.normal(size=shape)], axis=-1)

    days = np.ones(shape, bool) if question == "unseen" else np.broadcast_to(day < PAST, shape)
    trains = site < TRAIN if question == "unseen" else np.ones(SITES, bool)
    validates = days & ((site >= TRAIN) & (site < VALIDATION))[:, None]
    if question == "new_years":
        validates = np.broadcast_to((day >= PAST) & (day < PAST + 100), shape)
    measured = rng.random((*shape, 2)) < np.array([0.5, 0.3])
    measured[1, :, 1] = False  # a training site that never measured NEE
    measured[5, 12:] = False  # and one with a handful of days
    known, stopping = measured & (days & trains[:, None])[..., None], measured & validates[..., None]
    return TrainingView(
        layout=layout(),
        site_id=np.array([f"XX-S{i:02d}" for i in site]),
        lat=np.where(south, -1.0, 1.0) * (30 + 3.0 * pair) + 0.1 * (site % 2),
        lon=5 + 4.0 * pair,
        dates=np.datetime64("2001-01-01") + day,
        driver_days=days,
        fast=np.where(fast_mask, fast, 0).astype(np.float32),
        fast_mask=fast_mask,
        static=(level + 0.3 * rng.normal(size=(SITES, 2))).astype(np.float32),
        static_mask=rng.random((SITES, 2)) < 0.9,
        classes=np.stack([label, site % 3], axis=1),  # igbp 0 is unknown, and 4 stands nowhere
        target=np.where(known, flux, 0).astype(np.float32),
        visible=VisibleSet(known, pair, question),
        stopping=stopping,
        stopping_target=np.where(stopping, flux, 0).astype(np.float32),
        train_sites=trains,
        scales=(TargetScale("gC m-2 d-1", 4.0, 3.0), TargetScale("gC m-2 d-1", -1.0, 2.0)),
    )


def with_flux(view: TrainingView, sites: np.ndarray, value: float) -> TrainingView:
    """Put one value on all known days of some sites."""
    shown = sites[:, None, None] & view.visible.known
    return replace(view, target=np.where(shown, value, view.target).astype(np.float32))


def without_days(view: TrainingView) -> TrainingView:
    nothing = np.zeros_like(view.visible.known)
    return replace(view, visible=replace(view.visible, known=nothing), target=np.zeros_like(view.target))
