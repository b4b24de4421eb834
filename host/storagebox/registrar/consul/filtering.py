"""Filter expressions (hashicorp/go-bexpr) over entries of answers.

    Service.Port == 80 and ("a" in Service.Tags or not Service.Meta.v is empty)

Selectors are those of the answer's own JSON, checked against the fields that such an entry has
(`fields`, a tree: a nested mapping, or a type). A key that a map lacks matches nothing and is no
error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

Entry = Mapping[str, Any]
Matches = Callable[[Entry], bool]

MAX_CHARS: Final = 2048
_MAX_DEPTH: Final = 32

# Kinds of fields; a mapping is a structure, Strings a list, Map a map of texts.
Text, Number, Flag, Strings, Map = str, int, bool, list[str], dict[str, str]


class FilterError(ValueError):
    """What is wrong with an expression, and where."""


_NODE: Final = {
    "ID": Text,
    "Node": Text,
    "Address": Text,
    "Datacenter": Text,
    "TaggedAddresses": Map,
    "Meta": Map,
}
_WEIGHTS: Final = {"Passing": Number, "Warning": Number}
_SERVICE: Final = {
    "Kind": Text,
    "ID": Text,
    "Service": Text,
    "Tags": Strings,
    "Address": Text,
    "Meta": Map,
    "Port": Number,
    "Weights": _WEIGHTS,
    "EnableTagOverride": Flag,
}
_CHECK: Final = {
    "Node": Text,
    "CheckID": Text,
    "Name": Text,
    "Status": Text,
    "Notes": Text,
    "Output": Text,
    "ServiceID": Text,
    "ServiceName": Text,
    "ServiceTags": Strings,
    "Type": Text,
}
_CATALOG: Final = {
    "ID": Text,
    "Node": Text,
    "Address": Text,
    "Datacenter": Text,
    "TaggedAddresses": Map,
    "NodeMeta": Map,
    **{f"Service{key}": kind for key, kind in _SERVICE.items() if key != "Service"},
    "ServiceName": Text,
}
FIELDS: Final[dict[str, Mapping[str, Any]]] = {
    "node": _NODE,
    "service": _SERVICE,
    "check": _CHECK,
    "health": {"Node": _NODE, "Service": _SERVICE, "Checks": [_CHECK]},
    "catalog": _CATALOG,
}

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<quoted>"(?:[^"\\]|\\.)*"|`[^`]*`)
      | (?P<sign>==|!=|\(|\))
      | (?P<word>[A-Za-z0-9_\-/.:]+(?:\["[^"]*"\][A-Za-z0-9_\-/.:]*)*)
    )""",
    re.VERBOSE,
)


def compile_filter(expression: str, fields: Mapping[str, Any]) -> Matches:
    """What tells whether an entry matches. Raises FilterError."""
    if len(expression) > MAX_CHARS:
        raise FilterError(f"the expression is over {MAX_CHARS} characters")
    return _Parser(expression, fields).whole()


