"""The base of an index in a file beside tantivy's, so that opening needn't read the records.

It is derived and may be missing or old: it says up to which number its records go and what
settings it was built by, and whoever opens it takes in what came later. Arrays are mapped, not
read, so they take memory only as they are used and give it back when others need it.

The file: arrays, each at a multiple of 64 bytes; a JSON object that says what is where; its
length in 8 bytes, least first; 8 bytes that say what it is. It is complete or isn't there:
written beside, synced, then renamed.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import orjson

from storagebox.search.engine.part import Base, Names, Part, Postings
from storagebox.search.engine.ragged import Array, Ragged
from storagebox.search.engine.vocabulary import Words

_NAME: Final = "tables.bin"
_MAGIC: Final = b"phntab\0\3"
_ALIGNED: Final = 64


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A base, and what it was made of.

    birth: the store's. next_number: records from here on aren't in it. layout: the fingerprint of
    the layout, and the attributes it had learnt. build_s: how long it took to make.
    """

    base: Base
    names: tuple[Names, ...]
    birth: str
    next_number: int
    layout: str
    learnt: tuple[str, ...]
    build_s: float


def save(folder: Path, checkpoint: Checkpoint) -> Base:
    """Write a checkpoint in place of an older one; its base as it is mapped from the file.

    Raises OSError, and leaves nothing of it behind then.
    """
    writing = folder / (_NAME + ".new")
    try:
        _write(writing, checkpoint)
        writing.replace(folder / _NAME)
    except OSError:
        writing.unlink(missing_ok=True)
        raise
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    reader = _Reader(folder / _NAME)
    return _base(reader, checkpoint.base.words)


def _write(path: Path, checkpoint: Checkpoint) -> None:
    with path.open("wb") as file:
        content = _Writer(file)
        _put_base(content, checkpoint.base)
        for at, names in enumerate(checkpoint.names):
            content.put_list(f"names.{at}", names.values[1:])
        head = orjson.dumps(
            {
                "birth": checkpoint.birth,
                "next": checkpoint.next_number,
                "layout": checkpoint.layout,
                "learnt": checkpoint.learnt,
                "build_s": checkpoint.build_s,
                "facets": len(checkpoint.names),
                "sorts": len(checkpoint.base.sort_names),
                "numerics": list(checkpoint.base.part.numerics),
                "arrays": content.index,
            }
        )
        file.write(head + len(head).to_bytes(8, "little") + _MAGIC)
        file.flush()
        os.fsync(file.fileno())


def load(folder: Path) -> Checkpoint | None:
    """The checkpoint in a folder, or None if there is none that is whole."""
    try:
        reader = _Reader(folder / _NAME)
    except (OSError, ValueError):
        return None
    head = reader.head
    return Checkpoint(
        base=_base(reader, Words(reader.list_of("words"))),
        names=tuple(Names(reader.list_of(f"names.{at}")) for at in range(head["facets"])),
        birth=head["birth"],
        next_number=head["next"],
        layout=head["layout"],
        learnt=tuple(head["learnt"]),
        build_s=head["build_s"],
    )


class _Writer:
    def __init__(self, file: Any) -> None:
        self._file = file
        self.index: dict[str, tuple[str, int, list[int]]] = {}

    def put(self, name: str, array: Array) -> None:
        """Append an array."""
        self._file.write(bytes(-self._file.tell() % _ALIGNED))
        self.index[name] = array.dtype.str, self._file.tell(), list(array.shape)
        self._file.write(np.ascontiguousarray(array).data)

    def put_list(self, name: str, texts: Sequence[str]) -> None:
        """Append a list of texts."""
        self.put(name, np.frombuffer(orjson.dumps(list(texts)), np.uint8))

    def put_ragged(self, name: str, column: Ragged) -> None:
        """Append a column."""
        if column.ptr is not None:
            self.put(name + ".ptr", column.ptr)
        self.put(name + ".flat", column.flat)


class _Reader:
    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        if self._map[-8:] != _MAGIC:
            raise ValueError(f"{path}: not a file of tables")
        end = len(self._map) - 16
        length = int.from_bytes(self._map[end : end + 8], "little")
        self.head = cast("dict[str, Any]", orjson.loads(self._map[end - length : end]))

    def get(self, name: str) -> Array:
        """An array, mapped."""
        kind, offset, shape = self.head["arrays"][name]
        count = int(np.prod(shape))
        if not count:
            return np.zeros(shape, kind)
        return np.frombuffer(self._map, kind, count, offset).reshape(shape)

    def list_of(self, name: str) -> list[str]:
        """A list of texts."""
        return cast("list[str]", orjson.loads(self.get(name).tobytes()))

    def ragged(self, name: str) -> Ragged:
        """A column."""
        has_ptr = name + ".ptr" in self.head["arrays"]
        return Ragged(self.get(name + ".ptr") if has_ptr else None, self.get(name + ".flat"))


def _put_base(content: _Writer, base: Base) -> None:
    part = base.part
    content.put("numbers", part.numbers)
    content.put("sizes", part.sizes)
    content.put_ragged("tokens", part.tokens)
    content.put("codes", part.codes)
    for at, column in enumerate(part.facets):
        content.put_ragged(f"facet.{at}", column)
    for at, column in enumerate(part.numerics.values()):
        content.put_ragged(f"numeric.{at}", column)
    for at, keys in enumerate(part.sorts):
        content.put(f"sort.{at}", keys)
        content.put_list(f"sort_names.{at}", base.sort_names[at])
    content.put_ragged("places", part.places)
    for at, postings in enumerate((base.postings, *base.values)):
        content.put(f"postings.{at}.ptr", postings.ptr)
        content.put(f"postings.{at}.rows", postings.rows)
        content.put(f"postings.{at}.codes", postings.codes)
    content.put("keys", base.keys)
    content.put("rows_by_key", base.rows_by_key)
    content.put_list("words", base.words.words)


def _base(reader: _Reader, words: Words) -> Base:
    head = reader.head
    numbers = reader.get("numbers")
    part = Part(
        numbers=numbers,
        sizes=reader.get("sizes"),
        alive=np.ones(len(numbers), np.bool_),
        tokens=reader.ragged("tokens"),
        codes=reader.get("codes"),
        facets=tuple(reader.ragged(f"facet.{at}") for at in range(head["facets"])),
        numerics={
            path: reader.ragged(f"numeric.{at}") for at, path in enumerate(head["numerics"])
        },
        sorts=tuple(reader.get(f"sort.{at}") for at in range(head["sorts"])),
        places=reader.ragged("places"),
    )
    postings = [
        Postings(*(reader.get(f"postings.{at}.{each}") for each in ("ptr", "rows", "codes")))
        for at in range(head["facets"] + 1)
    ]
    return Base(
        part=part,
        words=words,
        postings=postings[0],
        values=tuple(postings[1:]),
        keys=reader.get("keys"),
        rows_by_key=reader.get("rows_by_key"),
        sort_names=tuple(reader.list_of(f"sort_names.{at}") for at in range(head["sorts"])),
    )
