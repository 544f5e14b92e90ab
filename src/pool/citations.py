"""The citations that a pool's sources ask for, as BibTeX."""

import re
from collections.abc import Sequence

from .catalogue import DOI, Written

SPECIAL = str.maketrans({"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "{": r"\{", "}": r"\}", "$": r"\$"})
ARXIV = re.compile(r"arXiv[ :](\d{4}\.\d{4,5})")
YEAR = re.compile(r"\b(?:19|20)\d\d\b")


def bibtex(written: Sequence[Written]) -> str:
    """Return an entry for each citation, with the sources that ask for it."""
    asked: dict[str, list[str]] = {}
    for each in written:
        for citation in (part.strip() for part in each.attributes.get("citation", "").split(";")):
            if citation:
                asked.setdefault(citation, []).append(each.name)
    return "".join(_entry(number, citation, names) for number, (citation, names) in enumerate(sorted(asked.items()), 1))


def _entry(number: int, citation: str, names: Sequence[str]) -> str:
    fields = {"title": "{" + citation.translate(SPECIAL) + "}", "note": f"asked for by {', '.join(sorted(names))}"}
    if year := YEAR.search(citation):
        fields["year"] = year.group()
    if doi := DOI.search(citation):
        fields["doi"] = doi.group()
    if arxiv := ARXIV.search(citation):
        fields |= {"eprint": arxiv.group(1), "archiveprefix": "arXiv"}
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@misc{{source{number},\n{lines}\n}}\n\n"
