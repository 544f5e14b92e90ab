"""What the keys of transfer say together, and with the models of a command."""

from ..errors import UserError
from .models import ESTIMATORS, PARTS
from .paper_models import PAPER_PARTS
from .raci import RaciConfig
from .schema import Config
from .trainings import reads_series
from .transfer import EMULATED, FINETUNED, JOINT, TECHNIQUES, StageConfig, TransferConfig

# The techniques that read a key; elsewhere it would do nothing. The budgets of both stages, leave_out* and reuse pass
# everywhere, so that one sweep over techniques can set them: what the latter forbid then never happens.
READ_BY: dict[str, tuple[str, ...]] = dict.fromkeys(("freeze", "thaw", "rates", "l2_sp"), FINETUNED)
READ_BY |= dict.fromkeys(("emulator", "simulated_flux"), EMULATED)
READ_BY |= dict.fromkeys(("pretrained", "pretrain_seed"), ("finetune", *EMULATED))
READ_BY |= {"domain_weight": ("adversarial",), "sharpness": ("reweight",), "simulated_weight": ("mixed",)}
READ_BY |= dict.fromkeys(("inputs", "align", "against_scratch"), TECHNIQUES[1:])

PAIRED = {"thaw": "fast_encoder@50", "rates": "fast_encoder@0.1"}  # keys whose entries are PART@NUMBER, and one such


def check_transfer(config: Config) -> None:
    """Refuse keys of transfer that contradict each other, the data or a model.

    Raises
    ------
    UserError
        The first contradiction, with the keys that make it.
    """
    transfer = config.transfer
    if transfer.name != "scratch" and transfer.pretrained is None and config.data.simulation is None:
        raise UserError(
            f"transfer={transfer.name} needs a data.simulation to pretrain on, and there is none; take transfer=scratch"
        )
    unchanged = TransferConfig(transfer.name)
    for key, techniques in READ_BY.items():
        if transfer.name not in techniques and getattr(transfer, key) != getattr(unchanged, key):
            raise UserError(
                f"transfer.{key} goes with transfer={', '.join(techniques)}, not with {transfer.name}; leave it out"
            )
    for key in ("emulator", "pretrained", "inputs", "pretrain_seed") if reads_series(config) else ():
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
    if transfer.pretrained is not None:
        _check_pretrained(config)
    _check_parts(config)
    for name, stage in stages(config).items():
        if stage.learning_rate == 0:
            raise UserError(f"{name}.learning_rate is 0, so that nothing would be learned; give a positive one")


def stages(config: Config) -> dict[str, StageConfig]:
    """Return the stages that run, by the path of their section."""
    of_config = {"transfer.finetune": config.transfer.finetune}
    if config.transfer.name != "scratch" and config.transfer.pretrained is None and not reads_series(config):
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


def _check_pretrained(config: Config) -> None:
    """Refuse what a pretraining that was made elsewhere cannot give."""
    transfer, named = config.transfer, "transfer.pretrained"
    if transfer.pretrain_seed is not None:
        raise UserError(f"{named} takes a pretraining as it is; leave out transfer.pretrain_seed")
    if transfer.inputs == "towers":
        raise UserError(f"{named}: its weights know other scales; take transfer.inputs=simulation or refitted")
    if transfer.emulator is not None:  # one for all models of the command
        return
    if config.model.name in ESTIMATORS:
        raise UserError(
            f"{named} holds the weights of a network, and model={config.model.name} is none; take a network, or "
            "transfer=stacking with transfer.emulator"
        )
    others = [name for name in config.compare if name not in ESTIMATORS]
    if others:
        raise UserError(f"{named} is of one network; leave {', '.join(others)} out of compare")


def _check_parts(config: Config) -> None:
    """Refuse parts that a network of the command does not have, or that leave it nothing to train."""
    transfer, steps = config.transfer, config.transfer.finetune.steps
    thaw, rates = (numbers_of_parts(transfer, key) for key in PAIRED)
    for key, of_key in (("thaw", thaw), ("rates", rates)):
        for part in transfer.freeze:
            if part in of_key:
                raise UserError(f"transfer.freeze and transfer.{key} both name {part}; leave it out of one of them")
    for part, step in thaw.items():
        if step >= steps:
            raise UserError(
                f"transfer.thaw: {part}@{step:g} is not below transfer.finetune.steps={steps}, so it would never be "
                f"trained; take an earlier step, or transfer.freeze=[{part}]"
            )
    frozen = {*transfer.freeze, *(part for part, rate in rates.items() if not rate)}
    for model in (config.model.name, *config.compare):
        if model not in PARTS | PAPER_PARTS:
            continue
        parts = _parts(config, model)
        for key, named in (("freeze", transfer.freeze), ("thaw", list(thaw)), ("rates", list(rates))):
            for part in named:
                if part not in parts:
                    raise UserError(
                        f"transfer.{key}: {model} has no part {part!r}; its parts are {', '.join(parts)}. "
                        "Models of compare share these keys"
                    )
        if frozen >= set(parts):
            raise UserError(
                f"transfer.freeze, or transfer.rates of 0, name every part of {model}, so that nothing is left to "
                "train; leave one out"
            )
        if frozen | {part for part, step in thaw.items() if step} >= set(parts):
            raise UserError(
                f"transfer.thaw keeps every part of {model} that is not frozen, so that nothing is trained at first; "
                "leave one out"
            )
    shown = isinstance(config.model, RaciConfig) and config.model.retrieval.pretrain
    if "retrieval" in frozen and not shown:
        raise UserError(
            "transfer.freeze, or a rate of 0, keeps retrieval as pretrained, and model.retrieval.pretrain=false shows "
            "the pretraining no neighbours, so that it learns nothing of them; add model.retrieval.pretrain=true, or "
            "train it"
        )


def _parts(config: Config, model: str) -> list[str]:
    own, off = config.model, set()
    if isinstance(own, RaciConfig) and model == own.name:
        off = {name for name, part in (("retrieval", own.retrieval), ("own_days", own.own_days)) if not part.enabled}
    return [part for part in (PARTS | PAPER_PARTS)[model] if part not in off]
