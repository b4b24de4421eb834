"""What each network asks of the box: how far ahead to send, and in which codec."""

from __future__ import annotations

from dataclasses import dataclass

from tools.demo.plan import NO_NETWORK

PCM16 = "pcm16"
IMA_ADPCM = "ima-adpcm"


@dataclass(frozen=True)
class Terms:
    """Lead and codec of a session."""

    lead_ms: int
    codec: str


# A board's ring must hold the lead. An esp32's 48 KiB hold 0.25 s of stereo PCM16, or 0.99 s of
# stereo ADPCM; Wi-Fi stalls for 0.1 to 0.3 s, bad Wi-Fi for 0.6 s, and then has to catch up.
TERMS = {
    NO_NETWORK: Terms(240, PCM16),
    "wired": Terms(240, PCM16),
    "wifi": Terms(900, IMA_ADPCM),
    "bad-wifi": Terms(950, IMA_ADPCM),
}


def terms_of(profile: str, lead_ms: int | None = None, codec: str | None = None) -> Terms:
    """The terms for a network profile; either can be chosen otherwise."""
    usual = TERMS[profile]
    return Terms(lead_ms or usual.lead_ms, codec or usual.codec)
