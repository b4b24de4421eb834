"""`phantom consul`: a registry that Consul's clients and DNS resolvers use, without a box."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Annotated

import typer

from .app import RUN, Commands, app
from .ending import fail

if TYPE_CHECKING:
    from storagebox.journal import Journal
    from storagebox.registrar.consul.serving import Serving

consul = typer.Typer(
    cls=Commands,
    help="A service registry that speaks Consul's HTTP API and DNS.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(consul, name="consul", rich_help_panel=RUN)


@consul.command()
def serve(
    http: Annotated[
        str, typer.Option(help="Where to serve the API, ADDRESS:PORT; port 0 is any free one.")
    ] = "127.0.0.1:8500",
    dns: Annotated[
        str, typer.Option(help="Where to serve names, by UDP and TCP; empty: nowhere.")
    ] = "127.0.0.1:8600",
    node: Annotated[
        str | None,
        typer.Option(help="What this node is called.", show_default="this machine's name"),
    ] = None,
    advertise: Annotated[
        str | None,
        typer.Option(
            help="This node's address for services that give none.", show_default="that of --http"
        ),
    ] = None,
) -> None:
    """Serve a registry until told to end. It keeps nothing on disk."""
    import asyncio

    from storagebox.journal import Journal
    from storagebox.registrar.consul import serving
    from storagebox.registrar.consul.address import AddressFault, parse
    from storagebox.registrar.consul.agent import own_node

    try:
        http_at, dns_at = parse(http), parse(dns) if dns else None
    except AddressFault as fault:
        fail(f"consul serve: {fault}")
    own = advertise or (http_at[0] if http_at[0] not in ("0.0.0.0", "::") else "127.0.0.1")
    here = own_node(node or socket.gethostname(), own)
    journal = Journal()
    try:
        asyncio.run(_serve(serving.Serving(here, journal), http_at, dns_at, journal))
    except serving.CannotServe as fault:
        fail(f"consul serve: {fault}")


async def _serve(
    serving: Serving, http: tuple[str, int], dns: tuple[str, int] | None, journal: Journal
) -> None:
    import asyncio
    import signal

    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with serving:
        told = {"http": f"{http[0]}:{await serving.http(*http)}"}
        if dns is not None:
            told["dns"] = f"{dns[0]}:{await serving.dns(*dns)}"
        journal.emit("consul.ready", **told)
        await ended.wait()
    journal.emit("consul.end")
