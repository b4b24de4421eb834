"""`socket` as on the ESP32 (ports/esp32/modsocket.c over lwIP).

Ten sockets; a UDP socket queues six datagrams and drops the newest beyond that; a read of no bytes
marks any socket as closed for ever; an empty datagram can't be sent; payloads end at 1472 bytes.
Addresses are (host, port) tuples.

In a network namespace the machine's network is the board's. On loopback many boards share it, so a
board's sockets live on its own address; a UDP socket bound to any address has a second one there,
on the broadcast address, and both fill one mailbox.
"""

import micropython
import uselect
import usocket as _host
from _board import event, facts
from usocket import AF_INET, SO_BROADCAST, SO_REUSEADDR, SOCK_DGRAM, SOCK_STREAM

AF_INET6 = 10
SOL_SOCKET = 1
IPPROTO_IP = 0
IPPROTO_TCP = 6
IPPROTO_UDP = 17
TCP_NODELAY = 1
IP_ADD_MEMBERSHIP = 35
SO_BINDTODEVICE = 25
_SO_RCVBUF = 8

_SOCKETS = 10  # CONFIG_LWIP_MAX_SOCKETS
_MAILBOX = 6  # CONFIG_LWIP_UDP_RECVMBOX_SIZE
_MAX_DATAGRAM = 1472
_TCP_WINDOW = 5760  # CONFIG_LWIP_TCP_WND_DEFAULT
_ENFILE = 23
_EAGAIN = 11
_EMSGSIZE = 90
_ETIMEDOUT = 116
_EINVAL = 22

_LOOPBACK_BROADCAST = "127.255.255.255"
_AF_UNSPEC_ADDRESS = bytes(16)

_on_loopback = facts["address"].startswith("127.")
_open = 0


def _address(pair):
    return _host.getaddrinfo(pair[0], pair[1])[0][-1]


def _pair(sockaddr):
    parts = _host.sockaddr(sockaddr)  # pyright: ignore[reportAttributeAccessIssue]
    return (_host.inet_ntop(parts[0], parts[1]), parts[2])  # pyright: ignore[reportAttributeAccessIssue]


def getaddrinfo(host, port, *rest):
    if host in ("0.0.0.0", ""):
        return [(AF_INET, SOCK_STREAM, 0, "", ("0.0.0.0", port))]
    for part in host.split("."):
        if not part.isdigit():
            raise OSError(-2)  # no name server in the house
    return [(AF_INET, SOCK_STREAM, 0, "", (host, port))]


