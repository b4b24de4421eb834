"""Stop words, words that are one in singular and plural, compounds: ours and an application's.

An application may add words of any language, take single stop words of ours away (an entry that is
`disabled`), or leave out all of ours of a language (`disableStandardEntries`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, cast

from storagebox.search.language import words

Entries = Mapping[str, Mapping[str, Any]]
"""Entries of one dictionary as the API takes them, by objectID."""


class Dictionaries:
    """Words by language. `fold` makes of a word what the words of an index are compared as.

    stopwords: `{language, word, state}`; plurals: `{language, words}`, the forms of one word;
    compounds: `{language, word, decomposition}`, whose parts are none if it is to stay whole.
    `without`: by dictionary, the languages whose standard words are left out.
    Entries that are no such thing, or that hold several words in one, don't count.
    """

    def __init__(
        self,
        stopwords: Entries | None = None,
        plurals: Entries | None = None,
        compounds: Entries | None = None,
        without: Mapping[str, Mapping[str, bool]] | None = None,
        fold: Callable[[str], str] = str.casefold,
    ) -> None:
        self._added: dict[str, set[str]] = {}
        self._removed: dict[str, set[str]] = {}
        self._forms: dict[str, dict[str, frozenset[str]]] = {}
        for entry in (stopwords or {}).values():
            change = self._removed if entry.get("state") == "disabled" else self._added
            of_language = change.setdefault(str(entry.get("language")), set())
            of_language.update(map(fold, _single([entry.get("word")])))
        for entry in (plurals or {}).values():
            listed = entry.get("words")
            given = cast("list[object]", listed) if isinstance(listed, list) else []
            forms = frozenset(map(fold, _single(given)))
            of_word = self._forms.setdefault(str(entry.get("language")), {})
            for each in forms:
                of_word[each] = of_word.get(each, frozenset()) | forms
        self._parts: dict[str, dict[str, tuple[str, ...]]] = {}
        for entry in (compounds or {}).values():
            listed = entry.get("decomposition")
            given = cast("list[object]", listed) if isinstance(listed, list) else []
            of_language_parts = self._parts.setdefault(str(entry.get("language")), {})
            for each in map(fold, _single([entry.get("word")])):
                of_language_parts[each] = tuple(map(fold, _single(given)))
        without = without or {}
        self._without_stop_words = _on(without.get("stopwords"))
        self._without_plurals = _on(without.get("plurals"))
        self._without_compounds = _on(without.get("compounds"))
        self.stop_word_languages: tuple[str, ...] = _sorted(words.STOP_WORD_LANGUAGES, self._added)
        self.plural_languages: tuple[str, ...] = _sorted(words.PLURAL_LANGUAGES, self._forms)
        self.stop_words = lru_cache(maxsize=64)(self._stop_words)

    def _stop_words(self, languages: tuple[str, ...]) -> frozenset[str]:
        """The stop words of some languages."""
        found: set[str] = set()
        for language in languages:
            known: set[str] = set()
            if language not in self._without_stop_words:
                known |= words.stop_words((language,))
            found |= (known - self._removed.get(language, set())) | self._added.get(
                language, set()
            )
        return frozenset(found)

    def forms(self, word: str, languages: Iterable[str]) -> frozenset[str]:
        """The other forms that a word may have in some languages, see words.forms."""
        chosen = tuple(languages)
        found = words.forms(word, (each for each in chosen if each not in self._without_plurals))
        for language in chosen:
            found |= self._forms.get(language, {}).get(word, frozenset())
        return found - {word}

    def compounds(self, languages: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
        """An application's own compounds of some languages, and the parts of each."""
        return {
            word: parts
            for language in languages
            for word, parts in self._parts.get(language, {}).items()
        }

    def compound_languages(self, languages: Iterable[str]) -> tuple[str, ...]:
        """Of some languages those whose other compounds are taken apart by the words known."""
        return tuple(each for each in languages if each not in self._without_compounds)


def _single(given: Iterable[object]) -> Iterator[str]:
    """Those that are one word."""
    return (each.strip() for each in given if isinstance(each, str) and len(each.split()) == 1)


def _on(switches: object) -> frozenset[str]:
    if not isinstance(switches, Mapping):
        return frozenset()
    given = cast("Mapping[str, object]", switches)
    return frozenset(language for language, on in given.items() if on is True)


def _sorted(standard: Iterable[str], own: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({*standard, *own}))


STANDARD: Final = Dictionaries()
"""Ours alone."""
