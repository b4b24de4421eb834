"""Stand-ins for discovery: one process of many registrars, or one, that tells what it sees.

    python -m tools.bench.standin '{"id": "box", "role": 2, "address": null}'

starts a registrar of the emulated installation and prints a line of JSON for each change:

    {"at_ns": monotonic, "kind": "added", "id": "kitchen", "reason": "", "addresses": [...]}

and {"at_ns": …, "kind": "started"} at first. A line on stdin, "stop", says goodbye and ends it;
SIGKILL is a death.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from phantom.peer import Peer
from phantom.wire import mux
from storagebox.registrar import Registrar
from tools.demo.installation import member


def _tell(kind: str, identity: str, reason: str = "", addresses: list[str] | None = None) -> None:
    line = {
        "at_ns": time.monotonic_ns(),
        "kind": kind,
        "id": identity,
        "reason": reason,
        "addresses": addresses or [],
    }
    print(json.dumps(line), flush=True)


async def serve(options: dict[str, Any]) -> None:
    """Run until "stop" comes on stdin."""
    identity = options["id"]
    registrar = Registrar(
        member(identity, options.get("boot", 1)),
        role=options.get("role", mux.ROLE_DEVICE),
        name=identity,
        port=options.get("port", 0),
        services=options.get("services"),
        address=options.get("address"),
    )

    def changed(kind: str, peer: Peer | None, reason: str) -> None:
        _tell(kind, peer.id if peer else identity, reason, peer.addresses if peer else None)

    registrar.subscribe(changed)
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_reader(sys.stdin, stopped.set)
    await registrar.start()
    _tell("started", identity)
    await stopped.wait()
    _tell("stopping", identity)
    await registrar.close()


def main() -> None:
    """The command's entry point."""
    asyncio.run(serve(json.loads(sys.argv[1])))


if __name__ == "__main__":
    main()
