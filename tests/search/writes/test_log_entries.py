"""An operation is the same after it has been through the log, however it is cut."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storagebox.search.writes import chunks
from storagebox.search.writes.chunks import Joiner, Payload, Unreadable
from storagebox.search.writes.operations import (
    AddKey,
    Batch,
    ClearIndex,
    CopyIndex,
    DeleteBy,
    DeleteIndex,
    DeleteItem,
    DeleteKey,
    DictionaryBatch,
    MoveIndex,
    Operation,
    Request,
    RestoreKey,
    SaveItems,
    SetDictionarySettings,
    SetSettings,
    UpdateKey,
    decode,
    encode,
    indices,
)
from storagebox.store.interface import MAX_VALUE_BYTES, Record

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@pytest.mark.parametrize(
    "operation",
    [
        Batch((Request("a", "addObject", "1", {"objectID": "1"}), Request("b", "clear"))),
        DeleteBy("a", {"filters": "x:y"}),
        ClearIndex("a"),
        DeleteIndex("a"),
        CopyIndex("a", "b", ("rules",)),
        CopyIndex("a", "b"),
        MoveIndex("a", "b"),
        SetSettings("a", {"hitsPerPage": 3, "distinct": None}, True),
        SaveItems("a", "rules", ({"objectID": "1"},), True, False),
        DeleteItem("a", "synonyms", "1", True),
        AddKey("k", {"acl": ["search"]}),
        UpdateKey("k", {"acl": []}),
        DeleteKey("k"),
        RestoreKey("k"),
        DictionaryBatch("stopwords", ({"objectID": "1"},), ("2",), True),
        SetDictionarySettings({"disableStandardEntries": None}),
    ],
)
def test_every_operation_can_be_read_again(operation: Operation) -> None:
    assert decode(encode(operation, 123)) == (operation, 123)


@settings(max_examples=40)
@given(st.dictionaries(st.text(), JSON))
def test_any_record_can_be_read_again(body: dict[str, Any]) -> None:
    operation = Batch((Request("a", "addObject", "1", body),))
    assert decode(encode(operation, 0))[0] == operation


def test_which_indices_an_operation_is_about() -> None:
    requests = (Request("b", "clear"), Request("a", "clear"), Request("b", "clear"))
    assert indices(Batch(requests)) == ("b", "a")
    assert indices(MoveIndex("a", "b")) == ("a", "b")
    assert indices(DeleteKey("k")) == ()
    assert indices(ClearIndex("a")) == ("a",)


@pytest.mark.parametrize(
    "payload", [b"", b"{}", b"[]", b'["Explode", 1, {}]', b'["ClearIndex", 1, {"x": 1}]', b"\xff"]
)
def test_what_is_no_operation_is_said_to_be_none(payload: bytes) -> None:
    with pytest.raises(ValueError, match="can't be read"):
        decode(payload)


def _records(*payloads: bytes) -> list[Record]:
    data = [piece for payload in payloads for piece in chunks.split(payload)]
    return [Record(index + 1, piece) for index, piece in enumerate(data)]


@pytest.mark.parametrize("size", [0, 1, 511, 512, 5000, chunks.CHUNK_BYTES, 3_000_000])
def test_a_payload_is_whole_again_whatever_its_size(size: int) -> None:
    payloads = [random.Random(size).randbytes(size), b"x" * size, b"small"]
    records = _records(*payloads)
    assert all(len(record.data) <= MAX_VALUE_BYTES for record in records)
    joined = list(Joiner().join(records))
    assert [payload.data for payload in joined if isinstance(payload, Payload)] == payloads
    assert joined[-1].position == len(records)
    one_by_one = Joiner()
    assert [p for record in records for p in one_by_one.join([record])] == joined


def test_a_damaged_entry_is_told_and_the_next_is_read() -> None:
    first, second = _records(b"a" * 5000, b"b" * 5000)
    damaged = Record(2, second.data[:-3] + b"xyz")
    joined = list(Joiner().join([first, damaged, Record(3, b""), Record(4, b"\x00c")]))
    assert [type(each) for each in joined] == [Payload, Unreadable, Unreadable, Payload]
    assert [each.position for each in joined] == [1, 2, 3, 4]


def test_what_compresses_well_takes_little_of_the_log() -> None:
    requests = (Request("a", "addObject", str(n), {"title": "Heroes"}) for n in range(1000))
    payload = encode(Batch(tuple(requests)), 0)
    assert sum(map(len, chunks.split(payload))) < len(payload) / 5
