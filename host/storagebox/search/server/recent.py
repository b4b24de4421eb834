"""The latest requests of an application, for GET /1/logs: bounded, and without keys."""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from storagebox.search.writes.application import iso

KEPT: Final = 1000
KEPT_S: Final = 7 * 24 * 3600
# Of bodies and answers; Algolia's logs cut them too.
SHOWN_BYTES: Final = 1000
_SECRET_HEADERS: Final = ("x-algolia-api-key", "authorization", "cookie")
_SECRETS: Final = re.compile(
    r"""(x-algolia-api-key=|"(?:apiKey|key|value)"\s*:\s*"|apiKey=|/1/keys/)([^&\s"/?]+)""", re.I
)

QUERY, BUILD, ERROR = "query", "build", "error"


@dataclass(frozen=True, slots=True)
class Entry:
    """A request and its answer. `kind` is QUERY or BUILD; bodies are cut to SHOWN_BYTES."""

    at_s: float
    method: str
    target: str  # path and query string as they came
    headers: Mapping[str, str]
    address: str
    body: bytes
    status: int
    answer: bytes
    took_ms: int
    kind: str
    indices: tuple[str, ...] = ()
    hits: int | None = None
    queries: int = 1

    def to_json(self) -> dict[str, Any]:
        """As GET /1/logs has it."""
        path, _, query = self.target.partition("?")
        told: dict[str, Any] = {
            "timestamp": iso(int(self.at_s * 1000)),
            "method": self.method,
            "answer_code": str(self.status),
            "query_body": redacted(_text(self.body)),
            "answer": redacted(_text(self.answer)),
            "url": redacted(path),
            "ip": self.address,
            "query_headers": "\n".join(
                f"{name}: {_begun(value) if name in _SECRET_HEADERS else redacted(value)}"
                for name, value in self.headers.items()
            ),
            "sha1": hashlib.sha1(
                f"{self.at_s}{self.target}".encode() + self.body, usedforsecurity=False
            ).hexdigest(),
            "nb_api_calls": str(self.queries),
            "processing_time_ms": str(self.took_ms),
        }
        if query:
            told["query_params"] = redacted(query)
        if self.indices:
            told["index"] = self.indices[0]
        if self.hits is not None:
            told["query_nb_hits"] = str(self.hits)
        return told


class Recent:
    """A ring of entries."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT)

    def add(self, entry: Entry) -> None:
        """Keep it; the oldest goes."""
        self._entries.append(entry)

    def latest(self, now_s: float, kind: str = "all", index: str = "") -> Iterator[Entry]:
        """Those of a kind ("all", QUERY, BUILD or ERROR) and an index, the latest first."""
        for entry in reversed(self._entries):
            if entry.at_s < now_s - KEPT_S:
                return
            if index and index not in entry.indices:
                continue
            if kind == ERROR and entry.status < 400:
                continue
            if kind in (QUERY, BUILD) and entry.kind != kind:
                continue
            yield entry


def redacted(text: str) -> str:
    """A text in which of a key only the beginning is left."""
    return _SECRETS.sub(lambda found: found[1] + _begun(found[2]), text)


def _begun(secret: str) -> str:
    """Enough of a secret to tell it from others."""
    return secret[: min(8, len(secret) // 4)] + "…"


def _text(data: bytes) -> str:
    return data[:SHOWN_BYTES].decode("utf-8", "replace")
