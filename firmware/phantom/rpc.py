"""JSON-RPC 2.0 between peers, over any transport that carries whole messages.

Both ends are equal: each registers methods and each may call. The same file runs on boards and on
boxes. Nothing here knows sockets, asyncio or a clock: messages come in by `receive`, go out by the
`send` given, and time comes in by `tick`.

Two choices beyond https://www.jsonrpc.org/specification: batches are refused with INVALID_REQUEST,
since the answers to one could outgrow the largest message, and ids are integers, strings or null.
"""

import json

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
# The specification leaves -32000 to -32099 to implementations.
TIMED_OUT = -32000  # no answer within the call's time
CLOSED = -32001  # the transport went away before the answer came
BUSY = -32002  # more calls are waiting than the peer could answer in time
REFUSED = -32003  # understood, but not possible now; the message says why

# A method returns this when it will answer later, by `respond` with the id in `request_id`.
LATER = object()

# Kinds of what is refused, as they are counted.
MALFORMED = "malformed"
UNKNOWN_METHOD = "unknown_method"
BAD_PARAMS = "invalid_params"
STRAY = "stray"

# Phantom's own messages nest 4 deep; a parser must never be led into the depths of its stack.
MAX_DEPTH = 16
MAX_PENDING = 32
MAX_ID_CHARS = 64
# Covers the wrap of a board's ticks_ms (2**30) as well as a host's monotonic clock.
_TICKS_MASK = 0x3FFFFFFF


class RpcError(Exception):
    """An error answer. `code` is one of the numbers above, `data` anything JSON can hold."""

    def __init__(self, code, message, data=None):
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.data = data

    def __str__(self):
        return "%s (%d)" % (self.message, self.code)


def too_deep(text, limit=MAX_DEPTH):
    """True if a JSON text nests arrays and objects deeper than `limit`."""
    if text.count("[") + text.count("{") <= limit:
        return False
    depth = 0
    quoted = escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif quoted:
            if char == "\\":
                escaped = True
            elif char == '"':
                quoted = False
        elif char == '"':
            quoted = True
        elif char in "[{":
            depth += 1
            if depth > limit:
                return True
        elif char in "]}":
            depth -= 1
    return False


