"""What rules do to the results: promote, hide, filters, changed queries, their own data."""

from __future__ import annotations

from typing import Any

import pytest

from tests.search.relevance.conftest import Build, Corpus

PHONES = {
    "case": {"text": "phone case", "kind": "case", "color": "red", "n": 1},
    "red": {"text": "phone red", "kind": "phone", "color": "red", "n": 2},
    "blue": {"text": "phone blue", "kind": "phone", "color": "blue", "n": 3},
    "new": {"text": "gadget", "kind": "phone", "color": "blue", "n": 4},
}


@pytest.fixture
def phones(corpus: Build) -> Corpus:
    return corpus(
        PHONES, attributesForFaceting=["searchable(kind)", "color"], customRanking=["desc(n)"]
    )


def _on(pattern: str, anchoring: str = "contains", **consequence: Any) -> dict[str, Any]:
    return {
        "conditions": [{"pattern": pattern, "anchoring": anchoring}],
        "consequence": consequence,
    }


def test_a_promoted_record_stands_at_its_position(phones: Corpus) -> None:
    assert phones.ids("phone") == ["blue", "red", "case"]
    phones.rule(_on("phone", promote=[{"objectID": "case", "position": 0}]))
    assert phones.ids("phone") == ["case", "blue", "red"]
    phones.rule(_on("phone", promote=[{"objectID": "case", "position": 1}]))
    assert phones.ids("phone") == ["blue", "case", "red"]


def test_a_promoted_record_need_not_match(phones: Corpus) -> None:
    phones.rule(_on("phone", promote=[{"objectID": "new", "position": 0}]))
    found = phones.json("phone")
    assert [hit["objectID"] for hit in found["hits"]] == ["new", "blue", "red", "case"]
    assert found["nbHits"] == 4


def test_a_group_is_promoted_in_its_order(phones: Corpus) -> None:
    # "If you want to promote four records to position 0, they will be the first four results."
    phones.rule(_on("phone", promote=[{"objectIDs": ["case", "red"], "position": 0}]))
    assert phones.ids("phone") == ["case", "red", "blue"]


def test_a_promoted_record_that_is_not_there_leaves_no_gap(phones: Corpus) -> None:
    phones.rule(_on("phone", promote=[{"objectID": "gone", "position": 0}]))
    assert phones.ids("phone") == ["blue", "red", "case"]


def test_promoted_records_are_on_the_page_of_their_position(phones: Corpus) -> None:
    phones.rule(_on("phone", promote=[{"objectID": "case", "position": 1}]))
    pages = [phones.ids("phone", hitsPerPage=1, page=page) for page in range(4)]
    assert pages == [["blue"], ["case"], ["red"], []]


def test_promoted_records_pass_filters_unless_they_are_to_match_them(phones: Corpus) -> None:
    # filterPromotes: "If you promote a record with color: red but the user filters for color:
    # blue, the red record won't be shown."
    promote = [{"objectID": "red", "position": 0}]
    phones.rule(_on("phone", promote=promote))
    assert phones.ids("phone", filters="color:blue") == ["red", "blue"]
    phones.rule(_on("phone", promote=promote, filterPromotes=True))
    assert phones.ids("phone", filters="color:blue") == ["blue"]
    assert phones.ids("phone", filters="color:red") == ["red", "case"]


def test_a_promoted_record_says_so(phones: Corpus) -> None:
    phones.rule(_on("phone", promote=[{"objectID": "case", "position": 0}]))
    assert phones.scores("promoted", "phone") == {"case": True, "blue": False, "red": False}


def test_records_are_promoted_among_groups_too(corpus: Build) -> None:
    bench = corpus(PHONES, attributeForDistinct="kind", distinct=1, customRanking=["desc(n)"])
    assert bench.ids("phone") == ["blue", "case"]
    bench.rule(_on("phone", promote=[{"objectID": "red", "position": 0}]))
    assert bench.ids("phone") == ["red", "case"]


