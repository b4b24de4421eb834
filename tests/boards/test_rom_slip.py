"""SLIP: what the ROM loader's frames hold comes out as it went in, and noise never breaks it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from boards.emulated.rom import slip


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = sorted({min(i, len(data)) for i in at})
    return [data[a:b] for a, b in zip([0, *edges], [*edges, len(data)], strict=True)]


@given(st.lists(st.binary(min_size=1, max_size=80), max_size=6), st.lists(st.integers(0, 400)))
def test_packets_come_out_as_they_went_in_whatever_the_pieces(packets: list[bytes], at: list[int]):
    decoder = slip.Decoder()
    stream = b"".join(map(slip.encode, packets))
    assert [p for piece in cut(stream, at) for p in decoder.feed(piece)] == packets


@given(st.binary(max_size=200).filter(lambda noise: b"\xc0" not in noise))
def test_noise_before_a_frame_costs_no_frame(noise: bytes):
    assert slip.Decoder().feed(noise + slip.encode(b"\xc0\xdb1")) == [b"\xc0\xdb1"]


@given(st.lists(st.binary(max_size=100)))
def test_noise_of_any_kind_breaks_nothing(pieces: list[bytes]):
    decoder = slip.Decoder()
    for piece in pieces:
        decoder.feed(piece)
    # Two delimiters end whatever frame the noise has opened.
    decoder.feed(b"\xc0")
    assert slip.encode(b"ping")[1:-1] in b"".join(decoder.feed(b"\xc0" + slip.encode(b"ping")))


def test_a_wrong_escape_and_a_frame_without_end_are_dropped():
    decoder = slip.Decoder()
    assert decoder.feed(b"\xc0a\xdbz\xc0" + slip.encode(b"good")) == [b"good"]
    endless = b"\xc0" + b"x" * (3 * slip.MAX_PACKET)
    assert decoder.feed(endless) == []
    assert decoder.feed(b"\xc0" + slip.encode(b"good")) == [b"good"]
