"""An index's rules, applied to a search."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from storagebox.search.language.alternatives import Alternatives, Synonyms
from storagebox.search.language.query import Promoted, Query
from storagebox.search.language.rule_matching import (
    CompiledCondition,
    FacetValues,
    Match,
    Search,
    Token,
    Tokens,
    compiled,
    selected,
    winners,
)
from storagebox.search.language.rules import AutomaticFilter, Edit, Placeholder, Rule


def _none(_word: str) -> Collection[str]:
    return ()


class RuleSet:
    """Rules ready to be held against searches. Threads may share one."""

    def __init__(self, rules: Iterable[Rule], tokens: Tokens) -> None:
        self._tokens = tokens
        # A pattern that begins with a word can only be met by a query with that word, so most
        # rules need no look at most queries.
        self._by_first: dict[str, list[CompiledCondition]] = {}
        # With that word or an alternative of it.
        self._by_alternative: dict[str, list[CompiledCondition]] = {}
        self._others: list[CompiledCondition] = []
        for rule in rules:
            for each in compiled(rule, tokens):
                first = each.elements[0] if each.elements else None
                if isinstance(first, str):
                    loose = each.condition.alternatives
                    listed = self._by_alternative if loose else self._by_first
                    listed.setdefault(first, []).append(each)
                else:
                    self._others.append(each)

    def __bool__(self) -> bool:
        return bool(self._by_first or self._by_alternative or self._others)

    def apply(
        self,
        query: Query,
        *,
        now_s: float,
        facet_values: FacetValues,
        synonyms: Synonyms = _none,
    ) -> Query:
        """What becomes of a query once rules have had their say; what lay over it still does.

        `now_s` is in seconds since 1970; `facet_values` and `synonyms` are the index's.
        """
        if not query.enable_rules or not self:
            return query
        tokens = self._tokens(query.query)
        alternatives = Alternatives(query, synonyms)
        search = Search(
            tuple(each.word for each in tokens),
            frozenset(query.rule_contexts),
            selected(query.filters),
            facet_values,
            alternatives.alike,
        )
        met = (
            search.match(each)
            for each in self._candidates(search.words, alternatives)
            if each.rule.active(now_s)
        )
        applied = winners(each for each in met if each is not None)
        if not applied:
            return query
        # The first wins, and of layers the topmost: so the first lies on top.
        layers = [layer for each in reversed(applied) if (layer := _layer(each))]
        changed = query.with_beneath(layers) if layers else query
        text = self._edited(query.query, tokens, applied)
        consequences = [each.rule.consequence for each in applied]
        hidden = frozenset[str]().union(*(each.hide for each in consequences))
        return replace(
            changed,
            query=text,
            given={**changed.given, "query": text} if text != query.query else changed.given,
            promoted=_promoted(applied, hidden),
            hidden=hidden,
            user_data=tuple(e.user_data for e in consequences if e.user_data is not None),
            applied_rules=tuple(each.rule.object_id for each in applied),
        )

    def _candidates(
        self, words: Sequence[str], alternatives: Alternatives
    ) -> Iterator[CompiledCondition]:
        yield from self._others
        distinct = dict.fromkeys(words)
        for word in distinct:
            yield from self._by_first.get(word, ())
        if self._by_alternative:
            firsts = {word for word in distinct if word in self._by_alternative}
            for word in distinct:
                firsts |= alternatives.among(word, self._by_alternative.keys())
            for first in firsts:
                yield from self._by_alternative[first]

    def _edited(self, text: str, tokens: Sequence[Token], applied: Sequence[Match]) -> str:
        """A query's text as rules rewrite it: a whole new text wins over edits of the old one."""
        for match in applied:
            if match.rule.consequence.query is not None:
                return match.rule.consequence.query
        # A word goes once, whoever deletes it first.
        changes: list[tuple[int, int, str]] = []
        gone: set[int] = set()
        for match in applied:
            for edit in match.rule.consequence.edits:
                for start, end in self._places(edit, tokens, match):
                    if gone.isdisjoint(range(start, end)):
                        gone.update(range(start, end))
                        changes.append((start, end, edit.insert))
        if not changes:
            return text
        pieces: list[str] = []
        after = 0
        for start, end, insert in sorted(changes):
            pieces += (text[after : tokens[start].start], insert)
            after = tokens[end - 1].end
        pieces.append(text[after:])
        edited = " ".join("".join(pieces).split())
        # Signs alone are no query.
        return edited if self._tokens(edited) else ""

    def _places(
        self, edit: Edit, tokens: Sequence[Token], match: Match
    ) -> Iterator[tuple[int, int]]:
        """Where what an edit deletes stands: from which word to which."""
        if isinstance(edit.delete, Placeholder):
            yield from ((each.start, each.end) for each in match.spans if each.by == edit.delete)
            return
        wanted = [each.word for each in self._tokens(edit.delete)]
        if not wanted:
            return
        # What stands for a word of the pattern, a plural say, goes with it.
        standing = [each.word for each in tokens]
        for span in match.spans:
            if isinstance(span.by, str):
                standing[span.start] = span.by
        for start in range(len(standing) - len(wanted) + 1):
            if standing[start : start + len(wanted)] == wanted:
                yield start, start + len(wanted)


def _layer(match: Match) -> dict[str, object]:
    """The parameters that a rule lays over a search."""
    consequence = match.rule.consequence
    layer = dict(consequence.params)
    for name, automatic in (
        ("facetFilters", consequence.filters),
        ("optionalFilters", consequence.optional_filters),
    ):
        added = [entry for each in automatic for entry in _entries(each, match)]
        if added:
            given = layer.get(name, [])
            layer[name] = [*(given if isinstance(given, list | tuple) else [given]), *added]
    return layer


def _entries(automatic: AutomaticFilter, match: Match) -> list[str | list[str]]:
    """The values that placeholders met, as entries of a list of facet filters."""
    score = "" if automatic.score is None else f"<score={automatic.score}>"
    values = dict.fromkeys(
        span.value for span in match.spans if span.by == Placeholder(automatic.facet)
    )
    # A dash at the beginning would negate.
    escaped = ("\\" + value if value.startswith("-") else value for value in values)
    filters = [f"{automatic.facet}:{value}{score}" for value in escaped]
    if automatic.disjunctive:
        return [filters] if filters else []
    return [*filters]


def _promoted(applied: Sequence[Match], hidden: frozenset[str]) -> tuple[Promoted, ...]:
    """What rules promote, at positions of their own: who has to give way moves down."""
    wanted = [
        Promoted(object_id, promotion.position + behind, match.rule.consequence.filter_promotes)
        for match in applied
        for promotion in match.rule.consequence.promote
        for behind, object_id in enumerate(promotion.object_ids)
        if object_id not in hidden
    ]
    placed: dict[str, Promoted] = {}
    free = 0
    for each in sorted(wanted, key=lambda each: (each.position, each.object_id)):
        if each.object_id not in placed:
            position = max(each.position, free)
            placed[each.object_id] = replace(each, position=position)
            free = position + 1
    return tuple(placed.values())
