"""Decisions from what devices report: terms of a group, who is dropped, what halves are sent."""

import pytest

from phantom.wire import audio
from storagebox.coordinator import halves, keeping_up, terms
from storagebox.coordinator.halves import Half
from storagebox.coordinator.keeping_up import KeepingUp
from storagebox.coordinator.readings import Window
from storagebox.coordinator.terms import LADDER, TermsPolicy

WELL = Window(
    reports=20,
    state="playing",
    buffer_ms=180,
    buffer_min_ms=150,
    rtt_p95_ms=0.6,
    rssi=-55,
    played_blocks=1870,
    played_for_s=10.0,
)
BROKEN = Window(reports=20, state="starved", underruns=8, played_blocks=900, played_for_s=10.0)
MUTE = Window(reports=20, state="playing", buffer_ms=180, played_blocks=0, played_for_s=3.0)


# Lead and codec


@pytest.mark.parametrize(
    ("window", "step"),
    [
        (Window(), 0),
        (WELL, 0),
        (Window(rtt_p95_ms=20.0), 1),
        (Window(rtt_p95_ms=400.0), 2),
        (Window(rssi=-75), 1),
        (Window(rssi=-85, rtt_p95_ms=20.0), 2),
    ],
)
def test_terms_begin_as_the_worst_link_needs(window: Window, step: int):
    assert TermsPolicy([WELL, window]).terms == LADDER[step]


@pytest.mark.parametrize(
    "window",
    [
        Window(underruns=1),
        Window(late_chunks=20),
        Window(state="playing", buffer_min_ms=10),
        Window(rtt_p95_ms=90.0),
    ],
)
def test_trouble_on_one_link_makes_the_groups_terms_stronger(window: Window):
    policy = TermsPolicy([WELL])
    policy.decide([WELL, WELL], 0.0)
    assert policy.decide([WELL, window], 10.0)
    assert policy.step == 1
    assert policy.reason


def test_terms_go_one_step_at_a_time_and_end_at_the_strongest():
    policy = TermsPolicy()
    changes = [now / 2 for now in range(100) if policy.decide([BROKEN], now / 2)]
    assert changes == [terms.STEP_UP_AFTER_S, 2 * terms.STEP_UP_AFTER_S]
    assert policy.terms == LADDER[-1]


def test_terms_get_weaker_only_after_a_minute_of_quiet():
    policy = TermsPolicy([Window(rtt_p95_ms=400.0)])
    changes = [now for now in range(200) if policy.decide([WELL], float(now))]
    assert changes == [60, 121]
    assert policy.step == 0


def test_a_network_that_is_bad_now_and_then_is_not_followed_up_and_down():
    policy = TermsPolicy([Window(rtt_p95_ms=20.0)])
    bad = Window(rtt_p95_ms=20.0)
    changes = [
        now for now in range(600) if policy.decide([bad if now % 50 == 0 else WELL], float(now))
    ]
    assert changes == []


# Keeping up


def run(device: KeepingUp, window: Window, start_s: float, end_s: float) -> list[float]:
    """Twice a second at the strongest terms; when the verdict changed."""
    turns = range(round(start_s * 2), round(end_s * 2))
    return [at / 2 for at in turns if device.look(window, strongest=True, now_s=at / 2)]


def test_a_device_that_plays_is_left_alone():
    device = KeepingUp()
    device.fed(0.0)
    assert run(device, WELL, 0, 600) == []


def test_one_that_breaks_up_for_long_is_dropped_and_told_why_and_gets_another_chance():
    device = KeepingUp()
    device.fed(0.0)
    dropped, readmitted = run(device, BROKEN, 0, 60)
    assert dropped == pytest.approx(keeping_up.STARTING_S + keeping_up.PATIENCE_S, abs=0.5)
    assert readmitted - dropped == keeping_up.FIRST_PAUSE_S
    assert not device.verdict.dropped


