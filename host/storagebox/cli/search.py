"""`phantom search`: the search API, for any data."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from .app import RUN, Commands, app
from .ending import fail
from .options import State
from .search_target import key_in
from .state_folder import default_state

if TYPE_CHECKING:
    from storagebox.search.server.serving import Registering

SERVICE: Final = "search"  # in beacons
_ANYWHERE: Final = ("0.0.0.0", "::")

search = typer.Typer(
    cls=Commands,
    help="The search API: run it, and manage what is in it.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(search, name="search", rich_help_panel=RUN)

Folder = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        help="Where applications are kept.",
        show_default="~/.local/state/phantom/search",
    ),
]


@search.command()
def serve(
    application: Annotated[
        list[str] | None,
        typer.Option(
            "--app",
            help="An application to serve, made if there is none; may be repeated.",
            show_default="all there are, or one called phantom",
        ),
    ] = None,
    admin_key_file: Annotated[
        Path | None,
        typer.Option(
            help="A file with the admin key of the one application. Default: one is made."
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="The port; 0 is any free one.", min=0, max=65535)
    ] = 7700,
    folder: Folder = None,
    rate: Annotated[
        float, typer.Option(help="Requests a second that one application may make; 0: any.", min=0)
    ] = 0,
    write_rate: Annotated[
        float, typer.Option(help="Records a second that one may write; 0: any.", min=0)
    ] = 0,
    records: Annotated[
        int, typer.Option(help="Records that one application may have; 0: any number.", min=0)
    ] = 0,
    size: Annotated[
        int, typer.Option("--bytes", help="Bytes that its indices may take; 0: any number.", min=0)
    ] = 0,
    indices: Annotated[
        int, typer.Option(help="Indices that it may have; 0: as many as one can.", min=0)
    ] = 0,
    drain: Annotated[
        float, typer.Option(help="Seconds to answer 503 for when told to end.", min=0)
    ] = 2,
    register: Annotated[
        str | None,
        typer.Option(
            help="Where clients find this server: consul://AGENT:8500/SERVICE. A box's registrar,"
            " too, is such an agent."
        ),
    ] = None,
    announce: Annotated[
        bool,
        typer.Option("--announce", help="Have this box's house find it, as house://search."),
    ] = False,
    advertise: Annotated[
        str | None,
        typer.Option(
            help="The address it is registered with or announced at.", show_default="--host"
        ),
    ] = None,
    weight: Annotated[
        int, typer.Option(help="Its capacity, relative to the others'.", min=1, max=65535)
    ] = 1,
    state: State = None,
) -> None:
    """Serve the search API until told to end.

    Limits are of each application; `phantom search quota` sets them for one, also meanwhile.
    """
    from storagebox.journal import Journal
    from storagebox.search.server import serving
    from storagebox.search.server.app import create
    from storagebox.search.server.served import CannotServe, serve_from
    from storagebox.search.server.tenant import Share
    from storagebox.search.writes.quotas import Quota

    journal = Journal()
    key = None if admin_key_file is None else key_in(admin_key_file)
    registering: list[Registering] = []
    if register is not None:
        registering.append(_registering(register, advertise or host, weight))
    if announce:
        registering.append(_announcing(advertise or host, state, on_purpose=bool(advertise)))
    try:
        applications = serve_from(
            folder or default_state() / "search", application or (), key, journal.emit
        )
    except CannotServe as fault:
        fail(f"search serve: {fault}")
    for name, admin_key in applications.made.items():
        print(f"application {name} admin key {admin_key}", flush=True)
    quota = Quota(records, size, indices, rate, write_rate)
    share = Share(quota)
    served, service = create(applications, share=share, report=journal.emit)

    def started(address: str, port: int) -> None:
        shown = f"[{address}]" if ":" in address else address
        names = " ".join(applications.names)
        print(f"search http://{shown}:{port} serves {names}", flush=True)

    try:
        server = serving.Server(
            served, service, applications, host, port, started, drain, registering
        )
        serving.run(server)
    except CannotServe as fault:
        fail(f"search serve: {fault}")
    finally:
        applications.close()
        service.turns.close()


def _registering(place: str, address: str, weight: int) -> Registering:
    """Registers the server with the agent that `place` names, or ends this command."""
    from storagebox.balance.endpoint import Endpoint
    from storagebox.balance.registration import Registration, registered
    from storagebox.balance.resolver.consul import Consul
    from storagebox.balance.servers import found_at

    try:
        found = found_at(place)
    except ValueError:
        found = None
    if not isinstance(found, Consul):
        fail(f"search serve: --register {place}: give consul://AGENT:8500/SERVICE")
    if address in _ANYWHERE:
        fail("search serve: --register: clients can't reach any address: say --advertise")
    service, agent = found.service, found.address
    return lambda port: registered(Registration(service, Endpoint(address, port, weight), agent))


def _announcing(address: str, state: Path | None, *, on_purpose: bool) -> Registering:
    """Announces the server by beacons, or ends this command."""
    from storagebox import installation
    from storagebox.registrar.services import announced

    anywhere = address in _ANYWHERE
    try:
        at = None if anywhere else ipaddress.ip_address(address)
    except ValueError:
        fail(f"search serve: --announce: {address} is no address: give one by --advertise")
    if at is not None and at.is_loopback and not on_purpose:
        fail(
            f"search serve: --announce: other machines don't reach {address}: listen at --host"
            " 0.0.0.0; or for this machine alone, --advertise 127.0.0.1"
        )
    try:
        membership = installation.client(state or default_state(), SERVICE)
    except installation.InstallationError as fault:
        fail(f"search serve: --announce: {fault}")
    return lambda port: announced(membership, SERVICE, port, None if anywhere else address)
