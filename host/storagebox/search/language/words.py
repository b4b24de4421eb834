"""Words by language: which say little (stop words), and which are one in singular and plural.

Known are English, French, German, Spanish, Italian, Portuguese, Dutch, Swedish, Danish and
Norwegian; of other languages that the API names, nothing is removed and nothing made equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from storagebox.search.language import plurals
from storagebox.search.language import stop_words as _stop_words

STOP_WORD_LANGUAGES = tuple(sorted(_stop_words.LANGUAGES))
PLURAL_LANGUAGES = tuple(sorted(plurals.LANGUAGES))


def chosen(
    setting: bool | tuple[str, ...], query_languages: tuple[str, ...], known: tuple[str, ...]
) -> tuple[str, ...]:
    """The languages that `removeStopWords` or `ignorePlurals` is on for; none if it is off.

    True means those of `queryLanguages`, or every `known` one if that names none.
    """
    if isinstance(setting, tuple):
        return setting
    if not setting:
        return ()
    return query_languages or known


@lru_cache(maxsize=256)
def stop_words(languages: tuple[str, ...]) -> frozenset[str]:
    """The stop words of some languages, folded: lower case, no diacritics."""
    return frozenset[str]().union(*map(_stop_words.stop_words, languages))


def forms(word: str, languages: Iterable[str]) -> frozenset[str]:
    """The other forms, singular or plural, that a folded word may have in some languages.

    Not all of them are words: look them up among those that occur.
    """
    return frozenset[str]().union(*(plurals.forms(word, each) for each in languages))