def test_each_time_it_is_out_for_longer_up_to_a_limit():
    device = KeepingUp()
    device.fed(0.0)
    now_s, pauses = 0.0, list[float]()
    for _ in range(6):
        (out,) = run(device, BROKEN, now_s, now_s + 14)
        assert "could not keep up: 8 gaps" in device.verdict.reason
        (now_s,) = run(device, BROKEN, out + 0.5, out + 400)[:1]
        pauses.append(now_s - out)
        device.fed(now_s)
    assert pauses == [30, 60, 120, 240, 300, 300]


def test_it_is_not_dropped_while_its_groups_terms_can_still_help():
    device = KeepingUp()
    device.fed(0.0)
    assert not any(device.look(BROKEN, strongest=False, now_s=at) for at in range(60))


def test_one_that_answers_and_plays_nothing_is_silent_and_restarted_once_in_ten_minutes():
    device = KeepingUp()
    assert not device.may_restart(0.0)
    device.fed(0.0)
    assert run(device, MUTE, 0, 3) == [keeping_up.STARTING_S]
    assert device.verdict.silent
    assert device.verdict.reason == "answers but plays nothing"
    assert device.may_restart(2.0)
    assert not device.may_restart(3.0)
    device.restarted(5.0)
    assert not device.verdict.dropped
    device.fed(5.0)
    assert len(run(device, MUTE, 5, 9)) == 1
    assert not device.may_restart(9.0)
    assert device.may_restart(603.0)


@pytest.mark.parametrize(
    "window",
    [
        Window(state="playing", played_blocks=None),
        Window(state="playing", buffer_ms=180, played_blocks=0, played_for_s=1.0),
        Window(state="syncing", buffer_ms=180, played_blocks=0, played_for_s=3.0),
        Window(state="starved", buffer_ms=0, played_blocks=0, played_for_s=3.0),
    ],
)
def test_not_playing_yet_or_for_want_of_chunks_is_not_called_silent(window: Window):
    device = KeepingUp()
    device.fed(0.0)
    assert run(device, window, 0, 30) == []


def test_a_device_that_is_given_nothing_is_not_judged():
    device = KeepingUp()
    device.fed(0.0)
    device.starved()
    assert run(device, MUTE, 0, 30) == []


# Halves of a pair


def test_a_stall_of_wifi_is_no_loss():
    half = Half()
    assert not any(half.look(quiet_s=at / 100, now_s=at / 100) for at in range(31))


def test_a_half_that_gives_no_sign_of_life_is_lost_within_half_a_second_and_back_when_steady():
    half = Half()
    assert half.look(quiet_s=0.5, now_s=0.5)
    assert half.lost
    assert not half.look(quiet_s=0.9, now_s=0.9)
    assert not half.look(quiet_s=0.0, now_s=1.0)
    assert half.look(quiet_s=0.02, now_s=1.0 + halves.BACK_AFTER_S)
    assert not half.lost


def test_a_half_whose_connection_ended_is_lost_at_once():
    assert Half().look(quiet_s=None, now_s=0.0)


def test_coming_and_going_does_not_flap():
    half = Half()
    quiet = [None if at % 8 == 0 else 0.0 for at in range(400)]
    changes = [half.look(quiet_s=q, now_s=at / 20) for at, q in enumerate(quiet)]
    assert sum(changes) == 1


@pytest.mark.parametrize(
    ("side", "dac_channels", "other_lost", "pick"),
    [
        ("both", 2, False, audio.BOTH),
        ("both", 1, False, audio.MONO),
        ("mono", 2, False, audio.MONO),
        ("left", 2, False, audio.LEFT),
        ("right", 1, True, audio.MONO),
        ("both", 2, True, audio.BOTH),
    ],
)
def test_the_pick_follows_side_dac_and_the_other_half(
    side: str, dac_channels: int, other_lost: bool, pick: str
):
    assert halves.pick_of(side, dac_channels=dac_channels, other_lost=other_lost) == pick
