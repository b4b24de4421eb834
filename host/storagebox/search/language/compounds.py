"""Compound words: which known words one is made of, in languages that write them as one.

There is no dictionary of them: a word is taken apart where all its parts are words that occur, or
as an application's own dictionary says. Between parts may stand what the language links them by:
German "Geburtstag" is "Geburt", "s" and "Tag". All words are folded: no capitals, no diacritics.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final

MIN_PART: Final = 3
"""Letters of a part: shorter ones are in too many words by chance."""

_MAX_PARTS: Final = 4

_LINKS: Final = {
    "da": ("s", "e"),
    "de": ("s", "es", "n", "en", "ens", "er", "e"),
    "fi": ("n",),
    "nb": ("s", "e"),
    "nl": ("s", "e", "en", "er"),
    "no": ("s", "e"),
    "sv": ("s", "e"),
}
LANGUAGES: Final = frozenset(_LINKS)
"""Danish, German, Finnish, Norwegian (`no` and `nb`), Dutch and Swedish, as Algolia has them."""

Count = Callable[[str, bool], int]
"""How often a word occurs, or with True those that begin so; 0 for one that isn't known."""

_Made = tuple[int, int, tuple[str, ...]]
"""How many parts, minus how often the rarest occurs, and the parts."""


def links(languages: Iterable[str]) -> tuple[str, ...]:
    """What may stand between parts in some languages, nothing first."""
    found = (link for language in languages for link in _LINKS.get(language, ()))
    return tuple(dict.fromkeys(("", *found)))


def parts(word: str, count: Count, between: Collection[str], *, prefix: bool) -> tuple[str, ...]:
    """The words that `word` is made of, two to four; none if it is no compound.

    The fewest, and of several ways the one whose rarest part is most frequent. With `prefix` the
    last may be a beginning.
    """
    return _Cut(word, count, between, prefix=prefix).parts()


def holds(
    compound: str,
    part: str,
    is_known: Callable[[str], bool],
    between: Collection[str],
    *,
    prefix: bool,
) -> bool:
    """Whether `part` is one of the words that a compound is made of; the others are known.

    With `prefix` it may be the beginning of one, but for the first: that begins the compound.
    """

    def made(text: str) -> bool:
        return len(text) >= MIN_PART and (
            is_known(text)
            or bool(parts(text, lambda word, _: is_known(word), between, prefix=False))
        )

    def joins(at: int) -> bool:
        front, rest = compound[:at], compound[at + len(part) :]
        if front and not any(
            front.endswith(link) and made(front[: len(front) - len(link)]) for link in between
        ):
            return False
        if not rest or (prefix and front):
            return bool(front)
        return any(rest.startswith(link) and made(rest[len(link) :]) for link in between)

    at = compound.find(part)
    while at >= 0:
        if joins(at):
            return True
        at = compound.find(part, at + 1)
    return False


class _Cut:
    """The best way to take one word apart, by where the rest of it begins."""

    def __init__(self, word: str, count: Count, between: Collection[str], *, prefix: bool) -> None:
        self._word = word
        self._count = count
        self._between = between
        self._prefix = prefix
        self._from: dict[int, _Made | None] = {}

    def parts(self) -> tuple[str, ...]:
        """See the function."""
        best = self._best(0)
        return best[2] if best is not None and best[0] <= _MAX_PARTS else ()

    def _best(self, start: int) -> _Made | None:
        if start not in self._from:
            self._from[start] = min(self._ways(start), default=None)
        return self._from[start]

    def _ways(self, start: int) -> Iterable[_Made]:
        word = self._word
        for end in range(start + MIN_PART, len(word) + 1):
            is_last = end == len(word)
            if is_last and not start:
                continue  # the word itself
            part = word[start:end]
            count = self._count(part, is_last and self._prefix)
            if not count:
                continue
            if is_last:
                yield 1, -count, (part,)
                continue
            for link in self._between:
                behind = end + len(link)
                if word.startswith(link, end) and len(word) - behind >= MIN_PART:
                    rest = self._best(behind)
                    if rest is not None:
                        yield 1 + rest[0], max(-count, rest[1]), (part, *rest[2])
