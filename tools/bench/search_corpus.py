"""Made-up tracks, and what people would type to find them, the same for the same seed.

Words are 40,000 pronounceable ones, drawn by Zipf's law (the n-th as often as 1/n), as in real
text: a few are everywhere, most are rare. A query is one to three words of one track's title,
artist and album, in order, of which the last is cut off as while typing; some have a typo.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final

import numpy as np

VOCABULARY: Final = 40_000
_ONSETS: Final = [*"bcdfghjklmnprstvwz", "br", "ch", "cl", "dr", "fl", "pl", "sh", "st", "th"]
_VOWELS: Final = [*"aeiou", "ai", "ea", "ee", "oo", "ou"]
_CODAS: Final = ["", "", "", "n", "r", "l", "s", "t", "m", "nd", "ck", "ng"]
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_MAX_SYLLABLES: Final = 4
_CHUNK: Final = 10_000
_TYPO_FROM: Final = 4  # letters of a word that may have a typo


@cache
def vocabulary(seed: int) -> Sequence[str]:
    """Different words, the most frequent first; frequent ones tend to be short."""
    rng = np.random.default_rng([seed, 0])
    words: dict[str, None] = {}
    while len(words) < VOCABULARY:
        share = len(words) / VOCABULARY
        syllables = min(1 + int(rng.poisson(0.4 + 1.4 * share)), _MAX_SYLLABLES)
        word = "".join(
            str(rng.choice(part)) for _ in range(syllables) for part in (_ONSETS, _VOWELS, _CODAS)
        )
        words[word] = None
    return tuple(words)


def tracks(count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """`count` tracks: title, artist, album, genre, year, plays, objectID."""
    words = vocabulary(seed)
    rng = np.random.default_rng([seed, 1])
    weights = 1 / np.arange(1, VOCABULARY + 1)
    shares = np.cumsum(weights / weights.sum())

    def phrases(number: int, most: int) -> list[str]:
        lengths = 1 + rng.binomial(most - 1, 0.4, number)
        found = np.searchsorted(shares, rng.random(int(lengths.sum())))
        drawn: list[int] = np.minimum(found, VOCABULARY - 1).tolist()
        made: list[str] = []
        at = 0
        for length in lengths.tolist():
            made.append(" ".join(words[each] for each in drawn[at : at + length]).title())
            at += length
        return made

    artists = phrases(max(count // 30, 20), 3)
    albums = phrases(max(count // 10, 20), 4)
    genres = phrases(24, 1)
    album_artist = rng.integers(0, len(artists), len(albums)).tolist()
    for first in range(0, count, _CHUNK):
        number = min(_CHUNK, count - first)
        titles = phrases(number, 6)
        of_album = rng.integers(0, len(albums), number).tolist()
        plays = (rng.pareto(1.2, number) * 10).astype(np.int64).tolist()
        for at in range(number):
            album = of_album[at]
            yield {
                "objectID": f"t{first + at}",
                "title": titles[at],
                "artist": artists[album_artist[album]],
                "album": albums[album],
                "genre": genres[album_artist[album] % len(genres)],
                "year": 1950 + album % 75,
                "plays": plays[at],
            }


def queries(
    records: list[dict[str, Any]], count: int, seed: int = 1, typos: float = 0.3
) -> list[str]:
    """What people type to find some of `records`; a share of `typos` has one in it."""
    rng = np.random.default_rng([seed, 2])
    made: list[str] = []
    while len(made) < count:
        record = records[int(rng.integers(len(records)))]
        words = f"{record['title']} {record['artist']} {record['album']}".lower().split()
        wanted = min(int(rng.integers(1, 4)), len(words))
        chosen = sorted(rng.choice(len(words), wanted, replace=False).tolist())
        typed = [words[each] for each in chosen]
        typed[-1] = typed[-1][: int(rng.integers(1, len(typed[-1]) + 1))]
        if rng.random() < typos:
            long = [at for at, word in enumerate(typed) if len(word) >= _TYPO_FROM]
            if not long:
                continue
            at = int(rng.choice(long))
            typed[at] = mistyped(typed[at], rng)
        made.append(" ".join(typed))
    return made


def mistyped(word: str, rng: np.random.Generator) -> str:
    """A word with one letter replaced, left out, put in, or swapped with the next."""
    at = int(rng.integers(1, len(word) - 1))
    letter = str(rng.choice(list(_LETTERS)))
    return (
        word[:at] + letter + word[at + 1 :],
        word[:at] + word[at + 1 :],
        word[:at] + letter + word[at:],
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
    )[int(rng.integers(4))]
