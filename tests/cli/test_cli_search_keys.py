"""`phantom search keys`, against a server that runs, and `phantom search apps`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from storagebox.cli.commands import app
from storagebox.cli.search_client import SearchClient, SearchFault
from tests.running_search import ADMIN_KEY, APP, search_process

TIMED = False

Keys = Callable[..., Result]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with search_process(tmp_path_factory.mktemp("search")) as running:
        yield running.url


@pytest.fixture
def keys(url: str, tmp_path: Path) -> Keys:
    """`phantom search keys …` in this process, with the admin key in a file."""
    file = tmp_path / "key"
    file.write_text(ADMIN_KEY)

    def run(*arguments: str) -> Result:
        where = ["--url", url, "--app", APP, "--key-file", str(file)]
        if arguments[0] == "sign":
            where = []
        return CliRunner().invoke(app, ["search", "keys", *arguments, *where], prog_name="phantom")

    return run


def may(url: str, key: str, method: str, path: str, body: object = None) -> int:
    """The status of an answer to somebody with this key."""
    try:
        with SearchClient(url, APP, key, tries=1) as api:
            api.call(method, path, body)
    except SearchFault as fault:
        return fault.status
    return 200


def test_a_key_is_valid_once_it_is_printed_and_not_once_it_is_deleted(keys: Keys, url: str):
    assert may(url, ADMIN_KEY, "PUT", "/1/indexes/tracks/1", {}) == 200
    key = keys("add", "search", "--index", "tracks*", "--description", "page").stdout.strip()
    assert may(url, key, "GET", f"/1/keys/{key}") == 200
    assert may(url, key, "PUT", "/1/indexes/tracks/1", {}) == 403
    assert may(url, key, "POST", "/1/indexes/other/query", {}) == 403
    listed = json.loads(keys("list", "--json").stdout)["keys"]
    assert [each["description"] for each in listed if each["value"] == key] == ["page"]
    assert keys("delete", key).exit_code == 0
    assert may(url, key, "GET", f"/1/keys/{key}") == 403
    assert keys("restore", key).exit_code == 0
    assert may(url, key, "GET", f"/1/keys/{key}") == 200


def test_keys_are_shown_with_what_they_may_and_how_far(keys: Keys):
    made = keys("add", "search", "browse", "--max-hits", "5", "--max-calls", "9")
    shown = keys("list").stdout
    (line,) = [line for line in shown.splitlines() if line.startswith(made.stdout.strip())]
    assert "search browse" in line
    assert "5 hits 9 calls/h" in line


def test_a_key_is_changed_and_what_is_not_said_stays(keys: Keys, url: str):
    key = keys("add", "search", "--max-hits", "5", "--description", "page").stdout.strip()
    done = keys("change", key, "--max-calls", "1", "--validity", "600")
    assert done.exit_code == 0, done.stderr
    (held,) = [k for k in json.loads(keys("list", "--json").stdout)["keys"] if k["value"] == key]
    assert (held["maxQueriesPerIPPerHour"], held["maxHitsPerQuery"]) == (1, 5)
    assert (held["acl"], held["description"]) == (["search"], "page")
    assert 590 <= held["validity"] <= 660
    calls = [may(url, key, "GET", f"/1/keys/{key}") for _ in range(2)]
    assert calls == [200, 429]
    assert "nothing to change" in keys("change", key).stderr
    assert "Key does not exist" in keys("change", "nobody", "--max-calls", "1").stderr


def test_a_signed_key_may_do_less_than_its_parent(keys: Keys, url: str):
    parent = keys("add", "search").stdout.strip()
    signed = keys("sign", parent, "--index", "other", "--valid-for", "60").stdout.strip()
    assert may(url, signed, "POST", "/1/indexes/tracks/query", {}) == 403
    assert (
        may(url, signed, "POST", "/1/indexes/other/query", {}) == 404
    )  # it may, but there is none
    nothing = keys("sign", parent)
    assert (nothing.exit_code, "nothing to restrict" in nothing.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("add", "fly"), "unknown permission 'fly'"),
        (("add", "search", "-p", "x"), "a parameter is NAME=VALUE"),
        (("add", "search", "-p", "nonsense=1"), "Unknown parameter: nonsense"),
        (("delete", "nobody"), "Key does not exist"),
        (("restore", "nobody"), "Key does not exist"),
    ],
)
def test_what_can_not_be_done_is_said_in_one_line(
    keys: Keys, arguments: tuple[str, ...], part: str
):
    done = keys(*arguments)
    assert done.exit_code == 2
    assert part in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_application_is_made_while_others_are_served(tmp_path: Path):
    def apps(*arguments: str) -> Result:
        command = ["search", "apps", "--folder", str(tmp_path), *arguments]
        return CliRunner().invoke(app, command, prog_name="phantom")

    assert apps().exit_code == 1
    key = apps("--add", "BOOKS").stdout.strip()
    assert len(key) == 32
    assert "BOOKS is there already" in apps("--add", "BOOKS").stderr
    assert "no application id" in apps("--add", "a/b").stderr
    (told,) = json.loads(apps("--json").stdout)["applications"]
    assert (told["name"], told["indices"], told["keys"]) == ("BOOKS", [], 0)
    assert apps().stdout.startswith("BOOKS  0 keys  ")


def test_a_quota_is_shown_and_changed_while_it_is_served(tmp_path: Path):
    with search_process(tmp_path, "--records", "1000") as running:

        def quota(*arguments: str, app_id: str = APP) -> Result:
            where = ["--folder", str(tmp_path / "applications")]
            command = ["search", "quota", app_id, *arguments, *where]
            return CliRunner().invoke(app, command, prog_name="phantom")

        names = count()

        def making_an_index() -> int:
            path = f"/1/indexes/made{next(names)}/1"
            return may(running.url, ADMIN_KEY, "PUT", path, {})

        assert "records  as the server says" in quota().stdout
        assert making_an_index() == 200
        shown = quota("--indices", "1", "--write-rate", "0").stdout
        assert "indices  1\n" in shown
        assert "writes_per_s  any\n" in shown
        _until(lambda: making_an_index() == 403)
        told = json.loads(quota("--json").stdout)
        assert told == {"application": APP, "quota": {"indices": 1, "writes_per_s": 0.0}}
        assert json.loads(quota("--reset", "--json").stdout)["quota"] == {}
        _until(lambda: making_an_index() == 200)
        nobody = quota(app_id="NOBODY")
        assert (nobody.exit_code, "no application NOBODY" in nobody.stderr) == (2, True)


def _until(holds: Callable[[], bool]) -> None:
    """Wait for what a server looks for every second."""
    for _ in range(300):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("it does not come")
