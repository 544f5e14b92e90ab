from dataclasses import replace

import numpy as np
import pytest
from raciflux.config.raci import RetrievalConfig
from raciflux.contracts import VisibleSet
from raciflux.errors import UserError
from raciflux.geography import haversine_km
from raciflux.retrieval.bank import Bank

CONFIG = RetrievalConfig(neighbours=4)
PER_SITE = ("driver_days", "fast", "fast_mask", "static", "static_mask", "classes", "target", "train_sites")


@pytest.fixture
def bank(view):
    return Bank.build(view, cluster_km=50.0)


def test_holds_training_sites_with_known_flux_in_order_of_site_id(view, reorder):
    known = view.visible.known.copy()
    known[5] = False
    shuffled = np.random.default_rng(0).permutation(len(view.site_id))
    bank = Bank.build(reorder(replace(view, visible=VisibleSet(known, view.visible.cluster)), shuffled), 50.0)
    assert bank.site_id.tolist() == [f"XX-S{i:02d}" for i in range(11) if i != 5]


def test_descriptors_are_standardised_on_training_sites_alone(view, bank):
    others = ~view.train_sites[:, None]
    static, static_mask = np.where(others, 50, view.static), view.static_mask | others
    shifted = Bank.build(replace(view, static=static.astype(np.float32), static_mask=static_mask), 50.0)
    np.testing.assert_array_equal(shifted.standards["slow"].mean, bank.standards["slow"].mean)
    np.testing.assert_array_equal(shifted.keys["slow"], bank.keys["slow"])


@pytest.mark.parametrize("kind", ["functional", "geographic"])
@pytest.mark.parametrize("role", ["slow", "fast"])
def test_no_neighbour_of_the_own_cluster_and_true_distances(view, bank, role, kind):
    table = bank.look_up(view, CONFIG, same_cube=True)
    found = table.found[role, kind]
    site, place = np.nonzero(found.present)
    entry = found.index[site, place]
    assert found.present.all()
    assert (bank.cluster[entry] != view.visible.cluster[site]).all()
    km = haversine_km(view.lat[site], view.lon[site], bank.lat[entry], bank.lon[entry])
    np.testing.assert_allclose(found.km[site, place], km)
    gap = table.descriptors[role][site].astype(float) - bank.keys[role][entry]
    np.testing.assert_allclose(found.functional[site, place], np.sqrt((gap**2).mean(1)), rtol=1e-6)
    ordered = found.functional if kind == "functional" else found.km
    assert (np.diff(ordered, axis=1) >= 0).all()


def test_radius_and_too_few_leave_places_empty(view, bank):
    config = RetrievalConfig(neighbours=40, radius_km=400.0, kinds=["geographic", "functional"])
    found = bank.look_up(view, config, same_cube=True).found
    near, alike = found["slow", "geographic"], found["slow", "functional"]
    assert (near.km[near.present] <= 400).all()
    assert (near.index[~near.present] == -1).all()
    hidden = (view.visible.cluster[:, None] == bank.cluster).sum(1)
    assert (alike.present.sum(1) == len(bank.site_id) - hidden).all()
    assert np.isinf(alike.km[~alike.present]).all()
    assert np.isinf(alike.functional[~alike.present]).all()


def test_another_cube_hides_namesakes_and_clusters_near_by_whatever_its_own_codes(view, bank):
    towers = ["XX-S00", "elsewhere", "beside S04", "far off"]
    lat = np.array([0.0, 0.0, view.lat[4] + 0.2, 80.0])
    lon = np.array([0.0, 0.0, view.lon[4], -120.0])
    rows = np.zeros(4, int)
    other = replace(
        view,
        site_id=np.array(towers),
        lat=lat,
        lon=lon,
        **{name: getattr(view, name)[rows] for name in PER_SITE},
        visible=VisibleSet(np.zeros((4, len(view.dates), 1), bool), np.array([3, 3, 3, 3])),
    )
    config = RetrievalConfig(neighbours=40, kinds=["functional"])
    found = bank.look_up(other, config, same_cube=False).found["slow", "functional"]
    hidden = [set(range(11)) - set(row[row >= 0].tolist()) for row in found.index]
    assert hidden == [{0, 1}, set(), {4, 5}, set()]


