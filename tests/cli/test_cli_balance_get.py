"""`phantom balance get`, at real servers."""

import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from storagebox.cli.commands import app
from tests.balance.transport.servers import Server, dead, servers

TIMED = False


@pytest.fixture
def two() -> Iterator[list[Server]]:
    with servers(2) as made:
        yield made


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["balance", "get", *arguments], prog_name="phantom")
    return done.exit_code, done.stdout + done.stderr


def test_it_tells_who_was_chosen_and_why(two: list[Server]):
    addresses = [server.endpoint.address for server in two]
    code, said = run(*addresses, dead().address, "--path", "/x", "--requests", "30", "--json")
    told = json.loads(said)
    assert (code, told["answered"], told["statuses"]) == (0, 30, {"200": 30})
    by_server = {row["server"]: row for row in told["servers"]}
    assert sum(sum(by_server[at]["answered"].values()) for at in addresses) == 30
    assert {path for server in two for _, path, _, _ in server.seen} == {"/x"}
    gone = next(row for at, row in by_server.items() if at not in addresses)
    assert gone["answered"] == {}
    assert gone["failed"] == gone["picked"]


def test_people_get_a_table(two: list[Server]):
    code, said = run(*(server.endpoint.address for server in two), "--requests", "9")
    assert code == 0
    assert said.splitlines()[0].split()[:2] == ["server", "weight"]
    assert "9 of 9 answered (9 × 200)" in said


def test_if_nobody_answers_it_fails_and_says_why():
    code, said = run(dead().address, "--requests", "2")
    assert code == 1
    assert "0 of 2 answered" in said
    assert "refused" in said


def test_what_is_no_server_is_refused():
    code, said = run("nowhere")
    assert code == 2
    assert "address 'nowhere' lacks host or port: write host:port" in said
    assert "consul://AGENT/SERVICE" in run("consul://agent")[1]
