"""What a query's text can mean: sequences of wanted words, each with what it costs in typos.

The plain reading is its words one by one, the last (or all, or none) as a beginning. Others join
neighbouring words ("spider man" as "spiderman") or split one ("spiderman" as "spider man"), if the
index knows the result; each costs a typo. A record matches if it matches any reading, and counts
by the one that ranks it best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from storagebox.search.engine.slots import EXACT, Wanted, grade
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.engine.typos import edits_allowed
from storagebox.search.language.query import Query

MAX_WORDS: Final = 10
"""Words of a query that are looked for; what comes behind them is ignored."""

_SPLIT_FROM: Final = 4  # characters of a word that may be two
_SPLIT_FIRST: Final = 12  # at most so many in the first


@dataclass(frozen=True, slots=True)
class Reading:
    """Words to be found together, and the typos it costs to read the query so."""

    words: tuple[Wanted, ...]
    cost: int = 0


def readings(snapshot: Snapshot, query: Query, words: Sequence[str]) -> list[Reading]:
    """The ways to read a query of `words`, the plain one first."""
    plain = [_wanted(snapshot, query, words, at) for at in range(len(words))]
    found = [Reading(tuple(plain))]
    if query.typo_tolerance != "false":
        found += _joined(snapshot, query, words, plain)
        found += _split(snapshot, words, plain)
    return found


def _wanted(snapshot: Snapshot, query: Query, words: Sequence[str], at: int) -> Wanted:
    word = words[at]
    prefix = is_prefix(query, at, len(words))
    return Wanted(word, prefix, at, others=_typos(snapshot, query, word, prefix))


def is_prefix(query: Query, at: int, count: int) -> bool:
    """Whether the word at a place of the query stands for all that begin with it."""
    return query.query_type == "prefixAll" or (
        query.query_type == "prefixLast" and at == count - 1
    )


def _typos(
    snapshot: Snapshot, query: Query, word: str, prefix: bool
) -> dict[str, tuple[int, int]]:
    """Words that may be meant: their grade, and how many of their characters."""
    if query.typo_tolerance == "false" or word in query.settings.disable_typo_tolerance_on_words:
        return {}
    if word.isdigit() and not query.allow_typos_on_numeric_tokens:
        return {}
    edits = edits_allowed(word, query.min_word_sizefor1_typo, query.min_word_sizefor2_typos)
    if not edits:
        return {}
    key = ("typos", word, prefix, edits)
    known = snapshot.cache.get(key)
    if known is None:
        near = snapshot.base.words.near(word, edits, prefix=prefix)
        new_words, _ = snapshot.new_words
        near += new_words.near(word, edits, prefix=prefix)
        known = {match.word: (grade(match.cost, exact=False), match.length) for _, match in near}
        snapshot.cache[key] = known
    return known


def _known(snapshot: Snapshot, word: str, *, prefix: bool = False) -> bool:
    new_words, _ = snapshot.new_words
    if prefix:
        return any(
            low < high
            for low, high in (snapshot.base.words.beginning(word), new_words.beginning(word))
        )
    return snapshot.base.words.find(word) >= 0 or new_words.find(word) >= 0


def _joined(
    snapshot: Snapshot, query: Query, words: Sequence[str], plain: Sequence[Wanted]
) -> list[Reading]:
    spans = [(at, 2) for at in range(len(words) - 1)]
    if len(words) > 2:
        spans.append((0, len(words)))
    found: list[Reading] = []
    for at, span in spans:
        word = "".join(words[at : at + span])
        prefix = is_prefix(query, at + span - 1, len(words))
        if _known(snapshot, word, prefix=prefix):
            joined = Wanted(word, prefix, at, span)
            found.append(Reading((*plain[:at], joined, *plain[at + span :]), 1))
    return found


def _split(snapshot: Snapshot, words: Sequence[str], plain: Sequence[Wanted]) -> list[Reading]:
    found: list[Reading] = []
    for at, word in enumerate(words):
        if len(word) < _SPLIT_FROM:
            continue
        best: tuple[int, Wanted, Wanted] | None = None
        for cut in range(1, min(len(word) - 1, _SPLIT_FIRST) + 1):
            first, second = word[:cut], word[cut:]
            prefix = plain[at].prefix
            if not _known(snapshot, first) or not _known(snapshot, second, prefix=prefix):
                continue
            count = min(_count(snapshot, first), _count(snapshot, second))
            if best is None or count > best[0]:
                head = replace(plain[at], text=first, prefix=False, others={})
                best = count, head, replace(head, text=second, prefix=prefix)
        if best is not None:
            found.append(Reading((*plain[:at], best[1], best[2], *plain[at + 1 :]), 1))
    return found


def _count(snapshot: Snapshot, word: str) -> int:
    """About how often a word occurs."""
    place = snapshot.base.words.find(word)
    return snapshot.base.postings.count(place, place + 1) if place >= 0 else 0


__all__ = ["EXACT", "MAX_WORDS", "Reading", "is_prefix", "readings"]
