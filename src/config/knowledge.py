"""What is known of fluxes beforehand: the weight of each term, and which fluxes of a pair it speaks of."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ..errors import UserError
from .declare import key

HEAVIEST = 1e4  # weight of a term: far beyond any use, so that a slip of the keyboard is noticed


@dataclass
class KnowledgeConfig:
    """Weights of knowledge-guided losses; all in units of the flux's spread in training, 0 leaves a term out."""

    balance: float = key(
        0.0,
        "weight; the RECO that predicted GPP and NEE imply (GPP + NEE, gC m-2 d-1) is not negative. Where RECO is a "
        "target too, NEE = RECO - GPP is exact without it",
        bounds=(0.0, HEAVIEST),
    )
    non_negative: float = key(
        0.0, "weight; predicted GPP and RECO (gC m-2 d-1) are not negative", bounds=(0.0, HEAVIEST)
    )
    range: float = key(
        0.0, "weight; every flux stays in the range in which readers take its values for plausible, in its unit",
        bounds=(0.0, HEAVIEST),
    )  # fmt: skip
    temperature: float = key(
        0.0,
        "weight; a spell of days 2 K warmer lowers neither RECO (at 0 to 25 degC) nor the CH4 of wetlands (0 to 20)",
        bounds=(0.0, HEAVIEST),
    )
    light: float = key(
        0.0,
        "weight; a spell of days brighter by 20 W m-2 does not lower GPP (at 20 to 200 W m-2), and GPP is no more than "
        "the day's photons can fix: nothing in the dark",
        bounds=(0.0, HEAVIEST),
    )

    def weights(self) -> dict[str, float]:
        """Return the weight of each term that is switched on."""
        return {name: weight for name, weight in asdict(self).items() if weight > 0}


_GPP = ("GPP",)
# Which fluxes of which pair a term speaks of; ``range`` is not here, it speaks of every target. The RECO of
# terrestrial_carbon is no target: GPP and NEE imply it. The methane of wetlands alone is said to rise with warmth:
# upland soils take it up. Of NEE nothing is said: warmth moves both of its parts.
SPEAKS_OF: dict[str, dict[str, tuple[str, ...]]] = {
    "balance": {"terrestrial_carbon": ("RECO",)},
    "non_negative": {
        "cropland_gpp": _GPP,
        "terrestrial_gpp": _GPP,
        "terrestrial_carbon": _GPP,
        "carbon_balance": ("GPP", "RECO"),
    },
    "temperature": {"wetland_ch4": ("FCH4",), "terrestrial_carbon": ("RECO",), "carbon_balance": ("RECO",)},
    "light": {"cropland_gpp": _GPP, "terrestrial_gpp": _GPP, "terrestrial_carbon": _GPP, "carbon_balance": _GPP},
}
# Drivers of which a term needs one at least.
NEEDS: dict[str, tuple[str, ...]] = {"temperature": ("TA",), "light": ("SW", "PPFD")}


def check_pair(config: KnowledgeConfig, pair: str) -> None:
    """Refuse a term that has nothing to say of the fluxes of a pair.

    Raises
    ------
    UserError
        The first such term, with the pairs that it is for.
    """
    for name in config.weights():
        pairs = SPEAKS_OF.get(name, {pair: ()})
        if pair in pairs:
            continue
        exact = (
            "; its NEE is RECO - GPP exactly, without a loss" if (name, pair) == ("balance", "carbon_balance") else ""
        )
        raise UserError(
            f"knowledge.{name} says nothing of data.pair={pair}{exact}; take knowledge.{name}=0; it is for "
            f"{', '.join(pairs)}"
        )


def check_drivers(config: KnowledgeConfig, fast: Sequence[str]) -> None:
    """Refuse a term that asks what a driver does, where the run has none such.

    Raises
    ------
    UserError
        The first such term, with the drivers of which it needs one.
    """
    for name in config.weights():
        needed = NEEDS.get(name, ())
        if needed and not set(needed) & set(fast):
            raise UserError(
                f"knowledge.{name} needs the driver {' or '.join(needed)}, which a source lacks or data.drop_inputs "
                f"names; map a column to {needed[0]}, or take knowledge.{name}=0"
            )
