"""Just enough LaTeX for tables: escaped text, numbers, units, and a booktabs table."""

import re
from collections.abc import Sequence

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "≥": r"$\geq$",
    "−": r"$-$",
    "–": "--",
    "Δ": r"$\Delta$",
    "⁻": r"$^{-}$",
    **{raised: f"$^{{{digit}}}$" for digit, raised in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
}
NONE = "--"


def escaped(text: str) -> str:
    """Write any text so that LaTeX prints it; control characters become spaces, other scripts a question mark."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    return "".join(SPECIAL.get(character, character if ord(character) < 0x180 else "?") for character in plain)


def number(value: float | None, decimals: int = 2) -> str:
    """Write a number with a true minus sign, an undefined one as a dash."""
    return NONE if value is None else f"${value:.{decimals}f}$"


def count(value: int) -> str:
    """Write a whole number with thin spaces between thousands."""
    return f"{value:,}".replace(",", r"\,")


def unit(text: str) -> str:
    """Write powers raised: ``gC m-2 d-1`` becomes ``gC m$^{-2}$ d$^{-1}$``."""
    return re.sub(r"(?<=[A-Za-z])-?\d+\b", lambda power: f"$^{{{power[0]}}}$", escaped(text))


def table(header: Sequence[str], rows: Sequence[Sequence[str]], caption: str, label: str) -> str:
    r"""Write a table of ready cells: the first column left, the others right; needs ``\usepackage{booktabs}``.

    A row without cells is a rule.
    """
    lines = [r"\midrule" if not row else " & ".join(row) + r" \\" for row in rows]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering\footnotesize\setlength{\tabcolsep}{3.5pt}",
            rf"\caption{{{caption}}}",
            rf"\label{{{label}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
            r"\toprule",
            " & ".join(header) + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )
