"""The engine orders as if it ranked every record: same first hits, same count.

For large corpora: `python -m tests.search.relevance.agreement --help`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storagebox.search.engine import candidates, filtering, tiebreak
from tests.search.relevance.agreement import Case, Compared
from tests.search.relevance.random_cases import Cases

SEEDS = (1, 2, 3, 4)
RECORDS = 300
SEARCHES = 40


@pytest.fixture(scope="module", params=SEEDS)
def compared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Cases, Compared]]:
    """An index of random records by random settings, some of them behind its base.

    Every other has no custom ranking, and the last two were closed meanwhile.
    """
    seed = int(request.param)
    cases = Cases(seed)
    folder: Path = tmp_path_factory.mktemp("relevance") / "index"
    settings = cases.settings(0 if seed % 2 else None)
    made = Compared(folder, cases.records(RECORDS), settings, late=0.2, again=seed > 2)
    yield cases, made
    made.close()


@pytest.fixture(params=["as it is", "all spread", "few at once"])
def way(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    compared: tuple[Cases, Compared],
) -> str:
    """Ways that only large indices go: this one is made to go them too."""
    if request.param == "all spread":
        monkeypatch.setattr(candidates, "_DENSE", 1 << 30)
        monkeypatch.setattr(candidates, "_LISTED", 1 << 30)
        monkeypatch.setattr(filtering, "_MANY", 1 << 30)
        monkeypatch.setattr(tiebreak, "_AT_ONCE", 16)
    elif request.param == "few at once":
        monkeypatch.setattr(candidates, "_TOKENS_WORTH", 0)
        monkeypatch.setattr(tiebreak, "_AT_ONCE", 4)
    compared[1].index.forget()
    return str(request.param)


def test_every_search_has_the_first_hits_of_the_reference(
    compared: tuple[Cases, Compared], way: str
) -> None:
    cases, index = compared
    for _ in range(SEARCHES):
        case = Case(cases.query(index.records), cases.params())
        assert index.engine(case) == index.reference(case), (way, case)
