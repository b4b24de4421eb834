"""How much one application may have and do, and the file in its folder that says so.

The file is the operator's of the machine, not the application's: no key changes it. It is read
again when it changes, so that a quota holds from then on, whoever serves the application.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import orjson

FILE: Final = "quota.json"


class BadQuota(ValueError):
    """A file says no quota; the message names it, the fault and the remedy."""


@dataclass(frozen=True, slots=True)
class Quota:
    """0 is without limit. Records and bytes count replicas' too; an update is a write."""

    records: int = 0
    bytes: int = 0  # of all indices on disk
    indices: int = 0
    requests_per_s: float = 0.0
    writes_per_s: float = 0.0  # records and other operations, not requests


NAMES: Final = tuple(Quota.__slots__)


class QuotaFile:
    """The quota of the application in `folder`; what the file doesn't say is `default`'s."""

    def __init__(self, folder: Path, default: Quota) -> None:
        self._path = folder / FILE
        self._default = default
        self._seen: object = None

    def changed(self) -> bool:
        """Whether the file is another than when it was last read."""
        return self._stamp() != self._seen

    def read(self) -> Quota:
        """What holds now. Raises BadQuota; a file that isn't there says nothing."""
        self._seen = self._stamp()
        return replace(self._default, **said(self._path))

    def _stamp(self) -> tuple[int, int, int] | str:
        try:
            found = self._path.stat()
        except OSError:
            return "none"
        return found.st_mtime_ns, found.st_size, found.st_ino


def said(path: Path) -> dict[str, Any]:
    """What a file says, by name: nothing if there is none. Raises BadQuota."""
    try:
        given: Any = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, orjson.JSONDecodeError) as fault:
        raise BadQuota(f"{path}: {fault}: write it by `phantom search quota`") from None
    if not isinstance(given, Mapping):
        raise BadQuota(f"{path}: expected a JSON object of {', '.join(NAMES)}")
    for name, value in given.items():
        if name not in NAMES:
            raise BadQuota(f"{path}: {name!r:.40} is no quota: {', '.join(NAMES)}")
        whole = isinstance(getattr(Quota(), name), int)
        if not isinstance(value, int if whole else int | float) or isinstance(value, bool):
            raise BadQuota(f"{path}: {name}: expected a number, not {value!r:.40}")
        if value < 0:
            raise BadQuota(f"{path}: {name}: expected 0 or more, not {value}")
    return dict(given)


def say(path: Path, values: Mapping[str, float]) -> None:
    """Have a file say this, whole or not at all. Raises OSError."""
    new = path.with_name(path.name + ".new")
    new.write_bytes(orjson.dumps(dict(values), option=orjson.OPT_INDENT_2) + b"\n")
    new.replace(path)


def to_json(quota: Quota) -> dict[str, float]:
    """By name."""
    return asdict(quota)
