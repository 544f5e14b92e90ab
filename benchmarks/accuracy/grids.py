"""Which models, splits, folds and seeds each benchmark runs."""

from raciflux.config.models import ESTIMATORS, NETWORKS

from .embedded_grids import EMBEDDED_GRIDS
from .grid import SEEDLESS, Grid
from .raci_grids import RACI_GRIDS
from .small_grids import FEW, SMALL_GRIDS

__all__ = ["GRIDS", "SEEDLESS", "Grid"]

# RACI and its trees are measured against these baselines in `raci_grids.py`, by a study of their own.
BASELINES = tuple(name for name in (*ESTIMATORS, *NETWORKS) if name not in ("raci", "neighbour_trees"))

SPATIAL = ("data.split.file=fluxnet2015_spatial_v1", "data.split.fold=null")
CALIBRATED = (*SPATIAL, "calibration.kind=cross_conformal")
UNTRAINED = ("climatology", "lightgbm")

GRIDS: dict[str, Grid] = {
    "fluxnet2015": Grid(
        experiment="fluxnet2015",
        splits={
            "spatial": SPATIAL,
            "temporal": ("data.split.file=fluxnet2015_temporal_v2", "data.split.fold=null"),
        },
        models=BASELINES,
        regime=("transfer.finetune.steps=200",),  # validation is flat long before
        seeds=3,
        tuned_on="spatial",
        about="FLUXNET2015 daily towers; GPP is a partitioned product. GPP and NEE are predicted by one model. "
        "A reference level at unseen sites, of other sites and richer inputs: CarbonFluxBench's best median R2, GPP "
        "0.57-0.65, NEE 0.22-0.30.",
    ),
    "intervals": Grid(
        experiment="fluxnet2015",
        splits={
            "absolute": (*CALIBRATED, "calibration.score=absolute"),
            "normalised": (*CALIBRATED, "calibration.score=normalised"),
            "quantile": (*CALIBRATED, "head.kind=quantile"),
            "mixture": (*CALIBRATED, "head.kind=mixture"),
        },
        models=(*UNTRAINED, "ct_lstm"),
        regime=("transfer.finetune.steps=200",),
        seeds=1,
        tuned_on=None,
        about="Intervals of nominal 90 % at unseen FLUXNET2015 towers, calibrated on out-of-fold predictions of "
        "training clusters. The splits are ways to score an error; all test the same spatial folds.",
        leaves_out={"quantile": UNTRAINED, "mixture": UNTRAINED},
    ),
    **SMALL_GRIDS,
    "embedded": Grid(
        experiment="embedded_wetland_ch4",
        splits={"spatial": ("data.split.fold=null",)},
        models=FEW,
        regime=(),
        seeds=3,
        tuned_on=None,
        about="The embedded world: made-up towers whose truth is known; networks are pretrained on its simulation.",
    ),
    **RACI_GRIDS,
    **EMBEDDED_GRIDS,
}
