"""Boards on a serial port: `flash`, `boards`, `provision`, `repl`, `logs`."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .app import SERIAL, app
from .ask import show_json
from .completion import complete_kinds, complete_ports
from .ending import fail, interrupted
from .options import Json, State
from .state_folder import default_state

if TYPE_CHECKING:
    from tools.flash.identity import Identity

_PortOption = Annotated[
    str | None,
    typer.Option(
        "--port",
        "-p",
        help="The serial port. Default: the only one there is.",
        autocompletion=complete_ports,
    ),
]
_Ssid = Annotated[str | None, typer.Option(help="The Wi-Fi it is to join.")]
_PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--wifi-password-file",
        help="Holds the Wi-Fi password; - is standard input.",
        show_default="PHANTOM_WIFI_PASSWORD, or a question",
    ),
]
_Name = Annotated[str | None, typer.Option(help="What people call it.")]
_Id = Annotated[
    str | None,
    typer.Option("--id", help="What the house knows it by.", show_default="its MAC address"),
]
_Installation = Annotated[
    Path | None,
    typer.Option(help="The house it belongs to, in a box's installation.json, from elsewhere."),
]


@contextmanager
def _faults(command: str, after_ctrl_c: str = "") -> Generator[None, None, None]:
    """One line for what goes wrong with a board, a port or this machine's packages."""
    try:
        from tools.flash.faults import FlashFault
    except ModuleNotFoundError as fault:
        fail(f"{fault.name} is not installed: run this from the project's folder, after `make`")
    try:
        yield
    except FlashFault as fault:
        fail(f"{command}: {fault}", fault.status)
    except KeyboardInterrupt:
        interrupted(f"{command}: interrupted{after_ctrl_c}")


@app.command(rich_help_panel=SERIAL)
def flash(
    board: Annotated[
        str,
        typer.Option(
            "--board",
            "-b",
            help="Which board it is; docs/flashing.md has them.",
            autocompletion=complete_kinds,
        ),
    ],
    firmware: Annotated[
        str, typer.Option("--firmware", "-f", help="MicroPython's .bin for it: a file or a URL.")
    ],
    port: _PortOption = None,
    sha256: Annotated[
        str | None, typer.Option(help="The digest of FIRMWARE; a URL must have one.")
    ] = None,
    name: _Name = None,
    device_id: _Id = None,
    ssid: _Ssid = None,
    wifi_password_file: _PasswordFile = None,
    no_wifi: Annotated[
        bool, typer.Option("--no-wifi", help="Without Wi-Fi for now; `phantom provision` adds it.")
    ] = False,
    untried: Annotated[
        bool, typer.Option("--untried", help="Do not have it try the Wi-Fi once it has started.")
    ] = False,
    state: State = None,
    installation: _Installation = None,
    new: Annotated[
        bool, typer.Option("--new", help="Of no house: it waits to be adopted.")
    ] = False,
    baud: Annotated[int, typer.Option(help="Lower for a long cable.", min=9600)] = 460_800,
    read_back: Annotated[
        bool, typer.Option("--read-back", help="Read all of it back as well, and compare.")
    ] = False,
    march: Annotated[
        str | None,
        typer.Option(help="Code for another machine, for emulated boards.", hidden=True),
    ] = None,
    watch: Annotated[
        float, typer.Option(help="Seconds to watch it start; 0 doesn't.", min=0.0)
    ] = 20.0,
    as_json: Json = False,
) -> None:
    """Make a bare board a speaker: MicroPython, Phantom, Wi-Fi, house. Repeat it to resume."""
    with _faults("flash", ": repeat it, and it goes on from there"):
        from tools.flash import catalogue, flashing, ports
        from tools.flash.faults import FlashFault
        from tools.flash.steps import Steps

        kind = catalogue.board(board)
        identity = _identity(name, device_id, ssid, wifi_password_file)
        if identity.wifi is None and not no_wifi:
            raise FlashFault(
                "no Wi-Fi for it: --ssid NAME, with the password in --wifi-password-file or "
                "PHANTOM_WIFI_PASSWORD; or --no-wifi"
            )
        house = None if new else _house(state or default_state(), installation)
        job = flashing.Job(
            port=ports.choose(port),
            board=kind.name,
            chip=kind.chip,
            facts=kind.facts,
            wants_frozen=kind.wants_frozen,
            image=kind.image,
            firmware=firmware,
            sha256=sha256,
            identity=identity.of(house),
            baud=baud,
            read_back=read_back,
            watch_seconds=watch,
            untried=untried,
            march=march,
        )
        steps = Steps(shown=not as_json)
        done = flashing.flash(job, steps)
        if as_json:
            show_json(done.as_json(job))
        for line in done.remarks(job):
            steps.note(line)


