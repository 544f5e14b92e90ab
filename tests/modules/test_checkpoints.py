import itertools
import pickle
import zipfile

import lightning
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raciflux.errors import UserError
from raciflux.modules.checkpoints import load_checkpoint, network_weights

WEIGHTS = {"head.weight": torch.arange(6.0).view(2, 3), "head.bias": torch.tensor([0.5])}


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "best.ckpt"
    state = {f"network.{name}": value for name, value in WEIGHTS.items()}
    torch.save({"state_dict": {**state, "target_mean": torch.tensor(3.0)}, "global_step": 7}, path)
    return path


def refused(path):
    with pytest.raises(UserError) as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_weights_of_the_network_alone_and_by_their_own_names(checkpoint):
    weights = network_weights(checkpoint)
    assert weights.keys() == WEIGHTS.keys()
    assert all(torch.equal(weights[name], value) for name, value in WEIGHTS.items())
    assert load_checkpoint(checkpoint)["global_step"] == 7


def test_a_missing_one(tmp_path):
    assert "no such checkpoint" in refused(tmp_path / "last.ckpt")
    assert "no such checkpoint" in refused(tmp_path)  # a folder


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_torn_one(checkpoint, share):
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: int(share * len(whole))])
    assert "the checkpoint is damaged" in refused(checkpoint)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@given(st.binary(max_size=64))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes(tmp_path, content):
    (tmp_path / "noise.ckpt").write_bytes(content)
    refused(tmp_path / "noise.ckpt")


@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_overwritten_bytes_are_refused_or_change_nothing(checkpoint, tmp_path, place, noise):
    content = bytearray(checkpoint.read_bytes())
    start = place % len(content)
    content[start : start + len(noise)] = noise
    (tmp_path / "bad.ckpt").write_bytes(content)
    try:
        state = load_checkpoint(tmp_path / "bad.ckpt")["state_dict"]
        assert all(torch.equal(value, state[name]) for name, value in load_checkpoint(checkpoint)["state_dict"].items())
    except UserError as error:
        assert "bad.ckpt" in str(error)


@pytest.mark.slow
def test_no_flipped_bit_changes_a_weight(checkpoint):
    """Each of them: in a record a checksum tells, in the list of records few are not refused, and none matters."""
    whole, state = checkpoint.read_bytes(), load_checkpoint(checkpoint)["state_dict"]
    refusals = 0
    for place, bit in itertools.product(range(len(whole)), range(8)):
        checkpoint.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
        try:
            read = load_checkpoint(checkpoint)["state_dict"]
        except UserError:
            refusals += 1
        else:
            assert all(torch.equal(value, read[name]) for name, value in state.items()), place
    assert refusals > 2 * len(whole)  # the rest is padding


@pytest.mark.parametrize("content", [[1, 2], {"weights": torch.zeros(2)}, torch.zeros(3)])
def test_what_is_no_checkpoint(tmp_path, content):
    torch.save(content, tmp_path / "other.pt")
    assert "no state_dict inside" in refused(tmp_path / "other.pt")


class Intruder:
    """Pickles as a call that leaves a file behind."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return (self.trace.touch, ())


@pytest.mark.parametrize("legacy", [False, True])
def test_code_inside_is_refused_and_does_not_run(tmp_path, legacy):
    trace, path = tmp_path / "ran", tmp_path / "evil.ckpt"
    content = {"state_dict": {"network.a": torch.zeros(1)}, "hook": Intruder(trace)}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    refused(path)
    assert not trace.exists()
    torch.load(path, weights_only=False)  # the trap works: trusting the file would have run it
    assert trace.exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_bare_pickle_and_a_foreign_archive(tmp_path):
    with (tmp_path / "bare.ckpt").open("wb") as file:
        pickle.dump({"state_dict": {}}, file)
    with zipfile.ZipFile(tmp_path / "archive.ckpt", "w") as archive:
        archive.writestr("hello.txt", "no weights")
    for name in ("bare.ckpt", "archive.ckpt"):
        refused(tmp_path / name)


def test_what_lightning_writes_is_read(tmp_path):
    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.network = torch.nn.Linear(2, 1)

    module = Module()
    trainer = lightning.Trainer(accelerator="cpu", logger=False, default_root_dir=tmp_path)
    trainer.strategy.connect(module)
    trainer.save_checkpoint(tmp_path / "lightning.ckpt")
    weights = network_weights(tmp_path / "lightning.ckpt")
    assert torch.equal(weights["weight"], module.network.weight)
