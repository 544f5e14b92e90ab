"""Archives that mean harm or are broken, and faulty tables: one line each, and nothing is written where they say."""

import io
import stat
import zipfile

import openpyxl
import pytest
from fluxnet_layout import OFFICIAL, csv_text, half_hours, write_facts, write_site, write_zip
from raciflux.config.sources import FluxnetSource
from raciflux.datamodules.sources import read
from raciflux.datamodules.sources.fluxnet import archives
from raciflux.errors import UserError

NAME = OFFICIAL.format(site="FI-Hyy", resolution="HH", years="2004-2004")


def refusal(folder, **keys) -> str:
    with pytest.raises(UserError) as caught:
        read("terrestrial_carbon", FluxnetSource(path="in", **keys), folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["../" + NAME, "/etc/" + NAME, "a/../../" + NAME, "..\\" + NAME, "C:\\" + NAME])
def test_a_name_that_leaves_the_archive_is_refused(tmp_path, name):
    write_zip(tmp_path / "in" / "x.zip", {name: csv_text(half_hours())})
    write_facts(tmp_path / "in", ["FI-Hyy"])
    assert "points outside the archive" in refusal(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*.csv")) == ["FLX_AA-Flx_BIF_ALL_20200501.csv"]


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    write_zip(tmp_path / "in" / "x.zip", {NAME: "0" * 50_000_000})
    write_facts(tmp_path / "in", ["FI-Hyy"])
    monkeypatch.setattr(archives.shutil, "copyfileobj", lambda *_: pytest.fail("unpacked"))
    assert "no table of fluxes" in refusal(tmp_path)


def test_a_table_larger_than_any_is_refused(tmp_path, monkeypatch):
    write_site(tmp_path / "in")
    write_facts(tmp_path / "in", ["FI-Hyy"])
    monkeypatch.setattr(archives, "LARGEST", 1000)
    assert "no table of fluxes" in refusal(tmp_path)


def test_a_link_in_an_archive_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    entry = zipfile.ZipInfo(NAME)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "in" / "x.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    assert "is a link" in refusal(tmp_path)


def test_a_locked_member_is_told(tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(NAME, csv_text(half_hours()))
    content = bytearray(packed.getvalue())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flag that says: locked
        content[content.index(signature) + place] |= 1
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.zip").write_bytes(bytes(content))
    write_facts(tmp_path / "in", ["FI-Hyy"])
    assert "locked with a password" in refusal(tmp_path)


@pytest.mark.parametrize("kept", [0, 10, 2000, -10])
def test_a_cut_archive_is_told(tmp_path, kept):
    path = write_site(tmp_path / "in")
    path.write_bytes(path.read_bytes()[:kept])
    assert "cannot be read as ZIP" in refusal(tmp_path)


def changed(name: str, row: int, value: str):
    def change(columns):
        columns[name][row] = value

    return change


def twice(columns):
    for values in columns.values():
        values.insert(5, values[4])


def summer_time(columns):
    """Clocks go back: an hour is there twice."""
    for name in ("TIMESTAMP_START", "TIMESTAMP_END"):
        columns[name][60:64] = columns[name][58:62]


FAULTS = {
    "text in numbers": (changed("TA_F", 3, "warm"), ["row 4", "'TA_F'", "'warm' is no number"]),
    "infinite": (changed("NEE_VUT_REF", 0, "inf"), ["row 1", "'NEE_VUT_REF'", "is no number"]),
    "bad stamp": (changed("TIMESTAMP_START", 7, "2004-02-28"), ["row 8", "'TIMESTAMP_START'", "no time stamp"]),
    "13th month": (changed("TIMESTAMP_START", 7, "200413280330"), ["row 8", "no time stamp"]),
    "off the grid": (changed("TIMESTAMP_START", 7, "200402280337"), ["row 8", "does not begin a step of 30 minutes"]),
    "row twice": (twice, ["row 5", "is there twice"]),
    "summer time": (summer_time, ["is there twice"]),
    "no stamps": (lambda columns: columns.pop("TIMESTAMP_START"), ["no column TIMESTAMP_START or TIMESTAMP"]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_table_is_told_by_file_row_and_column(tmp_path, fault):
    columns = half_hours()
    change, words = FAULTS[fault]
    change(columns)
    write_site(tmp_path / "in", columns=columns)
    write_facts(tmp_path / "in", ["FI-Hyy"])
    said = refusal(tmp_path)
    assert NAME in said
    for word in words:
        assert word in said


def test_rows_out_of_order_are_sorted_and_said(tmp_path):
    columns = half_hours()
    write_site(tmp_path / "a", columns=columns)
    write_site(tmp_path / "b", columns={name: values[::-1] for name, values in columns.items()})
    cubes = []
    for folder in ("a", "b"):
        write_facts(tmp_path / folder, ["FI-Hyy"])
        cubes.append(read("terrestrial_carbon", FluxnetSource(path=folder), tmp_path))
    assert cubes[0].equals(cubes[1])
    assert "not in the order of time" in cubes[1].attrs["reading_notes"]


def test_what_is_missing_is_said_with_its_remedy(tmp_path):
    assert "no such file or folder" in refusal(tmp_path)
    (tmp_path / "in").mkdir()
    assert "keep the names that the network gave" in refusal(tmp_path)
    write_site(tmp_path / "in")
    assert "nobody tells where the site 'FI-Hyy' is" in refusal(tmp_path)
    write_facts(tmp_path / "in", ["FI-Hyy"], {"IGBP": "ENF"})
    assert "nobody tells where" in refusal(tmp_path)
    write_facts(tmp_path / "in", ["FI-Hyy"], {"LOCATION_LAT": "north", "LOCATION_LONG": "24"})
    assert "LOCATION_LAT of FI-Hyy is 'north', not a number" in refusal(tmp_path)
    assert "no table of FLUXNET-CH4" in refusal(tmp_path, product="FLUXNET-CH4")
    assert "of days" in refusal(tmp_path, steps="days")


def test_a_workbook_of_facts_says_what_the_text_says(tmp_path):
    write_site(tmp_path / "in")
    path = write_facts(tmp_path / "in", ["FI-Hyy"])
    of_text = read("terrestrial_carbon", FluxnetSource(path="in"), tmp_path)
    book = openpyxl.Workbook()
    for line in path.read_text().splitlines():
        book.active.append(line.split(","))
    path.unlink()
    book.save(path.with_suffix(".xlsx"))
    assert read("terrestrial_carbon", FluxnetSource(path="in"), tmp_path).equals(of_text)
    content = path.with_suffix(".xlsx").read_bytes()
    path.with_suffix(".xlsx").write_bytes(content[: len(content) // 2])
    assert "cannot be read as .xlsx" in refusal(tmp_path)


def test_a_fact_told_twice_is_taken_from_the_last_group_and_said(tmp_path):
    write_site(tmp_path / "in")
    path = write_facts(tmp_path / "in", ["FI-Hyy"])
    path.write_text(path.read_text() + "FI-Hyy,99,GRP_IGBP,IGBP,MF\n")
    cube = read("terrestrial_carbon", FluxnetSource(path="in"), tmp_path)
    assert str(cube["igbp"][0].item()) == "MF"
    assert "tells 2 values of IGBP" in cube.attrs["reading_notes"]
