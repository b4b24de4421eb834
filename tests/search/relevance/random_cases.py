"""Random records, settings and queries out of few words, so that typos, beginnings, words run
together and words torn apart meet one another all the time. The same for the same seed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Final

from tests.search.relevance.reference import CRITERIA

_SYLLABLES: Final = ("ba", "de", "ki", "lo", "mu", "na", "po", "ri", "sun", "tor", "vel", "wan")
_LETTERS: Final = "abdeiklmnoprstuvw"
_BRANDS: Final = ("acme", "bolt", "corvo", "dune")
_GENRES: Final = ("ambient", "beat", "choral", "disco", "electro")
_ATTRIBUTES: Final = ("title", "artist", "album")

Record = dict[str, Any]
Params = dict[str, Any]


class Cases:
    """Makes cases of one kind after the other."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._words = [self._word() for _ in range(150)]

    def records(self, count: int) -> list[Record]:
        """Records with one to eight words in each attribute; some attributes are missing."""
        choose = self._random
        made: list[Record] = []
        for at in range(count):
            record: Record = {"objectID": f"r{at}", "plays": choose.randrange(20)}
            if choose.random() < 0.9:
                record["year"] = choose.randrange(5)
            for name in _ATTRIBUTES:
                if choose.random() < 0.9:
                    record[name] = " ".join(self._often() for _ in range(choose.randint(1, 8)))
            if choose.random() < 0.9:
                record["brand"] = choose.choice(_BRANDS)
            if choose.random() < 0.9:
                record["work"] = f"w{choose.randrange(1 + count // 3)}"
            record["genre"] = choose.sample(_GENRES, choose.randint(0, 3))
            record["_geoloc"] = [self._place() for _ in range(choose.choice((0, 1, 1, 1, 2)))]
            made.append(record)
        return made

    def settings(self, sorts: int | None = None) -> Params:
        """Attributes in some order, unordered or of equal rank, and how records are sorted.

        `sorts`: by how many attributes customRanking sorts; none, one or two if it isn't said.
        """
        choose = self._random
        names = list(_ATTRIBUTES)
        choose.shuffle(names)
        if choose.random() < 0.2:
            names = [f"{names[0]},{names[1]}", names[2]]
        elif choose.random() < 0.3:
            names[0] = f"unordered({names[0]})"
        by = [f"{choose.choice(('asc', 'desc'))}({name})" for name in ("plays", "year")]
        choose.shuffle(by)
        some = choose.randint(0, 2)
        return {
            "searchableAttributes": names,
            "customRanking": by[: some if sorts is None else sorts],
            "attributesForFaceting": ["brand", "searchable(genre)"],
            "attributeForDistinct": "work",
            "disablePrefixOnAttributes": choose.sample(_ATTRIBUTES, choose.choice((0, 0, 1))),
            # So that a search may sort by it: what isn't named in settings isn't kept for sorting.
            "ranking": ["desc(year)", *CRITERIA],
        }

    def params(self) -> Params:
        """Parameters of a search, most of the time few."""
        choose = self._random
        every: Params = {
            "queryType": choose.choice(("prefixLast", "prefixAll", "prefixNone")),
            "typoTolerance": choose.choice((True, False, "min", "strict")),
            "minWordSizefor1Typo": choose.randint(2, 6),
            "minWordSizefor2Typos": choose.randint(6, 9),
            "minProximity": choose.randint(1, 7),
            "exactOnSingleWordQuery": choose.choice(("attribute", "word", "none")),
            "allowTyposOnNumericTokens": False,
            "restrictSearchableAttributes": choose.sample(_ATTRIBUTES, 2),
            "disableTypoToleranceOnAttributes": choose.sample(_ATTRIBUTES, 1),
            "disableExactOnAttributes": choose.sample(_ATTRIBUTES, 1),
            "attributeCriteriaComputedBy": choose.choice(("best", "minProximity", "sum")),
            "ranking": self._ranking(),
            "optionalWords": [self._often() for _ in range(40)],
            "facetFilters": self._facet_filters(),
            "numericFilters": [f"plays{choose.choice(('<', '>=', '!='))}{choose.randrange(20)}"],
            "facets": choose.choice((["brand"], ["genre"], ["brand", "genre"])),
            "distinct": choose.randint(1, 3),
            "facetingAfterDistinct": True,
        }
        chosen = {name: value for name, value in every.items() if choose.random() < 0.2}
        if choose.random() < 0.1:
            place = self._place()
            chosen["aroundLatLng"] = f"{place['lat']},{place['lng']}"
            chosen["aroundRadius"] = choose.choice(("all", 300_000))
            chosen["aroundPrecision"] = choose.choice((1, 20_000, 200_000))
        return {"ranking": CRITERIA, **chosen}

    def query(self, records: Sequence[Record]) -> str:
        """Words of a record or of any, cut off, mistyped, joined with the next, or torn apart.

        Now and then none.
        """
        choose = self._random
        if choose.random() < 0.03:
            return ""
        record = choose.choice(records)
        words = " ".join(str(record.get(name, "")) for name in _ATTRIBUTES).split() or ["bade"]
        taken = [choose.choice(words) for _ in range(choose.choice((1, 1, 2, 2, 2, 3, 3, 4, 5)))]
        if choose.random() < 0.5:
            taken = words[(first := choose.randrange(len(words))) : first + len(taken)]
        typed = [self._mistyped(word) if choose.random() < 0.25 else word for word in taken]
        if choose.random() < 0.3:
            typed[-1] = typed[-1][: choose.randint(1, len(typed[-1]))]
        text = " ".join(typed)
        if choose.random() < 0.15:
            at = choose.randrange(1, len(text) + 1)
            together, apart = text.replace(" ", "", 1), f"{text[:at]} {text[at:]}"
            text = choose.choice((together, apart))
        return text

    def _place(self) -> dict[str, float]:
        choose = self._random
        return {"lat": choose.uniform(45, 50), "lng": choose.uniform(0, 10)}

    def _facet_filters(self) -> list[Any]:
        choose = self._random
        either = [f"genre:{each}" for each in choose.sample(_GENRES, 2)]
        return choose.choice(
            (
                [either],
                [f"brand:{choose.choice(_BRANDS)}"],
                [f"brand:-{choose.choice(_BRANDS)}", either],
            )
        )

    def _word(self) -> str:
        choose = self._random
        text = "".join(choose.choice(_SYLLABLES) for _ in range(choose.choice((1, 1, 2, 2, 3, 4))))
        return text + choose.choice(("", "", "", "s", "t", "19"))

    def _often(self) -> str:
        """A word, the first ones far more often."""
        return self._words[int(len(self._words) * self._random.random() ** 2)]

    def _mistyped(self, word: str) -> str:
        choose = self._random
        at = choose.randrange(len(word))
        letter = choose.choice(_LETTERS)
        return choose.choice(
            (
                word[:at] + letter + word[at + 1 :],
                word[:at] + word[at + 1 :] or word,
                word[:at] + letter + word[at:],
                word[:at] + word[at : at + 2][::-1] + word[at + 2 :],
            )
        )

    def _ranking(self) -> list[str]:
        choose = self._random
        ranking = ["typo", "geo", "words", "proximity", "attribute", "exact", "custom"]
        choose.shuffle(ranking)
        if choose.random() < 0.3:
            ranking.insert(0, "desc(year)")
        return ranking
