"""Shows in a record what matched: `_highlightResult`, in the record's own shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from storagebox.search.engine.slots import Wanted
from storagebox.search.engine.text import Token, Tokenizer


class Marker:
    """Marks a query's words in text. `words` are all its readings' words; `originals` as typed."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        words: Sequence[Wanted],
        originals: Sequence[str],
        before: str,
        after: str,
    ) -> None:
        self._tokenizer = tokenizer
        self._words = tuple(dict.fromkeys((each.text, each.prefix) for each in words))
        self._wanted = list({id(each): each for each in words}.values())
        self._originals = originals
        self._before, self._after = before, after
        self._known: dict[str, tuple[int, frozenset[int]]] = {}

    def match(self, word: str) -> tuple[int, frozenset[int]]:
        """How many characters of a record's word matched, and which words of the query."""
        found = self._known.get(word)
        if found is None:
            length = 0
            best = 0
            which: set[int] = set()
            for wanted in self._wanted:
                how, characters = wanted.match(word)
                if how:
                    if not best or how < best:
                        best, length = how, characters
                    which.update(range(wanted.at, wanted.at + wanted.span))
            found = length, frozenset(which)
            self._known[word] = found
        return found

    def marked(self, text: str) -> dict[str, Any]:
        """A text with what matched between the tags, and how much of the query that is."""
        return self.described(text, self._tokenizer.tokens(text))

    def described(self, text: str, tokens: Sequence[Token]) -> dict[str, Any]:
        """As `marked`, for a text whose words are known."""
        parts: list[str] = []
        matched: set[int] = set()
        at = 0
        whole = bool(tokens)
        for token in tokens:
            length, which = self.match(token.word)
            if not which:
                whole = False
                continue
            matched |= which
            written = text[token.start : token.end]
            covered = (
                len(written)
                if length >= len(token.word)
                else self._tokenizer.covered(written, length)
            )
            whole = whole and covered == len(written)
            parts += (text[at : token.start], self._before, written[:covered], self._after)
            at = token.start + covered
        parts.append(text[at:])
        if not matched:
            return {"value": text, "matchLevel": "none", "matchedWords": []}
        return {
            "value": "".join(parts),
            "matchLevel": "full" if len(matched) == len(self._originals) else "partial",
            "fullyHighlighted": whole,
            "matchedWords": [self._originals[each] for each in sorted(matched)],
        }


def highlight(
    marker: Marker, record: Mapping[str, object], names: Sequence[str]
) -> dict[str, Any]:
    """The record's attributes of these names ("*" for all), marked."""
    if "*" in names:
        chosen = [name for name in record if name != "objectID"]
        return {
            name: found for name in chosen if (found := _shaped(marker, record[name])) is not None
        }
    result: dict[str, Any] = {}
    for name in names:
        _put(marker, result, record, name.split("."))
    return result


def _put(
    marker: Marker, result: dict[str, Any], record: Mapping[str, object], names: Sequence[str]
) -> None:
    """Mark what is at a path, and put it at the same path of `result`."""
    joined = ".".join(names)
    head = joined if joined in record else names[0]
    value = record.get(head)
    if value is None:
        return
    rest = [] if head == joined else names[1:]
    if not rest:
        found = _shaped(marker, value)
        if found is not None:
            result[head] = found
    elif isinstance(value, Mapping):
        inner = result.setdefault(head, {})
        _put(marker, inner, cast("Mapping[str, object]", value), rest)
        if not inner:
            del result[head]
    elif isinstance(value, list):
        elements = cast("list[object]", value)
        shaped: list[dict[str, Any]] = result.setdefault(head, [{} for _ in elements])
        for element, into in zip(elements, shaped, strict=True):
            if isinstance(element, Mapping):
                _put(marker, into, cast("Mapping[str, object]", element), rest)


def _shaped(marker: Marker, value: object) -> Any:
    if isinstance(value, str):
        return marker.marked(value)
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return marker.marked(str(value))
    if isinstance(value, list):
        elements = [_shaped(marker, each) for each in cast("list[object]", value)]
        return [each for each in elements if each is not None]
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value).items()
        return {
            name: each for name, inner in items if (each := _shaped(marker, inner)) is not None
        }
    return None
