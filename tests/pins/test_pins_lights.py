"""What lights show, and the house they show it of."""

import itertools

import pytest

from storagebox.pins import lights
from storagebox.pins.house import House
from storagebox.pins.lights import LIGHTS, Light, Pattern, Scene, pattern
from tests.cli.standin_box import house

ROOMS = {"Kitchen": "g1", "bed": "g1", "living room": "g2"}
PATTERNS = [each for each in vars(lights).values() if isinstance(each, Pattern)]


def blinks(shown: Pattern, for_ms: int = 4000) -> list[tuple[bool, int]]:
    """Stretches of light and dark, in ms."""
    lit = [shown.lit(7, 7 + ms) for ms in range(for_ms)]
    return [(on, len(list(stretch))) for on, stretch in itertools.groupby(lit)]


def test_patterns_are_what_their_steps_say():
    assert blinks(lights.OFF) == [(False, 4000)]
    assert blinks(lights.STEADY) == [(True, 4000)]
    assert blinks(lights.BREATH) == [(True, 40), (False, 3960)]
    assert blinks(lights.SLOW) == [(True, 1000), (False, 1000)] * 2
    assert blinks(lights.TWICE)[:4] == [(True, 120), (False, 200), (True, 120), (False, 1560)]


def test_no_two_patterns_look_alike():
    assert len(PATTERNS) == 8
    looks = [tuple(blinks(each)) for each in PATTERNS]
    assert len(set(looks)) == len(PATTERNS)


@pytest.mark.parametrize(
    ("scene", "music", "trouble", "pair", "status"),
    [
        (Scene(), lights.OFF, lights.OFF, lights.OFF, lights.BREATH),
        (Scene(music="playing"), lights.STEADY, lights.OFF, lights.OFF, lights.STEADY),
        (Scene(music="paused"), lights.SLOW, lights.OFF, lights.OFF, lights.SLOW),
        (
            Scene(music="playing", trouble=True, waiting=True),
            lights.STEADY,
            lights.TWICE,
            lights.THRICE,
            lights.TWICE,
        ),
        (
            Scene(music="playing", waiting=True),
            lights.STEADY,
            lights.OFF,
            lights.THRICE,
            lights.THRICE,
        ),
        (Scene(pairing=True), lights.OFF, lights.OFF, lights.FLICKER, lights.FLICKER),
        (
            Scene(music="paused", trouble=True, refused=True),
            lights.SLOW,
            lights.FLICKER,
            lights.OFF,
            lights.FLICKER,
        ),
        (
            Scene(music="playing", waiting=True, away=True),
            lights.OFF,
            lights.EVEN,
            lights.OFF,
            lights.EVEN,
        ),
    ],
)
def test_each_light_has_its_job_and_a_single_one_shows_what_matters_most(
    scene: Scene, music: Pattern, trouble: Pattern, pair: Pattern, status: Pattern
):
    assert [pattern(light, scene) for light in LIGHTS] == [music, trouble, pair, status]


def test_a_light_keeps_its_beat_until_there_is_something_else_to_show():
    light = Light(lights.MUSIC)
    paused = Scene(music="paused")
    assert [light.lit(paused, ms) for ms in (300, 1200, 1300, 2299, 2300)] == [
        *(True, True),
        *(False, False, True),
    ]
    assert light.lit(Scene(music="playing"), 2350)
    assert light.lit(paused, 3000)  # a beat begins with light
    assert not light.lit(paused, 4000)


# The house


def told() -> House:
    known = House()
    known.begin(house())
    return known


def test_music_is_that_of_the_rooms_meant():
    known = told()
    assert known.music(None) == "playing"
    assert known.music(["Kitchen"]) == "playing"
    assert known.music(["bed"]) == "playing"
    assert known.music(["living"]) == "idle"
    assert known.music(["Attic"]) == "idle"
    assert {name: known.groups([name]) for name in ROOMS} == {
        name: [group] for name, group in ROOMS.items()
    }


def test_changes_keep_it_in_step():
    known = told()
    known.told({"kind": "session", "session": "s1", "state": "paused"})
    assert known.music(None) == "paused"
    known.told({"kind": "group", "group": "g2", "session": "s2"})
    known.told({"kind": "session", "session": "s2", "state": "playing", "track": None})
    assert known.music(["living"]) == "playing"
    assert known.music(["Kitchen"]) == "paused"
    known.told({"kind": "session", "session": "s1", "state": "ended"})
    known.told({"kind": "session", "session": "s2", "gone": True})
    assert known.music(None) == "idle"


def test_trouble_is_what_people_hear():
    known = told()
    assert known.trouble
    known.told({"kind": "room", "room": "living-l", "health": "good"})
    assert not known.trouble  # Bedroom is fair: nobody hears that yet
    known.told({"kind": "room", "room": "kitchen", "health": "silent"})
    assert known.trouble
    known.told({"kind": "room", "room": "kitchen", "gone": True})
    assert not known.trouble


def test_boards_that_wait_come_and_go():
    known = told()
    assert known.waiting == ["esp32-9a8b7c"]
    known.told({"kind": "board", "device": "esp32-9a8b7c", "gone": True})
    assert known.waiting == []
    known.told({"kind": "board", "device": "esp32-000001", "address": "10.0.0.9"})
    assert known.waiting == ["esp32-000001"]


def test_all_rooms_meant_must_be_muted():
    known = told()
    assert known.muted(["Bedroom"])
    assert not known.muted(["Bedroom", "Kitchen"])
    assert not known.muted(["Attic"])


def test_what_is_new_to_it_is_left_aside():
    known = told()
    seen = known.version
    known.told({"kind": "weather", "weather": "rain"})
    known.told({"kind": "property", "device": "kitchen", "name": "x", "value": 1})
    assert known.version == seen