def test_hidden_records_are_left_out(phones: Corpus) -> None:
    phones.rule(_on("phone", hide=[{"objectID": "blue"}]))
    found = phones.json("phone", facets=["color"])
    assert [hit["objectID"] for hit in found["hits"]] == ["red", "case"]
    assert found["nbHits"] == 2
    assert found["facets"] == {"color": {"red": 2}}


def test_a_rule_applies_where_its_pattern_is(phones: Corpus) -> None:
    phones.rule(_on("red", "is", hide=[{"objectID": "blue"}]))
    assert phones.ids("phone") == ["blue", "red", "case"]


def test_words_of_a_query_can_be_taken_out(phones: Corpus) -> None:
    assert phones.ids("cheap phone") == []
    phones.rule(_on("cheap", params={"query": {"remove": ["cheap"]}}))
    assert phones.ids("cheap phone") == ["blue", "red", "case"]


def test_words_of_a_query_can_be_replaced(phones: Corpus) -> None:
    edit = {"type": "replace", "delete": "mobile", "insert": "phone"}
    phones.rule(_on("mobile", params={"query": {"edits": [edit]}}))
    assert phones.ids("mobile blue") == ["blue"]


def test_the_answer_tells_the_query_as_it_was_typed(phones: Corpus) -> None:
    phones.rule(_on("cheap", params={"query": {"remove": ["cheap"]}}))
    found = phones.json("cheap phone", getRankingInfo=True)
    assert found["query"] == "cheap phone"
    assert found["parsedQuery"] == "phone"
    assert [each["objectID"] for each in found["appliedRules"]] == ["rule0"]


def test_the_answer_tells_an_empty_query_that_a_rule_replaced(phones: Corpus) -> None:
    phones.rule(
        {
            "conditions": [{"pattern": "", "anchoring": "is"}],
            "consequence": {"params": {"query": "phone"}},
        }
    )
    assert phones.json("")["query"] == ""


def test_a_whole_query_can_be_replaced(phones: Corpus) -> None:
    phones.rule(_on("telephone", "is", params={"query": "phone"}))
    assert phones.ids("telephone") == ["blue", "red", "case"]


def test_a_facets_value_in_the_query_can_become_a_filter(phones: Corpus) -> None:
    params = {"automaticFacetFilters": ["kind"], "query": {"remove": ["{facet:kind}"]}}
    phones.rule(_on("{facet:kind}", params=params))
    assert phones.ids("phone") == ["new", "blue", "red"]


def test_a_facets_value_in_the_query_can_come_first(phones: Corpus) -> None:
    params = {"automaticOptionalFacetFilters": [{"facet": "color"}], "query": {"remove": ["red"]}}
    phones.rule(_on("{facet:color}", params=params))
    assert phones.ids("phone red") == ["red", "case", "blue"]


def test_filters_of_a_rule_hold_beside_those_of_the_search(phones: Corpus) -> None:
    phones.rule(_on("phone", params={"filters": "kind:phone"}))
    assert phones.ids("phone") == ["blue", "red"]
    assert phones.ids("phone", filters="color:red") == ["red"]


def test_optional_filters_of_a_rule_promote_a_category(phones: Corpus) -> None:
    phones.rule(_on("phone", params={"optionalFilters": ["kind:case"]}))
    assert phones.ids("phone") == ["case", "blue", "red"]


def test_data_of_rules_comes_with_the_answer(phones: Corpus) -> None:
    phones.rule(_on("phone", userData={"banner": 1}), _on("red", userData={"banner": 2}))
    assert phones.json("phone")["userData"] == [{"banner": 1}]
    assert phones.json("phone red")["userData"] == [{"banner": 1}, {"banner": 2}]
    assert "userData" not in phones.json("case")


def test_no_rule_applies_where_rules_are_off(phones: Corpus) -> None:
    phones.rule(_on("phone", hide=[{"objectID": "blue"}]))
    assert phones.ids("phone", enableRules=False) == ["blue", "red", "case"]
