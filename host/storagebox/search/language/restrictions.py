"""What a key restricts: URL-encoded parameters inside a secured key, or kept with a plain one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import parse_qsl

from storagebox.search.language.errors import LanguageError
from storagebox.search.language.parameters import Where, allowed
from storagebox.search.language.query import MAX_ENCODED, Query, decoded

_OWN = {
    name: parameter
    for name, parameter in allowed(Where.SECURED_KEY).items()
    if Where.SEARCH not in parameter.where
}


@dataclass(frozen=True, slots=True)
class Restrictions:
    """`params` are laid over every search, see Query.parse; the rest says when a key is good.

    `valid_until` is in seconds since 1970; `indices` are patterns, none meaning any index;
    `sources` is a network in CIDR notation, "" meaning any.
    """

    params: Mapping[str, object] = field(default_factory=dict[str, object])
    valid_until: int | None = None
    indices: tuple[str, ...] = ()
    sources: str = ""

    @classmethod
    def parse(cls, encoded: str) -> Restrictions:
        """Read URL-encoded restrictions; raises LanguageError for what can't be kept to.

        Search parameters are checked once they are laid over a search, and one that isn't
        understood then fails the search: it mustn't pass for no restriction.
        """
        params = {name: value for name, value in decoded(encoded).items() if name not in _OWN}
        given: dict[str, Any] = {
            name: _OWN[name].kind.check(name, _OWN[name].kind.from_text(text))
            for name, text in parse_qsl(
                encoded, keep_blank_values=True, max_num_fields=MAX_ENCODED
            )
            if name in _OWN
        }
        sources = given.get("restrictSources", "")
        if sources:
            try:
                ip_network(sources, strict=False)
            except ValueError:
                raise LanguageError(
                    f"restrictSources: {sources!r} is no network in CIDR notation"
                ) from None
        return cls(params, given.get("validUntil"), given.get("restrictIndices", ()), sources)

    def expired(self, now_s: float) -> bool:
        """Whether the key's time is up at `now_s`, seconds since 1970."""
        return self.valid_until is not None and now_s > self.valid_until

    def allows_source(self, address: str) -> bool:
        """Whether the key is good from an IP address."""
        if not self.sources:
            return True
        try:
            found = ip_address(address)
        except ValueError:
            return False
        # A dual-stack socket writes IPv4 addresses in IPv6.
        mapped = getattr(found, "ipv4_mapped", None)
        return (mapped or found) in ip_network(self.sources, strict=False)

    def allows_index(self, name: str) -> bool:
        """Whether the key is good for an index."""
        return not self.indices or fits(name, self.indices)


def fits(name: str, patterns: Iterable[str]) -> bool:
    """Whether a name fits one of some patterns: `*` at either end stands for anything."""
    return any(_fits(name, each) for each in patterns)


def _fits(name: str, pattern: str) -> bool:
    before, after = pattern.startswith("*"), pattern.endswith("*")
    if pattern == "*":
        return True
    bare = pattern[before : len(pattern) - after]
    if before and after:
        return bare in name
    if before:
        return name.endswith(bare)
    if after:
        return name.startswith(bare)
    return name == bare


def limited(query: Query, max_hits: int) -> Query:
    """A query that asks for no more hits than a key's `maxHitsPerQuery`; 0 is no limit."""
    if max_hits <= 0 or query.count <= max_hits:
        return query
    if query.length is not None:
        return replace(query, length=max_hits)
    return replace(query, hits_per_page=max_hits)
