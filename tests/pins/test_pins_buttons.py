"""From a contact's samples to gestures, on a clock of the test's own."""

from hypothesis import given
from hypothesis import strategies as st

from storagebox.pins.buttons import (
    CLICKED,
    DEBOUNCE_MS,
    HELD,
    PRESSED,
    RELEASED,
    REPEAT_AFTER_MS,
    REPEAT_EVERY_MS,
    REPEATED,
    Button,
)

TICK_MS = 10


class Hand:
    """Presses a button; each gesture comes with the time it was told at."""

    def __init__(self, button: Button) -> None:
        self.button = button
        self.now_ms = 5_000
        self.told: list[tuple[str, int]] = []
        self.hold(False, 100)
        self.told.clear()

    def hold(self, pressed: bool, for_ms: int) -> None:
        end_ms = self.now_ms + for_ms
        while self.now_ms < end_ms:
            told = self.button.feed(pressed, self.now_ms)
            self.told += [(gesture, self.now_ms) for gesture in told]
            self.now_ms += TICK_MS

    @property
    def gestures(self) -> list[str]:
        return [gesture for gesture, _ in self.told]


def test_a_press_is_told_when_it_goes_down_and_a_click_when_it_goes_up():
    hand = Hand(Button(hold_ms=1500))
    began_ms = hand.now_ms
    hand.hold(True, 200)
    hand.hold(False, 100)
    assert hand.told == [
        (PRESSED, began_ms + DEBOUNCE_MS),
        (RELEASED, began_ms + 200 + DEBOUNCE_MS),
        (CLICKED, began_ms + 200 + DEBOUNCE_MS),
    ]


def test_a_contact_that_bounces_is_one_press():
    hand = Hand(Button())
    for _ in range(2):  # closing, then opening
        for pressed in (True, False, True, False):
            hand.hold(pressed, TICK_MS)
        hand.hold(not hand.gestures, 100)
    assert hand.gestures == [PRESSED, RELEASED, CLICKED]


def test_a_spike_is_no_press():
    hand = Hand(Button())
    hand.hold(True, TICK_MS)
    hand.hold(False, 500)
    assert hand.gestures == []


def test_a_long_press_is_told_while_it_is_down_and_is_no_click():
    hand = Hand(Button(hold_ms=1500))
    began_ms = hand.now_ms
    hand.hold(True, 4000)
    assert hand.told == [(PRESSED, began_ms + 20), (HELD, began_ms + 20 + 1500)]
    hand.hold(False, 100)
    assert hand.gestures == [PRESSED, HELD, RELEASED]


def test_a_button_that_repeats_does_so_after_a_while_and_only_so_often():
    hand = Hand(Button(repeats=3))
    began_ms = hand.now_ms + DEBOUNCE_MS
    hand.hold(True, 5000)
    first_ms = began_ms + REPEAT_AFTER_MS
    repeats = [(REPEATED, first_ms + n * REPEAT_EVERY_MS) for n in range(3)]
    assert hand.told == [(PRESSED, began_ms), *repeats]
    hand.hold(False, 100)
    hand.told.clear()
    hand.hold(True, 500)
    assert hand.gestures == [PRESSED, REPEATED]


def test_a_button_that_is_down_from_the_start_means_nothing_until_it_was_up():
    button = Button(hold_ms=1500, repeats=5)
    told = [gesture for now_ms in range(0, 5000, TICK_MS) for gesture in button.feed(True, now_ms)]
    assert told == []
    assert button.stuck
    told = [g for now_ms in range(5000, 5100, TICK_MS) for g in button.feed(False, now_ms)]
    assert told == []
    assert not button.stuck
    told = [g for now_ms in range(5100, 5200, TICK_MS) for g in button.feed(True, now_ms)]
    assert told == [PRESSED]


def test_without_debouncing_every_sample_counts():
    button = Button(debounce_ms=0)
    told = [button.feed(pressed, ms) for ms, pressed in enumerate((True, False, True, False))]
    assert told == [[], [], [PRESSED], [RELEASED, CLICKED]]


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 400)), max_size=60))
def test_whatever_the_contact_does_presses_and_releases_take_turns(
    samples: list[tuple[bool, int]],
):
    button = Button(hold_ms=1500, repeats=4)
    now_ms = 0
    told: list[str] = []
    for pressed, pause_ms in samples:
        told += button.feed(pressed, now_ms)
        now_ms += pause_ms
    turns = [gesture for gesture in told if gesture in (PRESSED, RELEASED)]
    assert turns == ([PRESSED, RELEASED] * len(turns))[: len(turns)]
    assert told.count(CLICKED) + told.count(HELD) <= told.count(PRESSED)
    between = "".join({PRESSED: "(", RELEASED: ")", REPEATED: "r"}.get(each, "") for each in told)
    assert all(part.count("r") <= 4 for part in between.split("("))
