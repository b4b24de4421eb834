"""Rules as they are kept: when one applies, and what it then does to a search.

`rule_matching` finds those that a search meets, `rule_set` applies them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn, cast

from storagebox.search.language.errors import LanguageError
from storagebox.search.language.filters import And, Facet, Node, Not, Tag, parse_filters
from storagebox.search.language.kinds import BOOLEAN, integer, json_bytes
from storagebox.search.language.parameters import Where, allowed
from storagebox.search.language.query import Query
from storagebox.search.language.settings import DEFAULTS

Anchoring = Literal["is", "startsWith", "endsWith", "contains"]
ANCHORINGS: dict[str, Anchoring] = {
    "is": "is",
    "startsWith": "startsWith",
    "endsWith": "endsWith",
    "contains": "contains",
}
"""From the strictest to the laxest."""

# Algolia's limits.
MAX_CONDITIONS = 25
MAX_PROMOTED = 300
MAX_PROMOTED_GROUP = 100
MAX_POSITION = 300
MAX_HIDDEN = 50
MAX_USER_DATA_BYTES = 1024
MAX_PATTERN_BYTES = 512

_CONTEXT = re.compile(r"[A-Za-z0-9_-]+")
_PLACEHOLDER = re.compile(r"\{facet:([^{}]+)\}")
_PARAMETERS = allowed(Where.RULE)
_OWN_PARAMETERS = frozenset({"query", "automaticFacetFilters", "automaticOptionalFacetFilters"})


@dataclass(frozen=True, slots=True)
class Placeholder:
    """In a pattern or an edit: any value of a facet."""

    attribute: str


@dataclass(frozen=True, slots=True)
class Condition:
    """One way to meet a rule: everything that is given here holds.

    `pattern` is literal text and placeholders in turn. `filters` are single facet or tag filters,
    or their negations, that the search has to have.
    """

    pattern: tuple[str | Placeholder, ...] | None = None
    anchoring: Anchoring = "is"
    alternatives: bool = False
    context: str = ""
    filters: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Edit:
    """Of the query's text, `delete` goes and `insert` comes in its place."""

    delete: str | Placeholder
    insert: str = ""


@dataclass(frozen=True, slots=True)
class AutomaticFilter:
    """The facet values that a pattern's placeholders met become filters."""

    facet: str
    score: int | None = None
    disjunctive: bool = False


