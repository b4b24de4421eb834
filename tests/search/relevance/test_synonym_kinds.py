"""What each kind of synonym finds, at what cost, and how it ranks."""

from __future__ import annotations

from tests.search.relevance.conftest import Build, Corpus


def _with(corpus: Build, records: dict[str, str], *synonyms: dict[str, object]) -> Corpus:
    bench = corpus(records)
    bench.keep("synonyms", synonyms)
    return bench


HOMES = {"house": "house", "home": "home"}


def test_each_of_equal_synonyms_finds_the_others(corpus: Build) -> None:
    bench = _with(corpus, HOMES, {"type": "synonym", "synonyms": ["house", "home"]})
    assert sorted(bench.ids("house")) == ["home", "house"]
    assert sorted(bench.ids("home")) == ["home", "house"]


def test_a_one_way_synonym_is_found_by_its_input_only(corpus: Build) -> None:
    records = {"tablet": "tablet", "ipad": "ipad"}
    synonym = {"type": "oneWaySynonym", "input": "tablet", "synonyms": ["ipad"]}
    bench = _with(corpus, records, synonym)
    assert sorted(bench.ids("tablet")) == ["ipad", "tablet"]
    assert bench.ids("ipad") == ["ipad"]


def test_synonyms_cost_no_typo(corpus: Build) -> None:
    bench = _with(corpus, HOMES, {"type": "synonym", "synonyms": ["house", "home"]})
    assert bench.scores("nbTypos", "house") == {"house": 0, "home": 0}


def test_corrections_cost_one_or_two_typos(corpus: Build) -> None:
    # altCorrection1 and altCorrection2: found as with one typo, or two.
    records = {"two": "limousine", "one": "auto", "is": "car"}
    bench = _with(
        corpus,
        records,
        {"type": "altCorrection1", "word": "car", "corrections": ["auto"]},
        {"type": "altCorrection2", "word": "car", "corrections": ["limousine"]},
    )
    assert bench.scores("nbTypos", "car") == {"is": 0, "one": 1, "two": 2}
    assert bench.ids("auto") == ["one"]


def test_corrections_are_no_exact_matches(corpus: Build) -> None:
    correction = {"type": "altCorrection1", "word": "car", "corrections": ["auto"]}
    bench = _with(corpus, {"one": "auto parts", "is": "car parts"}, correction)
    assert bench.scores("nbExactWords", "car parts") == {"is": 2, "one": 1}


def test_a_placeholder_in_a_record_stands_for_each_of_its_replacements(corpus: Build) -> None:
    synonym = {"type": "placeholder", "placeholder": "<street>", "replacements": ["street", "ave"]}
    bench = _with(corpus, {"a": "42 <street>", "b": "42 lane"}, synonym)
    assert bench.ids("42 street") == ["a"]
    assert bench.ids("42 ave") == ["a"]
    assert bench.ids("42 road") == []


def test_a_word_finds_several_words_together(corpus: Build) -> None:
    synonym = {"type": "synonym", "synonyms": ["nyc", "new york city"]}
    records = {"nyc": "nyc pizza", "ny": "new york city pizza", "york": "york pizza"}
    bench = _with(corpus, records, synonym)
    assert sorted(bench.ids("nyc pizza")) == ["ny", "nyc"]
    assert sorted(bench.ids("new york city pizza")) == ["ny", "nyc"]
    assert sorted(bench.ids("york pizza")) == ["ny", "york"]


def test_synonyms_are_found_for_whole_words_only(corpus: Build) -> None:
    bench = _with(corpus, HOMES, {"type": "synonym", "synonyms": ["house", "home"]})
    assert bench.ids("hous") == ["house"]


def test_synonyms_ignore_case_and_accents(corpus: Build) -> None:
    bench = _with(corpus, {"tea": "thé"}, {"type": "synonym", "synonyms": ["TÉA", "Thé"]})
    assert bench.ids("tea") == ["tea"]


def test_synonyms_can_be_left_out_of_a_search(corpus: Build) -> None:
    bench = _with(corpus, HOMES, {"type": "synonym", "synonyms": ["house", "home"]})
    assert bench.ids("house", synonyms=False) == ["house"]


def test_synonyms_of_synonyms_are_not_followed(corpus: Build) -> None:
    bench = _with(
        corpus,
        {"a": "aaa", "b": "bbb", "c": "ccc"},
        {"type": "oneWaySynonym", "input": "aaa", "synonyms": ["bbb"]},
        {"type": "oneWaySynonym", "input": "bbb", "synonyms": ["ccc"]},
    )
    assert bench.ids("aaa") == ["a", "b"]


def test_what_a_synonym_found_is_highlighted_as_it_stands(corpus: Build) -> None:
    # "By default, the original words are highlighted even if a synonym matches."
    bench = _with(corpus, {"a": "my house"}, {"type": "synonym", "synonyms": ["house", "home"]})
    highlight = bench.hit("home").highlight
    assert highlight == {
        "text": {
            "value": "my <em>house</em>",
            "matchLevel": "full",
            "fullyHighlighted": False,
            "matchedWords": ["home"],
        }
    }


def test_a_synonym_is_none_the_better_for_being_shorter(corpus: Build) -> None:
    # One word has no neighbours that could stand apart: it counts as if its words stood together.
    synonym = {"type": "synonym", "synonyms": ["scifi", "science fiction"]}
    records = {"short": "scifi movie", "said": "science fiction movie"}
    bench = _with(corpus, records, synonym)
    assert bench.scores("proximityDistance", "science fiction movie") == {"said": 2, "short": 2}
    assert bench.ids("science fiction movie") == ["said", "short"]


def test_a_synonym_is_none_the_worse_for_being_longer(corpus: Build) -> None:
    synonym = {"type": "synonym", "synonyms": ["nyc", "new york city"]}
    records = {"apart": "nyc x hotel", "long": "new york city hotel"}
    bench = _with(corpus, records, synonym)
    assert bench.scores("proximityDistance", "nyc hotel") == {"long": 1, "apart": 2}


def test_a_longer_synonym_that_counts_as_exact_is_no_more_exact_than_what_was_said(
    corpus: Build,
) -> None:
    synonym = {"type": "synonym", "synonyms": ["nyc", "new york city"]}
    bench = _with(corpus, {"long": "new york city hotel", "said": "nyc hotel"}, synonym)
    exact = ["multiWordsSynonym"]
    assert bench.scores("nbExactWords", "nyc hotel", alternativesAsExact=exact) == {
        "long": 2,
        "said": 2,
    }
    assert bench.ids("nyc hotel") == ["said", "long"]
