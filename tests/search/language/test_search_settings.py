"""Settings: what they mean, how they change, and that what is answered can be sent back."""

from __future__ import annotations

import pytest
from algoliasearch.search import models
from hypothesis import given
from hypothesis import strategies as st

from storagebox.search.language.attributes import (
    Faceted,
    NumericAttribute,
    Replica,
    Searchable,
    Sort,
    parse_selection,
)
from storagebox.search.language.errors import LanguageError
from storagebox.search.language.parameters import Where, allowed
from storagebox.search.language.settings import DEFAULTS, Settings


def test_searchable_attributes_have_ranks_and_an_order_unless_told_otherwise() -> None:
    settings = Settings.from_json(
        {"searchableAttributes": ["title,alt", "unordered(body)", "ordered(name)", "a.b"]}
    )
    assert settings.searchable_attributes == (
        Searchable("title", 0, False),
        Searchable("alt", 0, False),
        Searchable("body", 1, False),
        Searchable("name", 2, True),
        Searchable("a.b", 3, True),
    )


def test_modifiers_around_facets_numbers_and_replicas() -> None:
    settings = Settings.from_json(
        {
            "attributesForFaceting": [
                "a",
                "filterOnly(b)",
                "searchable(c)",
                "afterDistinct(searchable(d))",
            ],
            "numericAttributesForFiltering": ["n", "equalOnly(m)"],
            "replicas": ["one", "virtual(two)"],
        }
    )
    assert settings.attributes_for_faceting == (
        Faceted("a"),
        Faceted("b", filter_only=True),
        Faceted("c", searchable=True),
        Faceted("d", searchable=True, after_distinct=True),
    )
    assert settings.faceted("c") == Faceted("c", searchable=True)
    assert settings.faceted("x") is None
    assert settings.numeric_attributes_for_filtering == (
        NumericAttribute("n", equal_only=False),
        NumericAttribute("m", equal_only=True),
    )
    assert settings.replicas == (Replica("one", virtual=False), Replica("two", virtual=True))


def test_a_sort_may_stand_anywhere_in_the_ranking() -> None:
    settings = Settings.from_json(
        {"ranking": ["desc(price)", "typo", "asc(a.b)", "custom"], "customRanking": ["asc(year)"]}
    )
    assert settings.ranking == (Sort("price", True), "typo", Sort("a.b", False), "custom")
    assert settings.custom_ranking == (Sort("year", False),)


@pytest.mark.parametrize(
    ("entries", "shown", "hidden"),
    [
        (["*"], ["a", "a.b"], []),
        (["*", "-a"], ["b", "ab"], ["a", "a.b"]),
        (["-a"], ["b"], ["a"]),
        (["a.b", "c"], ["a.b", "a.b.x", "c.d"], ["a", "a.c", "b"]),
        (["a", "-a.b"], ["a", "a.c"], ["a.b", "b"]),
        ([], [], ["a"]),
    ],
)
def test_a_selection_holds_paths(entries: list[str], shown: list[str], hidden: list[str]) -> None:
    selection = parse_selection(entries)
    assert all(map(selection.holds, shown))
    assert not any(map(selection.holds, hidden))
    assert parse_selection(["a.b"]).touches("a")
    assert not parse_selection(["a.b"]).touches("b")


def test_a_patch_changes_what_it_names_and_null_puts_back() -> None:
    first = Settings.from_json({"hitsPerPage": 5, "queryType": "prefixNone"})
    second = first.patched({"hitsPerPage": None, "minProximity": 2})
    assert (second.hits_per_page, second.query_type, second.min_proximity) == (20, "prefixNone", 2)
    assert second.given == {"queryType": "prefixNone", "minProximity": 2}


def test_old_names_are_understood() -> None:
    settings = DEFAULTS.patched({"attributesToIndex": ["a"], "slaves": ["b"]})
    assert settings.given == {"searchableAttributes": ["a"], "replicas": ["b"]}


def test_what_is_answered_fits_the_clients_model_and_can_be_sent_back() -> None:
    settings = Settings.from_json({"hitsPerPage": 5, "distinct": 2, "replicas": ["r"]})
    answered = settings.to_json()
    model = models.SettingsResponse.from_dict(dict(answered))
    assert model is not None
    assert model.to_dict() == answered
    again = Settings.from_json({**answered, "version": 2, "primary": "p"})
    assert again.to_json() == answered


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"nope": 1}, "Invalid object attributes: nope"),
        ({"query": "x"}, "Invalid object attributes: query"),
        ({"searchableAttributes": ["searchable(a)"]}, "'searchable' in 'searchable(a)' is no"),
        ({"searchableAttributes": [","]}, "searchableAttributes: an entry is empty"),
        ({"attributesForFaceting": ["searchable(filterOnly(a))"]}, "exclude each other"),
        ({"attributesForFaceting": ["searchable()"]}, "an entry is empty: name an attribute"),
        ({"customRanking": ["price"]}, "customRanking: 'price' is not asc(attribute) or desc("),
        ({"replicas": ["a", "virtual(a)"]}, "replicas: 'a' is there twice"),
        ({"paginationLimitedTo": 20001}, "expected integer between 0 and 20000"),
        ({"attributesToSnippet": ["a:many"]}, "behind the colon stands a number of words"),
        ({"customNormalization": {"default": {"a": 1}}}, "expected an object such as"),
        ({"userData": "x" * 40_000}, "expected at most 32768 bytes"),
        ({"mode": "neuralSearch"}, "neuralSearch is not enabled here"),
        ({"userData": 1 << 64}, "expected at most 32768 bytes"),
    ],
)
def test_a_setting_that_is_wrong_is_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(LanguageError) as caught:
        Settings.from_json(settings)
    assert message in caught.value.message


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inside: (
        st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=5), inside, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(allowed(Where.SETTINGS))), _JSON, max_size=3))
def test_no_setting_does_worse_than_be_refused(given: dict[str, object]) -> None:
    try:
        settings = Settings.from_json(given)
    except LanguageError:
        return
    assert Settings.from_json(settings.to_json()).to_json() == settings.to_json()
