"""The studies: where labels are few, and where the simulation and the towers are the same places."""

from raciflux.config.transfer import TECHNIQUES

from .study import LONGER, SEED, Study

# One training on the towers takes at most 20 s on one core, whatever the technique.
BUDGET = (
    "transfer.pretrain.steps=300",
    "transfer.pretrain.batch_size=32",
    "transfer.pretrain.check_every=50",
    "transfer.finetune.steps=150",
    "transfer.finetune.batch_size=32",
    "transfer.finetune.check_every=30",
)
# RACI's network: its trees learn from the towers alone, and own days are hidden at unseen sites.
NETWORK_ALONE = ("model.first_guess.enabled=false", "model.own_days.enabled=false")


def _labels(share: float) -> tuple[str, ...]:
    return (f"data.split.label_share={share}", f"data.split.seed={SEED}")  # each seed draws its labelled towers


# Cells of the embedded world, on whose weather its upland model runs.
EMBEDDED_CELLS = tuple(
    f"data.simulation.{key}" for key in ("kind=embedded", "face=simulation", "places=240", "years=6", "seed=0")
)
EVERY = (*TECHNIQUES, LONGER)
AT_TOWERS = (*EVERY, "stacking_series", "residual_series")  # where the simulator ran at the towers themselves
FEW = ("scratch", "finetune", "stacking")


def _simulator(name: str) -> tuple[str, ...]:
    return (
        f"data.simulation.simulator={name}",
        "data.split.label_share=0.2",
        f"data.split.seed={SEED}",
        "data.split.folds=3",
        "data.split.fold=null",
    )


# X-MethaneWet's shares of towers that show their fluxes.
SPARSE = {f"share_{round(100 * share)}": _labels(share) for share in (0.1, 0.25, 0.5, 1.0)}
ON_REPLICA = (
    "data.root=runs/xmethanewet_replica",
    "data.split.file=null",
    "data.split.folds=3",
    "data.split.fold=null",
    "data.simulation.first_year=2001",
    "data.simulation.last_year=2004",
    "data.simulation.cells=400",
)


STUDIES: dict[str, Study] = {
    "labels": Study(
        experiment="fluxnet2015_gpp_transfer",
        conditions={"share_5": _labels(0.05), "share_20": _labels(0.2), "share_100": _labels(1.0)},
        networks=("lstm", "raci"),
        techniques=AT_TOWERS,
        regime=BUDGET,
        seeds=3,
        folds=(0, 1, 2),
        of_network={"raci": NETWORK_ALONE},
        tuned_in="share_5",
        about="GPP at unseen FLUXNET2015 towers, pretrained on a light-use-efficiency model run on the towers' own "
        "weather, tested clusters left out. A condition is the share of training and validation towers whose fluxes "
        "are shown (5 % is at least four, and one to validate on), another draw with each seed. GPP is a partitioned "
        "product. RACI is its network alone, without trees and own days.",
    ),
    "more_draws": Study(
        experiment="fluxnet2015_gpp_transfer",
        conditions={"share_5": _labels(0.05)},
        networks=("lstm",),
        techniques=EVERY,
        regime=BUDGET,
        seeds=8,
        first_seed=3,
        folds=(0, 1, 2),
        tuned_by="labels",
        about="The condition share_5 of `labels` with eight further draws of labelled towers. Declared after the three "
        "draws there were opened, whose differences make most of the width of the intervals, and before any of these "
        "was run; the towers that are tested are the same 88.",
    ),
    "raci_more_draws": Study(
        experiment="fluxnet2015_gpp_transfer",
        conditions={"share_5": _labels(0.05)},
        networks=("raci",),
        techniques=("scratch", "mixed"),
        regime=BUDGET,
        seeds=8,
        first_seed=3,
        folds=(0, 1, 2),
        of_network={"raci": NETWORK_ALONE},
        tuned_by="labels",
        about="What validation chose for RACI's network at share_5 of `labels`, held against scratch in the eight "
        "further draws of `more_draws`. Declared with nothing left to choose, after the three draws there were opened "
        "and before any of these was run; the towers that are tested are the same 88.",
    ),
    "pmodel_gpp": Study(
        experiment="pmodel_gpp",
        conditions={"all": ("data.split.file=pmodel_leave_site_out_v1", "data.split.fold=null")},
        networks=("lstm",),
        techniques=AT_TOWERS,
        regime=BUDGET,
        seeds=3,
        tuned_by="labels",
        about="GPP at seven towers, one left out at a time, pretrained on P-model runs on the same drivers; days of "
        "good quality only, scored as published. GPP is a partitioned product, and the P-model's published parameters "
        "were fitted on FLUXNET2015 towers, which may be among these.",
    ),
    "peprmt_ch4": Study(
        experiment="peprmt_ch4",
        conditions={"all": ("data.split.file=peprmt_leave_site_out_v1", "data.split.fold=null")},
        networks=("lstm",),
        techniques=AT_TOWERS,
        regime=BUDGET,
        seeds=3,
        tuned_by="labels",
        about="Methane of four tidal wetlands, one left out at a time, pretrained on PEPRMT's ensemble on the same "
        "drivers; gap-filled and without a quality column, scored as published. PEPRMT's parameters may have been "
        "fitted on some of these very towers.",
    ),
    "embedded_source": Study(
        experiment="fluxnet2015_gpp_transfer",
        conditions={
            "share_5": (*EMBEDDED_CELLS, *_labels(0.05)),
            "share_100": (*EMBEDDED_CELLS, *_labels(1.0)),
        },
        networks=("lstm",),
        techniques=FEW,
        regime=BUDGET,
        seeds=3,
        folds=(0, 1, 2),
        tuned_by="labels",
        about="GPP at unseen FLUXNET2015 towers, pretrained on the embedded world: 240 cells of made-up land under "
        "made-up weather, whose fluxes follow the same light-use-efficiency model. A condition is the share of "
        "training and validation towers whose fluxes are shown. GPP is a partitioned product.",
    ),
    "simulator_error": Study(
        experiment="embedded_terrestrial_gpp",
        conditions={name: _simulator(name) for name in ("true", "simpler", "shuffled", "half_a_year_late")},
        networks=("lstm",),
        techniques=FEW,
        regime=BUDGET,
        seeds=3,
        tuned_by="labels",
        about="GPP at unseen towers of the embedded world, a fifth of the training and validation towers labelled, "
        "pretrained on its simulation. A condition is the simulator: without error (the towers' own equations), with "
        "moderate error (fewer mechanisms, wrong parameters), useless (its fluxes shuffled over cells and days), and "
        "wrong (half a year late). Each seed has folds and labelled towers of its own.",
    ),
    "sparse": Study(
        experiment="xmethanewet_sparse",
        conditions=SPARSE,
        networks=("lstm",),
        techniques=EVERY,
        regime=BUDGET,
        seeds=3,
        tuned_by="labels",
        about="X-MethaneWet's data-sparse study on its own files: methane of unseen towers, pretrained on TEM-MDM, by "
        "the share of training and validation towers whose fluxes are shown.",
    ),
    "sparse_replica": Study(
        experiment="xmethanewet_sparse",
        conditions=SPARSE,
        networks=("lstm",),
        techniques=EVERY,
        regime=(*BUDGET, *ON_REPLICA),
        seeds=3,
        tuned_by="labels",
        about="X-MethaneWet's data-sparse study on a made-up replica of its files (`python -m "
        "benchmarks.transfer.replica runs/xmethanewet_replica`): it shows that the study runs as it will on the real "
        "files, and says nothing about methane. Each seed has folds and labelled towers of its own.",
    ),
}
