"""Places: how far from a point, within which areas, in which order."""

from __future__ import annotations

import pytest

from tests.search.relevance.conftest import Build, Corpus

# One degree of the equator is 111.195 km on a sphere of the mean radius.
DEGREE_M = 111_195
POINTS = {
    "nowhere": {"text": "x"},
    "1": {"text": "x", "_geoloc": {"lat": 0, "lng": 1}},
    "0.001": {"text": "x", "_geoloc": {"lat": 0, "lng": 0.001}},
    "0.0001": {"text": "x", "_geoloc": {"lat": 0, "lng": 0.0001}},
    "both": {"text": "x", "_geoloc": [{"lat": 0, "lng": 9}, {"lat": 0, "lng": 0.01}]},
}


@pytest.fixture
def points(corpus: Build) -> Corpus:
    return corpus(POINTS)


def test_nearer_records_come_first_and_the_nearest_of_several_places_counts(
    points: Corpus,
) -> None:
    found = points.ids("x", aroundLatLng="0,0", aroundRadius=200_000)
    assert found == ["0.0001", "0.001", "both", "1"]


def test_the_radius_is_in_metres(points: Corpus) -> None:
    for radius, inside in ((DEGREE_M - 100, 3), (DEGREE_M + 100, 4)):
        assert len(points.ids("x", aroundLatLng="0,0", aroundRadius=radius)) == inside


def test_records_of_one_step_of_distance_are_equal(corpus: Build) -> None:
    # "aroundPrecision: 100 means records from 0 to 99 m are ranked equally, as are 100 to 199 m."
    places = {"150 m": 150, "99 m": 99, "5 m": 5}
    bench = corpus(
        {
            name: {"text": "x", "n": metres, "_geoloc": {"lat": 0, "lng": metres / DEGREE_M}}
            for name, metres in places.items()
        },
        customRanking=["desc(n)"],
    )
    asked = {"aroundLatLng": "0,0", "aroundRadius": 10_000}
    assert bench.ids("x", **asked) == ["5 m", "99 m", "150 m"]
    assert bench.ids("x", **asked, aroundPrecision=100) == ["99 m", "5 m", "150 m"]
    assert bench.ids("x", **asked, aroundPrecision=1000) == ["150 m", "99 m", "5 m"]
    steps = [{"from": 0, "value": 25}, {"from": 90, "value": 1000}]
    assert bench.ids("x", **asked, aroundPrecision=steps) == ["5 m", "150 m", "99 m"]


def test_no_step_is_shorter_than_ten_metres(corpus: Build) -> None:
    # "If you set a value below 10, Algolia uses 10 as the minimum."
    bench = corpus(
        {
            "9 m": {"text": "x", "n": 2, "_geoloc": {"lat": 0, "lng": 9 / DEGREE_M}},
            "1 m": {"text": "x", "n": 1, "_geoloc": {"lat": 0, "lng": 1 / DEGREE_M}},
        },
        customRanking=["desc(n)"],
    )
    assert bench.ids("x", aroundLatLng="0,0", aroundPrecision=1) == ["9 m", "1 m"]
    steps = [{"from": 0, "value": 2}]
    assert bench.ids("x", aroundLatLng="0,0", aroundPrecision=steps) == ["9 m", "1 m"]


def test_ranking_info_tells_the_distance_in_steps_and_in_metres(points: Corpus) -> None:
    # geoDistance is "divided by the geo precision"; matchedGeoLocation.distance isn't.
    asked = {"aroundLatLng": "0,0", "aroundRadius": 10_000, "aroundPrecision": 50}
    info = points.info("x", **asked)["both"]
    metres = int(0.01 * DEGREE_M)
    assert info["geoPrecision"] == 50
    assert info["geoDistance"] == metres // 50
    assert info["matchedGeoLocation"]["lng"] == pytest.approx(0.01)
    assert info["matchedGeoLocation"]["distance"] == pytest.approx(metres, abs=1)


def test_without_a_point_there_is_no_distance(points: Corpus) -> None:
    info = points.info("x")["1"]
    assert (info["geoDistance"], info["geoPrecision"]) == (0, 1)
    assert "matchedGeoLocation" not in info


def test_geo_is_compared_after_typos(corpus: Build) -> None:
    bench = corpus(
        {
            "near": {"text": "herpes", "_geoloc": {"lat": 0, "lng": 0}},
            "far": {"text": "heroes", "_geoloc": {"lat": 0, "lng": 1}},
        }
    )
    assert bench.ids("heroes", aroundLatLng="0,0", aroundRadius="all") == ["far", "near"]


def test_without_a_radius_one_is_chosen_and_told(points: Corpus) -> None:
    # "By default, the search radius is determined automatically from the density of hits."
    found = points.json("x", aroundLatLng="0,0")
    assert int(found["automaticRadius"]) > 0
    assert "automaticRadius" not in points.json("x", aroundLatLng="0,0", aroundRadius=1000)


def test_the_chosen_radius_has_a_minimum(points: Corpus) -> None:
    found = points.json("x", aroundLatLng="0,0", minimumAroundRadius=1_000_000)
    assert int(found["automaticRadius"]) >= 1_000_000


@pytest.mark.parametrize(
    ("area", "inside"),
    [
        ({"insideBoundingBox": [[-1, -0.5, 1, 0.5]]}, {"0.001", "0.0001", "both"}),
        ({"insideBoundingBox": [[1, 0.5, -1, -0.5]]}, {"0.001", "0.0001", "both"}),
        ({"insideBoundingBox": "-1,0.5,1,2"}, {"1"}),
        ({"insideBoundingBox": [[-1, 0.5, 1, 2], [-1, 8, 1, 10]]}, {"1", "both"}),
        ({"insidePolygon": [[-1, 0.5, 1, 0.5, 0, 2]]}, {"1"}),
        # A box beats a polygon, which beats a circle.
        (
            {"insideBoundingBox": "-1,0.5,1,2", "insidePolygon": [[-1, 8, 1, 8, 0, 10]]},
            {"1"},
        ),
        ({"insidePolygon": [[-1, 8, 1, 8, 0, 10]], "aroundLatLng": "0,0"}, {"both"}),
    ],
)
def test_areas_hold_what_has_a_place_in_them(
    points: Corpus, area: dict[str, object], inside: set[str]
) -> None:
    # Two opposite corners of a box may come in any order; several areas add up.
    assert {*points.ids("x", **area)} == inside