def test_cells_of_a_dense_map_do_not_chain(view, bank):
    cells = 14
    lat = np.linspace(view.lat[0], view.lat[0] + 4, cells)  # 34 km apart, from one tower outwards
    other = replace(
        view, site_id=np.array([f"cell {i}" for i in range(cells)]), lat=lat, lon=np.full(cells, view.lon[0])
    )
    config = RetrievalConfig(neighbours=40, kinds=["functional"])
    found = bank.look_up(other, config, same_cube=False).found["slow", "functional"]
    assert (found.present.sum(1) < 11).tolist() == [True, True] + [False] * (cells - 2)


def test_saved_and_loaded_is_the_same(view, bank, tmp_path):
    bank.save(tmp_path / "bank.npz")
    loaded = Bank.load(tmp_path / "bank.npz")
    before, after = (b.look_up(view, CONFIG, same_cube=True) for b in (bank, loaded))
    assert [p.name for p in tmp_path.iterdir()] == ["bank.npz"]
    for key, found in before.found.items():
        np.testing.assert_array_equal(after.found[key].index, found.index)
    for role in ("slow", "fast"):
        np.testing.assert_array_equal(loaded.values[role], bank.values[role])
    for name in ("coefficients", "evidence"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(bank, name))
    assert (loaded.cluster_km, loaded.signature) == (50.0, bank.signature)
    assert loaded.site_id.dtype.kind == "U"


def test_a_save_that_fails_keeps_the_old_file(bank, tmp_path, monkeypatch):
    path = tmp_path / "bank.npz"
    bank.save(path)
    whole = path.read_bytes()

    def full(file, **arrays):
        file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(UserError, match="cannot be written"):
        bank.save(path)
    assert path.read_bytes() == whole
    assert [p.name for p in tmp_path.iterdir()] == ["bank.npz"]


@pytest.mark.parametrize("damage", ["missing", "cut", "text", "format", "of an earlier version"])
def test_a_damaged_bank_is_refused_in_one_line(bank, tmp_path, damage):
    path = tmp_path / "bank.npz"
    bank.save(path)
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    elif damage == "text":
        path.write_text("not a bank")
    elif damage == "format":
        stored = dict(np.load(path))
        np.savez(path, **{**stored, "format": 99})
    else:
        stored = dict(np.load(path))
        np.savez(
            path,
            **{name: stored[name] for name in stored if name not in ("coefficients", "evidence", "format")},
            format=1,
        )
    with pytest.raises(UserError, match=r"bank\.npz") as raised:
        Bank.load(path)
    assert "\n" not in str(raised.value)
    assert damage != "of an earlier version" or "a bank of format 1, expected 2; train the run again" in str(
        raised.value
    )


def test_a_site_that_knows_either_flux_is_held(two_targets):
    known = two_targets.visible.known.copy()
    known[3, :, 0] = False
    known[6, :, 1] = False
    known[8] = False
    bank = Bank.build(replace(two_targets, visible=VisibleSet(known, two_targets.visible.cluster)), 50.0)
    assert bank.site_id.tolist() == [f"XX-S{i:02d}" for i in range(11) if i != 8]


def test_a_bank_of_two_targets_is_that_of_each_beside_the_other(two_targets):
    bank = Bank.build(two_targets, 50.0)
    alone = [Bank.build(only(two_targets, i), 50.0) for i in range(2)]
    for role in ("slow", "fast"):
        np.testing.assert_array_equal(bank.values[role], np.concatenate([one.values[role] for one in alone], axis=1))
        np.testing.assert_array_equal(bank.keys[role], alone[0].keys[role])
        assert (alone[0].values[role] != alone[1].values[role]).any()


def only(view, target):
    """The view of one of its targets."""
    here = slice(target, target + 1)
    return replace(
        view,
        layout=replace(view.layout, targets=view.layout.targets[here]),
        target=view.target[..., here],
        visible=VisibleSet(view.visible.known[..., here], view.visible.cluster),
        scales=view.scales[here],
    )


def test_a_bank_of_other_targets_is_refused(view, two_targets):
    with pytest.raises(UserError, match=r"holds GPP,NEE from TA.* but the data have GPP from TA"):
        Bank.build(two_targets, 50.0).look_up(view, CONFIG, same_cube=True)


def test_other_inputs_than_the_bank_s_are_refused(view, bank):
    other = replace(view, layout=replace(view.layout, fast=("TA", "SW", "VPD", "WS")))
    with pytest.raises(UserError, match=r"holds GPP from TA,SW,VPD,P,.* but the data have GPP from TA,SW,VPD,WS"):
        bank.look_up(other, CONFIG, same_cube=True)
