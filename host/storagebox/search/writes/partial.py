"""Partial updates: some attributes of a record, by value or by a built-in operation.

Rules: Algolia's REST reference, "Add or update attributes" (partialUpdateObject). Attributes of
the first level only. What an operation finds missing counts as 0, or as an empty list.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

Record = dict[str, Any]

NUMERIC: Final = ("Increment", "Decrement")
LISTS: Final = ("Add", "Remove", "AddUnique")
VERSIONS: Final = ("IncrementFrom", "IncrementSet")
OPERATIONS: Final = NUMERIC + LISTS + VERSIONS

# An integer beyond these has no exact place in an index or a JSON client.
_MAX_INTEGER: Final = (1 << 63) - 1


class CannotApply(Exception):
    """This update doesn't fit the record it is for; the record stays as it is."""


class _Ignored(Exception):
    """A version that isn't the next one: the whole update is to have no effect."""


def fault(attribute: str, value: object) -> str | None:
    """What is wrong with an update of `attribute`, whatever the record; None if nothing is."""
    if not isinstance(value, dict) or "_operation" not in value:
        return None
    name, operand = value["_operation"], value.get("value")
    if name not in OPERATIONS:
        return f"{attribute}: unknown _operation {name!r}, expected one of {', '.join(OPERATIONS)}"
    if "value" not in value:
        return f"{attribute}: {name} needs a value"
    if name in NUMERIC and not _is_number(operand):
        return f"{attribute}: {name} needs a number, not {operand!r}"
    if name in VERSIONS and not _is_integer(operand):
        return f"{attribute}: {name} needs an integer, not {operand!r}"
    if name in LISTS and not (_is_number(operand) or isinstance(operand, str)):
        return f"{attribute}: {name} needs a number or a string, not {operand!r}"
    return None


def updated(
    record: Mapping[str, Any] | None, body: Mapping[str, Any], create: bool
) -> Record | None:
    """The record after an update; None if it is to stay as it is, or absent.

    `record` None is one that does not exist; `create` says whether it may come to be. Raises
    CannotApply where a built-in operation meets a value of another kind.
    """
    if record is None and not create:
        return None
    result: Record = {} if record is None else dict(record)
    try:
        for attribute, value in body.items():
            if isinstance(value, dict) and "_operation" in value:
                name, operand = value["_operation"], value["value"]
                result[attribute] = _apply(attribute, name, operand, result.get(attribute))
            else:
                result[attribute] = value
    except _Ignored:
        return None
    return result


def _apply(attribute: str, name: str, operand: Any, current: Any) -> Any:
    if name in LISTS:
        return _list(attribute, name, operand, current)
    number = 0 if current is None else current
    if not _is_number(number) or (name in VERSIONS and not _is_integer(number)):
        kind = "a number" if name in NUMERIC else "an integer"
        raise CannotApply(f"{attribute}: {name} needs {kind} there, not {_shown(current)}")
    if name == "IncrementFrom":
        if number != operand:
            raise _Ignored
        operand = 1
    elif name == "IncrementSet":
        if operand <= number:
            raise _Ignored
        return operand
    result = number - operand if name == "Decrement" else number + operand
    if isinstance(result, int) and abs(result) > _MAX_INTEGER:
        raise CannotApply(f"{attribute}: {name} would leave the range of 64-bit integers")
    if isinstance(result, float) and not math.isfinite(result):
        raise CannotApply(f"{attribute}: {name} would leave the range of numbers")
    return result


def _list(attribute: str, name: str, operand: Any, current: Any) -> list[Any]:
    if current is not None and not isinstance(current, list):
        raise CannotApply(f"{attribute}: {name} needs a list there, not {_shown(current)}")
    elements: list[Any] = current or []
    if name == "Remove":
        return [element for element in elements if not _same(element, operand)]
    if name == "AddUnique" and any(_same(element, operand) for element in elements):
        return elements
    return [*elements, operand]


def _same(a: object, b: object) -> bool:
    # True is 1 in Python, and not in JSON.
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return _is_integer(value) or isinstance(value, float)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:40] + "…"
