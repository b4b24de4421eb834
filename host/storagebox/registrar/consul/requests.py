"""Bodies that clients send, decoded as Go's encoding/json does it, into definitions.

Keys match in any case of letters and some also in snake_case; unknown ones are refused. What is
wrong is told in Go's words, because people search for those.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from . import durations
from .refused import Refused

# Nothing real is deeper; Python's own parser would end in a RecursionError.
_MAX_DEPTH: Final = 32
_INT_MAX: Final = 2**63


@dataclass(frozen=True)
class Struct:
    """Fields by their lower-case name: the name that we use, and the kind of its value."""

    fields: Mapping[str, tuple[str, Any]]
    name: str = ""  # Go's own, of types that have one
    go: str = "struct"


@dataclass(frozen=True)
class ListOf:
    """A JSON array of a kind."""

    of: Any
    go: str


@dataclass(frozen=True)
class MapOf:
    """A JSON object of any keys, with values of a kind."""

    of: Any
    go: str


@dataclass(frozen=True)
class Plain:
    """A JSON value of one type."""

    type: type
    go: str


STRING: Final = Plain(str, "string")
INT: Final = Plain(int, "int")
BOOL: Final = Plain(bool, "bool")
STRINGS: Final = ListOf(STRING, "[]string")
STRING_MAP: Final = MapOf(STRING, "map[string]string")
HEADER: Final = MapOf(STRINGS, "map[string][]string")
ANY: Final = object()
DURATION: Final = object()


def struct(fields: Mapping[str, Any], name: str = "", go: str = "", snake: str = "") -> Struct:
    """A Struct of fields by name; those listed in `snake` have a second, snake_case name."""
    found: dict[str, tuple[str, Any]] = {}
    for key, kind in fields.items():
        found[key.lower()] = (key, kind)
    for key in snake.split():
        found[re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower()] = (key, fields[key])
    return Struct(found, name, go or (f"structs.{name}" if name else "struct {…}"))


_CHECK_FIELDS: Final[dict[str, Any]] = {
    "CheckID": STRING,
    "Name": STRING,
    "Status": STRING,
    "Notes": STRING,
    "Args": STRINGS,
    "ScriptArgs": STRINGS,
    "HTTP": STRING,
    "Header": HEADER,
    "Method": STRING,
    "Body": STRING,
    "TCP": STRING,
    "Interval": DURATION,
    "AliasNode": STRING,
    "AliasService": STRING,
    "DockerContainerID": STRING,
    "Shell": STRING,
    "GRPC": STRING,
    "GRPCUseTLS": BOOL,
    "TLSSkipVerify": BOOL,
    "Timeout": DURATION,
    "TTL": DURATION,
    "SuccessBeforePassing": INT,
    "FailuresBeforeCritical": INT,
    "DeregisterCriticalServiceAfter": DURATION,
    "OutputMaxSize": INT,
    "EnterpriseMeta": ANY,
}
_CHECK_SNAKE: Final = "ScriptArgs DockerContainerID TLSSkipVerify DeregisterCriticalServiceAfter"
CHECK: Final = struct(_CHECK_FIELDS, snake=_CHECK_SNAKE)
CHECK_DEFINITION: Final = struct(
    {**_CHECK_FIELDS, "ID": STRING, "ServiceID": STRING, "Token": STRING},
    snake=f"{_CHECK_SNAKE} ServiceID",
)
WEIGHTS: Final = struct({"Passing": INT, "Warning": INT}, "Weights")
_ADDRESSES: Final = MapOf(
    struct({"Address": STRING, "Port": INT}, "ServiceAddress"),
    "map[string]structs.ServiceAddress",
)
_SERVICE_FIELDS: Final[dict[str, Any]] = {
    "Kind": STRING,
    "ID": STRING,
    "Tags": STRINGS,
    "Address": STRING,
    "TaggedAddresses": _ADDRESSES,
    "Meta": STRING_MAP,
    "Port": INT,
    "Weights": WEIGHTS,
    "EnableTagOverride": BOOL,
    "Proxy": MapOf(ANY, "structs.ConnectProxyConfig"),
    "Connect": MapOf(ANY, "structs.ServiceConnect"),
    "EnterpriseMeta": ANY,
    # Of newer versions; given back, and nothing more.
    "Locality": MapOf(ANY, "structs.Locality"),
    "SocketPath": STRING,
}
SERVICE_DEFINITION: Final = struct(
    {
        **_SERVICE_FIELDS,
        "Name": STRING,
        "Check": CHECK,
        "Checks": ListOf(CHECK, "structs.CheckTypes"),
        "Token": STRING,
    },
    snake="EnableTagOverride TaggedAddresses",
)
UPDATE: Final = struct({"Status": STRING, "Output": STRING}, "checkUpdate", "agent.checkUpdate")
_HEALTH_CHECK: Final = struct(
    {
        "Node": STRING,
        "CheckID": STRING,
        "Name": STRING,
        "Status": STRING,
        "Notes": STRING,
        "Output": STRING,
        "ServiceID": STRING,
        "ServiceName": STRING,
        "ServiceTags": STRINGS,
        "Type": STRING,
        "Definition": ANY,
        "CreateIndex": INT,
        "ModifyIndex": INT,
    },
    "HealthCheck",
)
CATALOG_REGISTER: Final = struct(
    {
        "Datacenter": STRING,
        "ID": STRING,
        "Node": STRING,
        "Address": STRING,
        "TaggedAddresses": STRING_MAP,
        "NodeMeta": STRING_MAP,
        "Service": struct({**_SERVICE_FIELDS, "Service": STRING}, "NodeService"),
        "Check": _HEALTH_CHECK,
        "Checks": ListOf(_HEALTH_CHECK, "structs.HealthChecks"),
        "SkipNodeUpdate": BOOL,
        "EnterpriseMeta": ANY,
        "WriteRequest": ANY,
    },
    "RegisterRequest",
)
CATALOG_DEREGISTER: Final = struct(
    {
        "Datacenter": STRING,
        "Node": STRING,
        "Address": STRING,
        "ServiceID": STRING,
        "CheckID": STRING,
        "EnterpriseMeta": ANY,
        "WriteRequest": ANY,
    },
    "DeregisterRequest",
)


def decode(body: bytes, schema: Struct) -> dict[str, Any]:
    """The fields of a body that were given and aren't null. Raises Refused, in Go's words."""
    value = _parse(body.decode(errors="replace"))
    if value is None:
        return {}
    if not isinstance(value, dict):
        _fail(f"json: cannot unmarshal {_kind_of(value)} into Go value of type {schema.go}")
    return _Decoder(schema).struct(value, schema, ())


# JSON's own syntax


@dataclass(frozen=True)
class _Number:
    """A number as it was written."""

    text: str


def _parse(text: str) -> Any:
    # Go's decoder stops after the first value; so does this.
    start = len(text) - len(text.lstrip(" \t\r\n"))
    if start == len(text):
        _fail("EOF")
    depth = deepest = 0
    for sign in re.sub(r'"(?:[^"\\]|\\.)*"', "", text):
        depth += (sign in "[{") - (sign in "]}")
        deepest = max(deepest, depth)
    if deepest > _MAX_DEPTH:
        _fail("exceeded max depth")
    try:
        return _DECODER.raw_decode(text, start)[0]
    except json.JSONDecodeError as fault:
        _fail(_syntax(text, fault))


def _constant(text: str) -> NoReturn:
    _fail(f"invalid character '{text[0]}' looking for beginning of value")


_DECODER: Final = json.JSONDecoder(
    parse_int=_Number, parse_float=_Number, parse_constant=_constant, strict=True
)
_LITERALS: Final = ("null", "true", "false")


def _syntax(text: str, fault: json.JSONDecodeError) -> str:
    position = fault.pos
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    if position >= len(text) or fault.msg.startswith("Unterminated"):
        return "unexpected EOF"
    sign = text[position]
    shown = {'"': "'\"'", "'": "'\\''"}.get(sign, f"'{sign}'")
    if fault.msg.startswith("Expecting value"):
        for literal in _LITERALS:
            if sign == literal[0]:
                return _literal(text[position:], literal)
        return f"invalid character {shown} looking for beginning of value"
    if fault.msg.startswith("Expecting ':'"):
        return f"invalid character {shown} after object key"
    if fault.msg.startswith("Expecting ','"):
        where = "array element" if _is_in_array(text[:position]) else "object key:value pair"
        return f"invalid character {shown} after {where}"
    if "property name" in fault.msg or fault.msg.startswith("Illegal trailing comma"):
        if sign == ",":  # newer Pythons point at the comma
            rest = text[position + 1 :].lstrip()
            shown = f"'{rest[0]}'" if rest else "','"
        return f"invalid character {shown} looking for beginning of object key string"
    return f"invalid character {shown} in string literal"


def _literal(text: str, literal: str) -> str:
    for place, wanted in enumerate(literal):
        if place >= len(text):
            break
        if text[place] != wanted:
            return f"invalid character '{text[place]}' in literal {literal} (expecting '{wanted}')"
    return "unexpected EOF"


def _is_in_array(text: str) -> bool:
    open_signs = [sign for sign in re.sub(r'"(?:[^"\\]|\\.)*"', "", text) if sign in "[]{}"]
    depth: list[str] = []
    for sign in open_signs:
        if sign in "[{":
            depth.append(sign)
        elif depth:
            depth.pop()
    return bool(depth) and depth[-1] == "["


# Values by their kind


@dataclass
class _Decoder:
    root: Struct
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.root.name

    def struct(self, value: dict[str, Any], schema: Struct, path: tuple[str, ...]) -> Any:
        found: dict[str, Any] = {}
        outer, self.name = self.name, schema.name
        for key, inner in value.items():
            if key.lower() not in schema.fields:
                _fail(f'json: unknown field "{key}"')
            name, kind = schema.fields[key.lower()]
            decoded = self.value(inner, kind, (*path, name))
            if decoded is not None:
                found[name] = decoded
        self.name = outer
        return found

    def value(self, value: Any, kind: Any, path: tuple[str, ...]) -> Any:
        if value is None:
            return None
        match kind:
            case Struct():
                if isinstance(value, dict):
                    return self.struct(value, kind, path)
            case ListOf():
                if isinstance(value, list):
                    return [self._element(inner, kind.of, path) for inner in value]
            case MapOf():
                if isinstance(value, dict):
                    return {key: self._element(each, kind.of, path) for key, each in value.items()}
            case Plain():
                return self._plain(value, kind, path)
            case _:
                return _duration_s(value) if kind is DURATION else _plain_json(value)
        return self._mistyped(_kind_of(value), kind.go, path)

    def _element(self, value: Any, kind: Any, path: tuple[str, ...]) -> Any:
        if value is None and kind is not ANY:  # Go's zero
            return (
                kind.type() if isinstance(kind, Plain) else {} if isinstance(kind, Struct) else []
            )
        return self.value(value, kind, path)

    def _plain(self, value: Any, kind: Plain, path: tuple[str, ...]) -> Any:
        if kind.type is int and isinstance(value, _Number):
            if re.fullmatch(r"-?\d{1,19}", value.text) and abs(int(value.text)) < _INT_MAX:
                return int(value.text)
            self._mistyped(f"number {value.text}", kind.go, path)
        if type(value) is not kind.type:
            self._mistyped(_kind_of(value), kind.go, path)
        return value

    def _mistyped(self, what: str, go: str, path: tuple[str, ...]) -> NoReturn:
        where = f"{self.name}.{'.'.join(path)}"
        _fail(f"json: cannot unmarshal {what} into Go struct field {where} of type {go}")


def _duration_s(value: Any) -> float:
    """Text, or a number of nanoseconds; anything else is none."""
    if isinstance(value, str):
        try:
            return durations.seconds(value)
        except durations.DurationError as fault:
            _fail(str(fault))
    return float(value.text) / 1e9 if isinstance(value, _Number) else 0.0


def _plain_json(value: Any) -> Any:
    """Without our own numbers."""
    if isinstance(value, _Number):
        return json.loads(value.text)
    if isinstance(value, dict):
        return {key: _plain_json(inner) for key, inner in value.items()}
    return [_plain_json(inner) for inner in value] if isinstance(value, list) else value


def _kind_of(value: Any) -> str:
    kinds = {str: "string", bool: "bool", _Number: "number", dict: "object", list: "array"}
    return kinds[type(value)]


def _fail(text: str) -> NoReturn:
    raise Refused(400, f"Request decode failed: {text}")
