"""What the scores are called and what must be said beside them: one wording for console, figures and report."""

import re
from collections.abc import Mapping
from typing import Any

from ..variables import TARGETS

SCORES: dict[str, tuple[str, ...]] = {
    "measured": ("measured", "convention"),
    "published": ("published",),
    "simulated": ("simulated",),
}
"""Scores of each quality of data, the primary one first."""

LABELS: dict[str, str] = {
    "measured": "measured",
    "convention": "measured or well filled",
    "published": "as published, gap-filled",
    "simulated": "simulated",
}

MEANINGS: dict[str, str] = {
    "measured": "measured: days with QC ≥ 0.75 of which at least half was measured; the primary score",
    "convention": "measured or well filled: days with QC ≥ 0.75, the field's convention",
    "published": "as published, gap-filled: every published day; the data have no quality column, "
    "so nothing is claimed to be measured",
    "simulated": "simulated: what is predicted is the output of a process model, on every day; nothing was measured",
}

QUESTIONS: dict[str, str] = {
    "unseen": "unseen sites",
    "new_years": "new years at known sites",
    "few_shot": "unseen sites that show a few days",
}
"""What a model can be asked, and the words for it."""

QUESTION_MEANINGS: dict[str, str] = {
    "unseen": "unseen sites: no flux of a test site, nor of any tower of its cluster, was visible to the model",
    "new_years": "new years at known sites: the model saw fluxes of a test site up to the end of its training years, "
    "and none of its test years",
    "few_shot": "unseen sites that show a few days: the model saw some days of a test site's flux a year or more "
    "before the days that are scored, and no flux of any other tower of its cluster",
}

PARTITIONED = {"GPP", "RECO"}
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def target_name(attrs: Mapping[str, Any]) -> str:
    """Name of the flux as a number's label says it: a partitioned product is marked beside each number."""
    target = str(attrs["target"])
    return f"{target} (partitioned)" if target in PARTITIONED else target


def question(attrs: Mapping[str, Any]) -> str:
    """Return what was asked of the model, a key of ``QUESTIONS``; runs that do not say it asked for unseen sites."""
    return str(attrs.get("question", "unseen"))


def where(attrs: Mapping[str, Any]) -> str:
    """Say where the model was asked, to follow a flux in a title: ``at unseen sites``."""
    return {
        "unseen": "at unseen sites",
        "new_years": "in new years at known sites",
        "few_shot": "a year after some own days",
    }[question(attrs)]


def model_name(summary: Mapping[str, Any]) -> str:
    """Return the name of a model as every table shows it: one that looks at days to come carries the mark."""
    return f"{summary['model']} (not causal)" if summary["causal"] is False else str(summary["model"])


def long_name(attrs: Mapping[str, Any]) -> str:
    """Name of the flux in words."""
    target = str(attrs["target"])
    return TARGETS[target].long_name if target in TARGETS else target


def pretty_unit(unit: str) -> str:
    """Write powers as superscripts: ``gC m-2 d-1`` becomes ``gC m⁻² d⁻¹``."""
    return re.sub(r"(?<=[A-Za-z])-?\d+\b", lambda power: power[0].translate(SUPERSCRIPTS), unit)


def notes(summary: Mapping[str, Any]) -> list[str]:
    """Lines that belong beside the numbers of a summary (see :func:`raciflux.evaluation.scores.tables.summary`)."""
    lines = [MEANINGS[score] for score in summary["scores"]]
    if summary["causal"] is False:
        lines.append(f"{summary['model']} is not causal: its value of a day depends on drivers of later days")
    if summary["target"] in PARTITIONED:
        lines.insert(0, f"{summary['target']} is a partitioned product: derived from NEE, not itself measured")
    for score, block in summary["scores"].items():
        if block["sites_below_min_days"]:
            lines.append(
                f"{LABELS[score]}: {block['sites_below_min_days']} sites with fewer than "
                f"{summary['min_scored_days']} scored days are left out"
            )
        if block["sites_without_r2"]:
            lines.append(
                f"{LABELS[score]}: {block['sites_without_r2']} scored sites have no R2 (no spread, or no prediction)"
            )
        if block["days_without_prediction"]:
            lines.append(
                f"{LABELS[score]}: {block['days_without_prediction']} scored days have no prediction and count nowhere"
            )
    return lines
