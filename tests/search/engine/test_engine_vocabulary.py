"""Words with typos are found without fail, however many words there are."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from typing import Final

import pytest

from storagebox.search.engine.grades import grade
from storagebox.search.engine.vocabulary import Words
from tests.search.relevance.reference_words import cost

WORDS: Final = 20_000
LETTERS: Final = "aaabcdeeefghiiklmnooprsttuvwyzéß東1"


@cache
def made_up(seed: int) -> Sequence[str]:
    """Words of which many begin alike, so that each has neighbours by a typo or two."""
    choose = random.Random(seed)
    syllables = [
        "".join(choose.choices(LETTERS, k=choose.choice((1, 2, 2, 3)))) for _ in range(60)
    ]
    words = {"".join(choose.choices(syllables, k=choose.randint(1, 5))) for _ in range(WORDS * 2)}
    return sorted(sorted(words)[:: max(1, len(words) // WORDS)])


def mistyped(word: str, choose: random.Random) -> str:
    """A word with one or two letters wrong, sometimes cut off."""
    for _ in range(choose.choice((1, 1, 2))):
        at = choose.randrange(len(word))
        letter = choose.choice(LETTERS)
        word = choose.choice(
            (
                word[:at] + letter + word[at + 1 :],
                word[:at] + word[at + 1 :] or word,
                word[:at] + letter + word[at:],
                word[:at] + word[at : at + 2][::-1] + word[at + 2 :],
            )
        )
    return word[: choose.randint(4, max(4, len(word)))]


@pytest.mark.parametrize("prefix", [True, False], ids=["beginnings", "whole words"])
@pytest.mark.parametrize("edits", [1, 2])
def test_of_twenty_thousand_words_all_that_are_near_are_found(edits: int, prefix: bool) -> None:
    words = made_up(seed=1)
    vocabulary = Words(words)
    choose = random.Random(10 * edits + prefix)
    for _ in range(5):
        query = mistyped(choose.choice(words), choose)
        expected = {
            word: grade(typos, exact=False)
            for word in words
            if (typos := cost(query, word, prefix, edits))
        }
        near = vocabulary.near(query, edits, prefix=prefix)
        assert {word: how for word, (how, _) in near.meant.items()} == expected, query
        assert {words[at]: how for at, how in zip(near.places, near.grades, strict=True)} == (
            expected
        ), query


def test_the_worst_come_first_and_equals_stand_as_the_words_do() -> None:
    words = made_up(seed=1)
    vocabulary = Words(words)
    choose = random.Random(3)
    for _ in range(20):
        near = vocabulary.near(mistyped(choose.choice(words), choose), 2, prefix=True)
        keys = [(-int(how), int(at)) for at, how in zip(near.places, near.grades, strict=True)]
        assert keys == sorted(keys)


@pytest.mark.parametrize(
    ("query", "word", "meant"),
    [
        ("beutif", "beautiful", 7),  # one letter is missing
        ("herose", "heroes", 5),  # "heros" ends nearest
        ("bowwi", "bowie", 4),
        ("bowi", "bwie", 3),
    ],
)
def test_of_a_beginning_with_a_typo_the_characters_that_were_meant_are_known(
    query: str, word: str, meant: int
) -> None:
    near = Words([word]).near(query, 1, prefix=True)
    assert near.meant == {word: (grade(1, exact=False), meant)}


@pytest.mark.parametrize("length", [1, 2, 3])
def test_short_words_may_have_typos_if_settings_say_so(length: int) -> None:
    words = made_up(seed=1)[::10]
    vocabulary = Words(words)
    choose = random.Random(length)
    for edits in (1, 2):
        for prefix in (True, False):
            query = "".join(choose.choices(LETTERS, k=length))
            expected = {word for word in words if cost(query, word, prefix, edits)}
            assert set(vocabulary.near(query, edits, prefix=prefix).meant) == expected, query
