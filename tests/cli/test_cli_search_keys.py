"""`phantom search keys`, against a server that runs, and `phantom search apps`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
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
        with SearchClient(url, APP, key) as api:
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
