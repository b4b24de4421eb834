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


def test_records_are_got_updated_and_deleted(client: SearchClientSync) -> None:
    index = kept(client, "records")
    client.partial_update_objects(
        index, [{"objectID": "sun", "plays": {"_operation": "Increment", "value": 2}}], True, True
    )
    assert client.get_object(index, "sun")["plays"] == 2
    many = client.get_objects(
        {
            "requests": [
                {"indexName": index, "objectID": "heroes"},
                {"indexName": index, "objectID": "x"},
            ]
        }
    )
    assert [each and each["objectID"] for each in many.results] == ["heroes", None]
    added = client.add_or_update_object(index, "a/b ü", {"title": "Odd"})
    client.wait_for_task(index, added.task_id)
    assert client.get_object(index, "a/b ü")["title"] == "Odd"
    saved = client.save_object(index, {"title": "Named by the server"})
    client.wait_for_task(index, saved.task_id)
    assert client.get_object(index, saved.object_id)["title"] == "Named by the server"
    partial = client.partial_update_object(index, "nobody", {"x": 1}, create_if_not_exists=False)
    client.wait_for_task(index, partial.task_id)
    client.delete_objects(index, ["sun", "a/b ü", str(saved.object_id)], wait_for_tasks=True)
    deleted = client.delete_by(index, {"filters": "year > 1978"})
    client.wait_for_task(index, deleted.task_id)
    assert ids(client.search_single_index(index)) == ["heroes"]
    with pytest.raises(RequestException, match="ObjectID does not exist"):
        client.get_object(index, "nobody")


def test_several_indices_are_written_and_searched_at_once(client: SearchClientSync) -> None:
    batch = client.multiple_batch(
        {
            "requests": [
                {"action": "addObject", "indexName": "first", "body": {"objectID": "1", "n": 1}},
                {"action": "addObject", "indexName": "second", "body": {"objectID": "2", "n": 2}},
            ]
        }
    )
    for index, task in batch.task_id.items():
        client.wait_for_task(index, task)
    answers = client.search(
        {
            "requests": [{"indexName": "first"}, {"indexName": "second", "facets": ["n"]}],
            "strategy": "none",
        }
    )
    assert [ids(each.actual_instance) for each in answers.results] == [["1"], ["2"]]


def test_facets_are_counted_and_searched(client: SearchClientSync) -> None:
    index = kept(client, "faceted", attributesForFaceting=["searchable(artist)", "year"])
    answer = client.search_single_index(
        index, {"facets": ["*"], "facetFilters": [["artist:David Bowie"]], "hitsPerPage": 0}
    )
    assert answer.facets["artist"] == {"David Bowie": 2}
    assert answer.facets_stats["year"].max == 1980
    values = client.search_for_facet_values(index, "artist", {"facetQuery": "beat"})
    assert [(hit.value, hit.highlighted, hit.count) for hit in values.facet_hits] == [
        ("The Beatles", "The <em>Beat</em>les", 1)
    ]


def test_everything_is_browsed(client: SearchClientSync) -> None:
    index = kept(client, "browsed", [{"objectID": str(n)} for n in range(2500)])
    seen: list[str] = []
    client.browse_objects(index, lambda page: seen.extend(ids(page)))
    assert sorted(seen, key=int) == [str(n) for n in range(2500)]


def test_all_records_are_replaced_at_once(client: SearchClientSync) -> None:
    index = kept(client, "replaced", customRanking=["asc(year)"])
    client.save_rule(index, "r", {"objectID": "r", "consequence": {"userData": {"x": 1}}})
    client.replace_all_objects(index, list(TRACKS[:2]), batch_size=1)
    assert ids(client.search_single_index(index)) == ["heroes", "ashes"]
    assert client.get_settings(index).custom_ranking == ["asc(year)"]
    assert client.get_rule(index, "r").object_id == "r"
    names = [item.name for item in client.list_indices().items]
    assert not [name for name in names if name.startswith("replaced_tmp")]


def test_settings_are_set_and_told(client: SearchClientSync) -> None:
    index = kept(client, "settled", attributesForFaceting=["artist"], typoTolerance="min")
    told = client.get_settings(index)
    assert told.attributes_for_faceting == ["artist"]
    assert told.hits_per_page == 20
    with pytest.raises(RequestException) as refused:
        client.set_settings(index, {"attributesForFacets": ["artist"]})
    assert refused.value.status_code == 400


def test_synonyms_are_kept_and_searched(client: SearchClientSync) -> None:
    index = kept(client, "synonyms")
    saved = client.save_synonyms(
        index,
        [
            {"objectID": "1", "type": "synonym", "synonyms": ["ziggy", "bowie"]},
            {
                "objectID": "2",
                "type": "onewaysynonym",
                "input": "fab four",
                "synonyms": ["beatles"],
            },
            {"objectID": "3", "type": "placeholder", "placeholder": "<n>", "replacements": ["1"]},
        ],
    )
    client.wait_for_task(index, saved.task_id)
    assert sorted(ids(client.search_single_index(index, {"query": "ziggy"}))) == [
        "ashes",
        "heroes",
    ]
    assert ids(client.search_single_index(index, {"query": "fab four"})) == ["sun"]
    assert client.get_synonym(index, "1").synonyms == ["ziggy", "bowie"]
    assert client.search_synonyms(index, {"query": "ziggy"}).nb_hits == 1
    seen: list[str] = []
    client.browse_synonyms(index, lambda page: seen.extend(hit.object_id for hit in page.hits))
    assert sorted(seen) == ["1", "2", "3"]
    deleted = client.delete_synonym(index, "1")
    client.wait_for_task(index, deleted.task_id)
    client.wait_for_task(index, client.clear_synonyms(index).task_id)
    assert client.search_synonyms(index).nb_hits == 0


