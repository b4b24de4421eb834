"""What keys restrict: read from their URL-encoded parameters, laid over searches."""

from __future__ import annotations

import base64

import pytest
from algoliasearch.search.client import SearchClientSync
from algoliasearch.search.models import SearchParamsObject, SecuredApiKeyRestrictions

from storagebox.search.language.errors import LanguageError
from storagebox.search.language.filters import And, Facet, Numeric
from storagebox.search.language.query import Query
from storagebox.search.language.restrictions import Restrictions, fits, limited
from storagebox.search.language.settings import DEFAULTS


def test_what_the_client_puts_into_a_secured_key_is_understood() -> None:
    key = SearchClientSync("app", "key").generate_secured_api_key(
        "parent",
        SecuredApiKeyRestrictions(
            filters="owner = 5",
            valid_until=100,
            restrict_indices=["a", "b_*"],
            restrict_sources="192.168.1.0/24",
            user_token="me",
            search_params=SearchParamsObject(hits_per_page=3, facets=["x", "y"]),
        ),
    )
    found = Restrictions.parse(base64.b64decode(key)[64:].decode())
    assert (found.valid_until, found.indices, found.sources) == (
        100,
        ("a", "b_*"),
        "192.168.1.0/24",
    )
    query = Query.parse(
        {"filters": "x:1", "hitsPerPage": 50, "userToken": "you"}, DEFAULTS, over=(found.params,)
    )
    assert query.filters == And((Facet("x", "1"), Numeric("owner", "=", 5)))
    assert (query.hits_per_page, query.facets, query.user_token) == (3, ("x", "y"), "me")


def test_a_key_is_good_for_its_time_its_addresses_and_its_indices() -> None:
    key = Restrictions.parse("validUntil=100&restrictSources=10.0.0.0%2F8&restrictIndices=a,b_*")
    assert [key.expired(now_s) for now_s in (99, 100, 100.5)] == [False, False, True]
    assert [
        key.allows_source(each) for each in ("10.1.2.3", "::ffff:10.1.2.3", "11.0.0.1", "?")
    ] == [
        True,
        True,
        False,
        False,
    ]
    assert [key.allows_index(each) for each in ("a", "b_1", "b", "ab_")] == [
        True,
        True,
        False,
        False,
    ]
    anything = Restrictions.parse("")
    assert anything.allows_index("a")
    assert anything.allows_source("1.2.3.4")
    assert not anything.expired(1e18)


@pytest.mark.parametrize(
    ("pattern", "fitting"),
    [("*", "abc"), ("abc", "abc"), ("a*", "abc"), ("*c", "abc"), ("*b*", "abc"), ("**", "abc")],
)
def test_stars_at_the_ends_of_patterns_stand_for_anything(pattern: str, fitting: str) -> None:
    assert fits(fitting, ["x", pattern])
    assert not fits("x", ["y", "a*", "*c"])


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        ("validUntil=soon", 'Invalid value for "validUntil" parameter'),
        ("restrictSources=here", "restrictSources: 'here' is no network in CIDR notation"),
    ],
)
def test_restrictions_that_cant_be_kept_to_are_refused(encoded: str, message: str) -> None:
    with pytest.raises(LanguageError) as caught:
        Restrictions.parse(encoded)
    assert message in caught.value.message


def test_an_unknown_parameter_of_a_key_is_refused_with_the_search() -> None:
    key = Restrictions.parse("filtres=a:1")
    with pytest.raises(LanguageError, match="Unknown parameter: filtres"):
        Query.parse({}, DEFAULTS, over=(key.params,))


def test_a_limit_of_hits_holds_for_pages_and_for_offsets() -> None:
    assert limited(Query.parse({}, DEFAULTS), 5).count == 5
    assert limited(Query.parse({"offset": 3, "length": 9}, DEFAULTS), 5).count == 5
    assert limited(Query.parse({"hitsPerPage": 2}, DEFAULTS), 5).count == 2
    assert limited(Query.parse({}, DEFAULTS), 0).count == 20