class _Parser:
    def __init__(self, text: str, fields: Mapping[str, Any]) -> None:
        self._fields = fields
        self._tokens: list[tuple[str, str, int]] = []
        self._at = 0
        place = 0
        while text[place:].strip():
            found = _TOKEN.match(text, place)
            if found is None:
                raise _unexpected(place + len(text[place:]) - len(text[place:].lstrip()))
            kind = found.lastgroup or ""
            self._tokens.append((kind, found[kind], found.start(kind)))
            place = found.end()
        self._end = len(text)
        self._depth = 0

    def whole(self) -> Matches:
        matches = self._or()
        if self._at < len(self._tokens):
            raise _unexpected(self._tokens[self._at][2])
        return matches

    def _or(self) -> Matches:
        return self._chain("or", self._and, any)

    def _and(self) -> Matches:
        return self._chain("and", self._not, all)

    def _chain(self, word: str, part: Callable[[], Matches], of: Callable[[Any], bool]) -> Matches:
        parts = [part()]
        while self._accept("word", word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else lambda entry: of(each(entry) for each in parts)

    def _not(self) -> Matches:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise FilterError(f"the expression is nested more than {_MAX_DEPTH} deep")
        try:
            if self._accept("word", "not"):
                inner = self._not()
                return lambda entry: not inner(entry)
            if self._accept("sign", "("):
                inner = self._or()
                self._need("sign", ")")
                return inner
            return self._match()
        finally:
            self._depth -= 1

    def _match(self) -> Matches:
        first, quoted = self._value()
        negated = self._accept("word", "not")
        if self._accept("word", "in"):
            selector = self._selector()
            return _negated(negated, _contains(selector, first))
        if quoted:
            raise _unexpected(self._place())
        selector = _Selector(first, self._fields)
        if self._accept("word", "contains"):
            return _negated(negated, _contains(selector, self._value()[0]))
        if self._accept("word", "matches"):
            # Python's engine can be kept busy without end; Go's can't.
            raise FilterError("regular expressions (matches) are not served here")
        if negated:
            raise _unexpected(self._place())
        if self._accept("word", "is"):
            negated = self._accept("word", "not")
            self._need("word", "empty")
            return _negated(negated, selector.any_is(lambda value: not value))
        for sign in ("==", "!="):
            if self._accept("sign", sign):
                return _negated(sign == "!=", selector.equals(self._value()[0]))
        raise _unexpected(self._place())

    def _selector(self) -> _Selector:
        text, quoted = self._value()
        if quoted:
            raise _unexpected(self._place())
        return _Selector(text, self._fields)

    def _value(self) -> tuple[str, bool]:
        if self._at >= len(self._tokens) or self._tokens[self._at][0] == "sign":
            raise _unexpected(self._place())
        kind, text, _ = self._tokens[self._at]
        self._at += 1
        if kind == "quoted":
            inner = text[1:-1]
            return (inner if text[0] == "`" else re.sub(r"\\(.)", r"\1", inner)), True
        return text, False

    def _accept(self, kind: str, text: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at][:2] == (kind, text):
            self._at += 1
            return True
        return False

    def _need(self, kind: str, text: str) -> None:
        if not self._accept(kind, text):
            raise _unexpected(self._place())

    def _place(self) -> int:
        return self._tokens[self._at][2] if self._at < len(self._tokens) else self._end


def _unexpected(place: int) -> FilterError:
    return FilterError(f"1:{place + 1} ({place}): no match found")


class _Selector:
    """A dotted path, checked. Through a list of structures it selects one of each."""

    def __init__(self, text: str, fields: Mapping[str, Any]) -> None:
        self.text = text
        parts = re.findall(r'\["([^"]*)"\]|([^.\["]+)', text)
        self._path = [quoted or bare for quoted, bare in parts]
        kind: Any = fields
        for part in self._path:
            if kind is Map:
                kind = Text
                continue
            if isinstance(kind, Sequence):
                kind = kind[0]
            if not isinstance(kind, Mapping) or part not in kind:
                raise FilterError(f'Selector "{text}" is not valid')
            kind = kind[part]
        self.kind = kind

    def any_is(self, test: Callable[[Any], bool]) -> Matches:
        """Whether any selected value is so; of a map's missing key there is none."""
        return lambda entry: any(test(value) for value in _select(entry, self._path))

    def equals(self, text: str) -> Matches:
        """Whether any selected value is that literal. Raises FilterError."""
        wanted = self._coerced(text)
        return self.any_is(lambda value: value == wanted)

    def _coerced(self, text: str) -> Any:
        try:
            if self.kind is Number:
                return int(text)
            if self.kind is Flag:
                return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
        except (ValueError, KeyError):
            parse = "ParseInt" if self.kind is Number else "ParseBool"
            raise FilterError(
                f'Failed to coerce value "{text}" for selector "{self.text}": '
                f'strconv.{parse}: parsing "{text}": invalid syntax'
            ) from None
        if self.kind is not Text:
            raise FilterError(f'Invalid match operator "Equal" for selector "{self.text}"')
        return text


def _select(value: Any, path: Sequence[str]) -> list[Any]:
    for place, part in enumerate(path):
        if isinstance(value, list):
            return [found for each in value for found in _select(each, path[place:])]
        if not isinstance(value, Mapping):
            return []
        if part not in value:
            # A field that is left out because it is empty, and a map's key that isn't there.
            return [""] if place == len(path) - 1 and part in ("Kind", "ServiceKind") else []
        value = value[part]
    return [value]


def _negated(negated: bool, matches: Matches) -> Matches:
    return (lambda entry: not matches(entry)) if negated else matches


def _contains(selector: _Selector, wanted: str) -> Matches:
    if selector.kind not in (Strings, Map, Text):
        raise FilterError(f'Invalid match operator "In" for selector "{selector.text}"')
    return selector.any_is(lambda value: value is not None and wanted in value)
