"""All commands of `phantom`, put into one application.

They import what they need when they run: `phantom status` must not wait for numpy, and the
emulated boards and benches in `tools` are no part of a box.
"""

from . import (
    balance,
    balance_get,
    boards,
    consul,
    development,
    find,
    hardware,
    levels,
    looking,
    peers,
    pins,
    playing,
    rooms,
    search,
    search_apps,
    search_data,
    search_keys,
    services,
    updating,
)
from .app import app

# Each has put its commands into `app`, in the order of the help.
__all__ = ["app"]
_COMMANDS = (
    looking,
    playing,
    find,
    levels,
    rooms,
    boards,
    updating,
    hardware,
    peers,
    services,
    search,
    search_apps,
    search_data,
    search_keys,
    consul,
    pins,
    balance,
    balance_get,
    development,
)
