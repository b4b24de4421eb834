"""`phantom search serve`: its applications, its keys, its end, and what it has after one."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from storagebox.search.server.served import CannotServe, serve_from
from tests.running_search import ADMIN_KEY, APP, RunningSearch, search_process


class Kept:
    """A connection that is kept from request to request."""

    def __init__(self, server: RunningSearch, app: str = APP, key: str = ADMIN_KEY) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        self._headers = {"x-algolia-application-id": app, "x-algolia-api-key": key}

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body)
        self._http.request(method, path, data, self._headers)
        answer = self._http.getresponse()
        return answer.status, json.loads(answer.read())


def test_what_was_acknowledged_is_there_after_a_kill(tmp_path: Path) -> None:
    with search_process(tmp_path) as server:
        ask = Kept(server)
        tasks = [ask("PUT", f"/1/indexes/kept/{n}", {"n": n})[1]["taskID"] for n in range(20)]
        server.process.kill()
        server.process.wait()
    with search_process(tmp_path) as server:
        ask = Kept(server)
        while ask("GET", f"/1/indexes/kept/task/{tasks[-1]}")[1]["status"] != "published":
            pass
        assert ask("POST", "/1/indexes/kept/query", {})[1]["nbHits"] == 20


def test_a_server_that_is_told_to_end_says_so_on_kept_connections_first(tmp_path: Path) -> None:
    with search_process(tmp_path, "--drain", "20") as server:
        ask = Kept(server)
        assert ask("GET", "/1/isalive")[0] == 200
        server.process.send_signal(signal.SIGTERM)
        while (answer := ask("GET", "/1/indexes"))[0] == 200:
            pass
        assert answer == (
            503,
            {"message": "this server is going away: ask another", "status": 503},
        )
        # Algolia's Python client gives up where a connection is refused: none is, for now.
        assert Kept(server)("GET", "/1/isalive")[0] == 503
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0


def test_who_may_not_write_is_told_so_however_much_is_sent(tmp_path: Path) -> None:
    with search_process(tmp_path) as server:
        ask = Kept(server, key="nonsense")
        record = {"action": "addObject", "body": {"objectID": "x", "text": "y" * 50_000}}
        status, told = ask("POST", "/1/indexes/x/batch", {"requests": [record] * 600})
        assert (status, told["message"]) == (403, "Invalid Application-ID or API key")
        assert ask("GET", "/1/isalive")[0] == 200


def test_an_admin_key_is_made_and_told_once(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "storagebox.cli", "search", "serve"]
    command += ["--folder", str(tmp_path), "--port", "0", "--drain", "0"]

    def lines(*more: str) -> list[str]:
        with subprocess.Popen([*command, *more], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            told: list[str] = []
            while not told or not told[-1].startswith("search "):
                told.append(process.stdout.readline())
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        return told

    first = lines("--app", "BOOKS", "--app", "MUSIC")
    assert [line.split()[:4] for line in first[:2]] == [
        ["application", "BOOKS", "admin", "key"],
        ["application", "MUSIC", "admin", "key"],
    ]
    (second,) = lines()
    assert second.endswith("serves BOOKS MUSIC\n")


def test_applications_of_a_folder_are_opened_when_they_are_asked_for(tmp_path: Path) -> None:
    with search_process(tmp_path):
        pass
    folder = tmp_path / "applications"
    command = [sys.executable, "-m", "storagebox.cli", "search", "serve", "--folder", str(folder)]
    with subprocess.Popen(
        [*command, "--port", "0", "--drain", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().split()[1].rpartition(":")[2])
        running = RunningSearch(port, process)
        assert Kept(running)("PUT", "/1/indexes/x/1", {})[0] == 200
        assert Kept(running, app="NOBODY")("GET", "/1/indexes")[0] == 403
        assert Kept(running, app="../MUSIC")("GET", "/1/indexes")[0] == 403
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def test_what_can_not_be_served_is_said(tmp_path: Path) -> None:
    def refused(names: list[str], key: str | None = None) -> str:
        with pytest.raises(CannotServe) as fault:
            serve_from(tmp_path, names, key, lambda *_, **__: None)
        return str(fault.value)

    assert "no application id" in refused(["no/name"])
    assert "one application's" in refused(["A", "B"], "key")
    held = serve_from(tmp_path, ["A"], None, lambda *_, **__: None)
    try:
        assert held.made.keys() == {"A"}
        assert "another process has this application open" in refused(["A"])
    finally:
        held.close()
    assert (tmp_path / "A").stat().st_mode & 0o077 == 0  # keys are in it


def test_the_command_line_says_in_one_line_why_it_ends(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("\n")
    for options, part in (
        (("--admin-key-file", str(empty)), "it is empty"),
        (("--host", "192.0.2.1"), "can't listen at 192.0.2.1:7700"),
    ):
        command = [sys.executable, "-m", "storagebox.cli", "search", "serve", *options]
        command += ["--folder", str(tmp_path / "applications")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2, done.stderr
        assert part in done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
