"""Stop words, plurals, synonyms and the advanced syntax of queries."""

from __future__ import annotations

import re

import pytest

from storagebox.search.language import words
from storagebox.search.language.errors import LanguageError
from storagebox.search.language.plurals import forms
from storagebox.search.language.query import Query
from storagebox.search.language.query_text import Part, parse_query_text
from storagebox.search.language.settings import DEFAULTS, Settings
from storagebox.search.language.synonyms import Synonym

BOTH = ("exactPhrase", "excludeWords")


@pytest.mark.parametrize(
    ("language", "pairs"),
    [
        (
            "en",
            "cat cats, box boxes, city cities, boy boys, wolf wolves, child children, hero heroes",
        ),
        (
            "en",
            "movie movies, horse horses, class classes, analysis analyses, bus buses, toe toes",
        ),
        ("fr", "chat chats, cheval chevaux, gateau gateaux, jeu jeux, oeil yeux, travail travaux"),
        (
            "de",
            "haus hauser, katze katzen, auto autos, lehrerin lehrerinnen, lied lieder",
        ),
        ("es", "disco discos, flor flores, lapiz lapices, cancion canciones"),
        (
            "it",
            "libro libri, gatta gatte, amico amici, banca banche, uomo uomini, canzone canzoni",
        ),
        ("pt", "livro livros, animal animais, homem homens, cancao cancoes, mulher mulheres"),
        ("pt-br", "flor flores, papel papeis"),
        ("nl", "boek boeken, kat katten, maan manen, huis huizen, brief brieven, tafel tafels"),
        ("sv", "flicka flickor, bil bilar, bok bocker"),
        ("da", "bil biler, barn born"),
        ("nb", "bil biler, mann menn"),
        ("no", "gate gater"),
    ],
)
def test_singular_and_plural_are_forms_of_each_other(language: str, pairs: str) -> None:
    for singular, plural in map(str.split, pairs.split(",")):
        assert plural in forms(singular, language)
        assert singular in forms(plural, language)


def test_words_that_only_look_like_plurals_have_no_singular() -> None:
    for word in ("news", "series", "species", "gas", "yes", "abba2", "is"):
        assert not forms(word, "en")
    assert "clas" not in forms("class", "en")
    assert forms("cats", "en") == {"cat"}
    assert not forms("temps", "fr")
    assert not forms("cats", "ja")


def test_stop_words_are_those_of_the_languages_asked_for() -> None:
    assert "the" in words.stop_words(("en",))
    assert "die" not in words.stop_words(("en",))
    assert {"the", "die", "les"} <= words.stop_words(("en", "de", "fr"))
    assert words.stop_words(("ja",)) == frozenset()
    for language in words.STOP_WORD_LANGUAGES:
        assert all(re.fullmatch("[a-z]+", word) for word in words.stop_words((language,)))


@pytest.mark.parametrize(
    ("given", "languages"),
    [
        ({}, ()),
        ({"removeStopWords": ["fr"], "queryLanguages": ["en"]}, ("fr",)),
        ({"removeStopWords": True, "queryLanguages": ["en", "de"]}, ("en", "de")),
        ({"removeStopWords": True}, words.STOP_WORD_LANGUAGES),
        ({"removeStopWords": False, "queryLanguages": ["en"]}, ()),
    ],
)
def test_languages_come_from_the_setting_or_else_the_querys(
    given: dict[str, object], languages: tuple[str, ...]
) -> None:
    assert Query.parse(given, DEFAULTS).stop_word_languages == languages


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("blue shoes", [("words", "blue shoes")]),
        (
            'sparkly "iPhone case" blue',
            [("words", "sparkly"), ("phrase", "iPhone case"), ("words", "blue")],
        ),
        ("search -engine", [("words", "search"), ("excluded", "engine")]),
        ('a -"b c" d', [("words", "a"), ("excluded", "b c"), ("words", "d")]),
        ("wi-fi - x --y", [("words", "wi-fi - x --y")]),
        ('half "open', [("words", 'half "open')]),
        ('"" -', [("words", "-")]),
    ],
)
def test_advanced_syntax_tells_phrases_and_exclusions(
    text: str, parts: list[tuple[str, str]]
) -> None:
    assert [(part.kind, part.text) for part in parse_query_text(text, BOTH)] == parts


def test_advanced_syntax_is_off_unless_asked_for_and_its_features_apart() -> None:
    text = 'a "b c" -d'
    assert Query.parse({"query": text}, DEFAULTS).parts == (Part("words", text),)
    on = Settings.from_json({"advancedSyntax": True})
    assert len(Query.parse({"query": text}, on).parts) == 3
    only = {"query": text, "advancedSyntaxFeatures": ["excludeWords"]}
    assert Query.parse(only, on).parts == (Part("words", 'a "b c"'), Part("excluded", "d"))


def _pairs(**synonym: object) -> set[tuple[str, str]]:
    return set(Synonym.from_json({"objectID": "x", **synonym}).pairs())


def test_plain_synonyms_find_each_other_and_one_way_ones_dont() -> None:
    assert _pairs(type="synonym", synonyms=["NY", "New York"]) == {
        ("NY", "New York"),
        ("New York", "NY"),
    }
    assert _pairs(type="oneWaySynonym", input="tablet", synonyms=["ipad", "slate"]) == {
        ("tablet", "ipad"),
        ("tablet", "slate"),
    }


def test_alternative_corrections_cost_typos_and_placeholders_stand_in_records() -> None:
    for number in (1, 2):
        kind = f"altCorrection{number}"
        given = {"objectID": "x", "type": kind, "word": "car", "corrections": ["auto"]}
        costly = Synonym.from_json(given)
        assert list(costly.pairs()) == [("car", "auto")]
        assert costly.typos == number
    street = {"placeholder": "<Street>", "replacements": ["street", "st"]}
    assert _pairs(type="placeholder", **street) == {("street", "<Street>"), ("st", "<Street>")}


@pytest.mark.parametrize("spelling", ["onewaysynonym", "oneWaySynonym"])
def test_types_are_understood_in_both_spellings(spelling: str) -> None:
    given = {"objectID": "a", "type": spelling, "input": "a", "synonyms": ["b"]}
    synonym = Synonym.from_json(given)
    assert synonym.to_json() == {**given, "type": "oneWaySynonym"}
    assert Synonym.from_json(synonym.to_json()) == synonym


@pytest.mark.parametrize(
    ("synonym", "message"),
    [
        ([], "synonym: expected an object"),
        ({"type": "synonym"}, "synonym: objectID must be a string that isn't empty"),
        ({"objectID": "a", "type": "x"}, "synonym a: type must be one of synonym, oneWaySynonym"),
        ({"objectID": "a", "type": "synonym"}, "synonym a: synonyms must be an array"),
        (
            {"objectID": "a", "type": "altCorrection1", "corrections": ["x"]},
            "synonym a: word must be text that isn't empty",
        ),
        (
            {"objectID": "a", "type": "synonym", "synonyms": [f"{n}" for n in range(101)]},
            "synonyms has 101 entries, more than 100: split it",
        ),
        (
            {"objectID": "a", "type": "synonym", "synonyms": ["x", ""]},
            "synonym a: synonyms must be text that isn't empty",
        ),
    ],
)
def test_a_synonym_that_is_wrong_is_refused_by_name(synonym: object, message: str) -> None:
    with pytest.raises(LanguageError) as caught:
        Synonym.from_json(synonym)
    assert message in caught.value.message