@dataclass(frozen=True, slots=True)
class Promotion:
    """Records put at `position` (0 is the first) and behind it."""

    position: int
    object_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Consequence:
    """What a rule does: `params` are laid over the search's, `query` replaces its text."""

    params: Mapping[str, object] = field(default_factory=dict[str, object])
    query: str | None = None
    edits: tuple[Edit, ...] = ()
    filters: tuple[AutomaticFilter, ...] = ()
    optional_filters: tuple[AutomaticFilter, ...] = ()
    promote: tuple[Promotion, ...] = ()
    filter_promotes: bool = False
    hide: frozenset[str] = frozenset()
    user_data: object = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. `validity` are times it is active, in seconds since 1970; none means always."""

    object_id: str
    conditions: tuple[Condition, ...]
    consequence: Consequence
    enabled: bool = True
    validity: tuple[tuple[int, int], ...] = ()

    @classmethod
    def from_json(cls, rule: object) -> Rule:
        """A rule as a client gives it; raises LanguageError that says what is wrong."""
        given = _object(rule, "rule")
        object_id = given.get("objectID")
        if not isinstance(object_id, str) or not object_id:
            raise LanguageError("rule: objectID must be a string that isn't empty")
        return _Reader(object_id).rule(given)

    def active(self, now_s: float) -> bool:
        """Whether the rule is in force at `now_s`, seconds since 1970."""
        return self.enabled and (
            not self.validity or any(since <= now_s <= until for since, until in self.validity)
        )


def parse_pattern(text: str) -> tuple[str | Placeholder, ...]:
    """`red {facet:brand} shoes` → "red ", Placeholder("brand"), " shoes"."""
    parts: list[str | Placeholder] = []
    for number, part in enumerate(_PLACEHOLDER.split(text)):
        if number % 2:
            parts.append(Placeholder(part.strip()))
        elif part:
            parts.append(part)
    return tuple(parts)


_ANY_TIME = (1 << 63) - 1


class _Reader:
    """Reads one rule, so that every message can name it."""

    def __init__(self, object_id: str) -> None:
        self._object_id = object_id

    def rule(self, given: Mapping[str, object]) -> Rule:
        conditions = self._list(given, "conditions")
        # Up to 2019 a rule had one condition, under this name.
        if given.get("condition") is not None:
            conditions = [given["condition"], *conditions]
        if len(conditions) > MAX_CONDITIONS:
            self._fail(f"conditions: {len(conditions)} are more than {MAX_CONDITIONS}")
        if given.get("consequence") is None:
            self._fail("consequence is missing")
        return Rule(
            self._object_id,
            tuple(self._condition(each) for each in conditions),
            self._consequence(self._object(given["consequence"], "consequence")),
            self._boolean(given, "enabled", True),
            tuple(self._time_range(each) for each in self._list(given, "validity")),
        )

    def _condition(self, value: object) -> Condition:
        given = self._object(value, "condition")
        pattern, anchoring = given.get("pattern"), given.get("anchoring")
        if pattern is None and anchoring is not None:
            self._fail("condition: anchoring needs a pattern")
        context = self._text(given, "context")
        if context and _CONTEXT.fullmatch(context) is None:
            self._fail(f"condition: context {context!r} may hold letters, digits, _ and -")
        if pattern is None:
            return Condition(context=context, filters=self._selected(given))
        if not isinstance(pattern, str) or len(pattern.encode()) > MAX_PATTERN_BYTES:
            self._fail(f"condition: pattern must be text of up to {MAX_PATTERN_BYTES} bytes")
        anchoring = "contains" if anchoring is None else anchoring
        anchor = ANCHORINGS.get(anchoring) if isinstance(anchoring, str) else None
        if anchor is None:
            self._fail(f"condition: anchoring must be one of {', '.join(ANCHORINGS)}")
        if not pattern.strip() and anchor != "is":
            self._fail("condition: an empty pattern needs the anchoring is")
        alternatives = self._boolean(given, "alternatives", False)
        parts = parse_pattern(pattern)
        return Condition(parts, anchor, alternatives, context, self._selected(given))

    def _selected(self, given: Mapping[str, object]) -> tuple[Node, ...]:
        node = parse_filters(
            self._text(given, "filters"), f"rule {self._object_id}: condition: filters"
        ).node
        if node is None:
            return ()
        parts = node.parts if isinstance(node, And) else (node,)
        for part in parts:
            inside = part.part if isinstance(part, Not) else part
            if not isinstance(inside, Facet | Tag):
                self._fail("condition: filters can't hold OR or numbers")
        return parts

    def _consequence(self, given: Mapping[str, object]) -> Consequence:
        params = self._object(given.get("params") or {}, "params")
        plain = {
            name: value
            for name, value in params.items()
            if name not in _OWN_PARAMETERS and value is not None
        }
        for name in plain:
            if name not in _PARAMETERS:
                self._fail(f"params: unknown parameter {name}")
        try:
            Query.parse(plain, DEFAULTS)
        except LanguageError as error:
            self._fail(f"params: {error.message}")
        text, edits = self._query(params.get("query"))
        user_data = given.get("userData")
        if user_data is not None and json_bytes(user_data) > MAX_USER_DATA_BYTES:
            self._fail(f"userData takes more than {MAX_USER_DATA_BYTES} bytes")
        return Consequence(
            plain,
            text,
            edits,
            self._automatic(params, "automaticFacetFilters"),
            self._automatic(params, "automaticOptionalFacetFilters"),
            self._promotions(given),
            self._boolean(given, "filterPromotes", False),
            self._hidden(given),
            user_data,
        )

    def _query(self, value: object) -> tuple[str | None, tuple[Edit, ...]]:
        if value is None or isinstance(value, str):
            return value, ()
        given = self._object(value, "params: query")
        removed = given.get("remove")
        listed = [removed] if isinstance(removed, str) else self._list(given, "remove")
        edits = [Edit(self._deleted(each)) for each in listed]
        for each in self._list(given, "edits"):
            edit = self._object(each, "params: query: edits")
            kind = edit.get("type", "remove")
            if kind not in ("remove", "replace"):
                self._fail("params: query: an edit's type must be remove or replace")
            inserted = self._text(edit, "insert") if kind == "replace" else ""
            if kind == "replace" and not inserted:
                self._fail("params: query: an edit of type replace needs insert")
            edits.append(Edit(self._deleted(edit.get("delete")), inserted))
        return None, tuple(edits)

    def _deleted(self, value: object) -> str | Placeholder:
        if not isinstance(value, str) or not value.strip():
            self._fail("params: query: what is deleted must be text that isn't empty")
        found = _PLACEHOLDER.fullmatch(value.strip())
        return Placeholder(found[1].strip()) if found else value

    def _automatic(self, params: Mapping[str, object], name: str) -> tuple[AutomaticFilter, ...]:
        value = params.get(name)
        listed = [value] if isinstance(value, str | Mapping) else self._list(params, name)
        found: list[AutomaticFilter] = []
        for each in cast("Sequence[object]", listed):
            if isinstance(each, str):
                found.append(AutomaticFilter(each))
                continue
            given = self._object(each, f"params: {name}")
            facet = self._text(given, "facet")
            if not facet:
                self._fail(f"params: {name}: facet is missing")
            score = given.get("score")
            found.append(
                AutomaticFilter(
                    facet,
                    None if score is None else self._integer("score", score, 65_535),
                    self._boolean(given, "disjunctive", False),
                )
            )
        return tuple(found)

    def _promotions(self, given: Mapping[str, object]) -> tuple[Promotion, ...]:
        found: list[Promotion] = []
        taken: set[int] = set()
        for each in self._list(given, "promote"):
            promotion = self._object(each, "promote")
            ids = promotion.get("objectIDs")
            listed = self._list(promotion, "objectIDs") if ids else [promotion.get("objectID")]
            if not all(isinstance(one, str) and one for one in listed):
                self._fail("promote: objectID or objectIDs must be text that isn't empty")
            if len(listed) > MAX_PROMOTED_GROUP:
                self._fail(f"promote: a group of {len(listed)} is more than {MAX_PROMOTED_GROUP}")
            position = self._integer("position", promotion.get("position"), MAX_POSITION)
            if position in taken:
                self._fail(f"promote: position {position} is given twice")
            taken.add(position)
            found.append(Promotion(position, tuple(cast("Sequence[str]", listed))))
        total = sum(len(each.object_ids) for each in found)
        if total > MAX_PROMOTED:
            self._fail(f"promote: {total} records are more than {MAX_PROMOTED}")
        return tuple(found)

    def _hidden(self, given: Mapping[str, object]) -> frozenset[str]:
        hidden: set[str] = set()
        for each in self._list(given, "hide"):
            object_id = self._object(each, "hide").get("objectID")
            if not isinstance(object_id, str) or not object_id:
                self._fail("hide: objectID must be text that isn't empty")
            hidden.add(object_id)
        if len(hidden) > MAX_HIDDEN:
            self._fail(f"hide: {len(hidden)} records are more than {MAX_HIDDEN}")
        return frozenset(hidden)

    def _time_range(self, value: object) -> tuple[int, int]:
        given = self._object(value, "validity")
        since, until = given.get("from"), given.get("until")
        since = 0 if since is None else self._integer("from", since, _ANY_TIME)
        until = _ANY_TIME if until is None else self._integer("until", until, _ANY_TIME)
        if since > until:
            self._fail("validity: from is later than until")
        return since, until

    def _object(self, value: object, name: str) -> Mapping[str, object]:
        return _object(value, f"rule {self._object_id}: {name}")

    def _list(self, given: Mapping[str, object], name: str) -> Sequence[object]:
        value = given.get(name)
        if value is None:
            return []
        if not isinstance(value, list | tuple):
            self._fail(f"{name} must be an array")
        return cast("Sequence[object]", value)

    def _text(self, given: Mapping[str, object], name: str) -> str:
        value = given.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            self._fail(f"{name} must be text")
        return value

    def _boolean(self, given: Mapping[str, object], name: str, default: bool) -> bool:
        value = given.get(name)
        return default if value is None else self._checked(BOOLEAN, name, value)

    def _integer(self, name: str, value: object, high: int) -> int:
        return self._checked(integer(0, high), name, value)

    def _checked(self, kind: Any, name: str, value: object) -> Any:
        try:
            return kind.check(name, value)
        except LanguageError as error:
            self._fail(error.message)

    def _fail(self, fault: str) -> NoReturn:
        raise LanguageError(f"rule {self._object_id}: {fault}")


def _object(value: object, name: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise LanguageError(f"{name}: expected an object")
    return cast("Mapping[str, object]", value)
