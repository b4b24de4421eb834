"""Filter expressions choose entries by their fields; what is wrong with one is said."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagebox.registrar.consul.filtering import FIELDS, FilterError, compile_filter

TIMED = False
ENTRY: dict[str, Any] = {
    "Node": {"Node": "n1", "Meta": None},
    "Service": {
        "ID": "web 1",
        "Service": "web",
        "Tags": ["a", "b-c"],
        "Meta": {"v": "1", "x.y": "dotted"},
        "Port": 80,
        "EnableTagOverride": False,
        "Weights": {"Passing": 1, "Warning": 1},
    },
    "Checks": [{"Status": "passing", "CheckID": "one"}, {"Status": "warning", "CheckID": "two"}],
}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('Service.ID == "web 1"', True),
        ("Service.ID == `web 1`", True),
        ("Service.Port==80", True),
        ("Service.Port != 80", False),
        ('"a" in Service.Tags', True),
        ("b-c in Service.Tags", True),
        ("z not in Service.Tags", True),
        ("Service.Tags contains a", True),
        ("Service.Tags not contains a", False),
        ('"we" in Service.ID', True),
        ("v in Service.Meta", True),
        ("Service.Meta.v == 1", True),
        ('Service.Meta["x.y"] == dotted', True),
        ("Service.Meta.none == 1", False),
        ("Service.Meta.none != 1", True),
        ("Node.Meta.none == 1", False),
        ("Node.Meta is empty", True),
        ("Service.Tags is not empty", True),
        ("Service.EnableTagOverride == false", True),
        ("Service.Weights.Passing == 1", True),
        ("Service.Kind is empty", True),
        ("Checks.Status == warning", True),
        ("Checks.Status == critical", False),
        ("not Service.Port == 81", True),
        ("Service.Port == 81 or Service.Port == 80", True),
        ("Service.Port == 80 and Service.Service == x or Service.Port == 80", True),
        ("Service.Port == 80 and (Service.Service == x or Service.Port == 81)", False),
        ("not (Service.Port == 80 and Node.Node == n2)", True),
    ],
)
def test_an_expression_chooses(expression: str, expected: bool) -> None:
    assert compile_filter(expression, FIELDS["health"])(ENTRY) is expected


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("Nope == 1", 'Selector "Nope" is not valid'),
        ("Service.Nope == 1", 'Selector "Service.Nope" is not valid'),
        ("Service.Port == x", "Failed to coerce value"),
        ("Service.Tags == a", "Invalid match operator"),
        ("a in Service.Port", "Invalid match operator"),
        ("((", "1:3 (2)"),
        ("Service.ID", "1:11 (10)"),
        ("Service.ID == a b", "1:17 (16)"),
        ("Service.ID == ^", "1:15 (14)"),
        ("Service.ID == ", "no match found"),
        ('Service.ID == "open', "no match found"),
        ('"a" == Service.ID', "no match found"),
        ("Service.ID matches x", "not served"),
        ("not " * 100 + "Service.Port == 80", "nested"),
        ("Service.Port == 80 and " * 1000, "over 2048"),
    ],
)
def test_what_is_wrong_is_said(expression: str, said: str) -> None:
    with pytest.raises(FilterError) as caught:
        compile_filter(expression, FIELDS["health"])
    assert said in str(caught.value)


WORDS = ["Service.Port", "Service.Tags", "==", "!=", "in", "not", "and", "or", "(", ")", "80"]


@given(st.lists(st.sampled_from([*WORDS, "is", "empty", '"a"', "`", "^"]), max_size=12))
def test_any_words_are_an_expression_or_wrong(words: list[str]) -> None:
    try:
        chosen = compile_filter(" ".join(words), FIELDS["health"])(ENTRY)
    except FilterError:
        return
    assert isinstance(chosen, bool)
