"""An index's rules, ready to be held against searches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from storagebox.search.language.query import Query
from storagebox.search.language.rule_set import RuleSet
from storagebox.search.language.rules import Rule
from storagebox.search.language.settings import Settings
from storagebox.search.writes.operations import RULES
from storagebox.search.writes.state import View


@dataclass(frozen=True, slots=True)
class Ruling:
    """What rules came to, and out of what: they are read again once that is another."""

    kept: Any  # the rules as JSON, of one commit
    settings: Settings
    view: View
    rules: RuleSet

    @classmethod
    def of(cls, view: View, settings: Settings, before: Ruling | None) -> Ruling | None:
        """An index's rules, `before` if it is still them; None if it has no rules."""
        kept: Any = view.own.meta(RULES)
        if not kept:
            return None
        if (
            before is not None
            and before.kept is kept
            and before.settings is settings
            and before.view.index is view.index
        ):
            return before
        return cls(kept, settings, view, RuleSet(map(Rule.from_json, kept), view.index.tokens))

    def applied(self, query: Query, now_s: float) -> Query:
        """What becomes of a query. `now_s` is Unix time."""
        index = self.view.index
        return self.rules.apply(
            query,
            now_s=now_s,
            facet_values=index.facet_value,
            synonyms=self.view.own.single_synonyms,
        )
