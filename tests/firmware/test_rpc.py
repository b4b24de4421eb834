"""JSON-RPC between two ends that are wired back to back."""

import json

from phantom.rpc import (
    BUSY,
    CLOSED,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    LATER,
    MAX_PENDING,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    REFUSED,
    TIMED_OUT,
    Rpc,
    RpcError,
    too_deep,
)
from tests.portable import Random

PORTABLE = True


class Ends:
    """A caller and a server; `wire` holds every message, `answers` every outcome of a call."""

    def __init__(self):
        self.wire = []
        self.answers = []
        self.faults = []
        self.caller = Rpc(self._to_server)
        self.server = Rpc(self._to_caller, 8192, self._note)
        self.server.register("add", lambda x, y: x + y)

    def _note(self, name, fault):
        self.faults.append((name, type(fault)))

    def _to_server(self, message):
        self.wire.append(message)
        self.server.receive(message)

    def _to_caller(self, message):
        self.wire.append(message)
        self.caller.receive(message)

    def call(self, method, params, timeout_ms=1000):
        """The outcome of a call, None while there is none."""
        before = len(self.answers)
        self.caller.call(method, params, timeout_ms, lambda *outcome: self.answers.append(outcome))
        return self.answers[-1] if len(self.answers) > before else None

    def error_code(self, method, params):
        """The code of the error that a call gives."""
        return self.call(method, params)[1].code


def served(message):
    """What a lone server answers to one message; None for nothing."""
    out = []
    server = Rpc(out.append)
    server.register("add", lambda x, y: x + y)
    server.receive(message)
    assert len(out) <= 1
    return json.loads(out[0]) if out else None


def test_parameters_travel_by_name_and_by_position():
    ends = Ends()
    assert ends.call("add", {"x": 1, "y": 2}) == (3, None)
    assert ends.call("add", [5, 6]) == (11, None)


def test_answers_are_json_rpc_with_the_id_of_the_request():
    answer = served(b'{"jsonrpc":"2.0","method":"add","params":[1,2],"id":"seven"}')
    assert answer == {"jsonrpc": "2.0", "result": 3, "id": "seven"}


def test_a_notification_is_carried_out_and_not_answered():
    heard = []
    out = []
    server = Rpc(out.append)
    server.register("note", lambda text: heard.append(text))  # noqa: PLW0108 - append takes no keywords
    assert Rpc(server.receive).notify("note", {"text": "hello"})
    server.receive(b'{"jsonrpc":"2.0","method":"unknown"}')
    assert heard == ["hello"]
    assert out == []
    assert server.strays == 1


def test_each_fault_has_the_code_that_the_specification_gives_it():
    ends = Ends()
    assert ends.error_code("missing", {}) == METHOD_NOT_FOUND
    assert ends.error_code("add", {"x": 1}) == INVALID_PARAMS
    assert ends.error_code("add", {"x": 1, "z": 2}) == INVALID_PARAMS
    assert served(b"nonsense")["error"]["code"] == PARSE_ERROR
    assert served(b"")["error"]["code"] == PARSE_ERROR
    assert served(b"\xff\xfe")["error"]["code"] == PARSE_ERROR
    for body in (
        b"1",
        b"[]",
        b'[{"jsonrpc":"2.0","method":"add","params":[1,2],"id":1}]',
        b'{"method":"add","params":[1,2],"id":1}',
        b'{"jsonrpc":"2.0","id":1}',
        b'{"jsonrpc":"2.0","method":7,"id":1}',
        b'{"jsonrpc":"2.0","method":"add","params":3,"id":1}',
        b'{"jsonrpc":"2.0","method":"add","params":[1,2],"id":[1]}',
    ):
        answer = served(body)
        assert answer["error"]["code"] == INVALID_REQUEST, body
        assert answer["id"] is None


def test_a_method_refuses_with_its_own_error_and_keeps_its_data():
    ends = Ends()

    def refuse():
        raise RpcError(REFUSED, "not now", {"after_ms": 5})

    ends.server.register("refuse", refuse)
    error = ends.call("refuse", {})[1]
    assert (error.code, error.message, error.data) == (REFUSED, "not now", {"after_ms": 5})


