"""Algolia's own JavaScript client in node, InstantSearch in Chromium, against a server process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from algoliasearch.http.hosts import CallType, Host, HostsCollection
from algoliasearch.search.client import SearchClientSync
from algoliasearch.search.config import SearchConfig

from tests.interop import javascript_packages as javascript
from tests.running_search import ADMIN_KEY, APP, RunningSearch, search_process

TIMED = False
TRACKS = (
    {"objectID": "heroes", "title": "Heroes", "artist": "David Bowie"},
    {"objectID": "ashes", "title": "Ashes to <i>Ashes</i>", "artist": "David Bowie"},
    {"objectID": "sun", "title": "Here Comes the Sun", "artist": "The Beatles"},
    {"objectID": "yesterday", "title": "Yesterday", "artist": "The Beatles"},
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSearch]:
    javascript.install()
    with search_process(tmp_path_factory.mktemp("search")) as running:
        yield running


def test_the_javascript_client_gets_what_it_expects(server: RunningSearch) -> None:
    told = javascript.run("calls.js", server.url, APP, ADMIN_KEY)
    assert told["single"] == ["heroes"]
    assert told["facets"] == {"artist": {"David Bowie": 2, "The Beatles": 1}}
    assert told["first"] == ["sun"]
    assert [value["value"] for value in told["values"]] == ["The Beatles"]
    assert told["updated"]["plays"] == 3
    assert sorted(told["browsed"]) == ["ashes", "heroes", "sun"]
    assert told["replaced"] == ["heroes", "ashes"]
    assert told["settings"] == ["asc(year)"]
    assert told["visitor"] == ["heroes"]
    assert (told["refused"]["name"], told["refused"]["status"]) == ("ApiError", 403)
    # The client adds the id that the server answered under.
    assert told["refused"]["message"].startswith("Method not allowed with this API key (Corr")
    assert told["exists"] == [True, False]


@pytest.fixture
def page() -> Iterator[str]:
    """The address of InstantSearch's page, from a server that isn't the search API's."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing."""

    files = partial(Quiet, directory=str(javascript.install()))
    with ThreadingHTTPServer(("127.0.0.1", 0), files) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_address[1]}/page.html"
        http.shutdown()


def test_a_page_with_instantsearch_searches_as_one_types(server: RunningSearch, page: str) -> None:
    both = CallType.READ | CallType.WRITE
    config = SearchConfig(APP, ADMIN_KEY)
    config.hosts = HostsCollection(
        [Host("127.0.0.1", scheme="http", port=server.port, accept=both)]
    )
    client = SearchClientSync.create_with_config(config)
    client.set_settings("page", {"attributesForFaceting": ["searchable(artist)"]})
    client.save_objects("page", list(TRACKS), wait_for_tasks=True)
    made = client.add_api_key({"acl": ["search"], "referers": [page.rpartition("/")[0] + "/*"]})
    client.wait_for_api_key(made.key, "add")
    client.close()

    host = server.url.removeprefix("http://")
    address = f"{page}?host={host}&app={APP}&key={made.key}&index=page"
    told = javascript.run("browse.js", javascript.chromium(), address)

    assert told["faults"] == []
    assert told["all"]["pages"] == 2
    assert sorted(told["all"]["artists"]) == ["David Bowie2", "The Beatles2"]
    assert told["typed"]["ids"] == ["ashes"]
    # The page escapes what records hold, and puts its own marks where the server says.
    (html,) = told["typed"]["html"]
    assert "&lt;i&gt;" in html
    assert '<mark class="ais-Highlight-highlighted">Ashe</mark>' in html
    assert sorted(told["refined"]["ids"]) == ["ashes", "heroes"]
    # Other artists are still there to choose, though the results are one's.
    assert sorted(told["refined"]["artists"]) == ["David Bowie2", "The Beatles2"]
    assert "<mark>Beat</mark>les" in told["values"]
