"""The command `phantom`.

Commands import what they need when they run: `phantom status` must not wait for numpy, and the
emulated boards and benches in `tools` are no part of a box.

Exit status: 0, 1 for a failure underway, 2 for bad input, with one line that says what to do.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

BAD_INPUT = 2

app = typer.Typer(
    help="Open multi-room audio: boards anyone can build, playing in time, and a storage box.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
bench_app = typer.Typer(
    help="Measure. Each prints one JSON object as its last line and writes build/bench/NAME.json.",
    no_args_is_help=True,
)
app.add_typer(bench_app, name="bench")


def _default_state() -> Path:
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(home).expanduser() / "phantom"


State = Annotated[
    Path | None, typer.Option(help="The box's folder.", show_default="~/.local/state/phantom")
]
Control = Annotated[
    Path | None, typer.Option(help="The control socket.", show_default="STATE/box.sock")
]
RoomNames = Annotated[
    list[str] | None, typer.Option("--room", help="A room by name; may be repeated. Default: all.")
]


def fail(text: str, status: int = BAD_INPUT) -> NoReturn:
    """End with one line on stderr."""
    print(f"phantom: {text}", file=sys.stderr)
    raise typer.Exit(status)


# The box


@app.command()
def box(
    rooms: Annotated[Path, typer.Option(help="The rooms file: which devices form which rooms.")],
    address: Annotated[
        str, typer.Option(help="This machine's address, where devices find house time.")
    ] = "0.0.0.0",
    state: State = None,
    music: Annotated[Path | None, typer.Option(help="What to play when nothing is named.")] = None,
    control: Control = None,
) -> None:
    """Run the storage box until it is told to end."""
    import asyncio

    from storagebox import box as storage
    from storagebox.coordinator.rooms import RoomsError, load

    try:
        installation = load(rooms)
        asyncio.run(
            storage.serve(
                storage.Box(
                    installation,
                    address=address,
                    state=state or _default_state(),
                    control=control,
                    music=music,
                )
            )
        )
    except (RoomsError, storage.BoxError) as fault:
        fail(str(fault))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _call(control: Path | None, state: Path | None, method: str, **params: Any) -> Any:
    from phantom.rpc import INVALID_PARAMS, RpcError
    from storagebox.control import CONTROL_SOCKET, ControlClient, ControlError

    path = control or (state or _default_state()) / CONTROL_SOCKET
    try:
        with ControlClient(path) as client:
            return client.call(method, **params)
    except ControlError as fault:
        fail(str(fault))
    except RpcError as fault:
        fail(fault.message, BAD_INPUT if fault.code == INVALID_PARAMS else 1)


@app.command()
def play(
    paths: Annotated[list[str] | None, typer.Argument(help="Files and folders.")] = None,
    room: RoomNames = None,
    lead_ms: Annotated[int | None, typer.Option(help="How far ahead chunks are sent.")] = None,
    codec: Annotated[str | None, typer.Option(help="pcm16 or ima-adpcm.")] = None,
    state: State = None,
    control: Control = None,
) -> None:
    """Play files and folders, in order, in all rooms or some."""
    # The box may run in another folder.
    absolute = [str(Path(path).expanduser().absolute()) for path in paths or []]
    answer = _call(
        control, state, "play", paths=absolute, rooms=room, lead_ms=lead_ms, codec=codec
    )
    print(json.dumps(answer))


@app.command()
def stop(state: State = None, control: Control = None) -> None:
    """Stop the music."""
    _call(control, state, "stop")


@app.command()
def status(
    state: State = None,
    control: Control = None,
    as_json: Annotated[bool, typer.Option("--json", help="All of it, as JSON.")] = False,
) -> None:
    """Show what plays, where, and how well."""
    answer = _call(control, state, "status")
    if as_json:
        print(json.dumps(answer))
        return
    session = answer["session"]
    track = answer["track"]
    print(f"session: {session['state'] if session else 'none'}")
    if track:
        print(f"track: {track['title'] or track['path']} {track['artist']}".rstrip())
    for room in answer["rooms"]:
        for device in room["devices"]:
            words = [room["name"], device["id"], device["address"]]
            if device["connected"]:
                buffered, error = device.get("buffer_ms"), device.get("error_us")
                words += [str(device["state"]), f"buffer {buffered} ms", f"error {error} us"]
                words.append(f"underruns {device.get('underruns')}")
            else:
                words.append(f"not connected ({device['last_close'] or 'no answer yet'})")
            print("  " + "  ".join(words))


# The demo and the benches


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def demo(context: typer.Context) -> None:
    """Play in four emulated rooms on this machine; `phantom demo --help` tells more."""
    _run_tool("tools.demo", context.args)


def _bench(name: str) -> None:
    @bench_app.command(
        name,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        add_help_option=False,
        help=_BENCHES[name],
    )
    def run(context: typer.Context) -> None:  # pyright: ignore[reportUnusedFunction]
        _run_tool(f"tools.bench.{name}", context.args)


_BENCHES = {
    "sync": "True error between emulated boards over minutes of music.",
    "start": "How closely all rooms start, and how long after the command.",
    "streamer": "How many devices one core of the box feeds.",
    "dsp": "What the firmware's kernels cost on an ESP32, counted and modelled.",
}
for _name in _BENCHES:
    _bench(_name)


def _run_tool(module: str, arguments: list[str]) -> None:
    """Hand the command line on to main(arguments) of a module of `tools`; its result is ours."""
    try:
        main_of = importlib.import_module(module).main
    except ModuleNotFoundError as fault:
        fail(f"{fault.name} is not installed: run this from the project's folder, after `make`")
    raise typer.Exit(main_of(arguments) or 0)


def main() -> None:
    """Entry point of the distribution."""
    app()


if __name__ == "__main__":
    main()
