"""What a key lets its holder do: its own restrictions, and those of a key made with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import parse_qsl

import orjson

from storagebox.search.language.errors import LanguageError
from storagebox.search.language.query import Query, decoded
from storagebox.search.language.settings import DEFAULTS
from storagebox.search.server.secured import Secured
from storagebox.search.writes.keys import Key
from storagebox.search.writes.refused import Refused

# Opens what only the admin key does; no key can be given it.
ADMIN: Final = "admin"
_NOT_ALLOWED: Final = "Method not allowed with this API key"
# Of restrictions, what is no search parameter.
_OWN: Final = frozenset({"restrictIndices", "restrictSources", "validUntil", "userToken"})


@dataclass(frozen=True, slots=True)
class Grant:
    """What the holder of a key may do. Of each group of patterns one must match."""

    key: str  # the registered key: itself, or the secured key's parent
    acl: frozenset[str] = frozenset()
    indexes: tuple[tuple[str, ...], ...] = ()
    referers: tuple[str, ...] = ()
    sources: tuple[tuple[IPv4Network | IPv6Network, ...], ...] = ()
    valid_until_s: int | None = None
    max_hits: int = 0  # in one answer; 0 is without limit, as with the next
    max_queries_per_hour: int = 0
    user_token: str = ""
    # Laid over a request's parameters, the last one topmost.
    over: tuple[Mapping[str, object], ...] = ()

    @property
    def admin(self) -> bool:
        """Whether it is the admin key."""
        return ADMIN in self.acl

    def holds(self, acl: str) -> bool:
        """Whether it may do this."""
        return acl in self.acl or ADMIN in self.acl

    def check(self, acl: str, now_s: float, address: str, referer: str) -> None:
        """Raises Refused if the holder may not do this ("" for nothing in particular), now, from
        there."""
        if self.valid_until_s is not None and now_s >= self.valid_until_s:
            raise Refused('"validUntil" parameter less than current server time')
        if acl and not self.holds(acl):
            raise Refused(_NOT_ALLOWED, 403)
        if not all(any(_within(address, one) for one in group) for group in self.sources):
            raise Refused("Source not allowed with this API key", 403)
        if self.referers and not matches(referer, self.referers):
            raise Refused("Method not allowed with this referer", 403)

    def sees(self, index: str) -> bool:
        """Whether it opens this index."""
        return all(matches(index, patterns) for patterns in self.indexes)

    def check_index(self, index: str) -> None:
        """Raises Refused if it doesn't open this index."""
        if self.indexes and not self.sees(index):
            raise Refused("Index not allowed with this API key", 403)

    def limited(self, query: Query) -> Query:
        """A query with no more hits than the key gives at once."""
        most = self.max_hits
        if not most or query.count <= most:
            return query
        if query.length is not None:
            return replace(query, length=most)
        return replace(query, hits_per_page=most)


def of_admin(value: str) -> Grant:
    """The admin key's."""
    return Grant(value, frozenset({ADMIN}))


def of_key(key: Key) -> Grant:
    """A registered key's. Raises LanguageError if its restrictions can't be read."""
    fields = key.fields
    grant = Grant(
        key.value,
        frozenset(key.acl),
        (tuple(fields["indexes"]),) if fields["indexes"] else (),
        tuple(fields["referers"]),
        max_hits=fields["maxHitsPerQuery"],
        max_queries_per_hour=fields["maxQueriesPerIPPerHour"],
    )
    return _restricted(grant, fields["queryParameters"], before=False)


def of_secured(parent: Grant, secured: Secured) -> Grant:
    """A secured key's: its parent's, further restricted. Raises LanguageError."""
    return _restricted(parent, secured.restrictions, before=True)


def check_restrictions(encoded: str) -> None:
    """Raises LanguageError if no key can have these `queryParameters`."""
    _restricted(Grant(""), encoded, before=False)


def _restricted(grant: Grant, encoded: str, *, before: bool) -> Grant:
    if not encoded:
        return grant
    pairs = parse_qsl(encoded, keep_blank_values=True)
    own = {name: value for name, value in pairs if name in _OWN}
    layer = {name: value for name, value in decoded(encoded).items() if name not in _OWN}
    if layer:
        Query.parse({}, DEFAULTS, over=(layer,))  # what is wrong is to be said once, and here
    indexes, sources, until = grant.indexes, grant.sources, grant.valid_until_s
    if "restrictIndices" in own:
        # Given and empty, it opens nothing: better than everything.
        indexes = (*indexes, tuple(_listed("restrictIndices", own)))
    if "restrictSources" in own:
        listed = _listed("restrictSources", own)
        sources = (*sources, tuple(map(_network, listed)))
    if "validUntil" in own:
        ours = _seconds(own["validUntil"])
        until = ours if until is None else min(until, ours)
    over: Sequence[Mapping[str, object]] = grant.over
    if layer:
        # A parent's restrictions stay above what was made with it.
        over = (layer, *over) if before else (*over, layer)
    return replace(
        grant,
        indexes=indexes,
        sources=sources,
        valid_until_s=until,
        over=tuple(over),
        user_token=grant.user_token or own.get("userToken", ""),
    )


def matches(text: str, patterns: Sequence[str]) -> bool:
    """Whether `text` is one of these; `*` at an end stands for anything."""
    return any(_matches(text, pattern) for pattern in patterns)


def _matches(text: str, pattern: str) -> bool:
    head, tail = pattern.endswith("*"), pattern.startswith("*")
    inner = pattern.strip("*")
    if head and tail:
        return inner in text
    if head:
        return text.startswith(inner)
    if tail:
        return text.endswith(inner)
    return text == pattern


def _listed(name: str, given: Mapping[str, str]) -> list[str]:
    text = given[name]
    if text.startswith("["):
        try:
            values = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise LanguageError(f"{name}: expected a list, not {text!r:.80}") from None
        return [str(value) for value in values]
    return [part.strip() for part in text.split(",") if part.strip()]


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise LanguageError(
            f"restrictSources: {text!r} is no network: write it as 192.168.1.0/24"
        ) from None


def _seconds(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise LanguageError(f"validUntil: {text!r} is no time: give seconds since 1970") from None


def _within(address: str, network: IPv4Network | IPv6Network) -> bool:
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip) in network
