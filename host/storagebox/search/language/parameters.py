"""Every parameter of the API, once: where it may stand, its kind, its default, what becomes of it.

Names, places and kinds are those of Algolia's OpenAPI description, as its official clients carry
them; defaults and bounds are its documented ones. Settings, Query and docs/search-api.md follow
this table, and tests hold it against the client's models.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Flag, StrEnum, auto
from functools import cache

from storagebox.search.language import attributes, geo, kinds
from storagebox.search.language.kinds import BOOLEAN, STRINGS, TEXT, Kind, choice, integer

# Algolia's limits on what one value holds.
MAX_TEXT_BYTES = 512
MAX_USER_DATA_BYTES = 32 * 1024


class Where(Flag):
    """Requests that a parameter may stand in."""

    SETTINGS = auto()
    SEARCH = auto()
    """A search; a browse and a rule's consequence take the same ones and a few of their own."""
    BROWSE = auto()
    DELETE_BY = auto()
    FACET_SEARCH = auto()
    RULE = auto()
    """The `params` of a rule's consequence."""
    REQUEST = auto()
    """One of several requests, beside its search parameters."""
    SECURED_KEY = auto()


class State(StrEnum):
    """What becomes of a parameter here."""

    SUPPORTED = "supported"
    IGNORED = "accepted and ignored"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; `default` is JSON that `kind.check` lets pass, or None for "not given".

    `note` says what isn't obvious from its state, for the reader of the documentation.
    """

    name: str
    where: Where
    kind: Kind
    default: object = None
    state: State = State.SUPPORTED
    note: str = ""

    @property
    def field(self) -> str:
        """The name it has as a field of Settings or Query."""
        return field_name(self.name)

    @property
    def initial(self) -> object:
        """The value inside that the default stands for."""
        return None if self.default is None else self.kind.check(self.name, self.default)


@cache
def field_name(name: str) -> str:
    """`aroundLatLngViaIP` → `around_lat_lng_via_ip`."""
    apart = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", apart).lower()


_SETTINGS = Where.SETTINGS
_SEARCH = Where.SEARCH | Where.BROWSE | Where.RULE
_BOTH = _SETTINGS | _SEARCH
_FILTER = _SEARCH | Where.DELETE_BY
_QUERY = Where.SEARCH | Where.BROWSE
_IGNORED = State.IGNORED

_ANALYTICS = "there is no analytics service to tell"
_PERSONAL = "there are no user profiles to personalise with"
_RE_RANKING = "there is no click model to re-rank with"
_COMPOUNDS = "by words that the index knows, and the application's own dictionary"

PARAMETERS: tuple[Parameter, ...] = (
    # What is searched for.
    Parameter("query", _QUERY, kinds.short_text(MAX_TEXT_BYTES), ""),
    Parameter(
        "similarQuery",
        _SEARCH,
        kinds.short_text(MAX_TEXT_BYTES),
        "",
        note="replaces `query`: whole words, all optional, no stop words, `words` ranks first",
    ),
    Parameter("queryType", _BOTH, choice("prefixLast", "prefixAll", "prefixNone"), "prefixLast"),
    Parameter(
        "removeWordsIfNoResults",
        _BOTH,
        choice("none", "lastWords", "firstWords", "allOptional"),
        "none",
    ),
    Parameter(
        "mode",
        _BOTH,
        kinds.MODE,
        "keywordSearch",
        note="`neuralSearch` is refused with status 402: it needs a language model",
    ),
    Parameter(
        "semanticSearch",
        _BOTH,
        kinds.json_object(MAX_USER_DATA_BYTES),
        state=_IGNORED,
        note="only means something with `neuralSearch`",
    ),
    Parameter("advancedSyntax", _BOTH, BOOLEAN, False),
    Parameter(
        "advancedSyntaxFeatures",
        _BOTH,
        kinds.choices("exactPhrase", "excludeWords"),
        ("exactPhrase", "excludeWords"),
    ),
    Parameter("optionalWords", _BOTH, kinds.WORDS, ()),
    # Attributes.
    Parameter("searchableAttributes", _SETTINGS, attributes.SEARCHABLE, ()),
    Parameter("restrictSearchableAttributes", _SEARCH, STRINGS, ()),
    Parameter("attributesForFaceting", _SETTINGS, attributes.FACETED, ()),
    Parameter("unretrievableAttributes", _SETTINGS, STRINGS, ()),
    Parameter("attributesToRetrieve", _BOTH, attributes.SELECTION, ("*",)),
    # Filters.
    Parameter("filters", _FILTER | Where.SECURED_KEY, TEXT, ""),
    Parameter("facetFilters", _FILTER, kinds.FILTER_LISTS, ()),
    Parameter("numericFilters", _FILTER, kinds.FILTER_LISTS, ()),
    Parameter("tagFilters", _FILTER, kinds.FILTER_LISTS, ()),
    Parameter("optionalFilters", _SEARCH, kinds.FILTER_LISTS, ()),
    Parameter("sumOrFiltersScores", _SEARCH, BOOLEAN, False),
    Parameter("numericAttributesForFiltering", _SETTINGS, attributes.NUMERIC_ATTRIBUTES, ()),
    # Facets.
    Parameter("facets", _SEARCH, kinds.NAMES, ()),
    Parameter("maxValuesPerFacet", _BOTH, integer(0, 1000), 100),
    Parameter("sortFacetValuesBy", _BOTH, choice("count", "alpha"), "count"),
    Parameter("facetingAfterDistinct", _SEARCH, BOOLEAN, False),
    Parameter("facetQuery", Where.FACET_SEARCH, kinds.short_text(MAX_TEXT_BYTES), ""),
    Parameter("maxFacetHits", _SETTINGS | Where.FACET_SEARCH, integer(1, 100), 10),
    # Pages.
    Parameter("page", _SEARCH, integer(0), 0),
    Parameter("hitsPerPage", _BOTH, integer(0, 1000), 20, note="0 asks for counts alone"),
    Parameter("offset", _SEARCH, integer(0)),
    Parameter("length", _SEARCH, integer(0, 1000)),
    Parameter("paginationLimitedTo", _SETTINGS, integer(0, 20_000), 1000),
    Parameter("cursor", Where.BROWSE, TEXT, ""),
    # What is shown.
    Parameter(
        "attributesToHighlight",
        _BOTH,
        kinds.NAMES,
        note="not given: every searchable attribute",
    ),
    Parameter("attributesToSnippet", _BOTH, attributes.SNIPPETS, ()),
    Parameter("highlightPreTag", _BOTH, kinds.short_text(MAX_TEXT_BYTES), "<em>"),
    Parameter("highlightPostTag", _BOTH, kinds.short_text(MAX_TEXT_BYTES), "</em>"),
    Parameter("snippetEllipsisText", _BOTH, kinds.short_text(MAX_TEXT_BYTES), "…"),
    Parameter("restrictHighlightAndSnippetArrays", _BOTH, BOOLEAN, False),
    Parameter(
        "replaceSynonymsInHighlight",
        _BOTH,
        BOOLEAN,
        False,
        _IGNORED,
        "highlights show the record's own words",
    ),
    Parameter("responseFields", _BOTH, STRINGS, ("*",)),
    Parameter("getRankingInfo", _SEARCH, BOOLEAN, False),
    Parameter(
        "userData", _SETTINGS, kinds.any_json(MAX_USER_DATA_BYTES), note="kept and returned"
    ),
    Parameter(
        "renderingContent",
        _BOTH,
        kinds.json_object(MAX_USER_DATA_BYTES),
        note="kept and returned; a user interface acts on it",
    ),
    # Typos.
    Parameter("typoTolerance", _BOTH, kinds.TYPO_TOLERANCE, True),
    Parameter("minWordSizefor1Typo", _BOTH, integer(0, 1000), 4),
    Parameter("minWordSizefor2Typos", _BOTH, integer(0, 1000), 8),
    Parameter("allowTyposOnNumericTokens", _BOTH, BOOLEAN, True),
    Parameter("disableTypoToleranceOnAttributes", _BOTH, STRINGS, ()),
    Parameter("disableTypoToleranceOnWords", _SETTINGS, STRINGS, ()),
    Parameter("separatorsToIndex", _SETTINGS, TEXT, ""),
    # Languages.
    Parameter("ignorePlurals", _BOTH, kinds.LANGUAGES_OR_BOOLEAN, False),
    Parameter("removeStopWords", _BOTH, kinds.LANGUAGES_OR_BOOLEAN, False),
    Parameter("queryLanguages", _BOTH, kinds.LANGUAGE_LIST, ()),
    Parameter("indexLanguages", _SETTINGS, kinds.LANGUAGE_LIST, ()),
    Parameter("naturalLanguages", _SEARCH, kinds.LANGUAGE_LIST, ()),
    Parameter("decompoundQuery", _BOTH, BOOLEAN, True, note=_COMPOUNDS),
    Parameter(
        "decompoundedAttributes",
        _SETTINGS,
        kinds.COMPOUNDED,
        {},
        note=_COMPOUNDS,
    ),
    Parameter(
        "attributesToTransliterate",
        _SETTINGS,
        STRINGS,
        (),
        _IGNORED,
        "Japanese is not transliterated",
    ),
    Parameter("camelCaseAttributes", _SETTINGS, STRINGS, ()),
    Parameter("customNormalization", _SETTINGS, kinds.NORMALIZATION),
    Parameter("keepDiacriticsOnCharacters", _SETTINGS, TEXT, ""),
    # Ranking.
    Parameter("ranking", _BOTH, attributes.RANKING, attributes.CRITERIA),
    Parameter("customRanking", _SETTINGS, attributes.CUSTOM_RANKING, ()),
    Parameter(
        "relevancyStrictness",
        _BOTH,
        integer(0, 100),
        100,
        note="in virtual replicas",
    ),
    Parameter("disablePrefixOnAttributes", _SETTINGS, STRINGS, ()),
    Parameter("disableExactOnAttributes", _BOTH, STRINGS, ()),
    Parameter("exactOnSingleWordQuery", _BOTH, choice("attribute", "none", "word"), "attribute"),
    Parameter(
        "alternativesAsExact",
        _BOTH,
        kinds.choices(
            "ignorePlurals", "singleWordSynonym", "multiWordsSynonym", "ignoreConjugations"
        ),
        ("ignorePlurals", "singleWordSynonym"),
        note="`ignoreConjugations` is accepted and ignored",
    ),
    Parameter("minProximity", _BOTH, integer(1, 7), 1),
    Parameter("attributeCriteriaComputedByMinProximity", _BOTH, BOOLEAN, False),
    Parameter(
        "attributeCriteriaComputedBy",
        _BOTH,
        choice("minProximity", "best", "sum"),
        note="with `proximity` before `attribute` in `ranking`, `best` means `minProximity`",
    ),
    Parameter("distinct", _BOTH, kinds.DISTINCT, 0),
    Parameter("attributeForDistinct", _SETTINGS, TEXT),
    Parameter("replicas", _SETTINGS, attributes.REPLICAS, ()),
    # Places.
    Parameter("aroundLatLng", _FILTER, geo.POINT),
    Parameter(
        "aroundLatLngViaIP",
        _SEARCH,
        BOOLEAN,
        False,
        _IGNORED,
        "there is no table of where addresses are",
    ),
    Parameter("aroundRadius", _FILTER, geo.RADIUS),
    Parameter("aroundPrecision", _SEARCH, geo.PRECISION, 10),
    Parameter("minimumAroundRadius", _SEARCH, integer(1)),
    Parameter("insideBoundingBox", _FILTER, geo.BOXES, ()),
    Parameter("insidePolygon", _FILTER, geo.POLYGONS, ()),
    # Rules and synonyms.
    Parameter("enableRules", _BOTH, BOOLEAN, True),
    Parameter("ruleContexts", _SEARCH, STRINGS, ()),
    Parameter("synonyms", _SEARCH, BOOLEAN, True),
    # About the one who asks.
    Parameter("userToken", _SEARCH | Where.SECURED_KEY, TEXT, "", note="quotas are counted by it"),
    Parameter("clickAnalytics", _SEARCH, BOOLEAN, False, note="adds a `queryID` to the answer"),
    Parameter("analytics", _SEARCH, BOOLEAN, True, _IGNORED, _ANALYTICS),
    Parameter("analyticsTags", _SEARCH, STRINGS, (), _IGNORED, _ANALYTICS),
    Parameter("percentileComputation", _SEARCH, BOOLEAN, True, _IGNORED, _ANALYTICS),
    Parameter("enableABTest", _SEARCH, BOOLEAN, True, _IGNORED, "there are no A/B tests"),
    Parameter("enablePersonalization", _BOTH, BOOLEAN, False, _IGNORED, _PERSONAL),
    Parameter("personalizationImpact", _SEARCH, integer(0, 100), 100, _IGNORED, _PERSONAL),
    Parameter("enableReRanking", _BOTH, BOOLEAN, True, _IGNORED, _RE_RANKING),
    Parameter("reRankingApplyFilter", _BOTH, kinds.FILTER_LISTS, (), _IGNORED, _RE_RANKING),
    Parameter(
        "allowCompressionOfIntegerArray",
        _SETTINGS,
        BOOLEAN,
        False,
        _IGNORED,
        "arrays of integers are never reordered",
    ),
    # Beside the search parameters of a request.
    Parameter("params", Where.REQUEST | Where.SEARCH, TEXT, "", note="parameters, URL-encoded"),
    Parameter("indexName", Where.REQUEST, TEXT),
    Parameter("type", Where.REQUEST, choice("default", "facet"), "default"),
    Parameter("facet", Where.REQUEST, TEXT, note="whose values a request of type `facet` asks"),
    Parameter(
        "strategy",
        Where.REQUEST,
        choice("none", "stopIfEnoughMatches"),
        "none",
        note="beside the list of requests",
    ),
    Parameter(
        "extensions",
        Where.REQUEST,
        kinds.any_json(MAX_USER_DATA_BYTES),
        state=_IGNORED,
        note="queries are not sorted into categories",
    ),
    # Only in the parameters of a rule's consequence.
    Parameter("automaticFacetFilters", Where.RULE, kinds.any_json(MAX_USER_DATA_BYTES)),
    Parameter("automaticOptionalFacetFilters", Where.RULE, kinds.any_json(MAX_USER_DATA_BYTES)),
    # Only in a secured key.
    Parameter("validUntil", Where.SECURED_KEY, integer(0), note="seconds since 1970"),
    Parameter("restrictIndices", Where.SECURED_KEY, STRINGS),
    Parameter("restrictSources", Where.SECURED_KEY, TEXT, note="one network in CIDR notation"),
)

BY_NAME = {each.name: each for each in PARAMETERS}


def allowed(where: Where) -> dict[str, Parameter]:
    """The parameters that may stand at one place, by name."""
    return {each.name: each for each in PARAMETERS if where in each.where}
