"""The study of RACI on towers: what each part is worth, and the whole against the best baselines."""

from dataclasses import replace

from .grid import Grid, Variant
from .small_grids import SMALL_GRIDS

SPATIAL = ("data.split.file=fluxnet2015_spatial_v1", "data.split.fold=null")
TEMPORAL = ("data.split.file=fluxnet2015_temporal_v2", "data.split.fold=null")
ABOUT = (
    "RACI, RACI without retrieval and the two baselines that were best on validation, on FLUXNET2015 daily towers; GPP "
    "is a partitioned product. GPP and NEE are predicted by one model."
)
ALONE = "model.retrieval.enabled=false"

# The two best baselines on validation, of `benchmarks/fluxnet2015/README.md`.
BASELINES = ("lightgbm", "tcn")
FOUR = ("raci", "raci_no_retrieval", *BASELINES)
NO_RETRIEVAL = {"raci_no_retrieval": Variant("raci", (ALONE,))}


def _raci(*overrides: str) -> Variant:
    return Variant("raci", overrides)


# One line a row of the ablation; what a row leaves unsaid is as in the full model.
ROWS: dict[str, Variant] = {
    **NO_RETRIEVAL,
    "raci_functional_and_geographic": _raci("model.retrieval.kinds=[functional,geographic]"),
    "raci_geographic_only": _raci("model.retrieval.kinds=[geographic]"),
    "raci_slow_role_only": _raci("model.retrieval.roles=[slow]"),
    "raci_fast_role_only": _raci("model.retrieval.roles=[fast]"),
    "raci_inputs_only": _raci("model.retrieval.values=[inputs]"),
    "raci_statistics_only": _raci("model.retrieval.values=[statistics]"),
    "raci_responses_only": _raci("model.retrieval.values=[responses]"),
    "raci_no_inputs": _raci("model.retrieval.values=[statistics,responses]"),
    "raci_learned_keys": _raci("model.retrieval.keys=learned"),
    "raci_gates": _raci("model.conditioning=gates"),
    "raci_cross_attention": _raci("model.conditioning=cross_attention"),
    "raci_hyper_network": _raci("model.conditioning=hyper_network"),
    "raci_gru": _raci("model.body=gru"),
    "raci_lstm": _raci("model.body=lstm"),
    "raci_attention": _raci("model.body=attention"),
    "raci_no_months": _raci("model.scales=[years,static,classes]"),
    "raci_no_years": _raci("model.scales=[months,static,classes]"),
    "raci_no_place": _raci("model.scales=[months,years]"),
    "raci_moments": _raci("model.moments=true"),
    "raci_no_own_days": _raci("model.own_days.enabled=false"),
    "raci_no_trees": _raci("model.first_guess.enabled=false"),
    "neighbour_trees": Variant("neighbour_trees"),
}

RACI_GRIDS: dict[str, Grid] = {
    "raci": Grid(
        experiment="fluxnet2015",
        splits={"spatial": SPATIAL},
        models=FOUR,
        regime=("transfer.finetune.steps=200",),
        seeds=3,
        tuned_on="spatial",
        about=f"{ABOUT} Unseen sites.",
        variants=NO_RETRIEVAL,
        shares=dict.fromkeys(BASELINES, "fluxnet2015"),
        tuned_by=("fluxnet2015",),
        ensembles=FOUR,
        folder="raci",
        stem="full_grid",
    ),
    "raci_new_years": Grid(
        experiment="fluxnet2015",
        splits={"temporal": TEMPORAL},
        models=FOUR,
        regime=("transfer.finetune.steps=800",),  # where validation is flat at unseen sites, it still falls here
        seeds=3,
        tuned_on="temporal",
        about=f"{ABOUT} New years at known sites. RACI and LightGBM were tuned on this split's validation years, "
        "TCN on unseen sites; every network has four times the steps that it has for unseen sites.",
        candidates="candidates_new_years.yaml",
        tuned_by=("fluxnet2015",),
        variants=NO_RETRIEVAL,
        ensembles=FOUR,
        folder="raci",
        stem="new_years",
    ),
    "raci_intervals": Grid(
        experiment="fluxnet2015",
        splits={"absolute": (*SPATIAL, "calibration.kind=cross_conformal", "calibration.score=absolute")},
        models=("raci", "lightgbm", "ct_lstm"),
        regime=("transfer.finetune.steps=200",),
        seeds=1,
        tuned_on=None,
        about="Intervals of nominal 90 % at unseen FLUXNET2015 towers, calibrated on out-of-fold predictions of "
        "training clusters; GPP is a partitioned product. The baselines, at defaults, are those of `intervals/`.",
        shares=dict.fromkeys(("lightgbm", "ct_lstm"), "intervals"),
        tuned_by=("raci",),
        folder="raci",
        stem="intervals",
    ),
    "raci_ablation": Grid(
        experiment="fluxnet2015",
        splits={"spatial": SPATIAL},
        models=("raci", *ROWS, *BASELINES),
        regime=("transfer.finetune.steps=200",),
        seeds=3,
        tuned_on=None,
        about="What each part of RACI is worth at unseen FLUXNET2015 towers, on two of the five spatial folds; GPP is "
        "a partitioned product. Every row is the full model but for what its name says, with the full model's "
        "hyper-parameters. Where responses are left out, RACI's trees are told nothing of neighbours either.",
        variants=ROWS,
        folds=(0, 1),
        shares=dict.fromkeys(BASELINES, "fluxnet2015"),
        tuned_by=("fluxnet2015", "raci"),
        reference="raci",
        carried=True,
        folder="raci",
        stem="ablation",
    ),
    "raci_peprmt_ch4": replace(
        SMALL_GRIDS["peprmt_ch4"],
        models=FOUR,
        variants=NO_RETRIEVAL,
        shares={"lightgbm": "peprmt_ch4"},
        folder="raci",
        stem="peprmt_ch4",
    ),
    "raci_pmodel_gpp": replace(
        SMALL_GRIDS["pmodel_gpp"],
        models=FOUR,
        about=f"{SMALL_GRIDS['pmodel_gpp'].about} Seven sites allow no interval.",
        variants=NO_RETRIEVAL,
        shares={"lightgbm": "pmodel_gpp"},
        folder="raci",
        stem="pmodel_gpp",
    ),
}
