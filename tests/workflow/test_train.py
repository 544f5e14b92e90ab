"""Which models a command trains, and how many steps it promises."""

from raciflux.config.compose import compose
from raciflux.config.knowledge import KnowledgeConfig
from raciflux.config.models import ClimatologyConfig, CtLstmConfig
from raciflux.config.raci import RaciConfig
from raciflux.config.trainings import models_of
from raciflux.workflow.train import total_steps

STEPS = ["transfer.pretrain.steps=5", "transfer.finetune.steps=7"]


def test_the_models_of_a_command_by_their_folders():
    config = compose(["seed=4", "model.hidden=9", "compare=[ct_lstm, climatology]"])
    models = models_of(config)
    assert list(models) == ["", "baselines/ct_lstm", "baselines/climatology"]
    assert models[""] is config
    assert type(models[""].model) is RaciConfig
    assert models["baselines/ct_lstm"].model == CtLstmConfig()
    assert models["baselines/climatology"].model == ClimatologyConfig()
    assert all(one.seed == 4 and (place == "" or one.compare == []) for place, one in models.items())


def test_the_models_beside_one_of_a_paper_are_honest_ones():
    models = models_of(compose(["model=paper_lstm", "paper_compat=true", "compare=[ct_lstm]"]))
    assert models[""].paper_compat and not models["baselines/ct_lstm"].paper_compat


def test_losses_of_knowledge_are_for_the_networks_of_a_command():
    weighed = KnowledgeConfig(temperature=2.0)
    models = models_of(compose(["compare=[ct_lstm, climatology]", "knowledge.temperature=2"]))
    assert models[""].knowledge == models["baselines/ct_lstm"].knowledge == weighed
    assert models["baselines/climatology"].knowledge == KnowledgeConfig()


def test_steps_are_those_of_networks_in_all_folds_and_stages():
    assert total_steps(compose([*STEPS, "compare=[]"]), 1) == 12
    assert total_steps(compose([*STEPS, "compare=[]", "transfer=scratch"]), 3) == 3 * 7
    assert total_steps(compose([*STEPS, "compare=[ct_lstm, site_mean, lightgbm]"]), 2) == 2 * 2 * 12
    assert total_steps(compose([*STEPS, "model=climatology", "compare=[]"]), 5) == 0
    calibrated = ["compare=[]", "transfer=scratch", "calibration.kind=cross_conformal", "calibration.parts=3"]
    assert total_steps(compose([*STEPS, *calibrated]), 2) == 2 * (1 + 3) * 7
