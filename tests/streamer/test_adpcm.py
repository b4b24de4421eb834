"""The encoder against decoders that share nothing with it, and what it does to music."""

import numpy as np
import pytest
from numpy.typing import NDArray

from phantom import dsp
from phantom.wire import CHUNK_FRAMES, RATE, audio
from storagebox.streamer import adpcm
from tests.firmware import dsp_reference

_CHUNKS = 150  # 0.8 s

Pcm = NDArray[np.int16]


def _music(peak: int = 26000) -> Pcm:
    """Decaying chords of eight partials a note and a noisy beat, stereo."""
    random = np.random.default_rng(7)
    time = np.arange(_CHUNKS * CHUNK_FRAMES) / RATE
    mix = np.zeros((len(time), 2))
    for _ in range(20):
        pitch = 110 * 2 ** (random.integers(0, 40) / 12)
        age = time - random.uniform(-0.3, 0.7)
        envelope = np.where(age > 0, np.exp(-3 * age) * np.minimum(1, 400 * age), 0)
        tone = sum(np.sin(2 * np.pi * pitch * n * time + n) / n**1.3 for n in range(1, 9))
        left = random.uniform(0.2, 0.8)
        mix += (envelope * tone)[:, None] * (left, 1 - left)
    beat = np.exp(-40 * (time % 0.25))
    mix += (0.3 * beat * random.standard_normal(len(time)))[:, None]
    return np.round(mix * peak / np.abs(mix).max()).astype(np.int16)


def _snr_db(pcm: Pcm, decoded: Pcm) -> float:
    signal = pcm.astype(float)
    return float(10 * np.log10((signal**2).sum() / ((signal - decoded) ** 2).sum()))


def _textbook_snr_db(samples: Pcm) -> float:
    """What an encoder that carries its state through the whole signal reaches, one channel."""
    steps, changes = dsp_reference.STEPS, dsp_reference.INDEX_CHANGE
    predictor, index, decoded = 0, 0, []
    for sample in samples.tolist():
        step = steps[index]
        rest, code, difference = abs(sample - predictor), 0, step >> 3
        for bit, part in ((4, step), (2, step >> 1), (1, step >> 2)):
            if rest >= part:
                code, rest, difference = code | bit, rest - part, difference + part
        negative = sample < predictor
        predictor = dsp_reference.saturate(predictor + (-difference if negative else difference))
        index = max(0, min(88, index + changes[code]))
        decoded.append(predictor)
    return _snr_db(samples, np.array(decoded, np.int16))


@pytest.fixture(name="music", scope="module")
def _music_fixture() -> Pcm:
    return _music()


@pytest.fixture(name="payloads", scope="module")
def _payloads(music: Pcm) -> list[bytes]:
    return adpcm.encode(music)


def test_a_payload_has_132_bytes_a_channel(payloads: list[bytes]) -> None:
    assert len(payloads) == _CHUNKS
    assert {len(payload) for payload in payloads} == {audio.payload_bytes(audio.IMA_ADPCM, 2)}


def test_decoding_equals_the_textbook_decoder_and_the_boards_kernel(
    music: Pcm, payloads: list[bytes]
) -> None:
    decoded = adpcm.decode(payloads, 2)
    assert decoded.shape == music.shape
    for chunk in range(0, _CHUNKS, 29):
        expected = decoded[chunk * CHUNK_FRAMES : (chunk + 1) * CHUNK_FRAMES]
        block = np.empty_like(expected)
        for channel in (0, 1):
            at = channel * audio.ADPCM_CHANNEL_BYTES
            plain = dsp_reference.decode_adpcm(payloads[chunk][at:])
            assert plain == expected[:, channel].tolist()
            dsp.decode_adpcm(block, channel, 2, payloads[chunk], at, dsp.ADPCM_TABLES)
        assert np.array_equal(block, expected)


def test_each_chunk_decodes_alone(payloads: list[bytes]) -> None:
    together = adpcm.decode(payloads, 2)
    alone = adpcm.decode(payloads[100:101], 2)
    assert np.array_equal(alone, together[100 * CHUNK_FRAMES : 101 * CHUNK_FRAMES])


def test_a_batch_encodes_as_its_chunks_do_one_by_one(music: Pcm, payloads: list[bytes]) -> None:
    for chunk in (0, 77):
        alone = adpcm.encode(music[chunk * CHUNK_FRAMES : (chunk + 1) * CHUNK_FRAMES])
        assert alone == payloads[chunk : chunk + 1]


def test_music_comes_out_better_than_from_an_encoder_that_never_starts_afresh(
    music: Pcm, payloads: list[bytes]
) -> None:
    decoded = adpcm.decode(payloads, 2)
    assert _snr_db(music, decoded) > 24
    for channel in (0, 1):
        ours = _snr_db(music[:, channel], decoded[:, channel])
        assert ours > _textbook_snr_db(music[:, channel])


def test_a_tone_of_1_khz_has_a_signal_to_noise_ratio_above_38_db() -> None:
    time = np.arange(20 * CHUNK_FRAMES) / RATE
    tone = np.round(16000 * np.sin(2 * np.pi * 1000 * time)).astype(np.int16)[:, None]
    assert _snr_db(tone, adpcm.decode(adpcm.encode(tone), 1)) > 38


def test_the_first_sample_of_every_chunk_is_exact(music: Pcm, payloads: list[bytes]) -> None:
    decoded = adpcm.decode(payloads, 2)
    assert np.array_equal(decoded[::CHUNK_FRAMES], music[::CHUNK_FRAMES])


def test_silence_stays_silent() -> None:
    silence = np.zeros((2 * CHUNK_FRAMES, 3), np.int16)
    assert not adpcm.decode(adpcm.encode(silence), 3).any()


def test_the_loudest_noise_neither_wraps_nor_drifts() -> None:
    random = np.random.default_rng(8)
    extremes = random.choice(np.array([-32768, 32767], np.int16), (8 * CHUNK_FRAMES, 1))
    decoded = adpcm.decode(adpcm.encode(extremes), 1)
    assert _snr_db(extremes, decoded) > 6
    # A wrap would show as a sample on the wrong side; overload at most leaves it short.
    assert np.mean(np.sign(decoded.astype(int)) == np.sign(extremes.astype(int))) > 0.95


def test_a_single_channel_and_no_chunk_at_all_are_fine() -> None:
    assert adpcm.encode(np.zeros((0, 2), np.int16)) == []
    assert adpcm.decode([], 2).shape == (0, 2)
    assert len(adpcm.encode(np.zeros((CHUNK_FRAMES, 1), np.int16))[0]) == 132


def test_frames_that_are_no_whole_chunks_are_refused() -> None:
    with pytest.raises(ValueError, match="100 frames are not whole chunks of 256"):
        adpcm.encode(np.zeros((100, 2), np.int16))
