"""Shows of a long text the part where the most of a query's words are: `_snippetResult`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from storagebox.search.engine.highlight import Marker
from storagebox.search.engine.text import MAX_WORD, Token


def snipped(marker: Marker, text: str, words: int, ellipsis: str) -> dict[str, Any]:
    """At most `words` words of a text, marked, with `ellipsis` where it was cut."""
    if not marker.has_room:
        return _beginning(marker, text, words, ellipsis)
    tokens = marker.tokens(text)
    first, last = _window(marker, tokens, words)
    if not tokens or words == 0:
        return {"value": "" if words == 0 else text, "matchLevel": "none"}
    begins = 0 if first == 0 else tokens[first].start
    ends = len(text) if last == len(tokens) else tokens[last - 1].end
    part = text[begins:ends]
    moved = [
        Token(each.word, each.start - begins, each.end - begins) for each in tokens[first:last]
    ]
    described = marker.described(part, moved)
    value = (
        (ellipsis if begins else "") + described["value"] + (ellipsis if ends < len(text) else "")
    )
    return {"value": value, "matchLevel": described["matchLevel"]}


def _beginning(marker: Marker, text: str, words: int, ellipsis: str) -> dict[str, Any]:
    """The first words of a text, not marked."""
    tokens = marker.tokens(text[: words * (MAX_WORD + 1)])[:words]
    end = tokens[-1].end if tokens else 0
    return {"value": text[:end] + (ellipsis if end < len(text) else ""), "matchLevel": "none"}


def _window(marker: Marker, tokens: Sequence[Token], words: int) -> tuple[int, int]:
    """The first window of `words` tokens with the most different words of the query in it.

    What matched stands in its middle if there is room.
    """
    if len(tokens) <= words:
        return 0, len(tokens)
    matched = marker.matched(tokens)
    hits = [at for at, which in enumerate(matched) if which]
    most = len(frozenset[int]().union(*{matched[at] for at in hits}))
    best, begin, end = 0, 0, 0
    seen: Counter[int] = Counter()  # how often each word is in the window
    ahead = 0
    for at in hits:
        while ahead < len(hits) and hits[ahead] < at + words:
            seen.update(matched[hits[ahead]])
            ahead += 1
        if len(seen) > best:
            best, begin, end = len(seen), at, hits[ahead - 1]
        if best == most:
            break
        seen.subtract(matched[at])
        for word in matched[at]:
            if not seen[word]:
                del seen[word]
    if not best:
        return 0, words
    spare = words - (end - begin + 1)
    first = max(0, min(begin - spare // 2, len(tokens) - words))
    return first, first + words
