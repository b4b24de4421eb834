"""Small corpora for the rules of relevance, each record put in against the order it should get."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest

from storagebox.search.engine.answer import Hit
from storagebox.search.engine.changes import Meta
from storagebox.search.language.query import Query
from storagebox.search.language.rule_set import RuleSet
from storagebox.search.language.rules import Rule
from tests.search.engine.conftest import Bench


class Scores(dict[str, Any]):
    """Something of each hit by objectID; equal only to the same in the same order."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, dict) and [*self.items()] == [*other.items()]


class Corpus(Bench):
    """An index of one small corpus."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.rule()

    def hit(self, query: str = "", object_id: str | None = None, **params: Any) -> Hit:
        """One of the hits, or the only one."""
        hits = self.answer(query, **params).hits
        if object_id is None:
            [only] = hits
            return only
        return next(hit for hit in hits if hit.object_id == object_id)

    def info(self, query: str = "", **params: Any) -> dict[str, dict[str, Any]]:
        """Each hit's `_rankingInfo`, by objectID, in order."""
        hits = self.answer(query, getRankingInfo=True, **params).hits
        return {hit.object_id: dict(hit.ranking_info or {}) for hit in hits}

    def scores(self, criterion: str, query: str = "", **params: Any) -> Scores:
        """One number of each hit's `_rankingInfo`."""
        found = self.info(query, **params).items()
        return Scores({name: info[criterion] for name, info in found})

    def json(self, query: str = "", **params: Any) -> dict[str, Any]:
        """The body of the answer."""
        asked = self.query(query, **params)
        return self.index.search(asked).to_json(asked)

    def query(self, query: str = "", **params: Any) -> Query:
        """A search with the corpus's rules applied to it, as a server applies them."""
        return self._rules.apply(
            super().query(query, **params),
            now_s=0,
            facet_values=self.index.facet_value,
            synonyms=self.index.single_synonyms,
        )

    def rule(self, *rules: Mapping[str, Any]) -> None:
        """Take rules in place of those there were."""
        numbered = [{"objectID": f"rule{at}", **rule} for at, rule in enumerate(rules)]
        self._rules = RuleSet(map(Rule.from_json, numbered), self.index.tokens)

    def keep(self, meta: str, items: Sequence[Mapping[str, Any]]) -> None:
        """Store synonyms, with objectIDs of their own."""
        numbered = [{"objectID": str(at), **item} for at, item in enumerate(items)]
        self.index.apply([Meta(meta, numbered)], self.index.applied + 1)


class Build(Protocol):
    """Makes a corpus of records by objectID: whole ones, or the text of the attribute `text`."""

    def __call__(self, records: Mapping[str, Any], **settings: Any) -> Corpus: ...


@pytest.fixture
def corpus(tmp_path: Path) -> Iterator[Build]:
    """Searches only the attribute `text` unless the settings say otherwise."""
    made = Corpus(tmp_path / "index")

    def build(records: Mapping[str, Any], **settings: Any) -> Corpus:
        settings.setdefault("searchableAttributes", ["text"])
        whole = [
            {"objectID": name, **(value if isinstance(value, dict) else {"text": value})}
            for name, value in records.items()
        ]
        made.fill(whole, settings)
        return made

    yield build
    made.index.close()
