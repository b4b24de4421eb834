"""Many tenants of one server: each in its folder, none another's trouble."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from storagebox.search.writes import accepting
from storagebox.search.writes.accepting import Limits
from storagebox.search.writes.application import Application, Unavailable
from storagebox.search.writes.applications import Applications
from tests.search.writes.tenant import PATIENCE_S


@pytest.fixture
def applications(tmp_path: Path) -> Iterator[Applications]:
    made = Applications(tmp_path / "apps")
    yield made
    made.close()


def add(app: Application, object_id: str) -> None:
    task = app.submit(accepting.put("t", None, {"objectID": object_id}, "", Limits()))
    assert app.wait(task, PATIENCE_S)


def test_tenants_have_nothing_in_common(applications: Applications) -> None:
    assert applications.ids() == []
    assert applications.get("ONE") is None
    one, two = applications.create("ONE"), applications.create("TWO", "its-admin-key")
    assert applications.ids() == ["ONE", "TWO"]
    assert (two.admin_key, len(one.admin_key)) == ("its-admin-key", 32)
    add(one, "1")
    assert two.index("t") is None
    add(two, "2")
    index = one.index("t")
    assert index is not None
    assert index.get("2") is None
    assert applications.get("ONE") is one


def test_one_that_can_not_be_opened_is_nobody_elses_trouble(
    applications: Applications, tmp_path: Path
) -> None:
    add(applications.create("GOOD"), "1")
    bad = tmp_path / "apps" / "BAD"
    bad.mkdir()
    for name in ("catalog", "catalog.previous"):
        (bad / name).write_bytes(b"garbage")
    with pytest.raises(Unavailable, match="BAD"):
        applications.get("BAD")
    good = applications.get("GOOD")
    assert good is not None
    add(good, "2")


@pytest.mark.parametrize("app_id", ["", "..", "a/b", "a.b", "-a", "x" * 64, "a\0b", "é"])
def test_what_is_no_id_leads_nowhere(applications: Applications, app_id: str) -> None:
    assert applications.get(app_id) is None
    with pytest.raises(ValueError, match="no application id"):
        applications.create(app_id)


def test_one_is_opened_once_however_many_ask(applications: Applications) -> None:
    found: list[Application] = []
    threads = [
        threading.Thread(target=lambda: found.append(applications.create("A"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1


def test_one_that_nobody_asks_for_is_closed_and_comes_back(applications: Applications) -> None:
    app = applications.create("A")
    add(app, "1")
    assert applications.close_idle(3600) == []
    assert applications.close_idle(0) == ["A"]
    again = applications.get("A")
    assert again is not None
    assert again is not app
    index = again.index("t")
    assert index is not None
    assert index.get("1") == {"objectID": "1"}
    assert again.admin_key == app.admin_key
