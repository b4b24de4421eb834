"""Requests made up at random: sensible ones, wrong ones, and all between, of every kind there is.

Run by itself it makes up many: `python -m tests.search.server.made_up SEED COUNT`. It prints each
kind of fault once, with a request that causes it.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from storagebox.search.language.parameters import PARAMETERS
from tests.search.server.conftest import TRACKS, Api

INDEX = "/1/indexes/t"
SETTINGS = {
    "attributesForFaceting": ["artist", "searchable(genre)", "year"],
    "customRanking": ["desc(year)"],
}
RECORDS = [
    {**track, "genre": ["rock", "pop"], "_geoloc": {"lat": 1.5, "lng": 2}, "_tags": ["x"]}
    | {"nested": {"a": [{"b": "c d"}, {"b": 5}]}}
    for track in TRACKS
]

# fmt: off
ODD: list[Any] = [
    None, True, False, 0, 1, -1, 5, 1e308, 1.5, 2**63, 2**70, "", "x", "*", "-x", "artist:David",
    "year > 5", "year:1 TO 3", "'", '"', "(", "<score=3>", "a,b", "[1]", '{"a":1}', "desc(year)",
    "searchable(x)", "unordered(x)", "virtual(r)", "0,0", "1,2,3,4", "all", "en", "ü", "\u0000",
    "bowie heroes", '"heroes bowie"', "-bowie", "x" * 600, "_tags:x", "{facet:artist}", "title:3",
    "nested.a.b", "geo",
]
# Values that mean something, for the parameters that have more than a few.
USUAL: dict[str, list[Any]] = {
    "query": ["heroes", "bowi her", '"ashes to" -x', "a", "ashes to ashes david", "héroes", "123"],
    "similarQuery": ["heroes sun"],
    "filters": ["year > 1970", "artist:'David Bowie' OR artist:x", "NOT genre:rock", "_tags:x"],
    "facetFilters": [["artist:David Bowie"], [["genre:rock", "genre:-x"]], "artist:x"],
    "numericFilters": ["year>1", ["year=1977", "year:1 TO 2"]],
    "tagFilters": ["x", ["x", ["y", "-z"]]],
    "optionalFilters": ["artist:David Bowie<score=3>", [["a:b", "c:d"]]],
    "facets": ["*", "artist", ["genre", "year"], ["x"]],
    "attributesToRetrieve": ["*", ["title"], ["-title"], ["nested.a"], "nested.a.b,-x"],
    "attributesToHighlight": ["*", [], ["title", "nested.a.b"]],
    "attributesToSnippet": ["*", ["title:2"], ["*:3"], ["nested.a.b:1"]],
    "searchableAttributes": [["title", "artist"], ["unordered(title)", "title,artist"], []],
    "attributesForFaceting": [SETTINGS["attributesForFaceting"], ["filterOnly(artist)"], []],
    "customRanking": [["desc(year)"], ["asc(title)", "desc(nested.a.b)"], []],
    "ranking": [["typo", "desc(year)"], ["words", "custom"], ["asc(title)", "exact"], []],
    "typoTolerance": [True, False, "min", "strict"],
    "distinct": [0, 1, 2, True], "attributeForDistinct": ["artist", "genre", "x"],
    "hitsPerPage": [0, 1, 2, 1000], "page": [0, 1, 2**40], "offset": [0, 2**40], "length": [0, 9],
    "aroundLatLng": ["1,2", "0,180"], "aroundRadius": ["all", 1, 10**7],
    "aroundPrecision": [1, 1000, [{"from": 0, "value": 10}, {"from": 100, "value": 1000}]],
    "insideBoundingBox": [[[1, 1, 2, 3]], [[-90, -180, 90, 180]]],
    "insidePolygon": [[[0, 0, 5, 0, 5, 5, 0, 5]]],
    "optionalWords": ["heroes", ["heroes", "sun"]],
    "removeWordsIfNoResults": ["none", "lastWords", "firstWords", "allOptional"],
    "queryType": ["prefixAll", "prefixNone", "prefixLast"],
    "advancedSyntax": [True], "getRankingInfo": [True],
    "restrictHighlightAndSnippetArrays": [True],
    "removeStopWords": [True, ["en", "fr"]], "ignorePlurals": [True, ["en"]],
    "exactOnSingleWordQuery": ["word", "none", "attribute"], "minProximity": [1, 7],
    "restrictSearchableAttributes": [["title"], ["x"]], "sortFacetValuesBy": ["alpha", "count"],
    "minWordSizefor1Typo": [0, 1, 4], "minWordSizefor2Typos": [1, 3, 8],
    "allowTyposOnNumericTokens": [False], "disableTypoToleranceOnWords": [["heroes"]],
    "disableTypoToleranceOnAttributes": [["title"]], "disablePrefixOnAttributes": [["title"]],
    "disableExactOnAttributes": [["title"]], "separatorsToIndex": ["+#", "'-"],
    "keepDiacriticsOnCharacters": ["éü"], "camelCaseAttributes": [["title"]],
    "customNormalization": [{"default": {"ä": "ae"}}], "unretrievableAttributes": [["year"]],
    "numericAttributesForFiltering": [["year"], ["equalOnly(year)"], []],
    "attributeCriteriaComputedBy": ["sum", "best", "minProximity"],
    "paginationLimitedTo": [0, 1, 20000], "replicas": [["r1", "virtual(r2)"], []],
    "alternativesAsExact": [[], ["multiWordsSynonym"]], "facetQuery": ["ro", "", "x"],
    "synonyms": [False], "enableRules": [False], "naturalLanguages": [["en"]],
}
# fmt: on
_NAMES = [each.name for each in PARAMETERS]
_ANCHORINGS = ("is", "contains", "startsWith", "endsWith")
_ACTIONS = ("addObject", "updateObject", "partialUpdateObject", "deleteObject", "addObject")
_OPERATIONS = ("Increment", "Add", "Remove", "AddUnique", "IncrementFrom", "IncrementSet", "x")

Request = tuple[str, str, Any]


class Maker:
    """Makes requests; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.pick = self._random.choice

    def request(self) -> Request:
        """Any request on the index."""
        kinds: Sequence[Callable[[], Request]] = (
            *(lambda: ("POST", f"{INDEX}/query", self.params()),) * 6,
            lambda: ("POST", f"{INDEX}/query", {"params": self.encoded()}),
            lambda: ("POST", f"{INDEX}/browse", self.params()),
            lambda: ("POST", f"{INDEX}/facets/genre/query", self.params()),
            lambda: ("POST", "/1/indexes/*/queries", {"requests": [self.one(), self.one()]}),
            lambda: ("PUT", f"{INDEX}/settings", self.params(2)),
            lambda: ("PUT", f"{INDEX}/rules/{self.pick('abc')}", self.rule()),
            lambda: ("POST", f"{INDEX}/rules/search", self.odd_fields("query", "page", "enabled")),
            lambda: ("POST", f"{INDEX}/synonyms/batch", [self.synonym()]),
            lambda: ("POST", f"{INDEX}/synonyms/search", self.odd_fields("query", "type", "page")),
            lambda: ("POST", f"{INDEX}/batch", {"requests": [self.action(), self.action()]}),
            lambda: ("PUT", f"{INDEX}/heroes", self.odd()),
            lambda: ("POST", f"{INDEX}/heroes/partial", {"year": self.operation()}),
            lambda: ("POST", f"{INDEX}/deleteByQuery", {"filters": self.pick(["year > 2000", 1])}),
            lambda: ("POST", "/1/keys", self.odd_fields("acl", "validity", "queryParameters")),
            lambda: ("GET", f"{INDEX}/heroes?attributesToRetrieve={self.pick('*-x')}", None),
        )
        return self.pick(kinds)()

    def odd(self, depth: int = 0) -> Any:
        """Any JSON."""
        kind = self._random.random()
        if depth > 3 or kind < 0.6:
            return self.pick(ODD)
        if kind < 0.8:
            return [self.odd(depth + 1) for _ in range(self._random.randint(0, 3))]
        names = ("from", "value", "query", "filters", "objectID", "lat", "en")
        return {self.pick(names): self.odd(depth + 1) for _ in range(2)}

    def odd_fields(self, *names: str) -> dict[str, Any]:
        """Some fields with anything in them."""
        return {name: self.odd() for name in names if self._random.random() < 0.6}

    def params(self, most: int = 4) -> dict[str, Any]:
        """Search parameters or settings, mostly sensible."""
        made: dict[str, Any] = {}
        for _ in range(self._random.randint(0, most)):
            usual = self._random.random() < 0.96
            name = self.pick(list(USUAL) if usual else _NAMES)
            made[name] = self.pick(USUAL[name]) if usual else self.odd()
        return made

    def encoded(self) -> str:
        """Parameters as they stand in an address, or nearly."""
        return "&".join(f"{self.pick(_NAMES)}={self.pick(ODD)}" for _ in range(3))

    def one(self) -> dict[str, Any]:
        """One of several searches."""
        kind = self.pick(["default", "facet", None])
        return {"indexName": "t", "type": kind, "facet": self.pick(["genre", "artist", 3])} | (
            self.params(2)
        )

    def rule(self) -> dict[str, Any]:
        """A rule."""
        pattern = self.pick(["heroes", "{facet:artist}", "sun {facet:genre}", "bowi", self.odd()])
        conditions = [
            {"pattern": pattern, "anchoring": self.pick(_ANCHORINGS)},
            {"context": "x"},
            {"filters": "genre:rock"},
        ]
        consequences: list[Any] = [
            {"params": {"query": self.pick(["sun", {"remove": ["heroes"]}, self.odd()])}},
            {"params": {"automaticFacetFilters": [self.pick(["artist", {"facet": "genre"}])]}},
            {"params": {k: v for k, v in self.params(2).items() if k != "query"}},
            {
                "promote": [{"objectID": "sun", "position": 0}],
                "filterPromotes": self.pick(ODD[:3]),
            },
            {"promote": [{"objectIDs": ["sun", "zz"], "position": self.pick([1, 299])}]},
            {"hide": [{"objectID": "heroes"}], "userData": self.odd()},
        ]
        return {
            "conditions": self.pick([[], conditions[:1], conditions[1:], [self.odd()]]),
            "consequence": self.pick(consequences),
        }

    def synonym(self) -> dict[str, Any]:
        """A synonym."""
        words = [self.pick(["heroes", "sun come", "bowie", "x", "a b c d"]) for _ in range(3)]
        kinds: list[Any] = [
            {"type": "synonym", "synonyms": words},
            {"type": "oneWaySynonym", "input": words[0], "synonyms": words[1:]},
            {"type": "altCorrection1", "word": "bowie", "corrections": words},
            {"type": "placeholder", "placeholder": "<n>", "replacements": words},
            {"type": self.odd(), "synonyms": self.odd()},
        ]
        return {"objectID": self.pick("abc"), **self.pick(kinds)}

    def action(self) -> dict[str, Any]:
        """One of a batch."""
        values = [
            "heroes of the sun",
            "x " * 500,
            {"lat": 5, "lng": 6},
            self.odd(),
            [["a"], [["b"]]],
        ]
        body = {
            "objectID": self.pick(["heroes", "z", "sun", "a/b", "ü"]),
            self.pick(["title", "year", "_geoloc", "_tags", "nested"]): self.pick(
                [*values, self.operation()]
            ),
        }
        return {"action": self.pick(_ACTIONS), "body": self.pick([body, body, self.odd()])}

    def operation(self) -> dict[str, Any]:
        """A partial update of a value."""
        return {"_operation": self.pick(_OPERATIONS), "value": self.pick([1, "x", self.odd()])}


