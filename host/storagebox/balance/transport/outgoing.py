"""A request as one endpoint gets it: the same method, headers and body, to another address.

The request that the program made stays as it is. Were its URL changed, `response.url`, redirects
and cookies would take on the endpoint's address, and the next request of a redirect would bypass
the balancer.
"""

from collections.abc import Mapping
from typing import Any

import httpcore
import httpx

from storagebox.balance.endpoint import Endpoint

_DEFAULT_PORTS = {b"http": 80, b"https": 443}


def scheme_of(request: httpx.Request) -> bytes:
    """`http` or `https`; any other scheme, such as `lb`, is a name for balanced HTTP."""
    scheme = request.url.raw_scheme
    return scheme if scheme in _DEFAULT_PORTS else b"http"


def extensions_of(
    request: httpx.Request, timeouts: Mapping[str, float | None] | None
) -> dict[str, Any]:
    """The request's extensions with other timeouts; TLS checks the name that the program uses."""
    extensions = dict(request.extensions)
    if timeouts is not None:
        extensions["timeout"] = timeouts
    if request.url.raw_scheme == b"https" and "sni_hostname" not in extensions:
        extensions["sni_hostname"] = request.url.host
    return extensions


def for_core(
    request: httpx.Request, endpoint: Endpoint, extensions: dict[str, Any]
) -> httpcore.Request:
    """For an httpcore pool. Nothing is parsed anew, as `httpx.URL.copy_with` would."""
    return httpcore.Request(
        method=request.method,
        url=httpcore.URL(
            scheme=scheme_of(request),
            host=endpoint.host.encode(),
            port=endpoint.port,
            target=request.url.raw_path,
        ),
        headers=request.headers.raw,
        content=request.stream,
        extensions=extensions,
    )


def for_httpx(
    request: httpx.Request, endpoint: Endpoint, extensions: dict[str, Any]
) -> httpx.Request:
    """For an inner httpx transport."""
    url = request.url.copy_with(
        scheme=scheme_of(request).decode(), host=endpoint.host, port=endpoint.port
    )
    return httpx.Request(
        request.method, url, headers=request.headers, stream=request.stream, extensions=extensions
    )