def test_rules_are_kept_and_applied(client: SearchClientSync) -> None:
    index = kept(client, "rules", attributesForFaceting=["artist"])
    rule = {
        "objectID": "best",
        "conditions": [{"pattern": "best song", "anchoring": "is"}],
        "consequence": {
            "params": {"query": ""},
            "promote": [{"objectID": "sun", "position": 0}],
            "hide": [{"objectID": "ashes"}],
            "userData": {"banner": "hello"},
        },
    }
    saved = client.save_rules(index, [rule])
    client.wait_for_task(index, saved.task_id)
    answer = client.search_single_index(index, {"query": "best song"})
    assert ids(answer) == ["sun", "heroes"]
    assert answer.user_data == [{"banner": "hello"}]
    assert client.search_rules(index, {"anchoring": "is"}).nb_hits == 1
    assert client.get_rule(index, "best").consequence.hide[0].object_id == "ashes"
    seen: list[str] = []
    client.browse_rules(index, lambda page: seen.extend(hit.object_id for hit in page.hits))
    assert seen == ["best"]
    client.wait_for_task(index, client.delete_rule(index, "best").task_id)
    client.wait_for_task(index, client.clear_rules(index).task_id)
    assert client.search_rules(index).nb_hits == 0


def test_indices_are_copied_moved_and_deleted(client: SearchClientSync) -> None:
    index = kept(client, "here", customRanking=["desc(year)"])
    copied = client.operation_index(index, {"operation": "copy", "destination": "there"})
    client.wait_for_task(index, copied.task_id)
    assert ids(client.search_single_index("there")) == ["ashes", "heroes", "sun"]
    moved = client.operation_index("there", {"operation": "move", "destination": "elsewhere"})
    client.wait_for_task("there", moved.task_id)
    client.wait_for_app_task(moved.task_id)
    assert not client.index_exists("there")
    cleared = client.clear_objects("elsewhere")
    client.wait_for_task("elsewhere", cleared.task_id)
    (item,) = [each for each in client.list_indices().items if each.name == "elsewhere"]
    assert (item.entries, item.pending_task) == (0, False)
    client.wait_for_task("elsewhere", client.delete_index("elsewhere").task_id)
    assert not client.index_exists("elsewhere")


def test_keys_are_given_out_changed_taken_back_and_given_out_again(
    client: SearchClientSync,
) -> None:
    made = client.add_api_key({"acl": ["search"], "description": "page", "maxHitsPerQuery": 5})
    assert client.wait_for_api_key(made.key, "add").description == "page"
    changed = {"acl": ["search", "browse"], "indexes": ["tracks*"]}
    client.update_api_key(made.key, changed)
    client.wait_for_api_key(made.key, "update", changed)
    assert made.key in [key.value for key in client.list_api_keys().keys]
    client.delete_api_key(made.key)
    client.wait_for_api_key(made.key, "delete")
    client.restore_api_key(made.key)
    assert client.wait_for_api_key(made.key, "add").max_hits_per_query == 0


def test_a_secured_key_opens_what_it_is_restricted_to(
    client: SearchClientSync, server: RunningSearch
) -> None:
    index = kept(client, "secured", attributesForFaceting=["artist"])
    parent = client.add_api_key({"acl": ["search"]}).key
    client.wait_for_api_key(parent, "add")
    secured = client.generate_secured_api_key(
        parent, {"filters": "artist:'David Bowie'", "restrictIndices": [index], "hitsPerPage": 1}
    )
    visitor = SearchClientSync.create_with_config(config(server, secured))
    answer = visitor.search_single_index(index, {"filters": "year > 1900", "hitsPerPage": 100})
    assert (answer.nb_hits, len(answer.hits)) == (2, 1)
    with pytest.raises(RequestException, match="Index not allowed with this API key"):
        visitor.search_single_index("typed")
    with pytest.raises(RequestException, match="Method not allowed with this API key"):
        visitor.save_object(index, {"objectID": "x"})
    visitor.close()


def test_dictionaries_logs_and_sources_are_told(client: SearchClientSync) -> None:
    saved = client.batch_dictionary_entries(
        "stopwords",
        {
            "requests": [
                {
                    "action": "addEntry",
                    "body": {"objectID": "1", "language": "en", "word": "the", "type": "custom"},
                }
            ]
        },
    )
    client.wait_for_app_task(saved.task_id)
    found = client.search_dictionary_entries("stopwords", {"query": "the"})
    assert [hit.word for hit in found.hits] == ["the"]
    assert client.get_dictionary_languages()["en"].stopwords.nb_custom_entries == 1
    client.set_dictionary_settings({"disableStandardEntries": {"stopwords": {"fr": True}}})
    assert client.get_dictionary_settings().disable_standard_entries is not None
    logs = client.get_logs(0, 5)
    assert logs.logs[0].method == "GET"
    assert client.get_sources() == []


def test_big_requests_come_compressed(server: RunningSearch) -> None:
    packed = config(server)
    packed.compression_type = "gzip"
    client = SearchClientSync.create_with_config(packed)
    index = kept(client, "packed", [{"objectID": str(n), "t": "x" * 100} for n in range(100)])
    assert client.search_single_index(index).nb_hits == 100
    client.close()


def test_what_is_no_method_of_the_client_can_be_asked_all_the_same(
    client: SearchClientSync,
) -> None:
    assert client.custom_get("1/isalive")["message"] == "server is alive"
    with pytest.raises(RequestException) as refused:
        client.custom_get("1/nothing")
    assert refused.value.status_code == 404