def ask(api: Api, maker: Maker, count: int) -> dict[str, str]:
    """Ask so many; what caused the server's own faults, by fault."""
    api.done("PUT", f"{INDEX}/settings", SETTINGS)
    api.save("t", RECORDS)
    faults: dict[str, str] = {}
    for _ in range(count):
        method, path, body = maker.request()
        content = {} if body is None else {"content": json.dumps(body).encode()}
        before = len(api.events)
        answer = api(method, path, **content)
        if answer.status_code < 400:
            continue
        assert answer.json()["status"] == answer.status_code, answer.text
        if answer.status_code >= 500:
            told = [str(fields.get("reason")) for _, fields in api.events[before:]]
            reason = "\n".join(told).strip().splitlines()[-1:] or [answer.text]
            faults.setdefault(reason[0], f"{method} {path} {body!r}\n{told}")
    return faults


def main() -> None:
    """Make up many, and print what fails."""
    seed, count = (*map(int, sys.argv[1:]), 1, 5000)[:2]
    with tempfile.TemporaryDirectory() as folder:
        api = Api(Path(folder))
        for reason, cause in ask(api, Maker(seed), count).items():
            print(reason, cause, sep="\n", end="\n\n")
        application = next(iter(api.applications.values()))
        assert application.wait(application.last, 60)
        assert application.fault is None, application.fault
        for event, fields in api.events:
            if event not in ("task.failed", "snapshot.taken", "fault"):
                print(event, fields)
        api.close()


if __name__ == "__main__":
    main()
