"""Which rules a search meets, and which of them wins where they are at odds.

All conditions of all active rules are tried. Of those met, the more specific rule goes first:
the earlier match, the longer one, the stricter anchoring, one with a context, one with filters, a
literal before a facet's value, a temporary rule before a permanent one, the lesser objectID. Down
that list, a rule is left out if it would use words or filters that one before it has used.
(Algolia documentation, "Rule matching algorithm".)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from storagebox.search.language.filters import And, Facet, Node, Not, Or, Tag
from storagebox.search.language.rules import ANCHORINGS, Condition, Placeholder, Rule

_STRICTNESS = {anchoring: place for place, anchoring in enumerate(ANCHORINGS)}

MAX_VALUE_WORDS = 10
"""A facet's value of more words isn't looked for in a query."""


class Token(Protocol):
    """A word, folded, and where it stands in its text."""

    @property
    def word(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


Tokens = Callable[[str], Sequence[Token]]
"""Splits text into words, as the index does with records."""
FacetValues = Callable[[str, tuple[str, ...]], str | None]
"""The value of a facet that consists of these words, as records have it, or None."""
Alike = Callable[[str, str], bool]
"""Whether a word of a query stands for a word of a pattern though it isn't the same."""


@dataclass(frozen=True, slots=True)
class Span:
    """Words `start` to `end` of a query, met by a word of a pattern or by a facet's value."""

    start: int
    end: int
    by: str | Placeholder
    value: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """A condition of a rule that a search meets; `spans` are the words it used."""

    rule: Rule
    condition: Condition
    spans: tuple[Span, ...]
    words: frozenset[int]

    def precedence(self) -> tuple[object, ...]:
        """The lesser goes first."""
        condition = self.condition
        # What has no pattern matches nowhere in the query, so behind all that do.
        position = min(self.words, default=1 << 30)
        length = len(self.words) + len(condition.filters)
        anchoring = _STRICTNESS[condition.anchoring] if condition.pattern else len(_STRICTNESS)
        literal = not any(isinstance(each.by, Placeholder) for each in self.spans)
        return (
            position,
            -length,
            anchoring,
            not condition.context,
            not condition.filters,
            not literal,
            not self.rule.validity,
            self.rule.object_id,
        )


@dataclass(frozen=True, slots=True)
class CompiledCondition:
    """A condition whose pattern is split into words."""

    rule: Rule
    condition: Condition
    elements: tuple[str | Placeholder, ...] | None


def compiled(rule: Rule, tokens: Tokens) -> Iterator[CompiledCondition]:
    """A rule's conditions; one without any is always met."""
    for condition in rule.conditions or (Condition(),):
        if condition.pattern is None:
            yield CompiledCondition(rule, condition, None)
            continue
        elements: list[str | Placeholder] = []
        for part in condition.pattern:
            if isinstance(part, Placeholder):
                elements.append(part)
            else:
                elements.extend(each.word for each in tokens(part))
        yield CompiledCondition(rule, condition, tuple(elements))


@dataclass(frozen=True, slots=True)
class Search:
    """What conditions are held against: a query's words, its rule contexts and its filters."""

    words: tuple[str, ...]
    contexts: frozenset[str]
    filters: frozenset[Node]
    facet_values: FacetValues
    alike: Alike

    def match(self, compiled: CompiledCondition) -> Match | None:
        """How a condition is met, or None."""
        condition = compiled.condition
        if condition.context and condition.context not in self.contexts:
            return None
        if not all(_folded(each) in self.filters for each in condition.filters):
            return None
        spans: list[Span] = []
        if compiled.elements is not None:
            found = self._pattern(compiled)
            if found is None:
                return None
            spans = found
        used = frozenset(at for span in spans for at in range(span.start, span.end))
        return Match(compiled.rule, condition, tuple(spans), used)

    def _pattern(self, compiled: CompiledCondition) -> list[Span] | None:
        elements = compiled.elements or ()
        if not elements:
            return [] if not self.words else None
        anchoring = compiled.condition.anchoring
        at_end = anchoring in ("is", "endsWith")
        starts = range(1) if anchoring in ("is", "startsWith") else range(len(self.words))
        spans: list[Span] = []
        after = 0
        # What may stand anywhere is looked for again behind where it stood.
        for start in starts:
            if start < after:
                continue
            found = self._at(elements, start, compiled.condition.alternatives, at_end)
            if found is not None:
                spans += found
                after = found[-1].end
        return spans or None

    def _at(
        self, elements: Sequence[str | Placeholder], start: int, alternatives: bool, at_end: bool
    ) -> list[Span] | None:
        """The spans that `elements` cover one after another from the word at `start` on."""
        if not elements:
            return [] if not at_end or start == len(self.words) else None
        for span in self._spans(elements[0], start, alternatives):
            rest = self._at(elements[1:], span.end, alternatives, at_end)
            if rest is not None:
                return [span, *rest]
        return None

    def _spans(self, element: str | Placeholder, start: int, alternatives: bool) -> Iterator[Span]:
        """What an element may cover from the word at `start` on, the longest first."""
        if start >= len(self.words):
            return
        if isinstance(element, str):
            word = self.words[start]
            if word == element or (alternatives and self.alike(word, element)):
                yield Span(start, start + 1, element)
            return
        for end in range(min(len(self.words), start + MAX_VALUE_WORDS), start, -1):
            value = self.facet_values(element.attribute, self.words[start:end])
            if value is not None:
                yield Span(start, end, element, value)


def selected(node: Node | None) -> frozenset[Node]:
    """The single filters of a search, or their negations, for conditions to be held against."""
    match node:
        case None:
            return frozenset()
        case And(parts) | Or(parts):
            return frozenset[Node]().union(*map(selected, parts))
        case _:
            return frozenset((_folded(node),))


def _folded(node: Node) -> Node:
    """A filter such that two which mean the same are equal."""
    match node:
        case Not(part):
            return Not(_folded(part))
        case Facet(attribute, value):
            return Facet(attribute, value.casefold())
        case Tag():
            return node
        case _:
            return node


def winners(matches: Iterable[Match]) -> list[Match]:
    """Of what a search meets, what is applied: in order of precedence, without conflicts."""
    best: dict[str, Match] = {}
    for match in matches:
        other = best.get(match.rule.object_id)
        if other is None or match.precedence() < other.precedence():
            best[match.rule.object_id] = match
    applied: list[Match] = []
    words: frozenset[int] = frozenset()
    filters: frozenset[Node] = frozenset()
    for match in sorted(best.values(), key=Match.precedence):
        wanted = frozenset(map(_folded, match.condition.filters))
        if words & match.words or filters & wanted:
            continue
        words |= match.words
        filters |= wanted
        applied.append(match)
    return applied