class socket:
    def __init__(self, family=AF_INET, kind=SOCK_STREAM, proto=0, _accepted=None):
        global _open
        if family != AF_INET:
            raise OSError(_EINVAL)
        if _open >= _SOCKETS:
            raise OSError(_ENFILE)
        _open += 1
        self._kind = kind
        self._host = _accepted if _accepted is not None else _host.socket(AF_INET, kind)
        self._bound = _accepted is not None
        self._closed = False
        self._wedged = False
        self._mailbox = None
        self._blocking = True
        self._connected = None
        self._broadcast = None  # the host's socket on the broadcast address
        if kind == SOCK_DGRAM:
            self._mailbox = [None] * _MAILBOX
            # A connected socket reads into these again and again: nothing is allocated then.
            self._buffers = [None] * _MAILBOX
            self._sizes = [0] * _MAILBOX
            self._queued = 0
            self._first = 0
            self._spill = bytearray(1)
            self._arrivals = uselect.poll()
            self._arrivals.register(self._host, uselect.POLLIN)
        elif _accepted is None:
            self._host.setsockopt(SOL_SOCKET, _SO_RCVBUF, _TCP_WINDOW)

    def fileno(self):
        return self._host.fileno()

    def bind(self, address):
        host, port = address
        anywhere = host in ("0.0.0.0", "")
        if anywhere and _on_loopback:
            host = facts["address"]
            if self._mailbox is not None and port:
                self._bind_broadcast(port)
        self._host.bind(_address((host, port)))
        self._bound = True

    def _bind_broadcast(self, port):
        self._broadcast = _host.socket(AF_INET, SOCK_DGRAM)
        self._broadcast.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        self._broadcast.bind(_address((_LOOPBACK_BROADCAST, port)))
        self._broadcast.setblocking(False)
        self._arrivals.register(self._broadcast, uselect.POLLIN)

    def _bind_here(self):
        if not self._bound and _on_loopback:
            self._host.bind(_address((facts["address"], 0)))
            self._bound = True

    def connect(self, address):
        self._bind_here()
        self._connected = _address(address)
        self._host.connect(self._connected)

    def listen(self, backlog=2):
        self._host.listen(backlog)

    def accept(self):
        if _open >= _SOCKETS:
            raise OSError(_ENFILE)
        accepted, peer = self._host.accept()
        return socket(AF_INET, SOCK_STREAM, 0, accepted), _pair(peer)

    def setblocking(self, flag):
        self._blocking = bool(flag)
        self._host.setblocking(flag)

    def settimeout(self, seconds):
        # lwIP time-outs count in steps of 100 ms.
        self._blocking = seconds is None or seconds > 0
        if seconds:
            seconds = max(0.1, (int(seconds * 10 + 0.999)) / 10)
        self._host.settimeout(seconds)

    def setsockopt(self, level, option, value):
        if level == IPPROTO_TCP and option == TCP_NODELAY:
            pass
        elif level == SOL_SOCKET and option in (SO_REUSEADDR, SO_BROADCAST, SO_BINDTODEVICE):
            if option == SO_BINDTODEVICE:
                return
        elif level == IPPROTO_IP and option == IP_ADD_MEMBERSHIP:
            pass
        else:
            print("Warning: lwip.setsockopt() not implemented")
            return
        self._host.setsockopt(level, option, value)

    # Receiving

    def _drain(self, room):
        # Everything that has arrived goes to the mailbox; what it can't hold is lost. Datagrams
        # are cut to what is read of them, so that the heap pays for no more than on the board.
        self._drain_from(self._host, room)
        if self._broadcast is not None:
            self._drain_from(self._broadcast, room)

    def _drain_from(self, host, room):
        while True:
            if self._queued == _MAILBOX:
                if host.readinto(self._spill) is None:
                    return
                continue
            at = (self._first + self._queued) % _MAILBOX
            if self._connected is not None:
                if self._buffers[at] is None or len(self._buffers[at]) < room:
                    self._buffers[at] = bytearray(room)  # pyright: ignore[reportCallIssue]
                n = host.readinto(self._buffers[at])
                if n is None:
                    return
            else:
                try:
                    self._buffers[at], self._mailbox[at] = host.recvfrom(room)
                except OSError:
                    return
                n = len(self._buffers[at])
            self._sizes[at] = n
            self._queued += 1

    def _readable(self):
        # For select.poll; allocates nothing while nothing has come.
        if self._queued:
            return True
        for _ in self._arrivals.ipoll(0):
            return True
        return False

    def _take(self, buffer, room):
        # The oldest datagram, cut to the room there is; None when the mailbox is empty.
        self._drain(room)
        if not self._queued:
            return None
        at = self._first
        n = min(self._sizes[at], room)
        _copy(buffer, self._buffers[at], n)
        self._first = (at + 1) % _MAILBOX
        self._queued -= 1
        return n

    def readinto(self, buffer, nbytes=-1):
        if self._wedged:
            return 0
        room = len(buffer) if nbytes < 0 or nbytes > len(buffer) else nbytes
        if self._mailbox is not None and not self._blocking:
            n = self._take(buffer, room)
        else:
            n = self._host.readinto(buffer, room)
        if n == 0 and room:
            self._wedged = True
        return n

    def recvfrom(self, size):
        if self._wedged:
            return b"", ("0.0.0.0", 0)
        if self._mailbox is None or self._blocking:
            data, peer = self._host.recvfrom(size)
        else:
            buffer = bytearray(size)
            at = self._first
            n = self._take(buffer, size)
            if n is None:
                raise OSError(_EAGAIN)
            data, peer = bytes(memoryview(buffer)[:n]), self._mailbox[at]
        if not data:
            self._wedged = True
        return data, _pair(peer)

    def recv(self, size):
        buffer = bytearray(size)
        n = self.readinto(buffer)
        if n is None:
            raise OSError(_EAGAIN)
        return bytes(memoryview(buffer)[:n])

    def read(self, size=-1):
        return b"" if self._wedged else self._host.read(size)

    # Sending

    def _check_datagram(self, data):
        if self._mailbox is None:
            return
        if not len(data):
            event("empty datagram: a board repeats it or times out")
            raise OSError(_ETIMEDOUT)
        if len(data) > _MAX_DATAGRAM:
            raise OSError(_EMSGSIZE)

    def _again(self, error):
        # lwIP takes the source address anew for each datagram; Linux keeps that of the connect.
        if self._mailbox is None or self._connected is None or error.errno != _EINVAL:
            raise error
        self._host.connect(_AF_UNSPEC_ADDRESS)
        self._host.connect(self._connected)

    def send(self, data):
        self._check_datagram(data)
        try:
            return self._host.send(data)
        except OSError as error:
            self._again(error)
            return self._host.send(data)

    def write(self, data, at=-1, size=-1):
        # After the data: a size, or an offset and a size (py/stream.c). No tuple is made.
        self._check_datagram(data)
        if at < 0:
            return self._host.write(data)
        if size < 0:
            return self._host.write(data, at)  # pyright: ignore[reportCallIssue]
        return self._host.write(data, at, size)  # pyright: ignore[reportCallIssue]

    def sendall(self, data):
        view = memoryview(data)
        while len(view) > 0:
            view = view[self._host.send(view) :]

    def sendto(self, data, address):
        self._check_datagram(data)
        self._bind_here()
        return self._host.sendto(data, _address(address))

    def close(self):
        global _open
        if not self._closed:
            self._closed = True
            _open -= 1
            self._host.close()
            if self._broadcast is not None:
                self._broadcast.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@micropython.viper
def _copy(dst: ptr8, src: ptr8, n: int):
    for i in range(n):
        dst[i] = src[i]
