"""Seeded damage to files of every product: what disks, downloads, spreadsheets and people do to them.

``damaged(content, rng)`` returns the bytes of a file after one or two mutations. A reader that is handed them must
answer with a cube or with one line.
"""

import random
from collections.abc import Callable, Mapping

STRANGE = (
    "",
    "NA",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "--",
    "12,5",
    "1.2.3",
    "0x1f",
    "-9999",
    "-9999.0",
    "-99999",
    "1e30",
    "-1e30",
    "Ä",
    "\x00",
    '"',
    "=1+1",
)


def _lines(content: bytes) -> list[bytes]:
    return content.split(b"\n")


def cut_off(content: bytes, rng: random.Random) -> bytes:
    """A download that broke off."""
    return content[: rng.randrange(len(content) + 1)]


def flipped(content: bytes, rng: random.Random) -> bytes:
    """A few bits of a disk."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 8)):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def other_delimiter(content: bytes, rng: random.Random) -> bytes:
    """A spreadsheet of another country."""
    return content.replace(b",", rng.choice([b";", b"\t", b" ", b"|"]))


def header_twice(content: bytes, rng: random.Random) -> bytes:
    """Two files joined."""
    lines = _lines(content)
    lines.insert(rng.randrange(1, len(lines) + 1), lines[0])
    return b"\n".join(lines)


def line_lost(content: bytes, rng: random.Random) -> bytes:
    """A row that is gone, the header too."""
    lines = _lines(content)
    del lines[rng.randrange(len(lines))]
    return b"\n".join(lines)


def line_twice(content: bytes, rng: random.Random) -> bytes:
    """A row that is there again, as at the end of daylight saving."""
    lines = _lines(content)
    row = rng.randrange(len(lines))
    lines.insert(row, lines[row])
    return b"\n".join(lines)


def shuffled(content: bytes, rng: random.Random) -> bytes:
    """Rows in another order."""
    head, *rows = _lines(content)
    rng.shuffle(rows)
    return b"\n".join([head, *rows])


def no_rows(content: bytes, rng: random.Random) -> bytes:
    """A header alone."""
    return _lines(content)[0] + (b"\n" if rng.random() < 0.5 else b"")


def column_lost(content: bytes, rng: random.Random) -> bytes:
    """A column that is gone."""
    cells = [line.split(b",") for line in _lines(content)]
    place = rng.randrange(len(cells[0]))
    return b"\n".join(b",".join(row[:place] + row[place + 1 :]) for row in cells)


def column_twice(content: bytes, rng: random.Random) -> bytes:
    """A column that is there again."""
    cells = [line.split(b",") for line in _lines(content)]
    place = rng.randrange(len(cells[0]))
    return b"\n".join(b",".join(row[:place] + row[place : place + 1] + row[place:]) for row in cells)


def strange_cell(content: bytes, rng: random.Random) -> bytes:
    """A cell that a person typed."""
    cells = [line.split(b",") for line in _lines(content)]
    row = rng.choice(cells)
    row[rng.randrange(len(row))] = rng.choice(STRANGE).encode()
    return b"\n".join(b",".join(row) for row in cells)


def strange_column(content: bytes, rng: random.Random) -> bytes:
    """A column of one strange value."""
    cells = [line.split(b",") for line in _lines(content)]
    place, value = rng.randrange(len(cells[0])), rng.choice(STRANGE).encode()
    for row in cells[1:]:
        if place < len(row):
            row[place] = value
    return b"\n".join(b",".join(row) for row in cells)


def zoned(content: bytes, rng: random.Random) -> bytes:
    """A column whose cells carry a time zone."""
    cells = [line.split(b",") for line in _lines(content)]
    place, zone = rng.randrange(len(cells[0])), rng.choice([b"Z", b"+02:00", b" UTC", b" CEST"])
    for row in cells[1:]:
        if place < len(row):
            row[place] += zone
    return b"\n".join(b",".join(row) for row in cells)


def clocks_changed(content: bytes, rng: random.Random) -> bytes:
    """An hour that is gone in spring, and one that is there twice in autumn."""
    lines = _lines(content)
    if len(lines) > 8:
        spring = rng.randrange(1, len(lines) - 4)
        del lines[spring : spring + 2]
        autumn = rng.randrange(1, len(lines) - 2)
        lines[autumn:autumn] = lines[autumn : autumn + 2]
    return b"\n".join(lines)


def other_line_ends(content: bytes, rng: random.Random) -> bytes:
    """Line ends of other systems, or a byte order mark."""
    return rng.choice([content.replace(b"\n", b"\r\n"), content.replace(b"\n", b"\r"), b"\xef\xbb\xbf" + content])


def other_encoding(content: bytes, rng: random.Random) -> bytes:
    """Text of another encoding."""
    return content.decode("utf-8", "replace").encode(rng.choice(["utf-16", "utf-32"]))


def empty(content: bytes, rng: random.Random) -> bytes:
    """Nothing, or nothing but zeros."""
    return b"" if rng.random() < 0.5 else b"\x00" * min(len(content), 4096)


BYTES: Mapping[str, Callable[[bytes, random.Random], bytes]] = {
    each.__name__: each for each in (cut_off, flipped, empty)
}
TEXT: Mapping[str, Callable[[bytes, random.Random], bytes]] = {
    **BYTES,
    **{
        each.__name__: each
        for each in (
            other_delimiter, header_twice, line_lost, line_twice, shuffled, no_rows, column_lost, column_twice,
            strange_cell, strange_column, zoned, clocks_changed, other_line_ends, other_encoding,
        )
    },
}  # fmt: skip


def damaged(
    content: bytes, rng: random.Random, kinds: Mapping[str, Callable[[bytes, random.Random], bytes]] = TEXT
) -> tuple[bytes, str]:
    """Return content after one or two mutations, and their names."""
    names = rng.choices(list(kinds), k=rng.randint(1, 2))
    for name in names:
        if content:
            content = kinds[name](content, rng)
    return content, " + ".join(names)
