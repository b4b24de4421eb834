"""A shelf of its own for a test, and what is on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from storagebox.library.pace import Pace
from storagebox.library.shelf import Shelf
from storagebox.library.updating import Updating
from storagebox.search.language.query import Query
from storagebox.search.language.settings import Settings
from storagebox.search.writes.application import Application


class Library:
    """A shelf, and one who keeps it like `music`."""

    def __init__(self, application: Application, music: Path) -> None:
        self.application = application
        self.shelf = Shelf(application)
        self.shelf.prepare()
        self.updating = Updating(self.shelf, music, Pace(lambda _: None))

    def update(self) -> tuple[int, int, int]:
        """How many files were new, changed, gone."""
        outcome = self.updating.update()
        return outcome.new, outcome.changed, outcome.gone

    def search(self, index: str, query: str = "", **params: Any) -> list[dict[str, Any]]:
        settings = Settings.from_json(self.application.meta(index, "settings"))
        asked = Query.parse({"query": query, **params}, settings)
        found = self.application.index(index)
        assert found is not None
        return [dict(hit.record) for hit in found.search(asked).hits]

    def titles(self, query: str = "") -> list[str]:
        return [record["title"] for record in self.search("tracks", query)]


@contextmanager
def library(folder: Path) -> Iterator[Library]:
    """What is kept in `folder`/app of `folder`/music."""
    application = Application.open(folder / "app", "library")
    try:
        yield Library(application, folder / "music")
    finally:
        application.close()
