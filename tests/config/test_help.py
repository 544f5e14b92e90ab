"""The help names everything a user can set, and fits the window."""

from raciflux.config.compose import CONFIGS
from raciflux.config.help import WIDTH, help_text
from raciflux.config.keys import GROUPS, KINDS, keys_of, kind_keys

HELP = help_text()
FLAT = " ".join(HELP.split())


def test_every_key_with_its_description_default_and_choices():
    # the kinds that simulations share with sources are said once, at data.source
    shared = KINDS["data.source"].table
    once = [
        (at, kind)
        for at, kinds in KINDS.items()
        for kind in kinds.table
        if at != "data.simulation" or kind not in shared
    ]
    for keys in [keys_of({}), *(kind_keys(at, kind) for at, kind in once)]:
        for path, key in keys.items():
            assert f" {path} = " in FLAT
            assert key.help in FLAT
            for choice in key.choices:
                assert choice in FLAT
    assert "data.simulation: null, or the keys of data.source" in FLAT
    assert "data.simulation, kind=light_use_efficiency: A light-use" in FLAT and "simulation, kind=table" not in FLAT
    assert "model.hidden = 64 (whole number 1 to 4096)" in FLAT
    assert "data.root = $RACIFLUX_DATA, else ../shared/data" in FLAT
    assert "data.split.fold = null (whole number 0 to 999 or null)" in FLAT
    assert "data.pair = <to be given>" in FLAT


def test_every_option_of_every_group_with_its_first_comment():
    for group in (*GROUPS, "experiment"):
        for path in (CONFIGS / group).glob("*.yaml"):
            first_words = " ".join(path.read_text(encoding="utf-8").split()[1:6])
            assert f" {path.stem} {first_words}" in FLAT


def test_option_is_described_by_the_first_sentence_of_its_comment(tmp_path):
    (tmp_path / "model").mkdir()
    text = "# A model (Smith et al. 2020),\n# over two lines. Not this.\nname: lstm\n# nor this\n"
    (tmp_path / "model/mine.yaml").write_text(text, encoding="utf-8")
    assert "    mine                    A model (Smith et al. 2020), over two lines.\n" in help_text(tmp_path)


def test_option_without_a_comment_is_listed_bare(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/mine.yaml").write_text("name: lstm\n", encoding="utf-8")
    text = help_text(tmp_path)
    assert "    mine                    -\n" in text
    assert "name: lstm" not in text


def test_fits_the_window():
    too_wide = [line for line in HELP.splitlines() if len(line) > WIDTH]
    assert not too_wide


def test_no_value_of_the_environment(monkeypatch):
    monkeypatch.setenv("RACIFLUX_DATA", "/secret/place")
    assert "/secret/place" not in help_text()
