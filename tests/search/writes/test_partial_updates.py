"""Partial updates: what each built-in operation does to a record, and to one that isn't there."""

from __future__ import annotations

from typing import Any

import pytest

from storagebox.search.writes import partial
from storagebox.search.writes.partial import CannotApply


def op(name: str, value: object) -> dict[str, object]:
    return {"_operation": name, "value": value}


def after(record: dict[str, Any] | None, create: bool = True, **body: Any) -> Any:
    return partial.updated(record, body, create)


def test_plain_values_replace_attributes_and_leave_the_others() -> None:
    record = {"a": 1, "b": {"c": 2, "d": 3}}
    assert after(record, a="x", b={"c": 5}, e=None) == {"a": "x", "b": {"c": 5}, "e": None}
    assert record == {"a": 1, "b": {"c": 2, "d": 3}}


def test_a_record_that_is_not_there_comes_to_be_only_if_it_may() -> None:
    assert after(None, a=1) == {"a": 1}
    assert after(None, create=False, a=1) is None


@pytest.mark.parametrize(
    ("name", "value", "current", "expected"),
    [
        ("Increment", 3, 4, 7),
        ("Increment", 0.5, 4, 4.5),
        ("Increment", 3, None, 3),
        ("Decrement", 3, 4, 1),
        ("Decrement", 3, None, -3),
        ("Add", "x", ["y", "x"], ["y", "x", "x"]),
        ("Add", 1, None, [1]),
        ("Remove", "x", ["x", "y", "x"], ["y"]),
        ("Remove", 1, [True, 1, 1.0, "1"], [True, "1"]),
        ("Remove", "x", None, []),
        ("AddUnique", "x", ["y"], ["y", "x"]),
        ("AddUnique", "x", ["x", "y"], ["x", "y"]),
        ("AddUnique", 1, [True], [True, 1]),
        ("IncrementFrom", 4, 4, 5),
        ("IncrementFrom", 0, None, 1),
        ("IncrementSet", 9, 4, 9),
        ("IncrementSet", 1, None, 1),
    ],
)
def test_a_built_in_operation(name: str, value: Any, current: Any, expected: Any) -> None:
    record = {"objectID": "1"} if current is None else {"objectID": "1", "a": current}
    assert after(record, a=op(name, value)) == {"objectID": "1", "a": expected}


def test_a_version_that_is_not_the_next_leaves_the_whole_record() -> None:
    record = {"version": 4, "title": "old"}
    for operation in (op("IncrementFrom", 3), op("IncrementFrom", 5), op("IncrementSet", 4)):
        assert after(record, title="new", version=operation) is None


def test_a_version_creates_only_from_nothing() -> None:
    assert after(None, version=op("IncrementFrom", 0)) == {"version": 1}
    assert after(None, version=op("IncrementFrom", 1)) is None
    assert after(None, version=op("IncrementSet", 1)) == {"version": 1}
    assert after(None, version=op("IncrementSet", 0)) is None


@pytest.mark.parametrize(
    ("name", "value", "current"),
    [
        ("Increment", 1, "four"),
        ("Increment", 1, True),
        ("Add", 1, "not a list"),
        ("Remove", 1, 4),
        ("IncrementFrom", 1, 1.0),
        ("Increment", (1 << 63) - 1, 1),
        ("Decrement", (1 << 63) - 1, -5),
        ("Increment", 1.7e308, 1.7e308),
    ],
)
def test_what_does_not_fit_is_refused_with_its_attribute(
    name: str, value: Any, current: Any
) -> None:
    with pytest.raises(CannotApply, match=r"^a: "):
        after({"a": current}, a=op(name, value))


def test_faults_that_no_record_could_mend_are_found_beforehand() -> None:
    fault = partial.fault
    assert "unknown _operation 'Multiply'" in str(fault("a", op("Multiply", 2)))
    assert "needs a value" in str(fault("a", {"_operation": "Increment"}))
    assert "needs a number" in str(fault("a", op("Increment", "1")))
    assert "needs an integer" in str(fault("a", op("IncrementFrom", 1.5)))
    assert "needs a number or a string" in str(fault("a", op("Add", ["x"])))
    assert fault("a", op("Add", "x")) is None
    assert fault("a", {"nested": {"_operation": "no"}}) is None
    assert fault("a", 5) is None
