"""The storage box of an emulated house: the box that ships, in a process of its own, and the
connection by which it takes orders."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from boards.emulated.board import Launch
from phantom.rpc import RpcError
from storagebox import installation
from storagebox.control import ControlClient, ControlError

# Python, PyAV and a source process on a starved machine.
_START_SECONDS = 30.0
# A box says goodbye to its boards and ends its source; then it is killed.
_STOP_SECONDS = 4.0
_POLL_SECONDS = 0.1
_COMMAND = (sys.executable, "-m", "storagebox.cli", "box")


class BoxFault(Exception):
    """The box can't start, has ended, or refuses: one line that says why."""


class BoxProcess:
    """A box of `belongs`, the installation, at `address`; `state` is its folder.

    `launch` starts its process; `environment` is what that has beside ours, and may change
    between two starts. `music` is a folder whose library the box is to keep.
    """

    def __init__(
        self,
        state: Path,
        log: Path,
        address: str,
        belongs: Mapping[str, str],
        *,
        launch: Launch,
        environment: Mapping[str, str],
        music: Path | None,
    ) -> None:
        self._log = log
        self._launch = launch
        self._environment = environment
        installation.found(state, belongs)
        self._sockets = Path(tempfile.mkdtemp(prefix="phantom-"))  # paths of sockets must be short
        self.control_path = self._sockets / "control"
        self._argv = [
            *_COMMAND,
            *("--address", address, "--name", belongs["name"]),
            *("--state", str(state.absolute())),
            *("--control", str(self.control_path)),
        ]
        if music is not None:
            self._argv += ["--music", str(music.absolute())]
        self._process: subprocess.Popen[bytes] | None = None
        self._control: ControlClient | None = None

    def start(self) -> None:
        """Start it, in its folder as that is; `connect` waits for it."""
        with self._log.open("ab") as log:
            self._process = self._launch(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to handle
                env={**os.environ, **self._environment},
            )

    def connect(self) -> None:
        """Until it takes orders. Raises BoxFault if it ends before that, or takes too long."""
        assert self._process is not None, "the box has not been started"
        deadline = time.monotonic() + _START_SECONDS
        while True:
            if self._process.poll() is not None:
                raise BoxFault(self._last_words())
            try:
                self._control = ControlClient(self.control_path)
                return
            except ControlError as fault:
                if time.monotonic() > deadline:
                    raise BoxFault(f"{fault}; its log is {self._log}") from fault
            time.sleep(_POLL_SECONDS)

    def call(self, method: str, **params: Any) -> Any:
        """Call a method of the control socket. Raises BoxFault with its reason."""
        assert self._control is not None, "the box is not connected"
        try:
            return self._control.call(method, **params)
        except RpcError as fault:
            raise BoxFault(fault.message) from fault
        except ControlError as fault:
            raise BoxFault(f"the storage box is gone: {self._last_words()}") from fault

    def client(self) -> ControlClient:
        """Another connection to the box, which the caller closes. Raises BoxFault."""
        try:
            return ControlClient(self.control_path)
        except ControlError as fault:
            raise BoxFault(str(fault)) from fault

    def kill(self) -> None:
        """End it as a power cut would: nothing is saved, nobody is told."""
        assert self._process is not None
        assert self._control is not None
        self._control.close()
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """End it as a person would, and if it won't, by force."""
        if self._control is not None:
            with contextlib.suppress(ControlError, RpcError):
                self._control.call("quit")
            self._control.close()
            self._control = None
        if self._process is not None:
            _end(self._process)
            self._process = None
        shutil.rmtree(self._sockets, ignore_errors=True)

    def _last_words(self) -> str:
        log = self._log.read_text(errors="replace").strip().splitlines()
        return log[-1] if log else f"the storage box ended at once; its log is {self._log}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and all it started: politely, then not."""
    for number, patience in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, None)):
        if process.poll() is not None:
            break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
