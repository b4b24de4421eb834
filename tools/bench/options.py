"""What benches of a whole house can be told: options and the command line they share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from phantom.wire.audio import CODECS
from tools.demo.arguments import Parser, count, loopback, ppm, seconds
from tools.demo.house import House, Say
from tools.demo.plan import CRYSTAL_PPM, LOOPBACK, row, subnet_of
from tools.demo.terms import TERMS, Terms, terms_of

# How long clocks run before the music. In a home they have run for days.
SETTLE_SECONDS = 15.0


@dataclass(frozen=True)
class HouseOptions:
    """The house to run; `lead_ms` and `codec` None mean what suits the profile."""

    profile: str = "wired"
    boards: int = 4
    seed: int = 1
    ppm: float = CRYSTAL_PPM
    board_profile: str = "esp32"
    codec: str | None = None
    lead_ms: int | None = None
    settle_s: float = SETTLE_SECONDS
    subnet: str = LOOPBACK
    keep: bool = False  # keep captures and logs in build/bench

    def terms(self) -> Terms:
        """Lead and codec of every session."""
        return terms_of(self.profile, self.lead_ms, self.codec)

    def house(self, workdir: Path, say: Say, music: Path | None = None) -> House:
        """The house, in `workdir`, still to be opened; `music` is its library's folder."""
        plan = row(self.boards, subnet_of(self.profile, self.subnet), self.seed, self.ppm)
        return House(plan, workdir, self.profile, self.seed, self.board_profile, say, music)


def house_parser(name: str, description: str) -> Parser:
    """A parser with everything but what is the bench's own; names are those of its Options."""
    parser = Parser(prog=f"phantom bench {name}", description=description)
    add = parser.add_argument
    add("--json", action="store_true", help="print nothing but the JSON line")
    add("--profile", default="wired", choices=sorted(TERMS), help="network (default: wired)")
    add("--boards", type=count, default=4, help="how many (default: 4)")
    add("--seed", type=int, default=1, help="of crystals, network and noise (default: 1)")
    add("--ppm", type=ppm, default=CRYSTAL_PPM, help="crystals' spread, +- (default: %(default)g)")
    add(
        "--board-profile",
        default="esp32",
        choices=("esp32", "esp32s3", "esp32c3"),
        help="which chip (default: esp32)",
    )
    add("--codec", choices=sorted(CODECS), help="default: as suits the network")
    add("--lead-ms", type=int, help="how far ahead chunks are sent; default: as suits the network")
    add(
        "--settle-s",
        type=seconds,
        default=SETTLE_SECONDS,
        help="how long clocks run before the music (default: %(default)g)",
    )
    add(
        "--subnet",
        type=loopback,
        default=LOOPBACK,
        help="loopback addresses of --profile none (default: %(default)s)",
    )
    add("--keep", action="store_true", help="keep captures and logs in build/bench")
    return parser
