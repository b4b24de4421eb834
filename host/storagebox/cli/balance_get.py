"""`phantom balance get`: requests to real servers, and who was chosen for them and why."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import in_house
from .balance import balance_app
from .ending import FAILED, fail
from .options import Json, State

if TYPE_CHECKING:
    from rich.console import RenderableType

    from storagebox.balance.servers import Servers
    from storagebox.balance.transport.synchronous import BalancedTransport

_MOST = 100_000


@balance_app.command("get")
def get(
    servers: Annotated[
        list[str],
        typer.Argument(
            help="Addresses, HOST:PORT, or where they are found: house://SERVICE,"
            " consul://AGENT:8500/SERVICE, srv://NAME, dns://NAME:PORT, etcd://HOST:PORT/PREFIX."
        ),
    ],
    path: Annotated[str, typer.Option(help="What they are asked for.")] = "/",
    requests: Annotated[int, typer.Option(help="How many.", min=1, max=_MOST)] = 100,
    at_once: Annotated[int, typer.Option(help="So many at a time.", min=1, max=64)] = 4,
    as_json: Json = False,
    state: State = None,
) -> None:
    """Send GET requests the way programs do that balance, and show who was chosen and why."""
    import httpx

    from storagebox.balance.transport.synchronous import BalancedTransport

    try:
        transport = BalancedTransport(_named(servers, state))
    except ValueError as fault:
        fail(f"balance get: {fault}")
    with httpx.Client(transport=transport, base_url="http://servers") as client:
        told = _ask(client, path, requests, at_once)
        told["servers"] = _standings(transport, told.pop("why"))
    if as_json:
        from .ask import show_json

        show_json(told)
    else:
        from .tables import show

        show(*_tables(told))
    if not told["answered"]:
        raise typer.Exit(FAILED)


def _named(servers: list[str], state: Path | None) -> Servers:
    if len(servers) != 1 or "://" not in servers[0]:
        return list(servers)
    return in_house.found(servers[0], state) or servers[0]


def _ask(client: Any, path: str, requests: int, at_once: int) -> dict[str, Any]:
    """What became of the requests; `why`: how often each server was chosen for what reason."""
    import time
    from concurrent.futures import ThreadPoolExecutor

    import httpx

    why: Counter[tuple[str, str]] = Counter()
    statuses: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    took_s: list[float] = []

    def one(_: int) -> None:
        began_s = time.monotonic()
        try:
            answer = client.get(path)
        except httpx.HTTPError as fault:
            faults[str(fault) or type(fault).__name__] += 1
            return
        took_s.append(time.monotonic() - began_s)
        statuses[str(answer.status_code)] += 1
        chosen = answer.extensions["chosen"]
        why[chosen.endpoint.id, chosen.reason] += 1

    with ThreadPoolExecutor(at_once) as threads:
        list(threads.map(one, range(requests)))
    took_s.sort()
    return {
        "requests": requests,
        "answered": len(took_s),
        "statuses": dict(statuses),
        "faults": dict(faults),
        "p50_ms": _quantile_ms(took_s, 0.5),
        "p99_ms": _quantile_ms(took_s, 0.99),
        "why": why,
    }


def _quantile_ms(sorted_s: list[float], share: float) -> float | None:
    if not sorted_s:
        return None
    return round(sorted_s[min(len(sorted_s) - 1, int(share * len(sorted_s)))] * 1000, 3)


def _standings(
    transport: BalancedTransport, why: Counter[tuple[str, str]]
) -> list[dict[str, Any]]:
    import time

    return [
        {
            "server": standing.endpoint.address,
            "state": standing.state,
            "weight": standing.weight,
            "answered": {
                reason: count
                for (id_, reason), count in why.items()
                if id_ == standing.endpoint.id
            },
            "picked": standing.picked,
            "failed": standing.failed,
        }
        for standing in transport.balancer.standings(time.monotonic())
    ]


def _tables(told: dict[str, Any]) -> list[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("server", "weight", "picked", "failed", "answered as", "state"):
        table.add_column(heading, justify="right" if heading in ("picked", "failed") else "left")
    for row in told["servers"]:
        answered = ", ".join(f"{reason} {count}" for reason, count in row["answered"].items())
        weight = "" if row["weight"] is None else f"{row['weight']:g}"
        table.add_row(
            row["server"], weight, str(row["picked"]), str(row["failed"]), answered, row["state"]
        )
    statuses = ", ".join(f"{count} × {status}" for status, count in told["statuses"].items())
    line = f"{told['answered']} of {told['requests']} answered"
    if statuses:
        line += f" ({statuses}), half within {told['p50_ms']} ms, 99 % within {told['p99_ms']} ms"
    faults = [
        Text(f"{count} × {fault}", style="bold red") for fault, count in told["faults"].items()
    ]
    return [table, Text(line), *faults]
