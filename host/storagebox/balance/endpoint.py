"""A server that can be chosen, as whoever knows of it describes it.

An endpoint is a value: two that are equal say the same. What happens to a server while it is used
(requests in flight, failures, ejection) is its `Node`'s.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

MAX_PORT = 65535

_LABEL = r"[^\x00-\x20\x7f./?#@\[\]\\]{1,63}"
_HOST = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}\.?")
"""A name as DNS takes it, or an address; no part of a URL beside the host."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server answers, and what is known of it beforehand.

    Args:
        host: a name or an IP address; IPv6 without brackets, link-local with its zone
            (`fe80::1%eth0`). A name in other letters than ASCII is kept as DNS has it (`xn--…`).
        port: 1 to 65535.
        weight: capacity relative to the others'. `None`: nobody said, which counts as the mean of
            those that are known. `0`: drain, it gets no new requests but keeps its connections.
        zone: where it stands, for policies that prefer what is near.
        ready: whether its registry believes it well. One that isn't is chosen only in a panic.
        id: what tells it from others; `host:port` if left out. A server that keeps its id and its
            address keeps what was learnt of it; at another address it is another machine.
        meta: anything else a registry tells; it plays no part in choosing.

    Raises:
        ValueError: the host is empty or none, the port out of range, or the weight negative or no
            number.
    """

    host: str
    port: int
    weight: float | None = None
    zone: str = ""
    ready: bool = True
    id: str = ""
    meta: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)

    def __post_init__(self) -> None:
        if not self.host:
            raise ValueError(
                f"endpoint {self.id or '?'}: the host is empty: give a name or an address"
            )
        object.__setattr__(self, "host", _ascii(self.host))
        if not 0 < self.port <= MAX_PORT:
            raise ValueError(
                f"endpoint {self.host}: port {self.port} is not within 1 to {MAX_PORT}"
            )
        if self.weight is not None and not (self.weight >= 0 and math.isfinite(self.weight)):
            raise ValueError(
                f"endpoint {self.host}:{self.port}: weight {self.weight} is neither 0 nor a"
                " positive number: leave it out if it isn't known, 0 drains"
            )
        if not self.id:
            object.__setattr__(self, "id", self.address)

    @property
    def address(self) -> str:
        """`host:port`, with brackets around IPv6."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def weighing(self, weight: float | None) -> "Endpoint":
        """The same server with another weight."""
        return replace(self, weight=weight)


def _ascii(host: str) -> str:
    try:
        name = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        name = ""
    if not _HOST.fullmatch(name):
        raise ValueError(
            f"endpoint {host!r}: that is no host: give a name or an address, without scheme, port,"
            " path or brackets"
        )
    return name


def distinct(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """Each server once, in the order of ids, which is the same on every client.

    Of several with one id the first counts: a list that names a server twice would send it twice
    its share.
    """
    first: dict[str, Endpoint] = {}
    for endpoint in endpoints:
        first.setdefault(endpoint.id, endpoint)
    return tuple(first[id_] for id_ in sorted(first))
