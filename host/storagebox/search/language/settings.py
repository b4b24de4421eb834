"""An index's settings: what is given, checked, over what Algolia documents as defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from storagebox.search.language.attributes import (
    Criterion,
    Faceted,
    NumericAttribute,
    Replica,
    Searchable,
    Selection,
    Snippet,
    Sort,
)
from storagebox.search.language.dictionaries import STANDARD, Dictionaries
from storagebox.search.language.errors import LanguageError
from storagebox.search.language.parameters import Parameter, Where, allowed

_SETTINGS = allowed(Where.SETTINGS)
_INITIAL: dict[str, object] = {each.field: each.initial for each in _SETTINGS.values()}

# Names that settings had in earlier versions of the API; they still come from old exports.
_RENAMED = {
    "attributesToIndex": "searchableAttributes",
    "numericAttributesToIndex": "numericAttributesForFiltering",
    "slaves": "replicas",
}
OF_PRIMARY = frozenset({
    "allowCompressionOfIntegerArray", "attributeForDistinct", "attributesForFaceting",
    "camelCaseAttributes", "customNormalization", "decompoundedAttributes",
    "disableExactOnAttributes", "disablePrefixOnAttributes", "disableTypoToleranceOnAttributes",
    "disableTypoToleranceOnWords", "indexLanguages", "keepDiacriticsOnCharacters",
    "numericAttributesForFiltering", "optionalWords", "ranking", "replicas",
    "searchableAttributes", "separatorsToIndex",
})  # fmt: skip
"""What a virtual replica has from its primary, whatever it was given itself: how records are made
ready, and what ranks them. In Algolia's virtual replicas they can only be read, too."""

# What an answer to "get settings" holds beside settings: sent back, it says nothing.
_READ_ONLY = frozenset({"primary", "version"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What both an index's settings and a single search may say; see parameters.PARAMETERS."""

    query_type: str
    remove_words_if_no_results: str
    mode: str
    semantic_search: object
    advanced_syntax: bool
    advanced_syntax_features: tuple[str, ...]
    optional_words: tuple[str, ...]
    attributes_to_retrieve: Selection
    max_values_per_facet: int
    sort_facet_values_by: str
    hits_per_page: int
    attributes_to_highlight: tuple[str, ...] | None
    attributes_to_snippet: tuple[Snippet, ...]
    highlight_pre_tag: str
    highlight_post_tag: str
    snippet_ellipsis_text: str
    restrict_highlight_and_snippet_arrays: bool
    replace_synonyms_in_highlight: bool
    response_fields: tuple[str, ...]
    rendering_content: object
    typo_tolerance: str
    min_word_sizefor1_typo: int
    min_word_sizefor2_typos: int
    allow_typos_on_numeric_tokens: bool
    disable_typo_tolerance_on_attributes: tuple[str, ...]
    ignore_plurals: bool | tuple[str, ...]
    remove_stop_words: bool | tuple[str, ...]
    query_languages: tuple[str, ...]
    decompound_query: bool
    ranking: tuple[Criterion | Sort, ...]
    relevancy_strictness: int
    disable_exact_on_attributes: tuple[str, ...]
    exact_on_single_word_query: str
    alternatives_as_exact: tuple[str, ...]
    min_proximity: int
    attribute_criteria_computed_by_min_proximity: bool
    attribute_criteria_computed_by: str | None
    distinct: int
    enable_rules: bool
    enable_personalization: bool
    enable_re_ranking: bool
    re_ranking_apply_filter: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Shared):
    """All settings of an index. `given` is the JSON of those that were set; `to_json` adds others.

    `dictionaries` are none of its own but its application's. is_virtual: they are of a virtual
    replica, which shows its primary's records.

    >>> Settings.from_json({"hitsPerPage": 5}).hits_per_page
    5
    """

    searchable_attributes: tuple[Searchable, ...]
    attributes_for_faceting: tuple[Faceted, ...]
    unretrievable_attributes: tuple[str, ...]
    numeric_attributes_for_filtering: tuple[NumericAttribute, ...]
    max_facet_hits: int
    pagination_limited_to: int
    user_data: object
    disable_typo_tolerance_on_words: tuple[str, ...]
    separators_to_index: str
    index_languages: tuple[str, ...]
    decompounded_attributes: Mapping[str, tuple[str, ...]]
    attributes_to_transliterate: tuple[str, ...]
    camel_case_attributes: tuple[str, ...]
    custom_normalization: Mapping[str, Mapping[str, str]] | None
    keep_diacritics_on_characters: str
    custom_ranking: tuple[Sort, ...]
    disable_prefix_on_attributes: tuple[str, ...]
    attribute_for_distinct: str | None
    replicas: tuple[Replica, ...]
    allow_compression_of_integer_array: bool
    given: Mapping[str, object] = field(default_factory=dict[str, object])
    dictionaries: Dictionaries = STANDARD
    is_virtual: bool = False

    @classmethod
    def from_json(cls, settings: Mapping[str, object]) -> Settings:
        """Settings as a client gives them; raises LanguageError that names the wrong one.

        A null leaves a setting at its default.
        """
        given: dict[str, object] = {}
        fields: dict[str, Any] = dict(_INITIAL)
        for name, value in settings.items():
            name = _RENAMED.get(name, name)
            if name in _READ_ONLY or value is None:
                continue
            parameter = _known(name)
            fields[parameter.field] = parameter.kind.check(name, value)
            given[name] = value
        return cls(**fields, given=given)

    def patched(self, patch: Mapping[str, object]) -> Settings:
        """These settings with those of `patch` in place; null puts one back to its default."""
        renamed = {_RENAMED.get(name, name): value for name, value in patch.items()}
        for name in renamed:
            if name not in _READ_ONLY:
                _known(name)
        return Settings.from_json({**self.given, **renamed})

    def to_json(self) -> dict[str, object]:
        """All settings as the API answers them: given ones as given, defaults for others."""
        defaults = {
            name: list(each.default) if isinstance(each.default, tuple) else each.default
            for name, each in _SETTINGS.items()
            if each.default is not None
        }
        return {**defaults, **self.given}

    def faceted(self, attribute: str) -> Faceted | None:
        """How `attribute` can be used as a facet, or None if it can't."""
        return next(
            (each for each in self.attributes_for_faceting if each.name == attribute), None
        )


def _known(name: str) -> Parameter:
    parameter = _SETTINGS.get(name)
    if parameter is None:
        raise LanguageError(f"Invalid object attributes: {name}")
    return parameter


DEFAULTS = Settings.from_json({})
