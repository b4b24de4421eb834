"""Requests of the last while: of one server, of all, and of all but one."""

from hypothesis import given
from hypothesis import strategies as st

from storagebox.balance.health.window import Window

ENDS = st.lists(st.tuples(st.floats(0, 25), st.booleans(), st.booleans()), max_size=40)


@given(ENDS)
def test_all_but_one_server_are_counted_as_if_it_had_never_been(
    ends: list[tuple[float, bool, bool]],
):
    one, others, everybody = Window(30.0), Window(30.0), Window(30.0)
    now = 0.0
    for wait_s, failed, its in [*ends, (0.0, False, False)]:
        now += wait_s
        everybody.add(failed, now)
        (one if its else others).add(failed, now)
    everybody.without(one)
    assert (everybody.ended, everybody.failed) == (others.ended, others.failed)
    everybody.add(True, now + 100.0)
    assert (everybody.ended, everybody.failed) == (1, 1), "nothing is forgotten twice"


def test_nothing_less_nothing_is_nothing():
    window = Window(30.0)
    window.without(Window(30.0))
    assert (window.ended, window.failed) == (0, 0)
    window.add(True, 1.0)
    window.without(Window(30.0))
    assert (window.ended, window.failed) == (1, 1)
