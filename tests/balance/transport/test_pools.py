"""Connections are kept while a server is a member or something is under way, and then closed."""

import pytest

from storagebox.balance import Endpoint
from storagebox.balance.node import Node
from storagebox.balance.transport.pools import Pools

HERE = Endpoint("10.0.0.1", 80, id="a")
THERE = Endpoint("10.0.0.9", 80, id="a")
OTHER = Endpoint("10.0.0.2", 80, id="b")


def pools() -> Pools[str]:
    """Pools whose connections are only a name: the address, and how many there were before."""
    made: list[str] = []

    def make(endpoint: Endpoint) -> str:
        made.append(f"{endpoint.address} #{len(made)}")
        return made[-1]

    return Pools(make)


def test_requests_to_one_server_share_its_connections():
    made = pools()
    one, other = made.take(HERE), made.take(OTHER)
    assert made.take(HERE) is one
    assert (one.connections, other.connections) == ("10.0.0.1:80 #0", "10.0.0.2:80 #1")


def test_a_server_that_moved_under_the_same_name_gets_new_connections():
    made = pools()
    before = made.take(HERE)
    made.give(before)
    after = made.take(THERE)
    assert (after.connections, after.address) == ("10.0.0.9:80 #1", ("10.0.0.9", 80))
    assert list(made.to_close()) == ["10.0.0.1:80 #0"]
    assert made.take(THERE) is after


def test_another_port_is_another_address_and_another_weight_is_not():
    made = pools()
    before = made.take(HERE)
    assert made.take(HERE.weighing(3)) is before
    assert made.take(Endpoint("10.0.0.1", 81, id="a")) is not before


def test_connections_to_where_a_server_was_are_closed_once_nobody_uses_them():
    made = pools()
    uses = [made.take(HERE), made.take(HERE)]
    made.take(THERE)
    assert list(made.to_close()) == []
    made.give(uses[0])
    assert list(made.to_close()) == [], "one more uses them"
    made.give(uses[1])
    assert list(made.to_close()) == ["10.0.0.1:80 #0"]
    assert list(made.to_close()) == [], "told once"


def test_connections_to_who_has_left_are_closed_once_nobody_uses_them():
    made = pools()
    used, unused = made.take(HERE), made.take(OTHER)
    made.give(unused)
    made.left([Node(HERE), Node(OTHER), Node(Endpoint("10.0.0.3", 80))])
    assert list(made.to_close()) == ["10.0.0.2:80 #1"]
    made.give(used)
    assert list(made.to_close()) == ["10.0.0.1:80 #0"]


def test_that_a_server_moved_is_heard_after_its_new_connections_are_used():
    made = pools()
    made.give(made.take(HERE))
    new = made.take(THERE)
    made.left([Node(HERE)])
    assert list(made.to_close()) == ["10.0.0.1:80 #0"]
    assert made.take(THERE) is new


def test_a_member_keeps_its_connections_although_nobody_uses_them():
    made = pools()
    made.give(made.take(HERE))
    assert list(made.to_close()) == []
    assert made.take(HERE).connections == "10.0.0.1:80 #0"


def test_who_is_back_gets_new_connections_while_the_old_ones_are_still_used():
    made = pools()
    old = made.take(HERE)
    made.left([Node(HERE)])
    new = made.take(HERE)
    assert (old.connections, new.connections) == ("10.0.0.1:80 #0", "10.0.0.1:80 #1")
    made.give(new)
    assert list(made.to_close()) == []
    made.give(old)
    assert list(made.to_close()) == ["10.0.0.1:80 #0"]


def test_a_block_gives_back_what_it_used_however_it_ends():
    made = pools()
    with made.using(HERE) as connections:
        assert connections == "10.0.0.1:80 #0"
        made.left([Node(HERE)])
        assert list(made.to_close()) == []
    assert list(made.to_close()) == ["10.0.0.1:80 #0"]
    with pytest.raises(KeyError), made.using(OTHER):
        raise KeyError
    made.left([Node(OTHER)])
    assert list(made.to_close()) == ["10.0.0.2:80 #1"]


def test_closing_hands_out_all_connections_used_or_not():
    made = pools()
    used = made.take(HERE)
    made.give(made.take(OTHER))
    assert sorted(made.close()) == ["10.0.0.1:80 #0", "10.0.0.2:80 #1"]
    made.give(used)
    assert list(made.to_close()) == [], "they have been handed out"
    with pytest.raises(RuntimeError, match="has been closed"):
        made.take(HERE)
