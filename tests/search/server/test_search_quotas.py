"""What one application may have and do; beyond it, another is undisturbed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from storagebox.search.server.tenant import Share
from storagebox.search.writes import admission
from storagebox.search.writes.quotas import FILE, BadQuota, Quota, QuotaFile, say
from tests.search.server.conftest import Api

BOTH = ("MUSIC", "BOOKS")


def limit(api: Api, app: str, **quota: Any) -> None:
    """Write an application's file, and have it read as the server does every second."""
    say(api.applications[app].folder / FILE, quota)
    api.service.read_quotas()


def told_to_wait(answer: httpx.Response) -> str:
    """The message of a 429, which says how long to wait in whole seconds."""
    assert answer.status_code == 429
    assert answer.json()["status"] == 429
    assert int(answer.headers["retry-after"]) >= 1
    return str(answer.json()["message"])


def test_an_application_that_asks_too_often_is_told_to_wait(serve: Callable[..., Api]) -> None:
    api = serve(apps=BOTH, share=Share(Quota(requests_per_s=2)))
    answers: list[httpx.Response] = [api("GET", "/1/indexes") for _ in range(5)]
    limited = [answer for answer in answers if answer.status_code == 429]
    assert limited
    assert "Too many requests" in told_to_wait(limited[0])
    assert api("GET", "/1/indexes", app="BOOKS").status_code == 200


def test_writes_are_counted_by_records_and_those_of_others_go_on(
    serve: Callable[..., Api],
) -> None:
    api = serve(apps=BOTH)
    api.save("t", app="MUSIC")
    limit(api, "MUSIC", writes_per_s=0.01)
    api.done("PUT", "/1/indexes/t/1", {})
    assert "Too many writes" in told_to_wait(api("PUT", "/1/indexes/t/2", {}))
    batch = {"requests": [{"action": "deleteObject", "body": {"objectID": "1"}}] * 100}
    told_to_wait(api("POST", "/1/indexes/t/batch", batch))
    assert api.found("t")  # searches are no writes
    for number in range(5):
        api.done("PUT", f"/1/indexes/t/{number}", {}, app="BOOKS")
    limit(api, "MUSIC")  # without a limit again
    api.done("PUT", "/1/indexes/t/2", {})


def test_who_has_all_that_it_may_have_may_search_and_delete(serve: Callable[..., Api]) -> None:
    api = serve(apps=BOTH)
    api.save("t")
    api.save("t", app="BOOKS")
    limit(api, "MUSIC", records=3, indices=1)
    status, told = api.refused("PUT", "/1/indexes/t/4", {})
    assert (status, told) == (
        403,
        "Record quota exceeded: 3 of 3 are used. Delete some records",
    )
    status, told = api.refused("PUT", "/1/indexes/u/settings", {"hitsPerPage": 5})
    assert (status, told) == (403, "Index quota exceeded: 1 of 1 are used. Delete some indices")
    assert len(api.found("t")) == 3
    api.done("DELETE", "/1/indexes/t/sun")
    for number in range(5):
        api.done("PUT", f"/1/indexes/t/{number}", {}, app="BOOKS")
    assert len(api.found("t", app="BOOKS")) == 8


def test_bytes_are_what_indices_take_on_disk(
    serve: Callable[..., Api], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "_MEASURE_S", 0.0)
    api = serve(apps=BOTH, share=Share(Quota(bytes=1)))
    api.save("t", [{"objectID": "1"}])
    assert "Storage quota exceeded" in api.refused("PUT", "/1/indexes/t/2", {})[1]


def test_a_file_says_what_is_otherwise_than_for_all(tmp_path: Path) -> None:
    default = Quota(records=5, requests_per_s=2.5)
    file = QuotaFile(tmp_path, default)
    assert file.changed()
    assert file.read() == default
    assert not file.changed()
    say(tmp_path / FILE, {"records": 7, "writes_per_s": 0.5})
    assert file.changed()
    assert file.read() == Quota(records=7, requests_per_s=2.5, writes_per_s=0.5)
    (tmp_path / FILE).unlink()
    assert file.changed()
    assert file.read() == default


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{", "phantom search quota"),
        ("[]", "expected a JSON object"),
        ('{"records": -1}', "records: expected 0 or more, not -1"),
        ('{"records": 1.5}', "records: expected a number, not 1.5"),
        ('{"writes_per_s": "many"}', "writes_per_s: expected a number"),
        ('{"indices": true}', "indices: expected a number"),
        ('{"color": 1}', "'color' is no quota: records, bytes, indices"),
    ],
)
def test_a_file_that_says_no_quota_is_told_of_and_the_one_before_holds(
    serve: Callable[..., Api], text: str, part: str
) -> None:
    api = serve()
    api.save("t")
    limit(api, "MUSIC", indices=1)
    path = api.applications["MUSIC"].folder / FILE
    path.write_text(text)
    with pytest.raises(BadQuota, match=FILE):
        QuotaFile(path.parent, Quota()).read()
    api.service.read_quotas()
    api.service.read_quotas()
    (told,) = [fields for event, fields in api.events if event == "quota.bad"]
    assert part in told["reason"]
    assert "Index quota" in api.refused("PUT", "/1/indexes/u/1", {})[1]


def test_a_quota_that_changes_is_told_in_the_log(serve: Callable[..., Api]) -> None:
    api = serve()
    api.save("t")
    limit(api, "MUSIC", records=9)
    (told,) = [fields for event, fields in api.events if event == "quota"]
    assert (told["application"], told["records"], told["indices"]) == ("MUSIC", 9, 0)
    assert json.loads((api.applications["MUSIC"].folder / FILE).read_text()) == {"records": 9}
