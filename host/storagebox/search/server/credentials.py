"""Who asks: application and key, in headers or, as browsers send them, in the query string."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from storagebox.search.writes.refused import Refused

_APPLICATION: Final = "x-algolia-application-id"
_KEY: Final = "x-algolia-api-key"
_REQUEST_ID: Final = "x-algolia-request-id"
_USER_TOKEN: Final = "x-algolia-usertoken"
# What says who asks and how; the rest of a query string are parameters.
_ABOUT: Final = "x-algolia-"
_MAX_PARAMETERS: Final = 1000
INVALID: Final = "Invalid Application-ID or API key"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request before its body: `headers` by lower-case name, `query` without credentials."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    application: str
    key: str
    request_id: str
    user_token: str
    address: str  # of who asks; empty if unknown
    port: int


def read(
    headers: Iterable[tuple[bytes, bytes]], query_string: bytes, client: tuple[str, int] | None
) -> Asked:
    """What headers and query string say. Raises Refused for more parameters than there are."""
    named = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    query: dict[str, str] = {}
    about: dict[str, str] = {}
    if query_string:
        text = query_string.decode("utf-8", "replace")
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
        except ValueError:
            raise Refused(f"more than {_MAX_PARAMETERS} parameters in the address") from None
        for name, value in pairs:
            lower = name.lower()
            if lower.startswith(_ABOUT):
                about[lower] = value
            else:
                query[name] = value
    address, port = client or ("", 0)
    return Asked(
        headers=named,
        query=query,
        application=named.get(_APPLICATION) or about.get(_APPLICATION, ""),
        key=named.get(_KEY) or about.get(_KEY, ""),
        request_id=named.get("request-id") or about.get(_REQUEST_ID, ""),
        user_token=named.get(_USER_TOKEN) or about.get(_USER_TOKEN, ""),
        address=address,
        port=port,
    )
