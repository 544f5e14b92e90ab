"""Contradictions between fields."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raciflux.config.checks import check_machine, check_name
from raciflux.config.compose import compose
from raciflux.config.models import MODELS, PARTS
from raciflux.config.schema import HeadConfig
from raciflux.config.transfer import TECHNIQUES
from raciflux.contracts import Layout, WindowLayout
from raciflux.errors import UserError
from raciflux.modules import NETWORKS


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["data.split.fold=5"], "folds count from 0 to 4"),
        (["data.split.kind=temporal", "data.split.fold=3"], "data.split.kind=temporal has one fold; take 0 or null"),
        (["data.split.kind=temperature_tail", "data.split.fold=1"], "kind=temperature_tail has one fold"),
        (
            ["data.window.warmup_days=91"],
            "scored_days = 451 is no multiple of block_days = 30; 480 would be",
        ),
        (["data.simulation=null"], "transfer=finetune needs a data.simulation"),
        (["data=fluxnet2015_gpp"], "take transfer=scratch"),
        (["data.simulation.face=towers"], "data.simulation.face must be simulation"),
        (
            ["data.simulation.kind=light_use_efficiency"],
            "which is not what data.pair=wetland_ch4 predicts; take data.pair=",
        ),
        (["data.source.kind=light_use_efficiency"], "data.source.kind cannot be 'light_use_efficiency'"),
        (["data.pair=terrestrial_co2"], "data.source.kind=embedded has no terrestrial_co2"),
        (["data.root=''", "experiment=fluxnet2015_gpp"], "data.root is empty"),
        (["transfer.freeze=[slow_encodr]"], "raci has no part 'slow_encodr'; its parts are slow_encoder, fast_encoder"),
        (["transfer.freeze=[retrieval]"], "ct_lstm has no part 'retrieval'"),  # before RACI has been trained
        (["model=lstm", "compare=[]", "transfer.freeze=[slow_encoder]"], "lstm has no part 'slow_encoder'"),
        (
            ["model.retrieval.enabled=false", "compare=[]", "transfer.freeze=[retrieval]"],
            "raci has no part 'retrieval'",
        ),
        (["model=lstm", "compare=[]", "transfer.freeze=[fast_encoder,head]"], "every part of lstm"),
        (
            ["compare=[]", "transfer.freeze=[slow_encoder,fast_encoder,retrieval,head,own_days]"],
            "nothing is left to train",
        ),
        (
            ["model=lstm", "compare=[]", "transfer.rates=[fast_encoder@0,head@0]"],
            "transfer.freeze, or transfer.rates of 0, name every part of lstm",
        ),
        (
            ["model=lstm", "compare=[]", "transfer.freeze=[head]", "transfer.rates=[fast_encoder@0]"],
            "every part of lstm",
        ),
        (["transfer.freeze=[head]", "transfer.rates=[head@0.1]"], "transfer.freeze and transfer.rates both name head"),
        (
            ["transfer.thaw=[head@200]"],
            "transfer.thaw: head@200 is not below transfer.finetune.steps=200, so it would never be trained; take an "
            "earlier step, or transfer.freeze=[head]",
        ),
        (
            ["transfer=scratch", "transfer.freeze=[head]"],
            "transfer.freeze goes with transfer=finetune, adversarial, reweight, not with scratch; leave it out",
        ),
        (
            ["transfer=stacking", "transfer.freeze=[head]"],
            "transfer.freeze goes with transfer=finetune, adversarial, reweight, not with stacking",
        ),
        (["transfer=residual", "transfer.l2_sp=1"], "transfer.l2_sp goes with transfer=finetune"),
        (["transfer=residual", "data=carbon_balance"], "transfer=residual: NEE = RECO - GPP holds in units"),
        (["transfer=residual", "knowledge.range=1"], "knowledge.range judges whole fluxes, and transfer=residual"),
        (["transfer=mixed", "data=carbon_balance"], "transfer=mixed: NEE = RECO - GPP holds in units"),
        (["transfer=residual", "data.simulation=null"], "transfer=residual needs a data.simulation"),
        (["transfer.emulator=lstm"], "transfer.emulator goes with transfer=stacking, residual, not with finetune"),
        (["transfer=stacking", "model=lightgbm"], "model=lightgbm cannot learn the simulation; add transfer.emulator="),
        (["transfer=stacking", "model=lightgbm"], "another network, or transfer.simulated_flux=series"),
        (
            ["transfer.simulated_flux=series"],
            "transfer.simulated_flux goes with transfer=stacking, residual, not with finetune; leave it out",
        ),
        (
            ["transfer=stacking", "transfer.simulated_flux=series", "transfer.emulator=lstm"],
            "transfer.emulator is about the training of an emulator, and transfer.simulated_flux=series has none",
        ),
        (["transfer=residual", "transfer.simulated_flux=series", "transfer.inputs=towers"], "transfer.inputs is about"),
        (["transfer.simulated_flux=serie"], "transfer.simulated_flux"),
        (["transfer.thaw=[head]"], "transfer.thaw: 'head' is no new PART@NUMBER, such as fast_encoder@50"),
        (["transfer.rates=[head@-1]"], "transfer.rates: 'head@-1' is no new PART@NUMBER"),
        (["transfer.rates=[head@1, head@2]"], "transfer.rates: 'head@2' is no new"),
        (["transfer.thaw=[hed@10]"], "transfer.thaw: raci has no part 'hed'"),
        (["transfer.thaw=[head@10]", "transfer.freeze=[head]"], "both name head"),
        (
            ["model=lstm", "compare=[]", "transfer.thaw=[head@10]", "transfer.freeze=[fast_encoder]"],
            "transfer.thaw keeps every part of lstm that is not frozen",
        ),
        (
            ["transfer.pretrained=x", "compare=[]", "transfer.pretrain_seed=0"],
            "transfer.pretrained takes a pretraining as it is; leave out transfer.pretrain_seed",
        ),
        (
            ["transfer.pretrained=x", "compare=[]", "transfer.inputs=towers"],
            "its weights know other scales; take transfer.inputs=simulation or refitted",
        ),
        (["transfer.pretrained=x"], "transfer.pretrained is of one network; leave ct_lstm out of compare"),
        (
            ["transfer.pretrained=x", "compare=[]", "model=lightgbm"],
            "transfer.pretrained holds the weights of a network, and model=lightgbm is none",
        ),
        (["transfer.pretrain.learning_rate=0"], "transfer.pretrain.learning_rate is 0"),
        (["transfer.finetune.learning_rate=0", "transfer=scratch"], "transfer.finetune.learning_rate is 0"),
        (
            ["model=ct_lstm", "compare=[ct_lstm,site_mean]"],
            "compare names ct_lstm, which is the main model already; take compare=[site_mean]",
        ),
        (["model.retrieval.roles=[]"], "model.retrieval.roles is empty"),
        (["model.retrieval.kinds=[]"], "model.retrieval.kinds is empty"),
        (
            ["model.retrieval.keys=learned", "model.retrieval.kinds=[geographic]"],
            "keys=learned finds functional neighbours, and model.retrieval.kinds=[geographic] looks none up",
        ),
        (
            ["model.retrieval.roles=[slow]", "model.retrieval.values=[inputs,responses]"],
            "values asks for responses, which model.retrieval.roles=[slow] does not read; add statistics",
        ),
        (
            ["model.retrieval.roles=[fast]", "model.retrieval.values=[statistics]"],
            "values asks for statistics, which model.retrieval.roles=[fast] does not read; add responses",
        ),
        (["compare=[]", "transfer.freeze=[retrieval]"], "shows the pretraining no neighbours"),
        (["compare=[]", "transfer.rates=[retrieval@0]"], "shows the pretraining no neighbours"),
        (["model.own_days.visibility=[]"], "model.own_days.visibility is empty; take model.own_days.enabled=false"),
        (["model.own_days.mixed_effects=0"], "mixed_effects=0 switches off; add model.own_days.trees=0"),
        (["head.kind=quantile", "head.quantiles=20"], "head.quantiles=20 is even, so that no level would be"),
        (
            ["model=climatology", "compare=[lightgbm]", "head.kind=mixture"],
            "climatology and lightgbm can only say one value a day; take head.kind=point",
        ),
        (
            ["model=moment_lstm", "head.kind=mixture"],
            "head.kind=mixture is not for moment_lstm; take head.kind=quantile",
        ),
        (["model=raci", "model.moments=true", "head.kind=mixture"], "head.kind=mixture is not for model.moments=true"),
        (["compare=[moment_lstm,lstm]", "head.kind=mixture"], "head.kind=mixture is not for moment_lstm"),
        (
            ["data=carbon_balance", "head.kind=quantile"],
            "which distributions of the three fluxes cannot; take head.kind=point",
        ),
        (
            ["model=climatology", "compare=[lightgbm]", "knowledge.range=1"],
            "knowledge.range is a loss of networks, and none of climatology, lightgbm is one; "
            "take knowledge.range=0, or a network",
        ),
        (
            ["data=carbon_balance", "knowledge.balance=1"],
            "knowledge.balance says nothing of data.pair=carbon_balance; its NEE is RECO - GPP exactly, without a "
            "loss; take knowledge.balance=0; it is for terrestrial_carbon",
        ),
        (["knowledge.light=0.1"], "knowledge.light says nothing of data.pair=wetland_ch4; take knowledge.light=0"),
        (
            ["data=soil_sink_ch4", "data.source={kind: cube, path: x}", "data.root=.", "knowledge.temperature=1"],
            "data.pair=soil_sink_ch4; take knowledge.temperature=0; it is for wetland_ch4",
        ),
        (["model=transformer", "model.heads=3"], "model.hidden=64 cannot be shared evenly by 3 heads; 66 could"),
        (["model=itransformer", "model.hidden=6"], "model.hidden=6 cannot be shared evenly by 4 heads; 8 could"),
        (["model=pyraformer", "model.hidden=9", "model.heads=2"], "shared evenly by 2 heads; 10 could"),
        (["model=paper_transformer", "paper_compat=true", "model.hidden=6"], "shared evenly by 4 heads; 8 could"),
        (["calibration.kind=cross_conformal", "data.split.kind=temporal"], "needs a split over sites"),
        (["trainer.strategy=ddp"], "trainer.strategy=ddp with one device"),
        (["trainer.accelerator=cpu", "trainer.precision=16-mixed"], "trainer.precision=16-mixed needs a GPU"),
        (["trainer.devices=3"], "transfer.finetune.batch_size=64 cannot be shared evenly by 3 devices; 66 could"),
        (
            ["trainer.num_nodes=3", "transfer.finetune.batch_size=66"],
            "transfer.pretrain.batch_size=64 cannot",
        ),
        (["data.sites=['../x']"], "data.sites: the name '../x'"),
        (["data.odd_sites=[a/b]"], "data.odd_sites: the name 'a/b'"),
        (["logger.tags=['']"], "logger.tags: the name ''"),
        (["output=' '"], "output is empty"),
        (["logger.group='a b'"], "logger.group: the name 'a b'"),
        (["logger.project=''"], "logger.project is empty"),
    ],
)
def test_contradiction_is_refused(overrides, words):
    with pytest.raises(UserError) as caught:
        compose(overrides)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


ALL_BUT_SCRATCH = ("finetune", "residual", "adversarial", "reweight", "stacking", "mixed")
READ_BY = {
    "transfer.rates=[head@0.1]": ("finetune", "adversarial", "reweight"),
    "transfer.thaw=[head@1]": ("finetune", "adversarial", "reweight"),
    "transfer.l2_sp=0.1": ("finetune", "adversarial", "reweight"),
    "transfer.emulator=tcn": ("residual", "stacking"),
    "transfer.pretrain_seed=0": ("finetune", "residual", "stacking"),
    "transfer.pretrained=runs/pretrained/1": ("finetune", "residual", "stacking"),
    "transfer.domain_weight=0.1": ("adversarial",),
    "transfer.sharpness=1": ("reweight",),
    "transfer.simulated_weight=0.3": ("mixed",),
    "transfer.align=units": ALL_BUT_SCRATCH,
    "transfer.inputs=refitted": ALL_BUT_SCRATCH,
    "transfer.against_scratch=true": ALL_BUT_SCRATCH,
    **dict.fromkeys(
        (
            *("transfer.leave_out=all", "transfer.leave_out_near=home.csv", "transfer.reuse=false"),
            *("transfer.pretrain.steps=9", "transfer.finetune.steps=9"),
        ),
        TECHNIQUES,
    ),
}


@pytest.mark.parametrize("override", READ_BY)
def test_a_key_that_the_technique_does_not_read_is_refused(override):
    for technique in TECHNIQUES:
        overrides = ["compare=[]", f"transfer={technique}", override]
        if technique in READ_BY[override]:
            compose(overrides)
        else:
            with pytest.raises(UserError, match=rf"goes with transfer=.*, not with {technique}; leave it out"):
                compose(overrides)


@pytest.mark.parametrize(
    "overrides",
    [
        ["data.split.kind=leave_site_out", "data.split.fold=7"],  # folds are not counted beforehand
        ["data.split.fold=null"],
        ["data.split.kind=temporal", "data.split.fold=0"],
        ["data.split.kind=temporal", "data.split.file=mine", "data.split.fold=3"],  # the file says how many
        ["data.window.warmup_days=91", "data.window.scored_days=359"],
        ["data.simulation=null", "transfer=scratch"],
        ["data=cropland_gpp", "data.simulation.kind=light_use_efficiency", "transfer=finetune"],
        ["compare=[]", "transfer.freeze=[fast_encoder, retrieval]", "model.retrieval.pretrain=true"],
        ["model.retrieval.roles=[slow]"],  # what the fast role would bring is left out
        ["model.retrieval.roles=[fast]", "model.retrieval.values=[inputs]"],
        ["transfer.freeze=[slow_encoder]"],
        ["transfer.thaw=[slow_encoder@199]"],
        ["transfer.thaw=[slow_encoder@5]", "transfer.rates=[fast_encoder@0.1, head@0]", "transfer.l2_sp=0.01"],
        ["transfer=stacking", "model=lightgbm", "transfer.emulator=lstm"],
        ["transfer=stacking", "model=lightgbm", "transfer.simulated_flux=series"],
        ["transfer=residual", "transfer.simulated_flux=series", "transfer.pretrain.learning_rate=0"],  # no such stage
        ["transfer=residual", "transfer.align=units", "transfer.inputs=refitted", "transfer.leave_out=all"],
        ["transfer.pretrained=x", "compare=[site_mean]", "data.simulation=null", "transfer.pretrain.learning_rate=0"],
        ["transfer.pretrained=x", "transfer=stacking", "transfer.emulator=lstm", "transfer.inputs=refitted"],
        ["transfer=scratch", "transfer.pretrain.learning_rate=0"],  # a stage that does not run
        ["model=ct_lstm", "compare=[site_mean]"],
        ["model.retrieval.enabled=false", "model.retrieval.roles=[]"],
        ["model.retrieval.enabled=false", "model.retrieval.keys=learned", "model.retrieval.kinds=[geographic]"],
        ["model.own_days.mixed_effects=0", "model.own_days.trees=0"],
        ["model.own_days.enabled=false", "model.own_days.mixed_effects=0", "model.own_days.visibility=[]"],
        ["model=moment_lstm", "head.kind=quantile"],
        ["model=pyraformer", "model.hidden=9", "model.heads=3"],
        ["head.kind=mixture", "head.quantiles=20"],  # a mixture has no levels
        ["model=site_mean", "compare=[lstm]", "head.kind=quantile"],
        ["model=site_mean", "compare=[lstm]", "knowledge.temperature=1"],
        ["data=carbon_balance", "knowledge={non_negative: 1, range: 2, temperature: 3, light: 4}"],
        ["knowledge.range=1", "knowledge.balance=0"],
        ["calibration.kind=cross_conformal", "calibration.level=0.99"],  # quantile heads are widened from any level
        ["data.split.kind=temporal", "calibration.level=0.5"],
        ["trainer.strategy=ddp", "trainer.num_nodes=2"],
        ["trainer.devices=3", "transfer=scratch", "transfer.finetune.batch_size=66"],
        ["data.root=''"],  # the embedded world reads no data
    ],
)
def test_what_agrees_passes(overrides):
    compose(overrides)


def test_experiment_named_by_its_file_cannot_leave_the_folder(tmp_path):
    for name in ("..hidden", "-flag", "with space", "a" * 101):
        recipe = tmp_path / f"{name}.yaml"
        recipe.write_text("seed: 1\n", encoding="utf-8")
        with pytest.raises(UserError, match="experiment: the name"):
            compose([f"experiment={recipe}"])


@given(st.text(max_size=20))
def test_accepted_names_are_single_harmless_path_parts(name):
    try:
        check_name(name, "experiment")
    except UserError as error:
        assert len(str(error).splitlines()) == 1
        return
    assert name.isascii()
    assert not set(name) & set("/\\: \n\0")
    assert name.strip(".-_")[:1] == name[0]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a", "a\n", "é", "-a", ".a", "a" * 101, "a b", "a\\b"])
def test_names_refused(name):
    with pytest.raises(UserError):
        check_name(name, "experiment")


@pytest.mark.parametrize("name", ["US-Myb", "a", "0", "x_1.2-b", "a" * 100])
def test_names_accepted(name):
    check_name(name, "experiment")


def test_parts_are_those_of_the_networks():
    window = WindowLayout(warmup=2, scored=4, block_days=2, history=2)
    layout = Layout(("GPP",), ("TA", "SW"), ("TA_30d",), ("mat",), ("igbp",), (3,), window)
    assert set(PARTS) == set(NETWORKS)
    for name, network in NETWORKS.items():
        children = network(MODELS[name](), layout, HeadConfig()).named_children()
        parts = {part for part, child in children if list(child.parameters())}
        assert parts == set(PARTS[name])


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    config = compose(["trainer.accelerator=gpu"])
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(UserError, match=r"trainer.accelerator=gpu, but torch \S+ sees none"):
        check_machine(config)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    check_machine(config)


def test_several_nodes_are_refused_where_srun_has_not_started_the_command():
    with pytest.raises(UserError, match="start it as srun --nodes=2 --ntasks-per-node=1 python"):
        check_machine(compose(["trainer=ddp", "trainer.num_nodes=2"]))


@pytest.mark.parametrize(("gpus", "asked", "refused"), [(0, "auto", False), (1, "auto", True), (2, "gpu", False)])
def test_more_gpus_than_there_are_are_refused(monkeypatch, gpus, asked, refused):
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
    config = compose(["trainer.devices=2", f"trainer.accelerator={asked}"])
    check_machine(compose(["trainer.devices=2", "trainer.accelerator=cpu"]))
    if refused:
        with pytest.raises(UserError, match=r"torch sees 1 GPU; take trainer.devices=1, or trainer.accelerator=cpu"):
            check_machine(config)
    else:
        check_machine(config)


@pytest.mark.parametrize("several", ["trainer.devices=2", "trainer.num_nodes=2"])
def test_a_published_model_is_refused_on_several_devices(several):
    with pytest.raises(UserError, match=r"paper_lstm may discard a whole batch.*take one device"):
        compose(["model=paper_lstm", "paper_compat=true", several])


def test_cpu_asks_nothing_of_the_machine(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    check_machine(compose(["trainer.accelerator=cpu"]))
    check_machine(compose([]))
