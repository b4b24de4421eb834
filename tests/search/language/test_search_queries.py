"""What a request asks: forms that parameters come in, layers that add up, messages of refusal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagebox.search.language.attributes import Snippet, Sort
from storagebox.search.language.errors import LanguageError
from storagebox.search.language.filters import And, Between, Facet, Not, Numeric, Or, Scored, Tag
from storagebox.search.language.geo import Box, Point, Step
from storagebox.search.language.parameters import BY_NAME, Where
from storagebox.search.language.query import Query
from storagebox.search.language.settings import DEFAULTS, Settings


def _asked(**params: object) -> Query:
    return Query.parse(params, DEFAULTS)


def test_parameters_override_settings_which_override_defaults() -> None:
    settings = Settings.from_json({"hitsPerPage": 5, "queryType": "prefixAll"})
    query = Query.parse({"hitsPerPage": 7}, settings)
    assert (query.hits_per_page, query.query_type, query.min_proximity) == (7, "prefixAll", 1)


def test_a_url_encoded_string_and_fields_beside_it_are_one_request() -> None:
    query = _asked(
        params="query=a%2Bb+c&hitsPerPage=3&facets=%5B%22x%22%2C%22y%22%5D&getRankingInfo=1"
        "&attributesToRetrieve=a,b&typoTolerance=false&aroundPrecision=%5B%7B%22value%22%3A25%7D%5D",
        hitsPerPage=4,
    )
    assert query.query == "a+b c"
    assert query.hits_per_page == 4
    assert query.facets == ("x", "y")
    assert query.get_ranking_info
    assert query.attributes_to_retrieve.names == {"a", "b"}
    assert query.typo_tolerance == "false"
    assert query.around_precision == (Step(0, 25),)


def test_an_encoded_query_asks_the_same_again() -> None:
    query = _asked(query='ä&"', facetFilters=[["a:1", "b:2"]], page=2, synonyms=False)
    again = _asked(params=query.encoded())
    assert (again.query, again.filters, again.page) == (query.query, query.filters, query.page)
    assert not again.synonyms


def test_a_bare_string_is_a_list_of_one_and_null_is_not_given() -> None:
    query = _asked(facets="brand", hitsPerPage=None, attributesToSnippet="a:5,b")
    assert query.facets == ("brand",)
    assert query.hits_per_page == 20
    assert query.attributes_to_snippet == (Snippet("a", 5), Snippet("b", 10))


@pytest.mark.parametrize(
    ("params", "window"),
    [
        ({}, (0, 20)),
        ({"page": 3, "hitsPerPage": 5}, (15, 5)),
        ({"page": 3, "offset": 7, "length": 2}, (7, 2)),
        ({"length": 2}, (0, 2)),
        ({"hitsPerPage": 0}, (0, 0)),
    ],
)
def test_pages_or_an_offset_say_which_hits(
    params: dict[str, object], window: tuple[int, int]
) -> None:
    query = Query.parse(params, DEFAULTS)
    assert (query.first, query.count) == window


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"nope": 1}, "Unknown parameter: nope"),
        ({"params": "nope=1"}, "Unknown parameter: nope"),
        ({"params": "params=page"}, "Unknown parameter: params"),
        (
            {"query": "x" * 100_000},
            'Invalid value for "query" parameter, expected string shorter than 512 bytes',
        ),
        (
            {"hitsPerPage": 1001},
            'Invalid value for "hitsPerPage" parameter, expected integer between 0 and 1000',
        ),
        ({"page": -1}, "expected integer between 0 and 9223372036854775807"),
        ({"synonyms": "maybe"}, 'Invalid value for "synonyms" parameter, expected a boolean'),
        ({"facets": [1]}, 'Invalid value for "facets" parameter, expected an array of strings'),
        ({"params": 5}, 'Invalid value for "params" parameter, expected a string'),
        ({"aroundLatLng": "91,0"}, 'expected a latitude and a longitude such as "40.71,-74.01"'),
        ({"facetFilters": "a"}, "facetFilters: expected attribute:value, not 'a'"),
        ({"facetFilters": [[["a:1"]]]}, "in the array: outer AND, inner OR"),
        ({"numericFilters": "price~3"}, "or attribute:low TO high, not 'price~3'"),
        ({"optionalFilters": ["a:b<score=70000>"]}, "the score of 'a:b<score=70000>' is more"),
        ({"mode": "neuralSearch"}, "neuralSearch is not enabled here"),
        ({"ranking": ["typos"]}, "ranking: 'typos' is not one of typo, geo, words"),
        ({"insidePolygon": [[0, 0, 1, 1]]}, "expected arrays of 3 to 10000 points"),
        ({"removeStopWords": ["klingon"]}, "'klingon' is none"),
    ],
)
def test_what_is_wrong_is_named(params: dict[str, object], message: str) -> None:
    with pytest.raises(LanguageError) as caught:
        Query.parse(params, DEFAULTS)
    assert message in caught.value.message
    assert caught.value.status in (400, 402)


def test_old_style_filters_mean_the_same_as_the_grammar() -> None:
    assert _asked(
        facetFilters=[["a:1", "a:-2"], "b:\\-3", "_tags:x", "url:http://x:80", "-c:4", "-d:-5"],
        numericFilters=["x>=-3", ["y=2", "y:1 TO 4"], "z:5", "price  !=  1.5"],
        tagFilters="p,(q,-r)",
    ).filters == And(
        (
            Or((Facet("a", "1"), Not(Facet("a", "2")))),
            Facet("b", "-3"),
            Tag("x"),
            Facet("url", "http://x:80"),
            Not(Facet("c", "4")),
            Facet("d", "5"),
            Numeric("x", ">=", -3),
            Or((Numeric("y", "=", 2), Between("y", 1, 4))),
            Numeric("z", "=", 5),
            Numeric("price", "!=", 1.5),
            Tag("p"),
            Or((Tag("q"), Not(Tag("r")))),
        )
    )


def test_old_style_filters_come_as_json_in_text_too() -> None:
    assert _asked(params='facetFilters=[["a:1","b:2"],"c:3"]').filters == And(
        (Or((Facet("a", "1"), Facet("b", "2"))), Facet("c", "3"))
    )
    assert _asked(facetFilters="a:x (live),(b:1,b:2)").filters == And(
        (Facet("a", "x (live)"), Or((Facet("b", "1"), Facet("b", "2"))))
    )


def test_scores_that_tell_records_apart_become_optional_groups() -> None:
    query = _asked(
        optionalFilters=[["a:1<score=3>", "a:2"], "b:-x"],
        filters="(c:1<score=2> OR c:2) AND (d:1 OR d:2) AND e:1<score=9>",
    )
    assert query.optional == (
        (Scored(Facet("c", "1"), 2), Scored(Facet("c", "2"), 1)),
        (Scored(Facet("a", "1"), 3), Scored(Facet("a", "2"), 1)),
        (Scored(Not(Facet("b", "x")), 1),),
    )
    summed = _asked(filters="d:1 OR d:2", sumOrFiltersScores=True)
    assert summed.optional == ((Scored(Facet("d", "1"), 1), Scored(Facet("d", "2"), 1)),)


def test_layers_over_a_request_add_filters_and_replace_the_rest() -> None:
    query = Query.parse(
        {
            "filters": "a:1 OR a:2",
            "hitsPerPage": 50,
            "facetFilters": "b:1",
            "analyticsTags": ["x"],
        },
        DEFAULTS,
        over=(
            {"filters": "c:1 OR c:2", "hitsPerPage": 10, "analyticsTags": "y"},
            {"facetFilters": ["d:1"]},
        ),
    )
    assert query.filters == And(
        (
            Or((Facet("a", "1"), Facet("a", "2"))),
            Facet("b", "1"),
            Or((Facet("c", "1"), Facet("c", "2"))),
            Facet("d", "1"),
        )
    )
    assert query.hits_per_page == 10
    assert query.analytics_tags == ("x", "y")


def test_no_filter_can_break_out_of_one_laid_over_it() -> None:
    with pytest.raises(LanguageError, match="Unexpected token"):
        Query.parse({"filters": "a:1) OR (b:2"}, DEFAULTS, over=({"filters": "owner:me"},))


def test_a_browse_turns_off_what_it_has_no_use_for() -> None:
    query = Query.parse(
        {"distinct": 2, "facets": ["a"], "optionalFilters": ["a:1"], "cursor": "c"},
        DEFAULTS,
        Where.BROWSE,
    )
    assert (query.distinct, query.facets, query.optional) == (0, (), ())
    assert query.cursor == "c"


def test_deleting_by_nothing_or_by_text_is_refused() -> None:
    for params in ({}, {"filters": ""}, {"facetFilters": []}):
        with pytest.raises(LanguageError, match="clear deletes all"):
            Query.parse(params, DEFAULTS, Where.DELETE_BY)
    with pytest.raises(LanguageError, match="Unknown parameter: query"):
        Query.parse({"query": "x"}, DEFAULTS, Where.DELETE_BY)
    assert Query.parse({"filters": "a:1"}, DEFAULTS, Where.DELETE_BY).filters == Facet("a", "1")


def test_a_facet_search_takes_the_parameters_of_a_search() -> None:
    query = Query.parse(
        {"facetQuery": "bo", "params": "filters=a:1&maxFacetHits=5"}, DEFAULTS, Where.FACET_SEARCH
    )
    assert (query.facet_query, query.max_facet_hits) == ("bo", 5)
    assert query.filters == Facet("a", "1")
    assert Query.parse({}, DEFAULTS, Where.FACET_SEARCH).max_facet_hits == 10


def test_parameters_that_stand_for_several_set_them_all() -> None:
    similar = _asked(query="x", similarQuery="comedy drama", ranking=["geo", "words"])
    assert (similar.query, similar.query_type) == ("comedy drama", "prefixNone")
    assert similar.optional_words == ("comedy drama",)
    assert similar.remove_stop_words is True
    assert similar.ranking == ("words", "geo")
    natural = _asked(naturalLanguages=["en"], ruleContexts=["x"])
    assert natural.ignore_plurals == natural.remove_stop_words == ("en",)
    assert natural.remove_words_if_no_results == "allOptional"
    assert natural.rule_contexts == ("x", "natural_language")
    itself = _asked(naturalLanguages=["en"], removeWordsIfNoResults="firstWords")
    assert itself.remove_words_if_no_results == "firstWords"
    assert _asked(typoTolerance="strict", ranking=["desc(x)", "typo"]).ranking == (
        "typo",
        Sort("x", True),
    )


def test_a_box_beats_a_polygon_which_beats_a_circle() -> None:
    polygon = [[0, 0, 0, 2, 2, 2]]
    circle = _asked(aroundLatLng="48.8, 2.35", aroundRadius="all")
    assert (circle.around_lat_lng, circle.around_radius) == (Point(48.8, 2.35), "all")
    outlined = _asked(aroundLatLng="1,1", insidePolygon=polygon)
    assert outlined.around_lat_lng is None
    boxed = _asked(aroundLatLng="1,1", insidePolygon=polygon, insideBoundingBox="3,4,1,2")
    assert boxed.around_lat_lng is None
    assert boxed.inside_polygon == ()
    assert boxed.inside_bounding_box == (Box(1, 2, 3, 4),)


@pytest.mark.parametrize(
    ("corners", "west_east"),
    [
        ([10, 170, -10, -170], (-170, 170)),  # north-east, south-west: nearly the whole Earth
        ([10, -170, -10, 170], (170, -170)),  # the same the other way: across the date line
        ([10, 5, -10, 9], (5, 9)),  # north-west, south-east
    ],
)
def test_a_box_lies_between_its_corners(
    corners: list[float], west_east: tuple[float, float]
) -> None:
    (box,) = _asked(insideBoundingBox=[corners]).inside_bounding_box
    assert (box.west, box.east) == west_east
    assert (box.south, box.north) == (-10, 10)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inside: (
        st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=5), inside, max_size=3)
    ),
    max_leaves=8,
)


@given(st.data())
def test_no_value_of_any_parameter_does_worse_than_be_refused(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(BY_NAME)))
    value = data.draw(_JSON)
    over = data.draw(_JSON)
    for where in (Where.SEARCH, Where.BROWSE, Where.DELETE_BY, Where.FACET_SEARCH):
        try:
            query = Query.parse({name: value}, DEFAULTS, where, over=({name: over},))
        except LanguageError:
            continue
        query.encoded()
