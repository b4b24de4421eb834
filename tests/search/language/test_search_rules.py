"""Rules: when one applies, what it does, and which of several wins."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagebox.search.language.errors import LanguageError
from storagebox.search.language.filters import And, Facet, Or, Scored
from storagebox.search.language.query import Promoted, Query
from storagebox.search.language.rule_set import RuleSet
from storagebox.search.language.rules import Rule
from storagebox.search.language.settings import DEFAULTS, Settings

NOW_S = 1000
SYNONYMS = {"laptop": ("notebook",)}
FACETS = {
    "brand": {"apple": "Apple", "red bull": "Red Bull", "-x": "-X"},
    "color": {"red": "Red", "blue": "Blue"},
}


@dataclass(frozen=True)
class _Token:
    word: str
    start: int
    end: int


def _tokens(text: str) -> list[_Token]:
    return [_Token(each[0].lower(), *each.span()) for each in re.finditer(r"-?\w+", text)]


def _value(attribute: str, words: tuple[str, ...]) -> str | None:
    return FACETS.get(attribute, {}).get(" ".join(words))


def _rule(
    pattern: str | None = None,
    anchoring: str = "contains",
    object_id: str = "r",
    consequence: dict[str, object] | None = None,
    **condition: object,
) -> dict[str, object]:
    if pattern is not None:
        condition = {"pattern": pattern, "anchoring": anchoring, **condition}
    return {
        "objectID": object_id,
        "conditions": [condition] if condition else [],
        "consequence": consequence or {"userData": {"by": object_id}},
    }


def _applied(
    rules: list[dict[str, object]],
    settings: Settings = DEFAULTS,
    over: tuple[dict[str, object], ...] = (),
    **params: object,
) -> Query:
    query = Query.parse(params, settings, over=over)
    rule_set = RuleSet(map(Rule.from_json, rules), _tokens)
    return rule_set.apply(
        query, now_s=NOW_S, facet_values=_value, synonyms=lambda word: SYNONYMS.get(word, ())
    )


@pytest.mark.parametrize(
    ("anchoring", "met", "not_met"),
    [
        ("is", ["Harry Potter"], ["harry potter 8", "the harry potter", "harry", ""]),
        ("startsWith", ["harry potter", "harry potter 8"], ["the harry potter"]),
        ("endsWith", ["harry potter", "the harry potter"], ["harry potter 8"]),
        ("contains", ["the harry potter 8"], ["harry the potter", "harry pott"]),
    ],
)
def test_a_pattern_is_met_where_its_anchoring_says(
    anchoring: str, met: list[str], not_met: list[str]
) -> None:
    rules = [_rule("harry potter", anchoring)]
    assert all(_applied(rules, query=text).applied_rules == ("r",) for text in met)
    assert not any(_applied(rules, query=text).applied_rules for text in not_met)


def test_an_empty_pattern_is_met_by_an_empty_query_only() -> None:
    rules = [_rule("", "is")]
    assert _applied(rules).applied_rules == ("r",)
    assert not _applied(rules, query="x").applied_rules


def test_alternatives_are_one_step_away_plural_typo_or_synonym() -> None:
    strict, lax = _rule("notebook"), _rule("notebook", alternatives=True)
    for text in ("notebooks", "notbook", "laptop"):
        assert not _applied([strict], query=text).applied_rules
        assert _applied([lax], query=text).applied_rules == ("r",)
    assert not _applied([lax], query="laptops").applied_rules


def test_contexts_filters_and_times_are_conditions_too() -> None:
    context = [_rule(context="mobile")]
    assert _applied(context, ruleContexts=["web", "mobile"]).applied_rules
    assert not _applied(context, ruleContexts=["web"]).applied_rules
    selected = [_rule(filters="genre:Comedy AND NOT year:1999")]
    chosen = {"facetFilters": [["genre:comedy", "genre:drama"], "year:-1999"]}
    assert _applied(selected, **chosen).applied_rules
    assert not _applied(selected, filters="genre:comedy").applied_rules
    for validity, active in (
        ([{"from": 900, "until": 1100}], True),
        ([{"until": 999}, {"from": 1000}], True),
        ([{"from": 1001}], False),
        ([{"from": 900, "until": 999}], False),
    ):
        rule = {**_rule("x"), "validity": validity}
        assert bool(_applied([rule], query="x").applied_rules) is active
    assert not _applied([{**_rule("x"), "enabled": False}], query="x").applied_rules
    assert not _applied([_rule("x")], query="x", enableRules=False).applied_rules


def test_a_rule_without_conditions_always_applies_and_any_of_several_is_enough() -> None:
    assert _applied([_rule()], query="whatever").user_data == ({"by": "r"},)
    either = {
        **_rule("one", "is"),
        "condition": {"pattern": "two", "anchoring": "is"},
    }
    assert all(_applied([either], query=text).applied_rules for text in ("one", "two"))


def test_facet_values_in_a_query_become_filters() -> None:
    conjunctive = {"params": {"automaticFacetFilters": ["brand"]}}
    query = _applied([_rule("{facet:brand}", consequence=conjunctive)], query="a red bull can")
    assert query.filters == Facet("brand", "Red Bull")
    disjunctive = {
        "params": {
            "automaticFacetFilters": [{"facet": "color", "disjunctive": True}],
            "query": {"remove": ["{facet:color}"]},
        }
    }
    query = _applied(
        [_rule("{facet:color}", consequence=disjunctive)],
        query="Red or blue shirt",
        filters="size:M",
    )
    assert query.filters == And(
        (Facet("size", "M"), Or((Facet("color", "Red"), Facet("color", "Blue"))))
    )
    assert (query.query, query.query_before_rules) == ("or shirt", "Red or blue shirt")
    optional = {"params": {"automaticOptionalFacetFilters": [{"facet": "brand", "score": 7}]}}
    query = _applied([_rule("{facet:brand} phone", consequence=optional)], query="apple phone")
    assert query.optional == ((Scored(Facet("brand", "Apple"), 7),),)
    dash = _applied([_rule("{facet:brand}", consequence=conjunctive)], query="-x")
    assert dash.filters == Facet("brand", "-X")


@pytest.mark.parametrize(
    ("edits", "text"),
    [
        ({"remove": ["cheap"]}, "red, phone"),
        ({"remove": "red"}, "cheap , phone"),
        ({"edits": [{"type": "remove", "delete": "cheap"}]}, "red, phone"),
        ({"edits": [{"type": "replace", "delete": "cheap red", "insert": "new"}]}, "new, phone"),
        ({"edits": [{"type": "replace", "delete": "phone", "insert": "cell"}]}, "cheap red, cell"),
        ("something else", "something else"),
        ({}, "cheap  red, phone"),
    ],
)
def test_edits_change_the_text_of_the_query(edits: object, text: str) -> None:
    rules = [_rule("cheap", consequence={"params": {"query": edits}})]
    query = _applied(rules, query="cheap  red, phone")
    assert query.query == text
    assert ("query", text) in query.given.items()


def test_a_pattern_without_an_anchoring_may_be_anywhere_and_signs_left_over_are_no_query() -> None:
    consequence = {"params": {"query": {"remove": ["brand:", "{facet:brand}"]}}}
    rule = {
        "objectID": "r",
        "conditions": [{"pattern": "brand: {facet:brand}"}],
        "consequence": consequence,
    }
    assert _applied([rule], query="a brand: Apple").query == "a :"
    assert _applied([rule], query="brand: Apple").query == ""


def test_what_stands_for_a_word_of_the_pattern_is_edited_in_its_place() -> None:
    edits = {"params": {"query": {"remove": ["shoe"]}}}
    rules = [_rule("shoe", alternatives=True, consequence=edits)]
    assert _applied(rules, query="red shoes").query == "red"


def test_parameters_override_the_searchs_and_a_keys_override_both() -> None:
    rules = [
        _rule("x", consequence={"params": {"hitsPerPage": 3, "filters": "a:1", "facets": ["f"]}})
    ]
    query = _applied(rules, query="x", hitsPerPage=9, filters="b:1", over=({"facets": ["only"]},))
    assert query.hits_per_page == 3
    assert query.facets == ("only",)
    assert query.filters == And((Facet("b", "1"), Facet("a", "1")))


def test_promoted_records_keep_their_order_and_give_way_by_object_id() -> None:
    one = {
        "promote": [{"objectIDs": ["c", "d"], "position": 0}, {"objectID": "z", "position": 5}],
        "filterPromotes": True,
    }
    two = {"promote": [{"objectID": "b", "position": 0}], "hide": [{"objectID": "z"}]}
    query = _applied(
        [_rule("x", object_id="1", consequence=one), _rule("y", object_id="2", consequence=two)],
        query="x y",
    )
    assert query.promoted == (
        Promoted("b", 0, filtered=False),
        Promoted("c", 1, filtered=True),
        Promoted("d", 2, filtered=True),
    )
    assert query.hidden == {"z"}


@pytest.mark.parametrize(
    ("rules", "winner"),
    [
        ([_rule("b", object_id="1"), _rule("a b", object_id="2")], "2"),  # earlier
        ([_rule("a", object_id="1"), _rule("a b", object_id="2")], "2"),  # longer
        ([_rule("a b", object_id="1"), _rule("a b", "is", "2")], "2"),  # stricter
        ([_rule("a b", "endsWith", "1"), _rule("a b", "startsWith", "2")], "2"),
        ([_rule("a", object_id="1"), _rule("a", object_id="2", context="c")], "2"),
        ([_rule("{facet:t}", object_id="1"), _rule("a", object_id="2")], "2"),  # literal
        ([_rule("a", object_id="1"), {**_rule("a", object_id="2"), "validity": [{}]}], "2"),
        ([_rule("a", object_id="2"), _rule("a", object_id="1")], "1"),  # lesser objectID
    ],
)
def test_of_rules_that_want_the_same_words_the_more_specific_wins(
    rules: list[dict[str, object]], winner: str
) -> None:
    FACETS["t"] = {"a": "A"}
    assert _applied(rules, query="a b", ruleContexts=["c"]).applied_rules == (winner,)


def test_rules_about_different_words_or_none_apply_together() -> None:
    rules = [
        _rule("b", object_id="1", consequence={"params": {"hitsPerPage": 1, "page": 4}}),
        _rule("a", object_id="2", consequence={"params": {"hitsPerPage": 2}}),
        _rule(object_id="3"),
        _rule(object_id="4", filters="f:1"),
        _rule(object_id="5", filters="f:1"),
    ]
    query = _applied(rules, query="a b", filters="f:1")
    assert query.applied_rules == ("2", "1", "4", "3")
    assert (query.hits_per_page, query.page) == (2, 4)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("x", "rule: expected an object"),
        ({}, "rule: objectID must be a string that isn't empty"),
        ({"objectID": "r"}, "rule r: consequence is missing"),
        (_rule("x", "somewhere"), "rule r: condition: anchoring must be one of is, startsWith"),
        (_rule(anchoring="is", pattern=None, context="a b"), "context 'a b' may hold letters"),
        (
            {"objectID": "r", "conditions": [{"anchoring": "is"}], "consequence": {}},
            "rule r: condition: anchoring needs a pattern",
        ),
        (_rule(" ", "contains"), "rule r: condition: an empty pattern needs the anchoring is"),
        (_rule("x", filters="a:1 OR b:1"), "rule r: condition: filters can't hold OR or numbers"),
        (_rule("x", filters="n > 1"), "rule r: condition: filters can't hold OR or numbers"),
        (_rule("x", filters="a:1 b"), "rule r: condition: filters: Unexpected token string(b)"),
        (_rule(consequence={"params": {"nope": 1}}), "rule r: params: unknown parameter nope"),
        (
            _rule(consequence={"params": {"page": -1}}),
            'rule r: params: Invalid value for "page" parameter, expected integer between 0',
        ),
        (
            _rule(consequence={"promote": [{"objectID": "a", "position": 301}]}),
            'rule r: Invalid value for "position" parameter, expected integer between 0 and 300',
        ),
        (
            _rule(
                consequence={
                    "promote": [
                        {"objectID": "a", "position": 1},
                        {"objectID": "b", "position": 1},
                    ]
                }
            ),
            "rule r: promote: position 1 is given twice",
        ),
        (
            _rule(consequence={"hide": [{"objectID": str(n)} for n in range(51)]}),
            "rule r: hide: 51 records are more than 50",
        ),
        (_rule(consequence={"userData": "x" * 1024}), "rule r: userData takes more than 1024"),
        (
            {"objectID": "r", "conditions": [{"context": "x"}] * 26, "consequence": {}},
            "rule r: conditions: 26 are more than 25",
        ),
        (
            {**_rule("x"), "validity": [{"from": 2, "until": 1}]},
            "rule r: validity: from is later than until",
        ),
        (
            _rule(
                consequence={"params": {"query": {"edits": [{"type": "replace", "delete": "x"}]}}}
            ),
            "an edit of type replace needs insert",
        ),
    ],
)
def test_a_rule_that_is_wrong_is_refused_by_name(rule: object, message: str) -> None:
    with pytest.raises(LanguageError) as caught:
        Rule.from_json(rule)
    assert message in caught.value.message


_TEXT = st.text(alphabet="ab -{}:", max_size=8) | st.sampled_from(["{facet:color}", "red", "a b"])
_ANY = st.none() | st.booleans() | st.integers() | _TEXT | st.lists(_TEXT, max_size=2)
_CONDITION = st.fixed_dictionaries(
    {},
    optional={
        "pattern": _TEXT,
        "anchoring": st.sampled_from(["is", "startsWith", "endsWith", "contains"]),
        "alternatives": _ANY,
        "context": _ANY,
        "filters": _ANY,
    },
)
_CONSEQUENCE = st.fixed_dictionaries(
    {},
    optional={
        "params": st.dictionaries(
            st.sampled_from(["query", "automaticFacetFilters", "filters", "page", "facetFilters"]),
            _ANY
            | st.fixed_dictionaries({"remove": _ANY})
            | st.fixed_dictionaries({"edits": st.lists(st.dictionaries(_TEXT, _TEXT))}),
            max_size=2,
        ),
        "promote": _ANY | st.lists(st.fixed_dictionaries({"objectID": _ANY, "position": _ANY})),
        "hide": _ANY,
        "userData": _ANY,
    },
)


@given(st.lists(st.tuples(st.lists(_CONDITION, max_size=2), _CONSEQUENCE), max_size=3), _TEXT)
def test_no_rule_does_worse_than_be_refused(
    rules: list[tuple[list[object], object]], text: str
) -> None:
    kept: list[dict[str, object]] = []
    for number, (conditions, consequence) in enumerate(rules):
        rule = {"objectID": str(number), "conditions": conditions, "consequence": consequence}
        try:
            Rule.from_json(rule)
        except LanguageError:
            continue
        kept.append(rule)
    query = _applied(kept, query=text)
    assert len(set(query.applied_rules)) == len(query.applied_rules)
