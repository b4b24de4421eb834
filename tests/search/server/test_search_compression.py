"""Bodies packed and unpacked: for who takes it so, and up to a limit."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from typing import Any

import pytest

from storagebox.search.server import compression
from storagebox.search.writes.refused import Refused
from tests.search.server.conftest import Api

QUERY = "/1/indexes/packed/query"


@pytest.fixture(scope="module", autouse=True)
def _records(api: Api) -> None:
    records = [{"objectID": str(n), "title": f"heroes of number {n}"} for n in range(50)]
    api.save("packed", records)


def sent(api: Api, accept: str, params: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    """An answer's headers, and its body as it travelled."""

    async def ask() -> tuple[dict[str, str], bytes]:
        headers = {
            "accept-encoding": accept,
            "x-algolia-application-id": "MUSIC",
            "x-algolia-api-key": next(iter(api.applications.values())).admin_key,
        }
        request = api.http.build_request("POST", QUERY, json=params, headers=headers)
        answer = await api.http.send(request, stream=True)
        try:
            raw = b"".join([part async for part in answer.aiter_raw()])
        finally:
            await answer.aclose()
        assert answer.status_code == 200
        return dict(answer.headers), raw

    return api.run(ask())


@pytest.mark.parametrize(
    ("accept", "packed"),
    [
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("*", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("gzip;q=0.001", True),
        ("", False),
        ("identity", False),
        ("br, zstd", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0, *", False),
        ("*;q=0", False),
    ],
)
def test_an_answer_is_packed_for_who_takes_it_so(api: Api, accept: str, packed: bool) -> None:
    headers, raw = sent(api, accept, {"query": "heroes"})
    assert headers["content-length"] == str(len(raw))
    assert "Accept-Encoding" in headers["vary"]
    assert (headers.get("content-encoding") == "gzip") is packed
    plain = gzip.decompress(raw) if packed else raw
    assert json.loads(plain)["nbHits"] == 50


def test_a_small_answer_is_sent_as_it_is(api: Api) -> None:
    headers, raw = sent(api, "gzip", {"query": "heroes", "hitsPerPage": 0})
    assert "content-encoding" not in headers
    assert json.loads(raw)["nbHits"] == 50


def test_a_large_answer_is_packed_beside_others(api: Api) -> None:
    records = [{"objectID": str(n), "text": f"{n} " * 400} for n in range(100)]
    api.save("large", records)
    answer = api("POST", "/1/indexes/large/browse", {}, headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.content) > compression.LONG_BYTES
    assert len(answer.json()["hits"]) == 100


@pytest.mark.parametrize("size", [10, 40_000])
@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate"])
def test_a_packed_body_is_understood(api: Api, encoding: str, size: int) -> None:
    noise = [f"{n * 7919 % 104729:x}" for n in range(size // 10)]
    body = json.dumps({"query": "heroes", "facetFilters": [[f"a:{n}" for n in noise]]}).encode()
    packed = zlib.compress(body) if encoding == "deflate" else gzip.compress(body)
    headers = {"content-encoding": encoding}
    assert api.ok("POST", QUERY, content=packed, headers=headers)["nbHits"] == 0


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, gzip", "nonsense" * 99])
def test_what_is_packed_in_another_way_is_told_which_to_use(api: Api, encoding: str) -> None:
    answer = api("POST", QUERY, content=b"x", headers={"content-encoding": encoding})
    assert (answer.status_code, answer.json()["status"]) == (415, 415)
    assert answer.json()["message"].endswith("is not understood: use gzip")
    assert answer.headers["accept-encoding"] == "gzip"


def test_a_body_that_is_not_packed_as_it_says_is_refused(api: Api) -> None:
    body = gzip.compress(b"{}")
    for wrong in (b"", b"{}", body[:-9], body + b"rest", body * 2):
        status, message = api.refused(
            "POST", QUERY, content=wrong, headers={"content-encoding": "gzip"}
        )
        assert status == 400
        assert "can't be decompressed" in message


def test_a_bomb_is_given_up_at_the_limit() -> None:
    limit = 1 << 20
    bomb = gzip.compress(bytes(64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(Refused, match=f"over {limit} bytes") as caught:
            compression.unpacked(bomb, limit)
        assert tracemalloc.get_traced_memory()[1] < 4 * limit
    finally:
        tracemalloc.stop()
    assert caught.value.status == 413


def test_a_bomb_is_refused_by_the_server(api: Api) -> None:
    bomb = gzip.compress(b" " * (5 << 20))
    assert api.refused("POST", QUERY, content=bomb, headers={"content-encoding": "gzip"})[0] == 413
