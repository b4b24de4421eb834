"""What the query string of a request asks for, and the headers that answer it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from . import durations
from .answers import DATACENTER
from .refused import Refused, RefusedRead

_TRUE: Final = ("1", "t", "T", "TRUE", "true", "True")
_FALSE: Final = ("0", "f", "F", "FALSE", "false", "False")
_MAX_INDEX: Final = 2**64
# Of an answer that never got as far as the catalogue.
NO_LEADER: Final = {
    "X-Consul-Index": "1",
    "X-Consul-Knownleader": "false",
    "X-Consul-Lastcontact": "0",
}


class Query:
    """Parameters by name; one without "=" is the empty text."""

    def __init__(self, raw: bytes) -> None:
        pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=100)
        self._values: dict[str, list[str]] = {}
        for key, value in pairs:
            self._values.setdefault(key, []).append(value)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str) -> str:
        """The first of that name, or nothing."""
        return self._values.get(name, [""])[0]

    def texts(self, name: str) -> list[str]:
        """All of that name."""
        return self._values.get(name, [])

    def flag(self, name: str) -> bool:
        """Whether it is set, by its bare name or a true value. Raises Refused."""
        if name not in self or self.text(name) in _FALSE:
            return False
        if self.text(name) in ("", *_TRUE):
            return True
        raise Refused(400, f"Invalid value for ?{name}")

    def enable(self) -> bool:
        """`enable`, which must be given. Raises Refused."""
        if "enable" not in self:
            raise Refused(400, "Missing value for enable")
        value = self.text("enable")
        if value not in _TRUE + _FALSE:
            raise Refused(400, f'Invalid value for enable: "{value}"')
        return value in _TRUE

    def node_meta(self) -> dict[str, str]:
        """What nodes must have, by key."""
        pairs = (each.partition(":") for each in self.texts("node-meta"))
        return {key: value for key, _, value in pairs if key}


@dataclass(frozen=True)
class Read:
    """How a read wants to be answered: `index` 0 at once, else when there is a later one."""

    index: int
    wait_s: float
    consistency: str
    is_cached: bool

    def headers(self, index: int) -> dict[str, str]:
        """Those that tell the index and how sure the answer is."""
        cached = {"X-Cache": "MISS", "Age": "0"} if self.is_cached else {}
        return {
            "X-Consul-Effective-Consistency": self.consistency,
            "X-Consul-Index": str(index),
            "X-Consul-Knownleader": "true",
            "X-Consul-Lastcontact": "0",
            **cached,
        }


def read_of(query: Query) -> Read:
    """Raises Refused for what can't be understood, RefusedRead for another datacentre."""
    wait_s = wait_of(query)
    index = query.text("index") or "0"
    if not (index.isascii() and index.isdigit()) or int(index[:21]) >= _MAX_INDEX:
        raise Refused(400, "Invalid index")
    stale, consistent = "stale" in query, "consistent" in query
    if stale and consistent:
        raise Refused(400, "Cannot specify ?stale with ?consistent, conflicting semantics.")
    if query.text("dc") not in ("", DATACENTER):
        raise RefusedRead(500, "No path to datacenter")
    consistency = "stale" if stale else "consistent" if consistent else "leader"
    return Read(int(index), wait_s, consistency, "cached" in query)


def wait_of(query: Query) -> float:
    """`wait` in seconds, 0 if it isn't given. Raises Refused."""
    if not query.text("wait"):
        return 0.0
    try:
        return durations.seconds(query.text("wait"))
    except durations.DurationError:
        raise Refused(400, "Invalid wait time") from None
