"""Filters: what a record must be (or had better be), and the grammar of `filters`.

    conjunction := disjunction (AND disjunction)*
    disjunction := unit (OR unit)*
    unit        := NOT filter | ( conjunction ) | filter
    filter      := attribute:value | attribute:low TO high | attribute < <= = != > >= number | tag
                   each of them with an optional <score=n> behind it, n from 0 to 65535

OR binds tighter than AND, so `a AND b OR c` means `a AND (b OR c)`. Whatever the parentheses, a
filter has to come down to ANDs of ORs, an OR joins filters of one kind (facet, numeric or tag),
and NOT takes a single filter (Algolia documentation, "Filters and boolean operators"). Columns in
messages count characters from 0, as Algolia's do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NoReturn

from storagebox.search.language.errors import LanguageError

Comparison = Literal["<", "<=", "=", "!=", ">=", ">"]

DEFAULT_SCORE = 1
MAX_SCORE = 65_535

# Bounds against requests that are built to be expensive: no person's filter comes near them.
MAX_NESTING = 64
MAX_FILTERS = 5000


@dataclass(frozen=True, slots=True)
class And:
    """All of `parts` hold. Parts are never Ands themselves."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of `parts` holds. Parts are single filters of one kind, or their negations."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """`part`, a single filter, does not hold."""

    part: Node


@dataclass(frozen=True, slots=True)
class Facet:
    """`attribute`, or an element of it, is `value`; the case of values doesn't matter."""

    attribute: str
    value: str


@dataclass(frozen=True, slots=True)
class Numeric:
    """`attribute`, or an element of it, compares so with `number`."""

    attribute: str
    op: Comparison
    number: float


@dataclass(frozen=True, slots=True)
class Between:
    """`attribute`, or an element of it, is from `low` to `high`, both included."""

    attribute: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Tag:
    """`_tags` holds `value`; case matters."""

    value: str


Node = And | Or | Not | Facet | Numeric | Between | Tag
Kind = Literal["facet", "numeric", "tag"]


@dataclass(frozen=True, slots=True)
class Scored:
    """A record that `node` holds for gains `score` in the criterion "filters"."""

    node: Node
    score: int


Groups = tuple[tuple[Scored, ...], ...]
"""Scored filters: groups add up; within a group the best counts, or all (sumOrFiltersScores)."""


def total_score(groups: Groups, holds: Callable[[Node], bool], *, sum_or: bool) -> int:
    """What a record gains from scored filters; `holds` says whether one holds for it."""
    combine = sum if sum_or else _best
    return sum(combine(each.score for each in group if holds(each.node)) for group in groups)


def _best(scores: Iterable[int]) -> int:
    return max(scores, default=0)


def conjunction(nodes: Iterable[Node | None]) -> Node | None:
    """All of `nodes` ANDed into one; None is no filter, so nothing but None gives None."""
    parts: list[Node] = []
    for node in nodes:
        if isinstance(node, And):
            parts.extend(node.parts)
        elif node is not None:
            parts.append(node)
    if len(parts) < 2:
        return parts[0] if parts else None
    return And(tuple(parts))


def kind_of(node: Node) -> Kind:
    """The kind of a single filter or of its negation, or the kind an OR is made of."""
    match node:
        case Not(part):
            return kind_of(part)
        case Or(parts) | And(parts):
            return kind_of(parts[0])
        case Facet():
            return "facet"
        case Tag():
            return "tag"
        case Numeric() | Between():
            return "numeric"


def leaves(node: Node | None) -> Iterator[Facet | Numeric | Between | Tag]:
    """The single filters in `node`, negated or not, in the order they were written."""
    match node:
        case None:
            return
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part):
            yield from leaves(part)
        case _:
            yield node


@dataclass(frozen=True, slots=True)
class Parsed:
    """Filters that were read: what has to hold, and the scores of the alternatives of each OR."""

    node: Node | None
    scored: Groups = ()

    def telling(self, *, sum_or: bool) -> Groups:
        """Those scores that don't come out equal for all records that `node` holds for."""
        return tuple(
            group for group in self.scored if sum_or or len({each.score for each in group}) > 1
        )


def parse_filters(text: str, parameter: str = "filters") -> Parsed:
    """Read a `filters` string; `parameter` is whom a LanguageError blames.

    An empty string is no filter.
    """
    if not text.strip():
        return Parsed(None)
    return _Parser(text, parameter).parse()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: Literal["word", "quoted", "sign", "score", "end"]
    text: str
    column: int

    def __str__(self) -> str:
        if self.kind in ("word", "quoted"):
            return f"string({self.text})"
        if self.kind == "end":
            return "end of filter"
        # Algolia quotes all signs but comparisons.
        return self.text if self.text in _COMPARISONS else f"'{self.text}'"


