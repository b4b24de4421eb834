"""`phantom search import`, `query` and `export`, against a server that runs."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from storagebox.cli.commands import app
from storagebox.cli.search_client import SearchClient, SearchFault
from tests.cli.pressed import ctrl_c
from tests.running_search import ADMIN_KEY, APP, search_process

TIMED = False

Phantom = Callable[..., Result]


@pytest.fixture(name="phantom", scope="module")
def _phantom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phantom]:
    """`phantom search …` in this process, at a server of its own, by its folder's key."""
    folder = tmp_path_factory.mktemp("search")
    with search_process(folder) as running:
        where = ["--url", running.url, "--app", APP, "--folder", str(folder / "applications")]

        def phantom(command: str, *arguments: str, stdin: str | None = None) -> Result:
            return CliRunner().invoke(
                app, ["search", command, *arguments, *where], prog_name="phantom", input=stdin
            )

        phantom.url = running.url  # type: ignore[attr-defined]
        yield phantom


def test_what_is_imported_is_found_and_comes_out_again(phantom: Phantom, tmp_path: Path):
    songs = [{"objectID": f"s{n}", "title": f"Song {n}", "year": 1970 + n} for n in range(2500)]
    file = tmp_path / "songs.ndjson"
    file.write_text("".join(json.dumps(song) + "\n" for song in songs))
    done = phantom("import", "songs", str(file))
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("2,500 records in songs, ")

    answer = json.loads(phantom("query", "songs", "song 42", "--json").stdout)
    assert answer["hits"][0]["objectID"] == "s42"
    out = tmp_path / "out.ndjson"
    assert phantom("export", "songs", "-o", str(out)).exit_code == 0
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert sorted(found, key=lambda song: song["year"]) == songs
    assert list(tmp_path.glob(".*")) == []
    some = phantom("export", "songs", "--filters", "year < 1972", "--attribute", "year").stdout
    assert sorted(json.loads(line)["year"] for line in some.splitlines()) == [1970, 1971]


def test_bad_rows_are_named_by_line_and_the_rest_is_taken(phantom: Phantom, tmp_path: Path):
    file = tmp_path / "mixed.ndjson"
    lines = ['{"objectID":"a"}', "{oops", json.dumps({"objectID": "b", "x": "y" * 200_000})]
    file.write_text("\n".join([*lines, '{"objectID":"c"}', '{"objectID":[]}']) + "\n")
    done = phantom("import", "mixed", str(file), "--json")
    assert done.exit_code == 1
    result = json.loads(done.stdout)
    assert (result["taken"], result["bad"]) == (2, 3)
    assert [fault["line"] for fault in result["faults"]] == [2, 3, 5]
    assert f"{file}:2: not JSON" in done.stderr
    assert "too big" in result["faults"][1]["reason"]


def test_an_import_may_replace_all_at_one_instant_or_nothing(phantom: Phantom, tmp_path: Path):
    file = tmp_path / "a.ndjson"
    file.write_text('{"objectID":"a","n":1}\n{"objectID":"b","n":2}\n')
    assert phantom("import", "stock", str(file)).exit_code == 0
    file.write_text('{"objectID":"c","n":3}\n')
    with SearchClient(phantom.url, APP, ADMIN_KEY) as api:  # type: ignore[attr-defined]

        def names() -> list[str]:
            return [each["name"] for each in api.call("GET", "/1/indexes")["items"]]

        before = names()
        broken = phantom("import", "stock", str(file), str(tmp_path / "none"), "--replace")
        assert broken.exit_code == 1
        assert broken.stderr.count("none: no such file") == 1
        assert "search import: stock stays as it was\n" in broken.stderr
        assert len(phantom("export", "stock").stdout.splitlines()) == 2
        assert phantom("import", "stock", str(file), "--replace").exit_code == 0
        assert phantom("export", "stock").stdout == '{"objectID":"c","n":3}\n'
        assert names() == before


def test_an_attribute_may_identify_and_a_pipe_is_read(phantom: Phantom):
    text = "sku;name\n17;Kaffee\n18;Tee\n;Kakao\n"
    done = phantom("import", "shop", "-", "--id", "sku", "--format", "csv", stdin=text)
    assert done.exit_code == 1
    assert "-:4: sku: no text or whole number to be the objectID" in done.stderr
    table = phantom("query", "shop", "kaf").stdout.splitlines()
    assert table[0].split() == ["objectID", "sku", "name"]
    assert table[1].split() == ["1", "17", "17", "Kaffee"]
    assert table[-1].startswith("1 found, ")


