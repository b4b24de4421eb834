"""Algolia's own Python client, unmodified but for the host it asks, against a server process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from algoliasearch.http.exceptions import RequestException
from algoliasearch.http.hosts import CallType, Host, HostsCollection
from algoliasearch.search.client import SearchClient, SearchClientSync
from algoliasearch.search.config import SearchConfig

from tests.running_search import ADMIN_KEY, APP, RunningSearch, search_process

TIMED = False
TRACKS = (
    {"objectID": "heroes", "title": '"Heroes"', "artist": "David Bowie", "year": 1977},
    {"objectID": "ashes", "title": "Ashes to Ashes", "artist": "David Bowie", "year": 1980},
    {"objectID": "sun", "title": "Here Comes the Sun", "artist": "The Beatles", "year": 1969},
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSearch]:
    with search_process(tmp_path_factory.mktemp("search")) as running:
        yield running


def config(server: RunningSearch, key: str = ADMIN_KEY) -> SearchConfig:
    both = CallType.READ | CallType.WRITE
    made = SearchConfig(APP, key)
    made.hosts = HostsCollection([Host("127.0.0.1", scheme="http", port=server.port, accept=both)])
    return made


@pytest.fixture
def client(server: RunningSearch) -> Iterator[SearchClientSync]:
    client = SearchClientSync.create_with_config(config(server))
    yield client
    client.close()


def kept(client: SearchClientSync, index: str, records: Any = TRACKS, **settings: Any) -> str:
    """An index that holds records and settings, all of it visible."""
    if settings:
        client.wait_for_task(index, client.set_settings(index, settings).task_id)
    client.save_objects(index, list(records), wait_for_tasks=True)
    return index


def ids(answer: Any) -> list[str]:
    return [hit.object_id for hit in answer.hits]


def test_what_is_saved_is_found_as_it_is_typed(client: SearchClientSync) -> None:
    responses = client.save_objects("typed", list(TRACKS))
    for response in responses:
        client.wait_for_task("typed", response.task_id)
    answer = client.search_single_index("typed", {"query": "bowi her"})
    assert ids(answer) == ["heroes"]
    highlighted = answer.hits[0].highlight_result["title"].actual_instance
    assert highlighted.value == '"<em>Her</em>oes"'


def test_the_asynchronous_client_does_the_same(server: RunningSearch) -> None:
    async def run() -> list[str]:
        async with SearchClient.create_with_config(config(server)) as client:
            await client.save_objects("async", list(TRACKS), wait_for_tasks=True)
            answers = await client.search(
                {"requests": [{"indexName": "async", "query": "ashes", "hitsPerPage": 1}]}
            )
            return ids(answers.results[0].actual_instance)

    assert asyncio.run(run()) == ["ashes"]


def test_an_index_that_is_not_there_is_an_error_that_says_so(client: SearchClientSync) -> None:
    with pytest.raises(RequestException, match="Index nowhere does not exist") as refused:
        client.search_single_index("nowhere", {"query": "x"})
    assert refused.value.status_code == 404
    assert client.index_exists("nowhere") is False
