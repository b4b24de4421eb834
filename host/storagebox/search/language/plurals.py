"""Singular and plural: which other forms a word may have, by language.

Rules and short lists of exceptions, on words without diacritics (so umlauts in German plurals are
gone already). They are meant for looking forms up among words that do occur: a form that nobody
writes does no harm, so rules rather give one too many.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

MIN_LETTERS = 3
"""Shorter words are left as they are, and no form is shorter."""

_Rules = tuple[tuple[re.Pattern[str], str], ...]


def _rules(*endings: tuple[str, str, str]) -> _Rules:
    """Rules from what a word ends in: what of it is kept, what is dropped, what is added."""
    return tuple(
        (re.compile(f"(?P<kept>{kept}){dropped}$"), rf"\g<kept>{added}")
        for kept, dropped, added in endings
    )


@dataclass(frozen=True, slots=True)
class _Language:
    """Endings and what replaces them, each way; `pairs` are irregular, `fixed` have one form.

    Where plurals are `marked`, a word that can be one is taken for one, and given no other.
    """

    to_plural: _Rules
    to_singular: _Rules
    pairs: str = ""
    fixed: frozenset[str] = frozenset()
    marked: bool = False


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ENGLISH = _Language(
    to_plural=_rules(
        (r"[^aeiou]", "y", "ies"),
        (r"[sxz]|ch|sh", "", "es"),
        ("o", "", "es"),
        (r"[^sxzy]|[aeiou]y", "", "s"),
        ("", "sis", "ses"),
    ),
    to_singular=_rules(
        (r"[^aeiou]", "ies", "y"),
        (r"[sxz]|ch|sh|o", "es", ""),
        (r"[^suix]", "s", ""),
        (r"[aeo]i|[ae]u", "s", ""),
        ("", "ies", "ie"),
        (r"[aeiouy]", "ses", "sis"),
    ),
    pairs="""man men, woman women, child children, person people, foot feet, tooth teeth,
        goose geese, mouse mice, louse lice, ox oxen, leaf leaves, loaf loaves, wolf wolves,
        half halves, calf calves, shelf shelves, self selves, thief thieves, wife wives,
        life lives, knife knives, elf elves, scarf scarves, hoof hooves, dwarf dwarves,
        datum data, medium media, criterion criteria, phenomenon phenomena, index indices,
        matrix matrices, vertex vertices, appendix appendices, cactus cacti, fungus fungi,
        nucleus nuclei, radius radii, stimulus stimuli, focus foci, axis axes, crisis crises,
        bus buses, lens lenses, quiz quizzes, menu menus, ski skis, taxi taxis, gnu gnus""",
    fixed=_words(
        """news series species means always perhaps gas yes his this thus plus various physics
        mathematics politics economics athletics sheep fish deer aircraft bias canvas atlas chaos
        christmas texas paris james charles"""
    ),
    marked=True,
)
_FRENCH = _Language(
    to_plural=_rules(
        (r"[^sxz]", "", "s"),
        (r"eau|eu|ou|au", "", "x"),
        ("", "al", "aux"),
        ("", "ail", "aux"),
    ),
    to_singular=_rules(
        (r"[^sxz]", "s", ""),
        (r"eau|eu|ou|au", "x", ""),
        ("", "aux", "al"),
        ("", "aux", "ail"),
    ),
    pairs="oeil yeux, ciel cieux, monsieur messieurs, madame mesdames",
    fixed=_words("temps corps cours toujours paris fois pays bras dos gens"),
    marked=True,
)
_SPANISH = _Language(
    to_plural=_rules((r"[aeiou]", "", "s"), (r"[^aeiousz]", "", "es"), ("", "z", "ces")),
    to_singular=_rules((r"[aeiou]", "s", ""), (r"[dlnrsjyx]", "es", ""), ("", "ces", "z")),
    fixed=_words("lunes martes jueves viernes crisis tesis dosis virus gracias"),
    marked=True,
)
_PORTUGUESE = _Language(
    to_plural=_rules(
        (r"[aeiou]", "", "s"),
        (r"[rzs]", "", "es"),
        ("", "m", "ns"),
        ("", "ao", "oes"),
        ("", "ao", "aes"),
        ("", "al", "ais"),
        ("", "el", "eis"),
        ("", "ol", "ois"),
        ("", "ul", "uis"),
        ("", "il", "is"),
        ("", "il", "eis"),
    ),
    to_singular=_rules(
        (r"[aeiou]", "s", ""),
        (r"[rzs]", "es", ""),
        ("", "ns", "m"),
        ("", r"[oa]es", "ao"),
        ("", "ais", "al"),
        ("", "eis", "el"),
        ("", "eis", "il"),
        ("", "ois", "ol"),
        ("", "uis", "ul"),
        ("", "is", "il"),
    ),
    fixed=_words("lapis onibus virus simples"),
    marked=True,
)
_ITALIAN = _Language(
    to_plural=_rules(
        (r"[cg]", "o", "hi"),
        (r"[cg]", "a", "he"),
        (r"[cg]", "ia", "e"),
        ("", "io", "i"),
        (r"[^i]", r"[oe]", "i"),
        ("", "a", "e"),
        ("", "a", "i"),
    ),
    to_singular=_rules(
        (r"[cg]", "hi", "o"),
        (r"[cg]", "he", "a"),
        (r"[cg]", "e", "ia"),
        ("", "i", "io"),
        (r"[^h]", "i", "o"),
        (r"[^h]", "i", "e"),
        (r"[^h]", "i", "a"),
        (r"[^h]", "e", "a"),
    ),
    pairs="uomo uomini, dio dei, bue buoi, uovo uova, dito dita, braccio braccia",
)
_GERMAN = _Language(
    to_plural=_rules(
        ("e", "", "n"),
        (r"er|el", "", "n"),
        ("in", "", "nen"),
        ("nis", "", "se"),
        (r"[aiouy]", "", "s"),
        ("au|eu|ei", "", "en"),
        ("", "um", "en"),
        (r"[^aeiouy](?<!er|el|en)", "", "e"),
        (r"[^aeiouy](?<!er|el|en)", "", "er"),
        (r"[^aeiouy](?<!er|el|en)", "", "en"),
        (r"[^aeiouys](?<!er|el|en)", "", "s"),
    ),
    to_singular=_rules(
        ("e", "n", ""),
        (r"er|el", "n", ""),
        ("in", "nen", ""),
        ("nis", "se", ""),
        (r"[aoy]|[^e]i|[^aeiouys]", "s", ""),
        ("au|eu|ei", "en", ""),
        (r"[^aeiouy](?<!nn)", "e", ""),
        (r"[^aeiouy]", "er", ""),
        (r"[^aeiouy]", "en", ""),
        ("", "en", "um"),
    ),
)
_DUTCH = _Language(
    to_plural=_rules(
        (r"el|em|en|er|je|[aiouy]", "", "s"),
        (r"[^aeiouy]", "", "en"),
        ("e", "", "n"),
        ("", "heid", "heden"),
        (r"(?P<vowel>[aeou])", r"(?P=vowel)(?P<end>[^aeiouyfs])", r"\g<end>en"),
        (r"(?P<vowel>[aeou])", r"(?P=vowel)f", "ven"),
        (r"(?P<vowel>[aeou])", r"(?P=vowel)s", "zen"),
        (r"[^aeiou][aeiou](?P<end>[^aeiouywx])", "", r"\g<end>en"),
        ("", "f", "ven"),
        ("", "s", "zen"),
    ),
    to_singular=_rules(
        (r"el|em|en|er|je|[aiouy]", "s", ""),
        (r"[^aeiouy]", "en", ""),
        ("e", "n", ""),
        ("", "heden", "heid"),
        (r"[^aeiou](?P<vowel>[aeou])", r"(?P<end>[^aeiouyvz])en", r"\g<vowel>\g<end>"),
        (r"[^aeiou](?P<vowel>[aeou])", "ven", r"\g<vowel>f"),
        (r"[^aeiou](?P<vowel>[aeou])", "zen", r"\g<vowel>s"),
        (r"(?P<end>[^aeiouywx])", r"(?P=end)en", ""),
        ("", "ven", "f"),
        ("", "zen", "s"),
    ),
    pairs="kind kinderen, ei eieren, stad steden, schip schepen, lied liederen, museum musea",
)
_SCANDINAVIAN_TO_PLURAL = ((r"[^aeiouy]", "", "er"), ("e", "", "r"), (r"[^aeiouy]", "", "e"))
_SCANDINAVIAN_TO_SINGULAR = ((r"[^aeiouy]", "er", ""), ("e", "r", ""), (r"[^aeiouy]", "e", ""))
_DANISH = _Language(
    to_plural=_rules(*_SCANDINAVIAN_TO_PLURAL),
    to_singular=_rules(*_SCANDINAVIAN_TO_SINGULAR),
    pairs="mand maend, barn born, bog boger, hand haender, bror brodre, ko koer",
)
_NORWEGIAN = _Language(
    to_plural=_rules(*_SCANDINAVIAN_TO_PLURAL),
    to_singular=_rules(*_SCANDINAVIAN_TO_SINGULAR),
    pairs="mann menn, bok boker, hand hender, tann tenner, natt netter, bror brodre",
)
_SWEDISH = _Language(
    to_plural=_rules(
        ("", "a", "or"),
        ("", "e", "ar"),
        (r"[^aeiouy]", "", "ar"),
        (r"[^aeiouy]", "", "er"),
        (r"[eo]", "", "r"),
        (r"[eio]", "", "n"),
        (r"[^aeiouy]", "el", "lar"),
    ),
    to_singular=_rules(
        ("", "or", "a"),
        ("", "ar", "e"),
        (r"[^aeiouy]", "ar", ""),
        (r"[^aeiouy]", "er", ""),
        (r"[eo]", "r", ""),
        (r"[eio]", "n", ""),
        (r"[^aeiouy]", "lar", "el"),
    ),
    pairs="man man, bok bocker, hand hander, fot fotter, tand tander, natt natter, bror broder",
)
_KNOWN = {
    "en": _ENGLISH,
    "fr": _FRENCH,
    "de": _GERMAN,
    "es": _SPANISH,
    "it": _ITALIAN,
    "pt": _PORTUGUESE,
    "pt-br": _PORTUGUESE,
    "nl": _DUTCH,
    "sv": _SWEDISH,
    "da": _DANISH,
    "nb": _NORWEGIAN,
    "no": _NORWEGIAN,
}

LANGUAGES = frozenset(_KNOWN)
"""The languages whose plurals are known."""


@lru_cache(maxsize=8192)
def forms(word: str, language: str) -> frozenset[str]:
    """The other forms that a word, folded, may have in a language: its plural or its singular."""
    known = _KNOWN.get(language)
    if known is None or len(word) < MIN_LETTERS or word in known.fixed or not word.isalpha():
        return frozenset()
    irregular = _pairs(language).get(word)
    if irregular is not None:
        return irregular - {word}
    found = _changed(word, known.to_singular) - known.fixed
    if not (found and known.marked):
        found |= _changed(word, known.to_plural) - known.fixed
    return found - {word}


def _changed(word: str, rules: _Rules) -> frozenset[str]:
    found = (
        ending.sub(instead, word, count=1) for ending, instead in rules if ending.search(word)
    )
    return frozenset(each for each in found if len(each) >= MIN_LETTERS)


@cache
def _pairs(language: str) -> dict[str, frozenset[str]]:
    """Irregular words, singular and plural alike, and the forms of each."""
    found: dict[str, frozenset[str]] = {}
    for pair in _KNOWN[language].pairs.split(","):
        both = frozenset(pair.split())
        found.update((word, found.get(word, frozenset()) | both) for word in both)
    return found
