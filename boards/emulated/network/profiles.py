"""How a home's network behaves: the profiles, and where each figure comes from.

A profile describes one *leg*, the way between a station and the access point, in both directions.
A frame crosses two: up from its sender, down to its receiver. A box on a cable and a board on
Wi-Fi are a `wired` and a `wifi` leg; their round trip crosses each twice.

A leg's delay, one way:

    waiting for the medium + airtime + fixed + slots*U + contention*Exp + [retry*Pareto, clipped]

`U` is uniform in 0..1, `Exp` exponential of mean 1, and the last term comes with `retry_ratio`:
retries, rate fall-back and a neighbour's burst are what makes Wi-Fi's tail heavy. Up and down have
the same minimum and different shapes, so half a round trip is *not* one way, as in a real house
("Wi-Fi hops impose asymmetrical delays", Roon community topic 15407).

Sources of the figures
    fixed      idle pings to an ESP32 with power save off take 2-7 ms (arduino-esp32 #1484,
               ESPixelStick #459): so 0.75 ms of driver and stack each way and leg, plus airtime
    slots      802.11 DCF: 0..15 back-off slots of 9 us
    airtime    preamble, SIFS and acknowledgement about 150 us a frame, and 26 Mbit/s of payload,
               which is 20 Mbit/s in full frames: ESP-IDF's iperf reaches 10-36 Mbit/s
               (esp-idf #322)
    loss       what is left above the MAC's retries; comes in bursts, so TCP feels it
    stalls     a scan, a rate change, a microwave oven: frames wait, and then drain
    broadcast  held to a DTIM beacon, every 102.4 ms times the DTIM period, while any station may
               sleep; sent at the basic rate, never retried (ESP1588 #2). hostapd's default period
               is 2, many routers have 3
    busy       somebody else's download: the channel is congested for seconds at a time
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BEACON_MS = 102.4  # 100 time units of 1024 us: IEEE 802.11's customary beacon interval


@dataclass(frozen=True, slots=True)
class Spread:
    """The random part of one direction's delay, in us; see the module's formula."""

    slots_us: float = 0.0
    contention_us: float = 0.0
    retry_ratio: float = 0.0
    retry_us: float = 0.0
    retry_shape: float = 1.5
    retry_limit_us: float = 0.0


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of link between a station and the access point, both directions of it."""

    name: str
    wireless: bool
    fixed_us: float
    up: Spread
    down: Spread
    frame_us: float  # air or line taken by any frame, whatever its length
    mbit_s: float  # and then by its bytes; wireless stations share the air, cables do not
    queue_frames: int  # a direction's queue; the newest frame is dropped
    loss_ratio: float = 0.0  # of frames, one leg, one direction
    loss_burst: float = 0.0  # chance that the frame after a lost one is lost too
    stall_every_s: float = 0.0  # mean of an exponential; 0: never
    stall_ms: tuple[float, float] = (0.0, 0.0)  # uniform between
    dtim_period: int = 0  # beacons between DTIMs; 0: broadcast is not held
    broadcast_loss: float = 0.0  # each receiver on its own
    broadcast_mbit_s: float = 1.0  # the basic rate
    busy_every_s: float = 0.0  # mean quiet time of the channel; 0: never busy
    busy_for_s: float = 0.0  # mean busy time
    busy_factor: float = 1.0  # contention and retries, while busy

    @property
    def dtim_ms(self) -> float:
        """Milliseconds between two deliveries of broadcast frames; 0: not held."""
        return self.dtim_period * BEACON_MS

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Profile:
        """The profile whose `dataclasses.asdict` is `fields` (as it comes back from JSON)."""
        parts = dict(fields)
        parts["up"] = Spread(**parts["up"])
        parts["down"] = Spread(**parts["down"])
        parts["stall_ms"] = tuple(parts["stall_ms"])
        return cls(**parts)


PROFILES: dict[str, Profile] = {
    p.name: p
    for p in (
        Profile(
            name="wired",
            wireless=False,
            fixed_us=90.0,
            up=Spread(contention_us=4.0),
            down=Spread(contention_us=3.0),
            frame_us=2.0,  # preamble, gap and check sequence: 24 bytes at 100 Mbit/s
            mbit_s=100.0,
            queue_frames=512,
        ),
        Profile(
            name="wifi",
            wireless=True,
            fixed_us=750.0,
            up=Spread(135.0, 500.0, 0.16, 1000.0, 1.3, 25_000.0),
            down=Spread(135.0, 300.0, 0.10, 1600.0, 1.3, 25_000.0),
            frame_us=150.0,
            mbit_s=26.0,
            queue_frames=128,
            loss_ratio=0.01,
            loss_burst=0.3,
            stall_every_s=60.0,
            stall_ms=(100.0, 300.0),
            dtim_period=2,
            broadcast_loss=0.03,
            busy_every_s=10.0,
            busy_for_s=2.5,
            busy_factor=2.5,
        ),
        Profile(
            name="bad-wifi",
            wireless=True,
            fixed_us=750.0,
            up=Spread(135.0, 1500.0, 0.30, 2000.0, 1.2, 60_000.0),
            down=Spread(135.0, 900.0, 0.20, 3000.0, 1.2, 60_000.0),
            frame_us=200.0,
            mbit_s=12.0,
            queue_frames=128,
            loss_ratio=0.05,
            loss_burst=0.4,
            stall_every_s=40.0,
            stall_ms=(100.0, 600.0),
            dtim_period=3,
            broadcast_loss=0.15,
            busy_every_s=8.0,
            busy_for_s=4.0,
            busy_factor=2.0,
        ),
    )
}


def profile_named(name: str) -> Profile:
    """The profile of that name. Raises ValueError that lists the names there are."""
    try:
        return PROFILES[name]
    except KeyError:
        names = ", ".join(PROFILES)
        raise ValueError(f"network profile {name!r} does not exist: use one of {names}") from None