def test_a_method_that_breaks_is_an_internal_error_and_is_heard_of():
    ends = Ends()
    ends.server.register("break", lambda: 1 // 0)
    assert ends.error_code("break", {}) == INTERNAL_ERROR
    assert ends.faults == [("break", ZeroDivisionError)]


def test_a_method_may_answer_later():
    ends = Ends()
    asked = []

    def wait():
        asked.append(ends.server.request_id)
        return LATER

    ends.server.register("wait", wait)
    assert ends.call("wait", {}) is None
    ends.server.respond(asked[0], "done")
    assert ends.answers == [("done", None)]


def test_a_call_without_an_answer_times_out_once_and_its_late_answer_is_ignored():
    ends = Ends()
    ends.server.register("wait", lambda: LATER)
    ends.caller.tick(10)
    assert ends.call("wait", {}, 100) is None
    ends.caller.tick(20)
    ends.caller.tick(119)
    assert ends.answers == []
    ends.caller.tick(120)
    ends.caller.tick(500)
    assert [outcome[1].code for outcome in ends.answers] == [TIMED_OUT]
    ends.server.respond(1, "too late")
    assert len(ends.answers) == 1
    assert ends.caller.strays == 1


def test_time_outs_survive_the_wrap_of_a_boards_milliseconds():
    ends = Ends()
    ends.server.register("wait", lambda: LATER)
    ends.caller.tick((1 << 30) - 60)
    ends.call("wait", {}, 100)
    ends.caller.tick((1 << 30) - 50)
    ends.caller.tick(49)
    assert ends.answers == []
    ends.caller.tick(50)
    assert ends.answers[0][1].code == TIMED_OUT


def test_closing_fails_every_call_that_waits():
    ends = Ends()
    ends.server.register("wait", lambda: LATER)
    ends.call("wait", {})
    ends.call("wait", {})
    ends.caller.close()
    assert [outcome[1].code for outcome in ends.answers] == [CLOSED, CLOSED]
    assert ends.call("add", [1, 1]) == (2, None)


def test_calls_that_wait_are_bounded():
    ends = Ends()
    ends.server.register("wait", lambda: LATER)
    for _ in range(MAX_PENDING):
        assert ends.call("wait", {}) is None
    assert ends.error_code("wait", {}) == BUSY


def test_no_message_goes_over_the_limit():
    out = []
    server = Rpc(out.append, 300)
    server.register("long", lambda: "x" * 1000)
    server.receive(b'{"jsonrpc":"2.0","method":"long","id":1}')
    assert json.loads(out[0])["error"]["code"] == INTERNAL_ERROR
    assert not server.notify("note", {"text": "x" * 1000})
    outcomes = []
    server.call("call", {"text": "x" * 1000}, 10, lambda *outcome: outcomes.append(outcome))
    assert outcomes[0][1].code == INVALID_REQUEST
    assert len(out) == 1
    assert max(len(message) for message in out) <= 300


def test_answers_that_are_no_answers_are_errors_or_ignored():
    ends = Ends()
    ends.server.register("wait", lambda: LATER)
    for body in ('"error":{}', '"error":5', '"error":{"code":"x","message":1}'):
        ends.call("wait", {})
        number = len(ends.answers) + 1
        ends.caller.receive(f'{{"jsonrpc":"2.0",{body},"id":{number}}}'.encode())
        assert ends.answers[-1][1].code == INTERNAL_ERROR
    before = ends.caller.strays
    ends.caller.receive(b'{"jsonrpc":"2.0","result":1,"id":null}')
    ends.caller.receive(b'{"jsonrpc":"2.0","result":1,"id":[3]}')
    assert ends.caller.strays == before + 2


def test_deep_nesting_is_refused_before_it_is_parsed():
    assert served(b"[" * 8000)["error"]["code"] == PARSE_ERROR
    assert served(b'{"a":' * 1600)["error"]["code"] == PARSE_ERROR
    assert not too_deep('{"text": "[[[[[[[[[[[[[[[[[[[[[[[[ \\" {{{{{{{{{{"}')
    assert not too_deep(
        "[1],[2],[3],[4],[5],[6],[7],[8],[9],[10],[11],[12],[13],[14],[15],[16],[17]"
    )
    assert too_deep("[" * 17)


def test_mutated_messages_never_raise_and_never_stop_the_server():
    rng = Random(7)
    out = []
    server = Rpc(out.append)
    server.register("add", lambda x, y: x + y)
    good = b'{"jsonrpc":"2.0","method":"add","params":{"x":1,"y":2},"id":12}'
    for _ in range(1500):
        message = bytearray(good)
        for _ in range(rng.below(6)):
            kind = rng.below(3)
            at = rng.below(len(message) + 1)
            if kind == 0 and at < len(message):
                message[at] = rng.below(256)
            elif kind == 1:
                message = message[:at] + bytes([rng.below(256)]) + message[at:]
            else:
                message = message[: rng.below(len(message) + 1)]
        server.receive(message)
        assert len(out) <= 1
        del out[:]
    server.receive(good)
    assert json.loads(out[0])["result"] == 3


def test_every_message_that_is_refused_is_counted_by_its_kind():
    rng = Random(19)
    kinds = {
        b"{": "malformed",
        b"\xff\xfe": "malformed",
        b"[]": "malformed",
        b"7": "malformed",
        b'{"jsonrpc":"2.0"}': "malformed",
        b'{"jsonrpc":"1.0","method":"add","id":1}': "malformed",
        b'{"jsonrpc":"2.0","method":5,"id":1}': "malformed",
        b'{"jsonrpc":"2.0","method":"add","params":"xy","id":1}': "malformed",
        b'{"jsonrpc":"2.0","method":"add","params":[1,2],"id":[1]}': "malformed",
        b"[" * 200 + b"]" * 200: "malformed",
        b'{"a":' * 100: "malformed",
        b'{"jsonrpc":"2.0","method":"fly","id":1}': "unknown_method",
        b'{"jsonrpc":"2.0","method":"fly"}': "unknown_method",
        b'{"jsonrpc":"2.0","method":"add","params":[1],"id":1}': "invalid_params",
        b'{"jsonrpc":"2.0","method":"add","params":{"x":1,"z":2},"id":1}': "invalid_params",
        b'{"jsonrpc":"2.0","method":"add","params":{"x":1,"y":"two"}}': "invalid_params",
        b'{"jsonrpc":"2.0","result":1,"id":99}': "stray",
        b'{"jsonrpc":"2.0","error":5,"id":null}': "stray",
        b'{"jsonrpc":"2.0","method":"add","params":[1,2],"id":1}': None,
    }
    messages = sorted(kinds)
    counted = []
    server = Rpc(lambda _: None, refused=counted.append)
    server.register("add", lambda x, y: x + y)
    expected = []
    for _ in range(500):
        message = messages[rng.below(len(messages))]
        server.receive(message)
        if kinds[message]:
            expected.append(kinds[message])
        assert counted == expected, message