_KEYWORDS = ("AND", "OR", "NOT", "TO")
_COMPARISONS: dict[str, Comparison] = {
    "<": "<", "<=": "<=", "=": "=", "!=": "!=", ">=": ">=", ">": ">",
}  # fmt: skip
_TOKEN = re.compile(
    r"""
    \s+
    | (?P<score><score=(?P<points>\d{1,9})>)
    | (?P<sign><=|>=|!=|[<>=():])
    | "(?P<double>(?:[^"\\]|\\.)*)"
    | '(?P<single>(?:[^'\\]|\\.)*)'
    | (?P<word>(?:[^\s<>=():"'!]|!(?!=))+)
    """,
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
_ESCAPED = re.compile(r"\\([\"'\\])")


def to_number(text: str) -> float | None:
    """The number that `text` is in decimal notation, or None: no infinities, no NaN."""
    if _NUMBER.fullmatch(text) is None:
        return None
    number = float(text)
    return number if abs(number) != float("inf") else None


class _Parser:
    def __init__(self, text: str, parameter: str) -> None:
        self._text = text
        self._parameter = parameter
        self._tokens = self._tokenize()
        self._token = next(self._tokens)
        self._depth = 0
        self._count = 0
        self._groups: list[tuple[Scored, ...]] = []

    def parse(self) -> Parsed:
        node = self._conjunction()
        if self._token.kind != "end":
            self._unexpected("end of filter")
        return Parsed(node, tuple(self._groups))

    def _tokenize(self) -> Iterator[_Token]:
        text = self._text
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                self._fail(f"Missing closing quote for the one at col {at}")
            kind = found.lastgroup
            match kind:
                case None:
                    pass  # space
                case "double" | "single":
                    yield _Token("quoted", _ESCAPED.sub(r"\1", found[kind]), at)
                case "score":
                    yield _Token("score", found["points"], at)
                case "sign":
                    yield _Token("sign", found["sign"], at)
                case _:
                    word = found["word"]
                    yield _Token("sign" if word in _KEYWORDS else "word", word, at)
            at = found.end()
        yield _Token("end", "", len(text))

    def _conjunction(self) -> Node:
        node = self._disjunction()
        parts = [node]
        while self._taken("AND"):
            parts.append(self._disjunction())
        joined = conjunction(parts)
        assert joined is not None
        return joined

    def _disjunction(self) -> Node:
        first = self._token
        alternatives = self._unit()
        if self._is("OR"):
            self._refuse_and(alternatives, first)
        while self._taken("OR"):
            first = self._token
            more = self._unit()
            self._refuse_and(more, first)
            kinds = kind_of(alternatives[0].node), kind_of(more[0].node)
            if kinds[0] != kinds[1]:
                self._fail(
                    f"OR can't join {kinds[0]} and {kinds[1]} filters at col {first.column}:"
                    " use AND"
                )
            alternatives += more
        if len(alternatives) == 1:
            return alternatives[0].node
        self._groups.append(alternatives)
        return Or(tuple(each.node for each in alternatives))

    def _unit(self) -> tuple[Scored, ...]:
        """The alternatives that one operand of OR stands for."""
        if self._taken("("):
            self._depth += 1
            if self._depth > MAX_NESTING:
                self._fail(f"More than {MAX_NESTING} parentheses within each other")
            node = self._conjunction()
            if not self._taken(")"):
                self._unexpected("')'")
            self._depth -= 1
            # A parenthesised OR is part of the OR around it, and so are its scores.
            return self._groups.pop() if isinstance(node, Or) else (Scored(node, DEFAULT_SCORE),)
        if self._taken("NOT"):
            if self._is("("):
                self._fail(
                    f"NOT takes a single filter, not a group, at col {self._token.column}:"
                    " negate each of them"
                )
            found = self._filter()
            return (Scored(Not(found.node), found.score),)
        return (self._filter(),)

    def _filter(self) -> Scored:
        self._count += 1
        if self._count > MAX_FILTERS:
            self._fail(f"More than {MAX_FILTERS} filters")
        name = self._string("filter")
        node: Node
        if self._taken(":"):
            node = self._value(name.text)
        elif self._token.kind == "sign" and self._token.text in _COMPARISONS:
            op = _COMPARISONS[self._next().text]
            node = Numeric(name.text, op, self._number())
        else:
            node = Tag(name.text)
        if self._token.kind != "score":
            return Scored(node, DEFAULT_SCORE)
        score = int(self._token.text)
        if score > MAX_SCORE:
            self._fail(f"Score {score} at col {self._token.column} is more than {MAX_SCORE}")
        self._next()
        return Scored(node, score)

    def _value(self, attribute: str) -> Node:
        value = self._string("string")
        if self._is("TO"):
            low = to_number(value.text)
            if low is None:
                self._unexpected("numeric", value)
            self._next()
            return Between(attribute, low, self._number())
        return Tag(value.text) if attribute == "_tags" else Facet(attribute, value.text)

    def _number(self) -> float:
        number = to_number(self._token.text) if self._token.kind in ("word", "quoted") else None
        if number is None:
            self._unexpected("numeric")
        self._next()
        return number

    def _string(self, expected: str) -> _Token:
        if self._token.kind not in ("word", "quoted"):
            self._unexpected(expected)
        return self._next()

    def _next(self) -> _Token:
        token = self._token
        self._token = next(self._tokens)
        return token

    def _is(self, sign: str) -> bool:
        return self._token.kind == "sign" and self._token.text == sign

    def _taken(self, sign: str) -> bool:
        if not self._is(sign):
            return False
        self._next()
        return True

    def _refuse_and(self, alternatives: tuple[Scored, ...], first: _Token) -> None:
        if isinstance(alternatives[0].node, And):
            self._fail(
                "filter (X AND Y) OR Z is not allowed, only (X OR Y) AND Z is allowed"
                f" at col {first.column}"
            )

    def _unexpected(self, expected: str, token: _Token | None = None) -> NoReturn:
        token = token or self._token
        self._fail(f"Unexpected token {token} expected {expected} at col {token.column}")

    def _fail(self, fault: str) -> NoReturn:
        raise LanguageError(f"{self._parameter}: {fault}")
