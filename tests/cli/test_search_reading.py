"""Records are read from JSON, NDJSON and CSV as streams; what is bad is named by its line."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from storagebox.cli import search_reading
from storagebox.cli.search_reading import Bad, Format, Row, Unreadable, opened, rows

TIMED = False


def read(data: bytes | str, name: str = "-", **options: Any) -> list[Row | Bad]:
    raw = data.encode() if isinstance(data, str) else data
    return list(rows(io.BytesIO(raw), name, **options))


def records(data: bytes | str, name: str = "-", **options: Any) -> list[Any]:
    return [row.record for row in read(data, name, **options) if isinstance(row, Row)]


def test_a_bad_line_is_named_and_the_rest_goes_on():
    text = b'{"a":1}\n\n{"a":\n[2]\n"x"\n{"a":\xff}\nNaN\n{"a":"\\ud800"}\n{"a":2}\n'
    found = read(text)
    assert [row for row in found if isinstance(row, Row)] == [Row(1, {"a": 1}), Row(9, {"a": 2})]
    bad = {row.line: row.reason for row in found if isinstance(row, Bad)}
    assert sorted(bad) == [3, 4, 5, 6, 7, 8]
    assert bad[3].startswith("not JSON: ")
    assert bad[4] == "expected a JSON object, not an array"
    assert bad[5] == "expected a JSON object, not a string"
    assert bad[6] == "not UTF-8 at byte 6: save the file as UTF-8"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[{"a":1},\n{"a":2}]', [Row(1, {"a": 1}), Row(2, {"a": 2})]),
        ('\ufeff [\n\n{"a":\n1}\n,{"a":2}\n]', [Row(3, {"a": 1}), Row(5, {"a": 2})]),
        ("[]", []),
        ('{\n"a":\n1}', [Row(1, {"a": 1})]),
        ('{"a":\n1}\n{"a":2}', [Row(1, {"a": 1}), Row(3, {"a": 2})]),
    ],
)
def test_json_is_an_array_or_one_object_after_another(text: str, expected: list[Row]):
    assert read(text) == expected


def test_an_element_that_is_no_object_is_named_and_the_rest_goes_on():
    assert read('[{"a":1},\n5,\nnull,\n{"a":2}]') == [
        Row(1, {"a": 1}),
        Bad(2, "expected a JSON object, not a number"),
        Bad(3, "expected a JSON object, not null"),
        Row(4, {"a": 2}),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[\n{"a":1},\n {"b":x}]', "line 3: not JSON: expecting value at column 7; nothing after"),
        ('[{"a":1}', "line 1: the file ends within the array"),
        ('[{"a":1}\n{"a":2}]', "line 2: expected a comma or ], not '{'"),
        ('[\n{"a":NaN}]', "line 2: NaN is no number of JSON"),
        ("[" * 100_000, "line 1: nested too deep"),
        ("", "it is empty"),
        ('[{"a":1},\n{"a":', "line 2: the file ends within a record"),
        (",,\n1,2,3", "line 1: no header"),
        ("a,a\n1,2", "line 1: two columns are called a"),
    ],
)
def test_where_nothing_more_can_be_understood_the_place_is_said(text: str, reason: str):
    with pytest.raises(Unreadable) as caught:
        read(text)
    assert reason in str(caught.value)


def test_an_array_is_read_as_it_comes_however_it_is_cut(monkeypatch):
    made = [{"n": n, "text": "ä" * (n % 50), "in": {"list": [n, -1.5e3]}} for n in range(500)]
    for indent in (None, 1):
        data = json.dumps(made, indent=indent, ensure_ascii=False)
        monkeypatch.setattr(search_reading, "_BLOCK", 7)
        assert records(data, chosen=Format.JSON) == made
    with pytest.raises(Unreadable, match=r"line 5: .* at column 8;"):
        read('[{"a":1},\n{"a":1},\n{"a":1},\n{"a":1},\n {"a": x}]')


def test_csv_has_numbers_and_truths_as_such_and_leaves_empty_fields_out():
    text = (
        'name;n;on;zip;phone\n"Kaffee, ""fein""";-4.5e1;true;50667;0221\n"zwei\nZeilen";;;;+49\n'
    )
    assert records(text, texts=["zip"]) == [
        {"name": 'Kaffee, "fein"', "n": -45.0, "on": True, "zip": "50667", "phone": "0221"},
        {"name": "zwei\nZeilen", "phone": "+49"},
    ]


def test_csv_rows_are_named_by_the_line_they_begin_in():
    text = b'a,b\n1,2\n"x\ny",2\n1\n"x"y,1\n\xff,1\n,\n3,4\n'
    assert read(text, "x.csv") == [
        Row(2, {"a": 1, "b": 2}),
        Row(3, {"a": "x\ny", "b": 2}),
        Bad(5, "1 fields, and the header has 2"),
        Bad(6, "',' expected after '\"': a quote within quotes is written twice"),
        Bad(7, "not UTF-8: save it as UTF-8 (in Excel: CSV UTF-8)"),
        Row(9, {"a": 3, "b": 4}),
    ]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        ("name;x\nä;1\n".encode("utf-16"), "it is UTF-16: save it as UTF-8"),
        ("näme;x\na;1\n".encode("latin-1"), "line 1: the header is not UTF-8: save it as UTF-8"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "line 1: the header is not UTF-8"),
    ],
)
def test_a_table_that_is_no_utf8_is_told_how_to_be(data: bytes, reason: str):
    with pytest.raises(Unreadable) as caught:
        read(data, "x.csv")
    assert str(caught.value).startswith(reason)


def test_a_quote_that_is_not_closed_is_named_and_takes_no_memory():
    rest = b"1,2\n" * 200_000
    found = read(b'a,b\n1,2\n3,"4\n' + rest, "x.csv")
    assert found[0] == Row(2, {"a": 1, "b": 2})
    bad = [row for row in found if isinstance(row, Bad)]
    assert bad[0] == Bad(3, "a field of over 131,072 characters: is a quote not closed?")
    assert len(found) > 100_000  # and the rest is read
    assert read(b'a,b\n1,"2\n', "x.csv") == [
        Bad(2, "a quote in this row, or before it, is not closed")
    ]


def test_a_file_is_told_by_its_name_or_its_beginning_and_unpacked(tmp_path: Path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"a\tb\n1\tx\n"))
    counted: list[int] = []
    with opened(str(path), counted.append) as file:
        assert list(rows(file, str(path))) == [Row(2, {"a": 1, "b": "x"})]
    assert sum(counted) == path.stat().st_size
    assert read("{broken\n", "a.jsonl")[0] == Bad(
        1, "not JSON: unexpected character, expected a string key at column 2"
    )
    with pytest.raises(Unreadable, match="no such file"), opened(str(tmp_path / "none")):
        pass
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(Unreadable), opened(str(path)) as file:
        list(rows(file, str(path)))
