import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from raciflux.evaluation import metrics
from raciflux.evaluation.metrics import Sums
from raciflux.evaluation.site_statistics import SiteStatistics

SITES = 4


def batches(seed=0, count=6, batch=5, days=30):
    """Batches with gaps, every site but the last in them; NaN stands where the mask is off."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        target = rng.normal(size=(batch, days))
        mask = rng.random(target.shape) < 0.6
        pred = target + rng.normal(size=target.shape)
        target[~mask] = np.nan
        yield tuple(map(torch.as_tensor, (pred, target, mask, rng.integers(0, SITES - 1, batch))))


def expected(parts):
    """Per-site RMSE and R2 by the reported metrics."""
    pred, target, mask, site = (torch.cat(column).numpy() for column in zip(*parts, strict=True))
    sums = [Sums.of(target[site == s].ravel(), pred[site == s].ravel(), mask[site == s].ravel()) for s in range(SITES)]
    return np.array([metrics.rmse(s) for s in sums]), np.array([metrics.r2(s) for s in sums])


def filled(parts):
    statistics = SiteStatistics(SITES)
    for part in parts:
        statistics.update(*part)
    return statistics


def test_it_equals_the_reported_metrics():
    parts = list(batches())
    rmse, r2 = expected(parts)
    assert np.isnan(rmse[-1]) and np.isfinite(rmse[:-1]).all(), "a site that no batch holds has no score"
    scalars = filled(parts).compute()
    for name, values in (("rmse", rmse), ("r2", r2)):
        assert scalars[f"mean_{name}"].item() == pytest.approx(np.nanmean(values), rel=1e-9)
        assert scalars[f"median_{name}"].item() == pytest.approx(np.nanmedian(values), rel=1e-9)


def test_an_even_number_of_sites_has_the_median_between_the_middle_two():
    part = (
        torch.tensor([[0.0, 2.0], [0.0, 8.0]]),
        torch.zeros(2, 2),
        torch.ones(2, 2, dtype=bool),
        torch.tensor([0, 1]),
    )
    assert filled([part]).compute()["median_rmse"].item() == pytest.approx(np.median([2**0.5, 32**0.5]))


def test_order_and_sharding_over_ranks_do_not_matter():
    parts = list(batches())
    whole, one, two = filled(parts), filled(parts[3:]), filled(parts[:3][::-1])
    one.merge_state(two)
    for name, value in whole.compute().items():
        assert one.compute()[name].item() == pytest.approx(value.item(), rel=1e-12)


def test_it_sums_in_double_precision_whatever_the_inputs():
    parts = [tuple(x.float() if x.is_floating_point() else x for x in part) for part in batches()]
    statistics = filled(parts)
    statistics.float()
    mean = statistics.compute()["mean_rmse"]
    assert mean.dtype == torch.float64
    assert mean.item() == pytest.approx(np.nanmean(expected(parts)[0]), rel=1e-9)


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_nothing_seen_gives_nan_and_a_constant_site_no_r2():
    assert all(torch.isnan(value) for value in SiteStatistics(SITES).compute().values())
    constant = 0.1 * torch.arange(1, 101, dtype=torch.float64)[:, None].expand(100, 300)
    statistics = SiteStatistics(100)
    statistics.update(constant + 1, constant, torch.ones(100, 300, dtype=bool), torch.arange(100))
    scores = statistics.compute()
    assert torch.isnan(scores["mean_r2"]) and scores["mean_rmse"].item() == pytest.approx(1)


def test_a_prediction_that_is_no_number_is_not_left_out():
    pred, target, mask, site = next(iter(batches()))
    pred[0, mask[0].nonzero()[0]] = torch.nan
    scores = filled([(pred, target, mask, site)]).compute()
    assert scores["mean_rmse"] == torch.inf and scores["mean_r2"] == -torch.inf
    pred[~mask] = torch.nan
    pred[0, mask[0]] = 0.0
    assert torch.isfinite(filled([(pred, target, mask, site)]).compute()["mean_rmse"]), "days that do not count"


RANK = """
import sys, torch.distributed as dist
from tests.evaluation.test_site_statistics import batches, filled
rank, rendezvous = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2)
statistics = filled(list(batches())[rank::2])
print(repr({k: v.item() for k, v in statistics.compute().items()}))
"""


@pytest.mark.slow
def test_two_processes_give_the_numbers_of_one(tmp_path):
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", RANK]
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}
    ranks = [
        subprocess.Popen(
            [*command, str(rank), str(tmp_path / "meet")], cwd=root, env=env, stdout=subprocess.PIPE, text=True
        )
        for rank in range(2)
    ]
    answers = [eval(rank.communicate(timeout=120)[0]) for rank in ranks]  # our own repr of numbers
    whole = filled(list(batches()))
    for name, value in whole.compute().items():
        assert [answer[name] for answer in answers] == pytest.approx([value.item()] * 2, rel=1e-12)
