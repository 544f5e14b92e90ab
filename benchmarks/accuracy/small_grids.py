"""Benchmarks of a few towers, beside which RACI's study sets its own variants."""

from .grid import Grid

# The baselines a small benchmark compares: each family's plainest and strongest.
FEW = ("site_mean", "climatology", "nearest_climatology", "lightgbm", "lstm", "ct_lstm")

SMALL_GRIDS: dict[str, Grid] = {
    "peprmt_ch4": Grid(
        experiment="peprmt_ch4",
        splits={"leave_site_out": ("data.split.file=peprmt_leave_site_out_v1", "data.split.fold=null")},
        models=FEW,
        regime=("transfer.pretrain.steps=150", "transfer.finetune.steps=100"),
        seeds=3,
        tuned_on=None,
        about="Four tidal wetlands, gap-filled and without a quality column: scored as published. Networks are "
        "pretrained on PEPRMT runs, whose parameters may have been fitted on some of these towers. Four sites allow no "
        "interval.",
    ),
    "pmodel_gpp": Grid(
        experiment="pmodel_gpp",
        splits={"leave_site_out": ("data.split.file=pmodel_leave_site_out_v1", "data.split.fold=null")},
        models=FEW,
        regime=("transfer.pretrain.steps=150", "transfer.finetune.steps=100"),
        seeds=3,
        tuned_on=None,
        about="Seven towers, days of good quality only, scored as published; GPP is a partitioned product. Networks "
        "are pretrained on P-model runs on the same drivers.",
    ),
}
