"""What a box leaves with its devices, so that one that starts anew can go on: a session in text.

Devices keep it and don't read it (`renderer.session`, at most 1500 bytes). It says where the sound
comes from at a frame of the session, and which chunk of the stream that frame is:

    frame of the session = chunk * 256 + shift

so that a box that comes back goes on with the very chunk its devices want next. A long list of
items is told from the one that plays on, as far as it fits.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from phantom.wire import CHUNK_FRAMES
from storagebox.sources.progress import Place

VERSION = 1
# What devices keep.
MAX_BYTES = 1500
MAX_SYSTEMS = 12
PLAYING, PAUSED, IDLE = STATES = ("playing", "paused", "idle")


@dataclass(frozen=True)
class Memo:
    """A group and what it plays. `at_us` is when this was written, in house time: newer holds."""

    at_us: int
    box: str
    group: str
    systems: tuple[str, ...]
    state: str = IDLE
    session: str = ""
    stream: int = 0
    start_us: int = 0
    lead_ms: int = 0
    codec: str | None = None
    fixed: bool = False  # a person has chosen lead and codec
    items: tuple[str, ...] = ()
    first_item: int = 0
    first_frame: int = 0
    shift: int = 0  # while paused: the frame to go on at

    @property
    def place(self) -> Place:
        """Where the item that was heard begins."""
        return Place(self.first_item, "", self.first_frame)

    def frame_of(self, chunk: int) -> int:
        """The session's frame with which a chunk begins."""
        return chunk * CHUNK_FRAMES + self.shift

    def of(self, systems: Sequence[str]) -> Memo:
        """The same for these rooms."""
        return replace(self, systems=tuple(systems))

    def dumps(self, own: str) -> str:
        """As text of at most MAX_BYTES for a device of the system `own`.

        The end of a long list of items is left out, and of many systems all but its own: the
        others' devices tell of them.
        """
        memo = self
        if len(self.systems) > MAX_SYSTEMS:
            memo = replace(self, systems=(own,))
        while len((text := memo._text()).encode()) > MAX_BYTES and memo.items:
            # Halves first: a list of a thousand files is no reason to try a thousand times.
            spare = max(1, (len(text.encode()) - MAX_BYTES) // 2 // _longest(memo.items))
            memo = replace(memo, items=memo.items[:-spare])
        return text

    def _text(self) -> str:
        fields: dict[str, Any] = {"v": VERSION}
        for key, value in asdict(self).items():
            if value not in ((), "", None, 0, False):
                fields[key] = value
        if self.items:
            base = os.path.commonprefix(self.items)  # noqa: RUF071 (any prefix will do)
            fields["base"] = base
            fields["items"] = [item[len(base) :] for item in self.items]
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def loads(text: object) -> Memo | None:
    """A memo from what a device kept; None for what is none."""
    if not isinstance(text, str) or not text:
        return None
    try:
        fields: Any = json.loads(text)
        return _memo(cast("dict[str, Any]", fields)) if isinstance(fields, dict) else None
    except (ValueError, TypeError, RecursionError):
        return None


def _memo(fields: dict[str, Any]) -> Memo | None:
    if fields.pop("v", None) != VERSION:
        return None
    base = fields.pop("base", "")
    fields["items"] = tuple(base + item for item in fields.get("items", ()))
    fields["systems"] = (*fields.get("systems", ()),)
    memo = Memo(**fields)
    texts: tuple[Any, ...] = (memo.box, memo.group, memo.session, *memo.systems, *memo.items)
    numbers = (memo.at_us, memo.start_us, memo.stream, memo.lead_ms, memo.first_item)
    whole = all(type(n) is int and n >= 0 for n in (*numbers, memo.first_frame))
    right = whole and type(memo.shift) is int and all(isinstance(text, str) for text in texts)
    return memo if right and memo.state in STATES and memo.group and memo.systems else None


def remaining(items: Sequence[str], item: int) -> tuple[tuple[str, ...], int]:
    """The items from the one that number `item` is in on, and its number among them.

    A folder's files count one by one, and nobody knows how many they are: only files that come
    before any folder are left out.
    """
    passed = 0
    while passed < min(item, len(items) - 1) and not Path(items[passed]).is_dir():
        passed += 1
    return tuple(items[passed:]), item - passed


def _longest(items: Sequence[str]) -> int:
    return max(len(item.encode()) for item in items) + 3
