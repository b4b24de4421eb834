"""The virtual network for tests: where none can be they are skipped, but never in CI."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from boards.emulated.network import NetworkUnavailable, VirtualNetwork


@contextmanager
def open_network(profile: str = "wired", seed: int = 0) -> Iterator[VirtualNetwork]:
    """A network while the block runs."""
    network = VirtualNetwork(profile, seed=seed)
    try:
        network.open()
    except NetworkUnavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    try:
        yield network
    finally:
        network.close()


def require_network() -> None:
    """For tests whose subject opens the network itself."""
    with open_network():
        pass
