"""What the keys of transfer say together, and with the models of a command."""

from ..errors import UserError
from .models import ESTIMATORS, PARTS
from .paper_models import PAPER_PARTS
from .raci import RaciConfig
from .schema import Config
from .trainings import reads_series
from .transfer import EMULATED, FINETUNED, JOINT, StageConfig, TransferConfig

PAIRED = {"thaw": "fast_encoder@50", "rates": "fast_encoder@0.1"}  # keys whose entries are PART@NUMBER, and one such


def check_transfer(config: Config) -> None:
    """Refuse keys of transfer that contradict each other, the data or a model.

    Raises
    ------
    UserError
        The first contradiction, with the keys that make it.
    """
    transfer = config.transfer
    if transfer.name != "scratch" and config.data.simulation is None:
        raise UserError(
            f"transfer={transfer.name} needs a data.simulation to pretrain on, and there is none; take transfer=scratch"
        )
    if transfer.name == "scratch" and transfer.freeze:
        raise UserError(
            "transfer.freeze keeps pretrained parts, but transfer=scratch pretrains none; take transfer.freeze=[]"
        )
    for key in ("freeze", "thaw", "rates", "l2_sp"):
        if transfer.name not in FINETUNED and getattr(transfer, key):
            raise UserError(
                f"transfer.{key} goes with transfer={', '.join(FINETUNED)}, not with {transfer.name}; leave it out"
            )
    if transfer.emulator is not None and transfer.name not in EMULATED:
        raise UserError(
            f"transfer.emulator goes with transfer={' or '.join(EMULATED)}, not with {transfer.name}; leave it out"
        )
    if transfer.simulated_flux == "series" and transfer.name not in EMULATED:
        raise UserError(
            f"transfer.simulated_flux goes with transfer={', '.join(EMULATED)}, not with {transfer.name}; leave it out"
        )
    for key in ("emulator", "inputs", "pretrain_seed") if reads_series(config) else ():
        if getattr(transfer, key) != getattr(TransferConfig(transfer.name), key):
            raise UserError(
                f"transfer.{key} is about the training of an emulator, and transfer.simulated_flux=series has none; "
                "leave it out"
            )
    told_by_itself = transfer.name in EMULATED and transfer.emulator is None and not reads_series(config)
    if told_by_itself and config.model.name in ESTIMATORS:
        raise UserError(
            f"transfer={transfer.name}: model={config.model.name} cannot learn the simulation; "
            "add transfer.emulator=lstm or another network, or transfer.simulated_flux=series"
        )
    if transfer.name in (*JOINT, "residual") and config.data.pair == "carbon_balance" and transfer.align != "units":
        raise UserError(
            f"transfer={transfer.name}: NEE = RECO - GPP holds in units, and transfer.align=moments gives each domain "
            "a scale of its own; take transfer.align=units"
        )
    for name in config.knowledge.weights() if transfer.name == "residual" else ():
        raise UserError(
            f"knowledge.{name} judges whole fluxes, and transfer=residual trains on the rest to the simulated ones; "
            f"take knowledge.{name}=0 or transfer=stacking"
        )
    _check_parts(config)
    for name, stage in stages(config).items():
        if stage.learning_rate == 0:
            raise UserError(f"{name}.learning_rate is 0, so that nothing would be learned; give a positive one")


def stages(config: Config) -> dict[str, StageConfig]:
    """Return the stages that run, by the path of their section."""
    of_config = {"transfer.finetune": config.transfer.finetune}
    if config.transfer.name != "scratch" and not reads_series(config):
        of_config["transfer.pretrain"] = config.transfer.pretrain
    return of_config


def numbers_of_parts(transfer: TransferConfig, key: str) -> dict[str, float]:
    """Return what ``transfer.thaw`` or ``transfer.rates`` says of each part.

    Raises
    ------
    UserError
        An entry is not PART@NUMBER with a number of 0 or more, or a part stands twice.
    """
    found: dict[str, float] = {}
    for entry in getattr(transfer, key):
        part, _, number = entry.partition("@")
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if not part or not 0 <= value < float("inf") or part in found:
            raise UserError(f"transfer.{key}: {entry!r} is no new PART@NUMBER, such as {PAIRED[key]}")
        found[part] = value
    return found


def _check_parts(config: Config) -> None:
    """Refuse parts that a network of the command does not have, or that leave it nothing to train."""
    transfer = config.transfer
    named = {"freeze": list(transfer.freeze)} | {key: list(numbers_of_parts(transfer, key)) for key in PAIRED}
    for part in named["freeze"]:
        if part in named["thaw"]:
            raise UserError(f"transfer.freeze and transfer.thaw both name {part}; leave it out of one of them")
    for model in (config.model.name, *config.compare):
        if model not in PARTS | PAPER_PARTS:
            continue
        parts = _parts(config, model)
        for key, of_key in named.items():
            for part in of_key:
                if part not in parts:
                    raise UserError(
                        f"transfer.{key}: {model} has no part {part!r}; its parts are {', '.join(parts)}. "
                        "Models of compare share these keys"
                    )
        if set(transfer.freeze) == set(parts):
            raise UserError(
                f"transfer.freeze names every part of {model}, so that nothing is left to train; leave one out"
            )
        kept = {*transfer.freeze, *(part for part, step in numbers_of_parts(transfer, "thaw").items() if step)}
        if kept >= set(parts):
            raise UserError(
                f"transfer.thaw keeps every part of {model} that is not frozen, so that nothing is trained at first; "
                "leave one out"
            )


def _parts(config: Config, model: str) -> list[str]:
    own, off = config.model, set()
    if isinstance(own, RaciConfig) and model == own.name:
        off = {name for name, part in (("retrieval", own.retrieval), ("own_days", own.own_days)) if not part.enabled}
    return [part for part in (PARTS | PAPER_PARTS)[model] if part not in off]
