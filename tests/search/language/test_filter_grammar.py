"""The grammar of `filters`: what each filter means, how they combine, what is refused where."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagebox.search.language.errors import LanguageError
from storagebox.search.language.filters import (
    And,
    Between,
    Facet,
    Node,
    Not,
    Numeric,
    Or,
    Scored,
    Tag,
    parse_filters,
    total_score,
)

OR_OF_ANDS = "filters: filter (X AND Y) OR Z is not allowed, only (X OR Y) AND Z is allowed"
A, B, C, D = (Facet(name, "1") for name in "abcd")


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("", None),
        ("  ", None),
        ("category:Book", Facet("category", "Book")),
        ("enabled: true", Facet("enabled", "true")),
        ("authors.main:'John Doe'", Facet("authors.main", "John Doe")),
        ('name:"say \\"hi\\""', Facet("name", 'say "hi"')),
        ("published", Tag("published")),
        ("_tags:published", Tag("published")),
        ("price > 12.99", Numeric("price", ">", 12.99)),
        ("price>=1", Numeric("price", ">=", 1)),
        ("price != -1e3", Numeric("price", "!=", -1000)),
        ("price:-1 TO 5.5", Between("price", -1, 5.5)),
        ("word:TOTO", Facet("word", "TOTO")),
        ("'AND':'OR'", Facet("AND", "OR")),
        ("wow!:yes!", Facet("wow!", "yes!")),
        ("NOT a:1", Not(A)),
        ("a:1 AND b:1 AND c:1", And((A, B, C))),
        ("a:1 AND b:1 OR c:1 AND d:1", And((A, Or((B, C)), D))),
        ("(a:1 OR (b:1 OR c:1))", Or((A, B, C))),
        ("((a:1 OR b:1) AND NOT c:1) AND NOT d:1", And((Or((A, B)), Not(C), Not(D)))),
        ("a:1 OR NOT b:1", Or((A, Not(B)))),
    ],
)
def test_a_filter_means(text: str, meaning: Node | None) -> None:
    assert parse_filters(text).node == meaning


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # The first three are what Algolia answers to these very filters.
        (
            "Type:Important dates",
            "filters: Unexpected token string(dates) expected end of filter at col 15",
        ),
        (
            "category.lvl2:Womens>Tailoring",
            "filters: Unexpected token > expected end of filter at col 20",
        ),
        (
            "(languages:pythonORlanguages:javascript)",
            "filters: Unexpected token ':' expected ')' at col 28",
        ),
        ("price < AND b:1", "filters: Unexpected token 'AND' expected numeric at col 8"),
        ("a:1 AND", "filters: Unexpected token end of filter expected filter at col 7"),
        ("a:", "filters: Unexpected token end of filter expected string at col 2"),
        ("(a:1", "filters: Unexpected token end of filter expected ')' at col 4"),
        ("a:x TO 5", "filters: Unexpected token string(x) expected numeric at col 2"),
        ("a:1 TO x", "filters: Unexpected token string(x) expected numeric at col 7"),
        ("a < nan", "filters: Unexpected token string(nan) expected numeric at col 4"),
        ("a:'1", "filters: Missing closing quote for the one at col 2"),
        (
            "(a:1 AND b:1) OR c:1",
            OR_OF_ANDS + " at col 0",
        ),
        (
            "c:1 OR (a:1 AND b:1)",
            OR_OF_ANDS + " at col 7",
        ),
        (
            "NOT (a:1 OR b:1)",
            "filters: NOT takes a single filter, not a group, at col 4: negate each of them",
        ),
        (
            "a:1 OR price > 3",
            "filters: OR can't join facet and numeric filters at col 7: use AND",
        ),
    ],
)
def test_a_filter_is_refused_where_it_is_wrong(text: str, message: str) -> None:
    with pytest.raises(LanguageError) as caught:
        parse_filters(text)
    assert caught.value.to_json() == {"message": message, "status": 400}


def test_scores_within_an_or_are_one_group_and_across_ands_several() -> None:
    parsed = parse_filters("(a:1<score=3> OR (b:1<score=2> OR c:1)) AND NOT d:1<score=4>")
    assert parsed.node == And((Or((A, B, C)), Not(D)))
    assert parsed.scored == ((Scored(A, 3), Scored(B, 2), Scored(C, 1)),)
    several = parse_filters("(a:1<score=5> OR b:1) AND (c:1 OR NOT d:1<score=4>)").scored
    assert several == ((Scored(A, 5), Scored(B, 1)), (Scored(C, 1), Scored(Not(D), 4)))


@pytest.mark.parametrize(("sum_or", "total"), [(False, 5 + 4), (True, 5 + 1 + 4)])
def test_scores_of_groups_add_up_and_within_one_the_best_counts(sum_or: bool, total: int) -> None:
    several = parse_filters("(a:1<score=5> OR b:1) AND (c:1 OR NOT d:1<score=4>)").scored
    held = {A, B, Not(D)}
    assert total_score(several, held.__contains__, sum_or=sum_or) == total


def test_nesting_without_bound_is_refused() -> None:
    with pytest.raises(LanguageError, match="parentheses within each other"):
        parse_filters("(" * 100_000)


_NAMES = st.text(min_size=1, max_size=6) | st.sampled_from(["a", "AND", "x:y", 'say "hi"', "\\"])
_NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32) | st.integers(-9, 9)
_FACETS = st.builds(Facet, _NAMES.filter(lambda name: name != "_tags"), _NAMES)
_TAGS = st.builds(Tag, _NAMES)
_NUMERICS = st.builds(
    Numeric, _NAMES, st.sampled_from(["<", "<=", "=", "!=", ">=", ">"]), _NUMBERS
) | st.builds(Between, _NAMES, _NUMBERS, _NUMBERS)


def _ors(leaves: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    signed = leaves | st.builds(Not, leaves)
    return signed | st.lists(signed, min_size=2, max_size=4).map(lambda parts: Or(tuple(parts)))


_DISJUNCTIONS = _ors(_FACETS) | _ors(_TAGS) | _ors(_NUMERICS)
_FILTERS = _DISJUNCTIONS | st.lists(_DISJUNCTIONS, min_size=2, max_size=4).map(
    lambda parts: And(tuple(parts))
)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _written(node: Node) -> str:
    match node:
        case And(parts):
            return " AND ".join(map(_written, parts))
        case Or(parts):
            return "(" + " OR ".join(map(_written, parts)) + ")"
        case Not(part):
            return f"NOT {_written(part)}"
        case Facet(attribute, value):
            return f"{_quoted(attribute)}:{_quoted(value)}"
        case Tag(value):
            return _quoted(value)
        case Numeric(attribute, op, number):
            return f"{_quoted(attribute)}{op}{number}"
        case Between(attribute, low, high):
            return f"{_quoted(attribute)}:{low} TO {high}"


@given(_FILTERS)
def test_whatever_filter_is_written_is_read_as_it_was_meant(node: Node) -> None:
    assert parse_filters(_written(node)).node == node


@given(
    st.text() | st.lists(st.sampled_from([*"():<>=!'\" ab-1\\", "AND", "<score=1>"])).map("".join)
)
def test_no_text_does_worse_than_be_refused_at_a_column_in_it(text: str) -> None:
    try:
        parse_filters(text)
    except LanguageError as error:
        columns = re.findall(r"at col (\d+)", error.message)
        assert all(int(each) <= len(text) for each in columns)


def test_the_documentations_refusals_are_the_real_ones() -> None:
    document = Path(__file__).parents[3] / "docs" / "search-api.md"
    lines = document.read_text(encoding="utf-8").splitlines()
    start = lines.index("| filter | answer |") + 2
    rows = [line.split("`") for line in lines[start : lines.index("", start)]]
    assert len(rows) > 3
    for _, text, _, answer, _ in rows:
        with pytest.raises(LanguageError) as caught:
            parse_filters(text)
        assert caught.value.message == answer
