"""The recipes that ship: each composes, says what it is, and is what its name promises."""

from dataclasses import replace

import pytest
from raciflux.config.compose import CONFIGS, compose, read
from raciflux.config.keys import GROUPS
from raciflux.config.models import ESTIMATORS, MODELS, NETWORKS
from raciflux.config.paper_models import PAPER_MODELS
from raciflux.config.sources import LightUseSource, TableSource
from raciflux.config.transfer import StageConfig

RECIPES = sorted(path.stem for path in (CONFIGS / "experiment").glob("*.yaml"))
FILES = sorted(path for group in (*GROUPS, "experiment") for path in (CONFIGS / group).glob("*.yaml"))


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_composes_under_its_name(name):
    recipe = read([f"experiment={name}"])
    assert recipe.config.experiment == name
    assert set(recipe.groups) == set(GROUPS)
    assert recipe.config.model.name == "raci"
    assert recipe.config.compare == ["ct_lstm", "site_mean"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_file_opens_with_a_comment_that_the_help_shows(path):
    assert path.read_text(encoding="utf-8").startswith("# ")


def test_the_recipes_of_the_first_release_are_there():
    assert {
        "embedded_wetland_ch4",
        "embedded_cropland_gpp",
        "embedded_cropland_co2",
        "fluxnet2015",
        "fluxnet2015_gpp",
        "fluxnet2015_nee",
        "peprmt_ch4",
        "pmodel_gpp",
    } <= set(RECIPES)


def test_default_run_is_the_embedded_wetland():
    config = compose([])
    assert config.experiment == "embedded_wetland_ch4"
    assert (config.data.pair, config.data.split.fold) == ("wetland_ch4", 0)


@pytest.mark.parametrize("pair", ["wetland_ch4", "terrestrial_gpp", "cropland_gpp", "cropland_co2"])
def test_embedded_recipes_pretrain_on_the_simulation_of_the_same_world(pair):
    config = compose([f"experiment=embedded_{pair}"])
    assert config.data.pair == pair
    assert (config.data.source.face, config.data.simulation.face) == ("towers", "simulation")
    assert config.data.source.seed == config.data.simulation.seed
    assert config.transfer.name == "finetune"


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("fluxnet2015", "terrestrial_carbon"),
        ("fluxnet2015_balance", "carbon_balance"),
        ("fluxnet2015_gpp", "terrestrial_gpp"),
        ("fluxnet2015_nee", "terrestrial_co2"),
    ],
)
def test_fluxnet2015_recipes(name, pair):
    config = compose([f"experiment={name}"])
    assert config.data.pair == pair
    assert (config.data.split.kind, config.data.split.folds, config.data.split.fold) == ("spatial", 5, None)
    assert config.transfer.name == "scratch"
    assert config.data.quality == "measured"
    assert not config.data.train_on_filled
    assert config.data.odd_sites == ["AU-Lox", "AU-TTE", "ES-Amo", "ES-Ln2", "IT-Isp", "PA-SPs", "US-Wi1", "US-Wi2"]


@pytest.mark.parametrize(("name", "pair"), [("peprmt_ch4", "wetland_ch4"), ("pmodel_gpp", "terrestrial_gpp")])
def test_leave_site_out_recipes(name, pair):
    config = compose([f"experiment={name}"])
    assert config.data.pair == pair
    assert (config.data.split.kind, config.data.split.fold) == ("leave_site_out", None)
    assert config.transfer.name == "finetune"
    assert isinstance(config.data.simulation, TableSource)


@pytest.mark.parametrize("name", ["finetune", "scratch"])
def test_fluxnet2015_gpp_transfer_is_fluxnet2015_gpp_with_a_simulation_on_its_towers(name):
    config = compose(["experiment=fluxnet2015_gpp_transfer", f"transfer={name}"])
    plain = compose(["experiment=fluxnet2015_gpp", "data.split.file=fluxnet2015_spatial_v1"])
    assert config.transfer.name == name
    assert config.data == replace(plain.data, simulation=LightUseSource())


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_an_option_beside_which_the_recipe_s_others_stand(name):
    config = compose([f"model={name}"])
    assert config.model == MODELS[name]()
    assert config.compare == [other for other in ("ct_lstm", "site_mean") if other != name]


def test_the_options_are_the_models():
    assert {path.stem for path in (CONFIGS / "model").glob("*.yaml")} == set(MODELS | PAPER_MODELS)
    assert not set(ESTIMATORS) & set(NETWORKS)
    assert list(MODELS) == [*ESTIMATORS, *NETWORKS]


def test_the_main_model_is_not_trained_twice_whatever_sets_those_beside_it(tmp_path):
    mine = tmp_path / "mytowers.yaml"
    mine.write_text("pair: wetland_ch4\nsource: {kind: embedded}\n")
    for arguments in (["experiment=embedded_cropland_gpp"], [f"data={mine}", "transfer=scratch"]):
        assert compose([*arguments, "model=site_mean"]).compare == ["ct_lstm"]


def test_other_data_lend_their_name_and_take_nothing_of_the_default_recipe(tmp_path):
    mine = tmp_path / "mytowers.yaml"
    mine.write_text("pair: wetland_ch4\nsource: {kind: embedded}\n")
    config = compose([f"data={mine}", "transfer=scratch"])
    assert config.experiment == "mytowers"
    assert config.transfer.finetune.steps == StageConfig().steps != compose([]).transfer.finetune.steps
    assert compose([f"data={mine}", "transfer=scratch", "experiment=fluxnet2015_gpp"]).experiment == "fluxnet2015_gpp"
