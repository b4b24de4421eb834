"""A real corpus that many machines have: the packages that apt knows, by name and description.

What people would type to find one is its name, or some words of its description, letter by letter;
the keystrokes are the searches.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np

from tools.bench.search_corpus import mistyped

SETTINGS: Final[dict[str, Any]] = {
    "searchableAttributes": ["unordered(name)", "unordered(summary)", "unordered(description)"],
    "attributesForFaceting": ["section"],
    "customRanking": ["desc(importance)", "asc(name)"],
}
_IMPORTANCE: Final = ("extra", "optional", "standard", "important", "required")
_MOST_BYTES: Final = 20_000  # of a description
_PATIENCE_S: Final = 120
_TYPO_FROM: Final = 4  # letters of what is typed that may have a typo
_MOST_KEYS: Final = 16


class NoPackages(RuntimeError):
    """There are no such packages here; the message says why."""


def packages() -> list[dict[str, Any]]:
    """All packages that apt knows, each once. Raises NoPackages."""
    if shutil.which("apt-cache") is None:
        raise NoPackages("this machine has no apt")
    try:
        done = subprocess.run(
            ["apt-cache", "dumpavail"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as fault:
        raise NoPackages(f"apt-cache dumpavail: {fault}") from None
    found = {record["objectID"]: record for record in parsed(done.stdout.splitlines())}
    if not found:
        raise NoPackages("apt knows no packages: run `apt-get update` first")
    return list(found.values())


def parsed(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Records from Debian's control format (deb822): paragraphs of fields, folded at blanks."""
    fields: dict[str, str] = {}
    name = ""
    for line in lines:
        if not line.strip():
            if record := _record(fields):
                yield record
            fields, name = {}, ""
        elif line[0] in " \t":
            fields[name] = f"{fields.get(name, '')}\n{line[1:]}"
        else:
            name, _, value = line.partition(":")
            name = name.lower()
            fields[name] = value.strip()
    if record := _record(fields):
        yield record


def _record(fields: dict[str, str]) -> dict[str, Any] | None:
    if "package" not in fields:
        return None
    told = fields.get("description-en") or fields.get("description", "")
    summary, _, rest = told.partition("\n")
    description = " ".join(word for word in rest.split() if word != ".")
    priority = fields.get("priority", "")
    record = {
        "objectID": fields["package"],
        "name": fields["package"],
        "summary": summary,
        "description": description[:_MOST_BYTES],
        "section": fields.get("section", ""),
        "importance": _IMPORTANCE.index(priority) if priority in _IMPORTANCE else 0,
    }
    return {name: value for name, value in record.items() if value != ""}


def typed(
    records: list[dict[str, Any]], count: int, seed: int, typos: float
) -> list[tuple[str, list[str]]]:
    """`count` packages and what is typed to find each, keystroke by keystroke."""
    rng = np.random.default_rng([seed, 3])
    made: list[tuple[str, list[str]]] = []
    while len(made) < count:
        record = records[int(rng.integers(len(records)))]
        if rng.random() < 0.5:
            text = str(record["name"])
        else:
            words = str(record.get("summary", "")).lower().split()
            if len(words) < 2:
                continue
            first = int(rng.integers(len(words) - 1))
            text = " ".join(words[first : first + 3])
        if rng.random() < typos and len(text) >= _TYPO_FROM:
            text = mistyped(text, rng)
        text = text[:_MOST_KEYS]
        made.append((record["objectID"], [text[:end] for end in range(1, len(text) + 1)]))
    return made