def whole(value, low, high, name):
    """Raise INVALID_PARAMS unless `value` is a whole number from `low` to `high`."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise RpcError(
            INVALID_PARAMS, "%s must be a whole number from %d to %d" % (name, low, high)
        )


class Rpc:
    """One end of a conversation.

    send(message: bytes) takes a whole message and must not raise; what it can't deliver is lost,
    and the caller learns so by its time-out. It may return False to say so at once.
    fault(name, exception) hears of methods and callbacks that failed in a way they did not mean
    to, refused(kind) of each message that was refused: MALFORMED, UNKNOWN_METHOD, BAD_PARAMS or
    STRAY. No message sent is over `limit` bytes.
    """

    def __init__(self, send, limit=8192, fault=None, refused=None):
        self._send = send
        self._limit = limit
        self._fault = fault
        self._refused = refused
        self._methods = {}
        self._pending = {}  # id -> [ms left, seen a tick, on_result]
        self._next_id = 0
        self._last_ms = None
        self.request_id = None  # of the request being dispatched; None for a notification
        self.malformed = 0  # messages that were not JSON-RPC
        self.strays = 0  # answers nobody waits for, notifications nobody registered

    def register(self, name, method):
        """Serve `name` by method(**params), or method(*params) if the peer sends a list.

        What it returns is the answer, LATER excepted. RpcError gives that error, and a TypeError,
        ValueError or KeyError INVALID_PARAMS with its text; anything else is INTERNAL_ERROR.
        """
        self._methods[name] = method

    def call(self, method, params, timeout_ms, on_result):
        """Call the peer; on_result(result, error) runs exactly once, error None or an RpcError.

        The time runs from the next `tick`.
        """
        if len(self._pending) >= MAX_PENDING:
            on_result(None, RpcError(BUSY, "%d calls are waiting already" % MAX_PENDING))
            return
        self._next_id = self._next_id % 0x3FFFFFFF + 1
        message = self._encode(
            {"jsonrpc": "2.0", "method": method, "params": params, "id": self._next_id}
        )
        if message is None:
            on_result(None, RpcError(INVALID_REQUEST, "%s: the call is too long" % method))
            return
        self._pending[self._next_id] = [timeout_ms, False, on_result]
        self._send(message)

    def notify(self, method, params):
        """Tell the peer, with no answer. False if it was dropped: over the limit, or no room."""
        message = self._encode({"jsonrpc": "2.0", "method": method, "params": params})
        if message is None:
            return False
        return self._send(message) is not False

    def respond(self, request_id, result=None, error=None):
        """Answer a request now, or one whose method returned LATER. `error` is an RpcError."""
        if error is None:
            body = {"jsonrpc": "2.0", "result": result, "id": request_id}
        else:
            fields = {"code": error.code, "message": error.message}
            if error.data is not None:
                fields["data"] = error.data
            body = {"jsonrpc": "2.0", "error": fields, "id": request_id}
        message = self._encode(body)
        if message is None:
            text = "the answer is over %d bytes" % self._limit
            message = self._encode(
                {
                    "jsonrpc": "2.0",
                    "error": {"code": INTERNAL_ERROR, "message": text},
                    "id": request_id,
                }
            )
        self._send(message)

    def tick(self, now_ms):
        """Let time pass: a few times a second is enough. Any millisecond counter will do."""
        last = self._last_ms
        self._last_ms = now_ms
        if not self._pending or last is None:
            return
        elapsed = (now_ms - last) & _TICKS_MASK
        for key in list(self._pending):
            entry = self._pending.get(key)
            if entry is None:  # a callback below closed this end
                continue
            if not entry[1]:
                entry[1] = True
                continue
            entry[0] -= elapsed
            if entry[0] <= 0:
                del self._pending[key]
                self._finish(entry[2], None, RpcError(TIMED_OUT, "no answer in time"))

    def close(self):
        """Fail every call that still waits. The object can be used again on a new transport."""
        waiting = self._pending
        self._pending = {}
        for entry in waiting.values():
            self._finish(entry[2], None, RpcError(CLOSED, "the connection closed"))

    def receive(self, message):
        """Take one whole message (bytes, bytearray or memoryview). Never raises."""
        try:
            text = str(bytes(message), "utf-8")
            if too_deep(text):
                raise ValueError("nested too deep")
            body = json.loads(text)
        except (ValueError, MemoryError):  # UnicodeError is a ValueError
            self._refuse(PARSE_ERROR, "not JSON", None)
            return
        if not isinstance(body, dict) or body.get("jsonrpc") != "2.0":
            self._refuse(INVALID_REQUEST, "not a JSON-RPC 2.0 object", None)
        elif "method" in body:
            self._request(body)
        elif "result" in body or "error" in body:
            self._answer(body)
        else:
            self._refuse(INVALID_REQUEST, "neither a request nor an answer", None)

    def _refuse(self, code, text, request_id):
        self.malformed += 1
        self._count(MALFORMED)
        self.respond(request_id, None, RpcError(code, text))

    def _count(self, kind):
        if self._refused:
            self._refused(kind)

    def _stray(self):
        self.strays += 1
        self._count(STRAY)

    def _request(self, body):
        request_id = body.get("id")
        wanted = "id" in body
        method = body["method"]
        params = body.get("params")
        if request_id is not None and not isinstance(request_id, (int, str)):
            self._refuse(INVALID_REQUEST, "an id is an integer, a string or null", None)
        elif isinstance(request_id, str) and len(request_id) > MAX_ID_CHARS:
            self._refuse(INVALID_REQUEST, "the id is over %d characters" % MAX_ID_CHARS, None)
        elif not isinstance(method, str) or not (
            params is None or isinstance(params, (dict, list))
        ):
            self._refuse(INVALID_REQUEST, "method is a string, params a list or object", None)
        elif method not in self._methods:
            self._count(UNKNOWN_METHOD)
            if wanted:
                error = RpcError(METHOD_NOT_FOUND, "no method " + method[:MAX_ID_CHARS])
                self.respond(request_id, None, error)
            else:
                self.strays += 1
        else:
            self._dispatch(method, params, request_id, wanted)

    def _dispatch(self, method, params, request_id, wanted):
        error = None
        result = None
        self.request_id = request_id
        try:
            result = self._invoke(self._methods[method], params)
        except RpcError as fault:
            error = fault
        except (TypeError, ValueError, KeyError) as fault:
            error = RpcError(INVALID_PARAMS, "%s: %s" % (method, fault))
        except Exception as fault:
            error = RpcError(INTERNAL_ERROR, "%s: %s" % (method, type(fault).__name__))
            if self._fault:
                self._fault(method, fault)
        self.request_id = None
        if error is not None and error.code == INVALID_PARAMS:
            self._count(BAD_PARAMS)
        if wanted and result is not LATER:
            self.respond(request_id, result, error)

    def _invoke(self, function, params):
        if not params:
            return function()
        if isinstance(params, dict):
            return function(**params)
        return function(*params)

    def _answer(self, body):
        request_id = body.get("id")
        entry = self._pending.pop(request_id, None) if isinstance(request_id, int) else None
        if entry is None:
            self._stray()
            return
        fields = body.get("error")
        if fields is None:
            self._finish(entry[2], body.get("result"), None)
            return
        if not isinstance(fields, dict):
            fields = {}
        code = fields.get("code")
        text = fields.get("message")
        if not isinstance(code, int) or not isinstance(text, str):
            self.malformed += 1
            self._count(MALFORMED)
            code, text = INTERNAL_ERROR, "an error answer without code and message"
        self._finish(entry[2], None, RpcError(code, text, fields.get("data")))

    def _finish(self, on_result, result, error):
        try:
            on_result(result, error)
        except Exception as fault:
            if self._fault:
                self._fault("on_result", fault)

    def _encode(self, body):
        """The message's bytes; None if they are over the limit."""
        message = json.dumps(body).encode()
        return message if len(message) <= self._limit else None