def test_a_query_shows_pages_and_how_each_was_ranked(phantom: Phantom, tmp_path: Path):
    file = tmp_path / "a.json"
    file.write_text(json.dumps([{"objectID": str(n), "name": "tea", "n": n} for n in range(3)]))
    assert phantom("import", "teas", str(file)).exit_code == 0
    shown = phantom("query", "teas", "te", "--limit", "1", "--page", "2", "--explain").stdout
    header, row, _, footer, who = shown.splitlines()
    assert "typos" in header
    assert "metres" not in header
    assert row.split()[0] == "2"
    assert footer.endswith("page 2 of 3")
    assert who.startswith("answered by 127.0.0.1:")
    answer = phantom(
        "query", "teas", "-p", "hitsPerPage=2", "-p", "attributesToRetrieve=n", "--json"
    )
    assert [sorted(hit)[-2:] for hit in json.loads(answer.stdout)["hits"]] == [
        ["n", "objectID"]
    ] * 2
    assert phantom("query", "teas", "-p", "nonsense").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("query", "nowhere", "x"), "Index nowhere does not exist"),
        (("query", "shop", "--filters", "a >"), "expected numeric at col 3"),
        (("export", "nowhere"), "Index nowhere does not exist"),
        (("import", "shop", "/no/such/file"), "/no/such/file: no such file"),
    ],
)
def test_what_the_server_refuses_is_one_line(
    phantom: Phantom, arguments: tuple[str, ...], words: str
):
    done = phantom(*arguments)
    assert done.exit_code in (1, 2)
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_a_server_or_a_key_the_remedy_is_said(tmp_path: Path):
    def said(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["search", "query", "x", *arguments], prog_name="phantom")
        assert result.exit_code in (1, 2)
        return result.stderr

    away = ["--url", "http://127.0.0.1:1", "--folder", str(tmp_path)]
    assert "give it by --key-file or PHANTOM_SEARCH_KEY" in said(*away)
    (tmp_path / "key").write_text("k")
    with_key = ["--key-file", str(tmp_path / "key")]
    assert "nobody serves there" in said(*away, *with_key)
    assert "no server's address" in said("--url", "ftp://x", *with_key)
    assert "no server's address" in said("--url", "http://[", *with_key)
    (tmp_path / "key").write_text("\n")
    assert "it is empty" in said(*away, *with_key)


def test_a_connection_that_was_closed_while_idle_is_made_anew(phantom: Phantom):
    url = phantom.url  # type: ignore[attr-defined]
    with SearchClient(url, APP, ADMIN_KEY) as api:
        streams: list[Any] = []
        api._http.event_hooks = {
            "response": [lambda answer: streams.append(answer.extensions["network_stream"])]
        }
        assert api.call("GET", "/1/keys")
        streams[0].get_extra_info("socket").shutdown(2)
        assert api.call("GET", "/1/keys")
        with pytest.raises(SearchFault) as caught:
            api.call("GET", "/1/keys/none")
        assert caught.value.status == 404


def test_of_several_servers_the_one_that_is_there_answers(phantom: Phantom):
    url = phantom.url  # type: ignore[attr-defined]
    with SearchClient(f"http://127.0.0.1:1,{url}", APP, ADMIN_KEY) as api:
        for _ in range(6):
            assert api.call("GET", "/1/keys")
            assert api.chosen is not None
            assert f"http://{api.chosen.endpoint.address}" == url


@pytest.mark.parametrize(
    ("servers", "said"),
    [
        ("http://a,https://b", "share scheme and path"),
        ("http://a/x,http://b/y", "share scheme and path"),
        ("http://a,b", "b: no server's address"),
        ("consul://agent", "consul://AGENT/SERVICE"),
    ],
)
def test_servers_that_make_no_sense_together_are_refused(servers: str, said: str):
    with pytest.raises(SearchFault, match=said):
        SearchClient(servers, APP, ADMIN_KEY)


@pytest.mark.parametrize("replace", [False, True])
def test_an_import_that_is_interrupted_says_how_it_leaves_the_index(
    phantom: Phantom, tmp_path: Path, replace: bool
):
    index = f"stopped{replace}"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    over = threading.Event()

    def write() -> None:
        """Rows without an end: who waits for one doesn't hear of Ctrl-C that came just before."""
        for number in count():
            if over.wait(0 if number < 1500 else 0.01):
                return
            with contextlib.suppress(BlockingIOError):
                os.write(writer, b'{"objectID":"%d"}\n' % number)

    feeding = threading.Thread(target=write)
    feeding.start()
    where = ["--url", phantom.url, "--app", APP]  # type: ignore[attr-defined]
    key = tmp_path / "key"
    key.write_text(ADMIN_KEY)
    with SearchClient(phantom.url, APP, ADMIN_KEY) as api:  # type: ignore[attr-defined]

        def names() -> list[str]:
            return [each["name"] for each in api.call("GET", "/1/indexes")["items"]]

        def half_is_there(_: str) -> bool:
            return any(name.startswith(index) for name in names())

        try:
            ended = ctrl_c(
                *("search", "import", index, str(pipe), "--format", "ndjson", *where),
                *("--key-file", str(key), *(["--replace"] if replace else [])),
                when=half_is_there,
            )
        finally:
            over.set()
            feeding.join()
            os.close(writer)
        assert ended.status == 130
        assert "Traceback" not in ended.written
        left = "stays as it was" if replace else "rows are in"
        assert left in ended.written or "nothing was put into" in ended.written
        if replace:  # nothing is left of it
            assert not [name for name in names() if name.startswith(f"{index}_import")]
