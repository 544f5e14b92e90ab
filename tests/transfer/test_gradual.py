"""Fine-tuning bit by bit: parts that wait, parts that learn slowly, weights held near where they started."""

import pytest
import torch
from raciflux.modules.checkpoints import network_weights
from raciflux.transfer import Thaw
from two_domains import transferred


def moved(folder, part: str) -> float:
    """Squared distance of a part's weights from those it was loaded with."""
    before, after = (network_weights(folder / "checkpoints" / stage / "best.ckpt") for stage in ("pretrain", "towers"))
    return sum(float((after[name] - before[name]).square().sum()) for name in before if name.startswith(part))


def test_a_part_waits_for_its_step(tmp_path):
    transferred(tmp_path / "waits", thaw=["fast_encoder@4"])  # of 4 steps, counted from 0
    transferred(tmp_path / "joins", thaw=["fast_encoder@2"])
    assert moved(tmp_path / "waits", "fast_encoder") == 0.0 < moved(tmp_path / "waits", "head")
    transferred(tmp_path / "at_once")
    assert 0.0 < moved(tmp_path / "joins", "fast_encoder") < moved(tmp_path / "at_once", "fast_encoder")


def test_a_resumed_training_thaws_as_the_uninterrupted_one(tmp_path, monkeypatch):
    waits = ["fast_encoder@3"]
    transferred(tmp_path / "whole", thaw=waits)
    with monkeypatch.context() as patch:

        def killed(self, trainer, *others):
            if trainer.global_step == 3:  # after the checkpoint of step 2
                raise RuntimeError("killed")

        patch.setattr(Thaw, "on_train_batch_end", killed)
        with pytest.raises(RuntimeError, match="killed"):
            transferred(tmp_path / "broken", thaw=waits)
    transferred(tmp_path / "broken", thaw=waits)
    whole, broken = (
        network_weights(tmp_path / name / "checkpoints" / "towers" / "last.ckpt") for name in ("whole", "broken")
    )
    assert all(torch.equal(value, broken[name]) for name, value in whole.items())


def test_a_part_learns_at_its_share_of_the_rate(tmp_path):
    for name, rates in (("still", ["fast_encoder@0"]), ("slow", ["fast_encoder@0.1"]), ("plain", [])):
        transferred(tmp_path / name, rates=rates)
    still, slow, plain = (moved(tmp_path / name, "fast_encoder") for name in ("still", "slow", "plain"))
    assert still == 0.0 < slow < 0.1 * plain
    assert moved(tmp_path / "still", "head") > 0.0


def test_weights_are_held_near_their_start(tmp_path):
    for weight in (0.0, 1.0, 1000.0):
        transferred(tmp_path / f"held{weight:g}", l2_sp=weight)
    free, held, tight = (moved(tmp_path / f"held{weight}", "") for weight in ("0", "1", "1000"))
    assert tight < held < free