@app.command("boards", rich_help_panel=SERIAL)
def list_boards(
    port: Annotated[
        list[str] | None, typer.Option("--port", "-p", help="Look at this; may be repeated.")
    ] = None,
    no_touch: Annotated[
        bool, typer.Option("--no-touch", help="List ports alone; no board is interrupted.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the serial ports and what is on them. Boards are interrupted, and start again."""
    with _faults("boards"):
        from tools.flash import listing

        rows = listing.look(port, not no_touch)
        if as_json:
            show_json({"ports": [row.as_json() for row in rows]})
            return
        from . import tables

        tables.show(*tables.on_ports([row.as_json() for row in rows]))


@app.command(rich_help_panel=SERIAL)
def provision(
    port: _PortOption = None,
    name: _Name = None,
    device_id: _Id = None,
    ssid: _Ssid = None,
    wifi_password_file: _PasswordFile = None,
    untried: Annotated[
        bool, typer.Option("--untried", help="Write the Wi-Fi without trying it first.")
    ] = False,
    join: Annotated[
        bool, typer.Option("--join", help="Take it into the house of the box on this machine.")
    ] = False,
    state: State = None,
    installation: _Installation = None,
    new: Annotated[
        bool, typer.Option("--new", help="Out of its house: it waits to be adopted.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Change a board's Wi-Fi, name or house by its serial port, and start it again."""
    with _faults("provision"):
        from tools.flash import ports, provisioning
        from tools.flash.faults import FlashFault
        from tools.flash.steps import Steps

        identity = _identity(name, device_id, ssid, wifi_password_file)
        house = None
        if new and (join or installation):
            raise FlashFault("--new, and a house to join: one of them")
        if join or installation is not None:
            house = _house(state or default_state(), installation)
            if house is None:
                raise FlashFault(
                    "--join: no box has run on this machine: give --installation FILE"
                )
        identity = identity.of(house)
        if not identity.device() and house is None and not new:
            raise FlashFault("nothing to change: give --ssid, --name, --id, --join or --new")
        chosen = ports.choose(port)
        steps = Steps(shown=not as_json)
        with steps.step("provision") as step:
            step.say("the board tries the Wi-Fi" if identity.wifi and not untried else "")
            seconds = 0.0 if untried else provisioning.TRY_SECONDS
            settled = provisioning.settle(chosen, identity, new, seconds)
            step.say(settled.text(identity))
        if as_json:
            show_json(settled.as_json())


@app.command(rich_help_panel=SERIAL)
def repl(port: _PortOption = None) -> None:
    """Talk to a board's MicroPython; Ctrl-] ends it."""
    with _faults("repl"):
        from tools.flash import mpremote, ports

        mpremote.become(ports.choose(port), ["resume", "repl"])


@app.command(rich_help_panel=SERIAL)
def logs(
    port: _PortOption = None,
    seconds: Annotated[
        float | None, typer.Option(help="End after so long.", min=0.0, show_default="until Ctrl-C")
    ] = None,
) -> None:
    """Follow what a board says, without interrupting it; through resets and unplugging too."""
    with _faults("logs"):
        from tools.flash import following, ports

        following.follow(ports.choose(port), seconds)


def _identity(
    name: str | None, device_id: str | None, ssid: str | None, password_file: Path | None
) -> Identity:
    from tools.flash import identity, wifi

    identity.check(device_id, name)
    return identity.Identity(device_id, name, wifi.gather(ssid, password_file))


def _house(state: Path, file: Path | None) -> dict[str, Any] | None:
    from tools.flash import identity

    return identity.of_state(state) if file is None else identity.of_file(file)
