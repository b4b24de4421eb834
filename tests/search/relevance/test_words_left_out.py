"""Words a record may do without: optionalWords, removeWordsIfNoResults, similarQuery."""

from __future__ import annotations

import pytest

from tests.search.relevance.conftest import Build

VIDEO = {"action": "action", "both": "action video", "video": "video"}


def test_a_record_may_lack_an_optional_word_and_comes_after_those_that_have_it(
    corpus: Build,
) -> None:
    # "Two queries: one for 'action video' and one for 'action'. Records that match all words are
    # ranked higher."
    bench = corpus(VIDEO)
    assert bench.ids("action video") == ["both"]
    assert bench.ids("action video", optionalWords=["video"]) == ["both", "action"]


def test_optional_words_may_come_as_one_text(corpus: Build) -> None:
    bench = corpus(VIDEO)
    assert bench.ids("action video", optionalWords="video game") == ["both", "action"]


def test_an_optional_word_that_is_not_in_the_query_changes_nothing(corpus: Build) -> None:
    assert corpus(VIDEO).ids("action", optionalWords=["video"]) == ["action", "both"]


def test_with_all_words_optional_one_is_enough(corpus: Build) -> None:
    bench = corpus(VIDEO)
    found = bench.scores("words", "action video", optionalWords=["action", "video"])
    assert found == {"both": 2, "action": 1, "video": 1}


FOUR = ["one", "two", "three", "four"]


@pytest.mark.parametrize(
    ("with_one", "with_two", "with_three", "hits"),
    [
        (900, 50, 10, 960),
        (1500, 300, 0, 1000),  # results 1 to 1000 need one word
        (1500, 1200, 0, 1200),  # results 1001 to 2000 need two
        (1500, 2500, 100, 2000),
        (10, 2500, 2300, 2300),  # results 2001 to 3000 need three
    ],
)
def test_every_thousand_results_ask_for_one_more_of_four_optional_words(
    corpus: Build, with_one: int, with_two: int, with_three: int, hits: int
) -> None:
    # "Results 1 to 1,000 require 1 matched word; results 1,001 to 2,000 need 2 matched words."
    texts = ["one"] * with_one + ["one two"] * with_two + ["one two three"] * with_three
    bench = corpus({str(at): text for at, text in enumerate(texts)})
    assert bench.answer(" ".join(FOUR), optionalWords=FOUR).nb_hits == hits


def test_three_optional_words_never_ask_for_more(corpus: Build) -> None:
    # "For a search query with 4 or more words and all its words are optional."
    bench = corpus({str(at): "one" for at in range(1100)})
    assert bench.answer("one two three", optionalWords=FOUR).nb_hits == 1100
    one_is_needed = bench.answer("one two three four", optionalWords=["two", "three", "four"])
    assert one_is_needed.nb_hits == 1100


def test_ten_optional_words_ask_for_a_fifth_of_them_more(corpus: Build) -> None:
    # "If optionalWords has 10 or more words, the required number increases by the number of
    # optional words divided by 5 (rounded down)."
    words = [f"w{at}x" for at in range(10)]
    texts = ["w0x"] * 1100 + ["w0x w1x"] * 200 + ["w0x w1x w2x"] * 1010
    bench = corpus({str(at): text for at, text in enumerate(texts)})
    found = bench.answer(" ".join(words), optionalWords=words, queryType="prefixNone")
    assert found.nb_hits == 1010


REMOVAL = {
    "red": "red",
    "hat": "hat",
    "redhat": "red hat",
}


def test_no_word_is_taken_away_while_there_are_results(corpus: Build) -> None:
    bench = corpus(REMOVAL)
    answer = bench.answer("red hat", removeWordsIfNoResults="lastWords")
    assert [hit.object_id for hit in answer.hits] == ["redhat"]
    assert answer.query_after_removal is None


def test_none_takes_no_words_away(corpus: Build) -> None:
    assert corpus(REMOVAL).ids("red coat") == []


@pytest.mark.parametrize(
    ("mode", "after", "found"),
    [
        ("lastWords", "red <em>coat</em>", ["red", "redhat"]),
        ("firstWords", None, []),
    ],
)
def test_the_last_word_or_the_first_becomes_optional(
    corpus: Build, mode: str, after: str | None, found: list[str]
) -> None:
    answer = corpus(REMOVAL).answer("red coat", removeWordsIfNoResults=mode)
    assert [hit.object_id for hit in answer.hits] == found
    assert answer.query_after_removal == after


def test_words_become_optional_one_after_the_other_until_there_are_results(corpus: Build) -> None:
    # "The last (then second to last, then third to last) word, until there are results."
    bench = corpus(REMOVAL)
    answer = bench.answer("red blue coat", removeWordsIfNoResults="lastWords")
    assert [hit.object_id for hit in answer.hits] == ["red", "redhat"]
    assert answer.query_after_removal == "red <em>blue</em> <em>coat</em>"


def test_a_word_that_became_optional_still_counts_where_it_is(corpus: Build) -> None:
    # They are treated as optional, not taken out.
    bench = corpus(REMOVAL)
    asked = {"removeWordsIfNoResults": "lastWords", "queryType": "prefixNone"}
    assert bench.scores("words", "red blue hat", **asked) == {"redhat": 2, "red": 1}


def test_at_most_five_words_become_optional(corpus: Build) -> None:
    bench = corpus({"a": "one"})
    asked = {"removeWordsIfNoResults": "lastWords", "queryType": "prefixNone"}
    assert bench.ids("one b c d e f", **asked) == ["a"]
    assert bench.ids("one b c d e f g", **asked) == []


def test_all_words_become_optional_at_once(corpus: Build) -> None:
    bench = corpus(REMOVAL)
    assert bench.ids("blue hat", removeWordsIfNoResults="allOptional") == ["hat", "redhat"]
    assert bench.ids("blue coat", removeWordsIfNoResults="allOptional") == []


def test_a_similar_query_needs_no_word_and_ranks_by_their_number(corpus: Build) -> None:
    # similarQuery: prefixNone, stop words removed, words first, all remaining words optional.
    bench = corpus(
        {
            "one": "comedy",
            "typo": "drama comedx",
            "two": "comedy and crime",
            "begins": "crimes of",
            "stop": "of the",
        }
    )
    found = bench.scores("words", similarQuery="the comedy drama of crime")
    assert found == {"two": 2, "typo": 2, "one": 1, "begins": 1}


def test_thirty_characters_of_a_script_without_spaces_are_looked_for(corpus: Build) -> None:
    # And ten words of others.
    street = "東京都千代田区丸の内一丁目九番"
    bench = corpus({"one": street, "two": street.replace("九", "七")})
    assert bench.ids(street) == ["one"]
