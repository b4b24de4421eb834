"""One question to the box, and an exit status that fits where there is no good answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .ending import FAILED, NO_BOX, fail
from .state_folder import socket_of

if TYPE_CHECKING:
    from storagebox.control import ControlClient


def connect(control: Path | None, state: Path | None) -> ControlClient:
    """The box, or the end of this command."""
    from storagebox.control import ControlClient, ControlError, NoBoxError

    try:
        return ControlClient(socket_of(control, state))
    except NoBoxError as fault:
        fail(str(fault), NO_BOX)
    except ControlError as fault:
        fail(str(fault))


def ask(control: Path | None, state: Path | None, method: str, /, **params: Any) -> Any:
    """The box's answer, or the end of this command. A parameter that is None is left out."""
    with connect(control, state) as client:
        return ask_of(client, method, **params)


def ask_if_there(control: Path | None, state: Path | None, method: str, /, **params: Any) -> Any:
    """The box's answer, or None where no box runs."""
    from storagebox.control import ControlClient, ControlError, NoBoxError

    try:
        client = ControlClient(socket_of(control, state))
    except NoBoxError:
        return None
    except ControlError as fault:
        fail(str(fault))
    with client:
        return ask_of(client, method, **params)


def ask_of(client: ControlClient, method: str, /, **params: Any) -> Any:
    """The same over a connection that stays."""
    from phantom.rpc import INVALID_PARAMS, METHOD_NOT_FOUND, RpcError
    from storagebox.control import ControlError

    try:
        return client.call(
            method, **{name: value for name, value in params.items() if value is not None}
        )
    except ControlError as fault:
        fail(str(fault), FAILED)
    except RpcError as fault:
        bad_input = fault.code in (INVALID_PARAMS, METHOD_NOT_FOUND)
        fail(fault.message) if bad_input else fail(fault.message, FAILED)


def show_json(answer: Any) -> None:
    """What `--json` prints: one object; an answer that is none becomes its `result`."""
    print(json.dumps(answer if isinstance(answer, dict) else {"result": answer}), flush=True)
