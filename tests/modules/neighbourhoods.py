"""A made-up bank for networks that look places up."""

import numpy as np
from raciflux.config.raci import RaciConfig
from raciflux.contracts import Layout, TargetScale, TrainingView, VisibleSet
from raciflux.modules.raci import Raci
from raciflux.retrieval.bank import Bank
from torch import nn

CLUSTER_KM = 50.0


def made_up_view(layout: Layout, sites: int = 12, days: int = 731) -> TrainingView:
    """Towers in twos, each two a cluster, with noise for drivers and fluxes; the last four are no training sites."""
    rng = np.random.default_rng(0)
    pair = np.arange(sites) // 2
    train = np.arange(sites) < sites - 4
    shape = (sites, days, len(layout.targets))
    known = (rng.random(shape) < 0.5) & train[:, None, None]
    nowhere = np.zeros(shape, bool)
    fast_mask = rng.random((sites, days, len(layout.fast))) < 0.95
    return TrainingView(
        layout=layout,
        site_id=np.array([f"XX-T{i:02d}" for i in range(sites)]),
        lat=40 + 3.0 * (pair % 3) + 0.1 * (np.arange(sites) % 2),
        lon=5 + 4.0 * pair,
        dates=np.datetime64("2003-01-01", "D") + np.arange(days),
        driver_days=np.ones((sites, days), bool),
        fast=(rng.normal(size=fast_mask.shape) * fast_mask).astype(np.float32),
        fast_mask=fast_mask,
        static=rng.normal(size=(sites, len(layout.static))).astype(np.float32),
        static_mask=np.ones((sites, len(layout.static)), bool),
        classes=np.stack([rng.integers(0, n, sites) for n in layout.class_sizes], 1)
        if layout.class_sizes
        else np.zeros((sites, 0), np.int64),
        target=(rng.normal(size=shape) * known).astype(np.float32),
        visible=VisibleSet(known, pair),
        stopping=nowhere,
        stopping_target=np.zeros(shape, np.float32),
        train_sites=train,
        scales=tuple(TargetScale("gC m-2 d-1", 3.0, 2.0) for _ in layout.targets),
    )


def with_neighbours(network: nn.Module, config: RaciConfig, layout: Layout) -> nn.Module:
    """Attach the made-up bank to a network that retrieves; any other is returned as it is."""
    if isinstance(network, Raci) and network.retrieval is not None:
        view = made_up_view(layout)
        bank = Bank.build(view, CLUSTER_KM)
        network.retrieval.attach(bank, bank.look_up(view, config.retrieval, same_cube=True))
    return network
