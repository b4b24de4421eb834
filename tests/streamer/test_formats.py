"""What devices are sent, by pick and codec."""

import numpy as np
import pytest

from phantom.wire import CHUNK_FRAMES, audio, mux
from storagebox.streamer import adpcm, formats
from storagebox.streamer.formats import FormatError, Variant, choose_codec

BOTH_CODECS = ("pcm16", "ima-adpcm")
PCM = np.random.default_rng(3).integers(-32768, 32768, (5 * CHUNK_FRAMES, 2)).astype(np.int16)


def payloads(variant: Variant) -> list[bytes]:
    """What one variant's frames of PCM carry."""
    frames = formats.encode(PCM, 9, 100, [variant])[variant]
    assert all(len(frame) == variant.frame_bytes for frame in frames)
    return [frame[mux.HEADER_BYTES + audio.HEADER_BYTES :] for frame in frames]


def test_each_pick_carries_its_own_part_of_the_stereo():
    mix = ((PCM[:, 0].astype(int) + PCM[:, 1].astype(int)) >> 1).astype(np.int16)
    for pick, expected in (
        (audio.BOTH, PCM),
        (audio.LEFT, PCM[:, 0]),
        (audio.RIGHT, PCM[:, 1]),
        (audio.MONO, mix),
    ):
        assert b"".join(payloads(Variant(pick, audio.PCM16))) == expected.tobytes()


def test_a_frame_names_its_stream_codec_channels_and_number():
    variant = Variant(audio.MONO, audio.PCM16)
    frames = formats.encode(PCM, 9, 100, [variant])[variant]
    for index, frame in enumerate(frames):
        assert frame[0] == mux.AUDIO
        assert int.from_bytes(frame[2:4], "little") == variant.payload_bytes
        header = audio.parse_header(frame, mux.HEADER_BYTES)
        assert header == (9, audio.PCM16, 1, 100 + index)


@pytest.mark.parametrize("picks", [audio.PICKS, (audio.RIGHT, audio.MONO), (audio.BOTH,)])
def test_compressed_in_one_pass_or_alone_is_the_same(picks: tuple[str, ...]):
    variants = [Variant(pick, audio.IMA_ADPCM) for pick in picks]
    together = formats.encode(PCM, 9, 100, variants)
    for variant in variants:
        alone = adpcm.encode(np.ascontiguousarray(formats.pick_channels(PCM, variant.pick)))
        skip = mux.HEADER_BYTES + audio.HEADER_BYTES
        assert [frame[skip:] for frame in together[variant]] == alone


def test_pcm_is_chosen_where_the_ring_holds_the_lead_and_adpcm_where_not():
    stereo_second = 188 * 1024
    assert choose_codec(None, BOTH_CODECS, 2 * stereo_second, 2, 1000) == audio.PCM16
    assert choose_codec(None, BOTH_CODECS, stereo_second // 2, 2, 1000) == audio.IMA_ADPCM
    assert choose_codec(None, BOTH_CODECS, stereo_second * 11 // 20, 1, 1000) == audio.PCM16


def test_a_board_that_is_better_off_with_adpcm_gets_it_whatever_it_holds():
    chosen = [
        choose_codec(None, known, 1 << 20, 2, 250, suited)
        for known, suited in (
            (BOTH_CODECS, "ima-adpcm"),
            (BOTH_CODECS, "pcm16"),
            (("pcm16",), "ima-adpcm"),
        )
    ]
    assert chosen == [audio.IMA_ADPCM, audio.PCM16, audio.PCM16]
    assert choose_codec("pcm16", BOTH_CODECS, 1 << 20, 2, 250, "ima-adpcm") == audio.PCM16


def test_a_ring_too_small_for_the_lead_in_any_codec_gets_the_smallest():
    assert choose_codec(None, BOTH_CODECS, 4096, 2, 1000) == audio.IMA_ADPCM
    assert choose_codec(None, ("pcm16",), 4096, 2, 1000) == audio.PCM16


def test_a_wish_overrides_the_choice_but_not_what_the_device_can():
    assert choose_codec("ima-adpcm", BOTH_CODECS, 1 << 20, 2, 250) == audio.IMA_ADPCM
    with pytest.raises(FormatError, match="does not decode ima-adpcm"):
        choose_codec("ima-adpcm", ("pcm16",), 1 << 20, 2, 250)
    with pytest.raises(FormatError, match="none of"):
        choose_codec("flac", BOTH_CODECS, 1 << 20, 2, 250)
    with pytest.raises(FormatError, match="none of"):
        choose_codec(None, (), 1 << 20, 2, 250)
