"""What people give to `phantom flash` and `phantom provision`: Wi-Fi, identity, a download."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from subprocess import DEVNULL

import pytest

from storagebox import installation
from tools.flash import download, identity, wifi
from tools.flash.faults import BAD_INPUT, FlashFault
from tools.flash.identity import Identity
from tools.flash.wifi import Wifi

CONTENT = bytes(range(256)) * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


# Wi-Fi


def test_the_password_comes_from_a_file_the_environment_or_a_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv(wifi.PASSWORD_VARIABLE, raising=False)
    file = tmp_path / "password"
    file.write_text("from a file\n")
    assert wifi.gather("home", file) == Wifi("home", "from a file")
    assert wifi.gather("home", None, lambda _: "typed here", True) == Wifi("home", "typed here")
    monkeypatch.setenv(wifi.PASSWORD_VARIABLE, "from outside")
    assert wifi.gather("home", None) == Wifi("home", "from outside")
    monkeypatch.setenv(wifi.PASSWORD_VARIABLE, "")
    assert wifi.gather("open", None) == Wifi("open", "")
    assert wifi.gather(None, None) is None


def test_a_password_is_never_shown():
    assert "secret" not in repr(Identity(wifi=Wifi("home", "secret12"), installation={"key": "x"}))
    assert "key" not in repr(Identity(installation={"key": "x"}))


def test_what_no_network_can_have_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(wifi.PASSWORD_VARIABLE, raising=False)
    for ssid, password, said in (
        ("home", "short", "has 5 characters: WPA wants 8 to 63"),
        ("home", "g" * 64, "has 64 characters"),
        ("", "long enough", "1 to 32 bytes"),
        ("é" * 17, "long enough", "1 to 32 bytes"),
    ):
        with pytest.raises(FlashFault, match=said):
            wifi.gather(ssid, None, lambda _, given=password: given, True)
    wifi.gather("home", None, lambda _: "0f" * 32, True)
    with pytest.raises(FlashFault, match="password of the Wi-Fi home is missing"):
        wifi.gather("home", None, interactive=False)
    with pytest.raises(FlashFault, match="name the network as well"):
        wifi.gather(None, tmp_path / "password")
    with pytest.raises(FlashFault, match="No such file"):
        wifi.gather("home", tmp_path / "password")


# Identity


def test_an_identity_becomes_the_files_that_the_board_reads():
    mine = Identity("kitchen", "Kitchen", Wifi("home", "secret12"))
    assert mine.files() == {
        "/device.json": {
            "id": "kitchen",
            "name": "Kitchen",
            "wifi": {"ssid": "home", "key": "secret12"},
        }
    }
    assert Identity().files() == {"/device.json": {}}
    house = {"id": "00" * 8, "key": "11" * 32, "name": "home"}
    assert Identity().of(house).files()["/installation.json"] == house


@pytest.mark.parametrize("given", ["", "x" * 33, "living room", "küche"])
def test_an_id_that_a_board_would_refuse_is_refused(given: str):
    with pytest.raises(FlashFault, match="--id"):
        identity.check(given, None)


@pytest.mark.parametrize("given", ["", "x" * 65, "two\nlines"])
def test_a_name_that_a_board_would_refuse_is_refused(given: str):
    identity.check("kitchen-2", "Küche")
    with pytest.raises(FlashFault, match="--name"):
        identity.check(None, given)


def test_the_house_is_that_of_the_box_on_this_machine(tmp_path: Path):
    assert identity.of_state(tmp_path) is None
    member = installation.start(tmp_path, "Our home")
    found = identity.of_state(tmp_path)
    assert found == {
        "id": member.installation.hex(),
        "key": member.key.hex(),
        "name": "Our home",
    }
    assert identity.of_file(tmp_path) == found
    assert identity.of_file(tmp_path / installation.FILE) == found


def test_a_house_can_be_given_as_a_board_has_it(tmp_path: Path):
    house = {"id": "0a" * 8, "key": "0b" * 32, "name": "home"}
    file = tmp_path / installation.FILE
    file.write_text(json.dumps(house))
    assert identity.of_file(file) == house
    for content in ("{}", "no JSON", json.dumps(house | {"key": "0b"})):
        file.write_text(content)
        with pytest.raises(FlashFault, match="no installation in it"):
            identity.of_file(file)
    with pytest.raises(FlashFault, match="No such file"):
        identity.of_file(tmp_path / "nothing.json")


def test_a_damaged_house_is_not_taken_for_none(tmp_path: Path):
    (tmp_path / installation.FILE).write_text("{")
    with pytest.raises(FlashFault, match="--new"):
        identity.of_state(tmp_path)


# Download


class _Files(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked += 1  # type: ignore[attr-defined]
        if self.path == "/missing.bin":
            self.send_error(404)
            return
        self.send_response(200)
        length = len(CONTENT) + (1000 if self.path == "/cut.bin" else 0)
        if self.path == "/huge.bin":
            length = 1 << 40
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HTTPServer]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    serving = HTTPServer(("127.0.0.1", 0), _Files)
    serving.asked = 0  # type: ignore[attr-defined]
    thread = threading.Thread(target=serving.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield serving
    serving.shutdown()
    serving.server_close()


def url(server: HTTPServer, name: str) -> str:
    return f"http://127.0.0.1:{server.server_port}/{name}"


def test_a_download_is_checked_and_kept(server: HTTPServer):
    seen: list[float] = []
    address = url(server, "ESP32_GENERIC-v1.25.0.bin")
    path = download.fetch(address, DIGEST.upper(), seen.append)
    assert path.read_bytes() == CONTENT
    assert path.name == "ESP32_GENERIC-v1.25.0.bin"
    assert seen[-1] == 1
    assert download.fetch(address, DIGEST) == path
    assert server.asked == 1  # type: ignore[attr-defined]
    path.write_bytes(b"damaged on the disk")
    assert download.fetch(address, DIGEST).read_bytes() == CONTENT


def test_a_download_that_is_not_what_it_should_be_is_not_kept(server: HTTPServer):
    with pytest.raises(FlashFault, match=f"its SHA-256 is {DIGEST}, not {'0' * 64}"):
        download.fetch(url(server, "a.bin"), "0" * 64)
    assert not [path for path in download.cache_folder().rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("name", "said"),
    [("missing.bin", "404"), ("cut.bin", "ended early"), ("huge.bin", "over 32 MB")],
)
def test_what_a_server_does_wrong_is_one_line(server: HTTPServer, name: str, said: str):
    with pytest.raises(FlashFault, match=said) as fault:
        download.fetch(url(server, name), DIGEST)
    assert "\n" not in str(fault.value)


def test_a_server_that_is_not_there_is_one_line(server: HTTPServer):
    server.shutdown()
    server.server_close()
    with pytest.raises(FlashFault, match="Connection refused: is there a network"):
        download.fetch(url(server, "a.bin"), DIGEST)


def test_a_url_without_a_digest_or_of_another_kind_is_refused(tmp_path: Path):
    with pytest.raises(FlashFault, match="add --sha256"):
        download.fetch("https://example.org/a.bin", None)
    with pytest.raises(FlashFault, match="only http and https"):
        download.fetch("ftp://example.org/a.bin", DIGEST)
    with pytest.raises(FlashFault, match="64 hexadecimal digits"):
        download.fetch("https://example.org/a.bin", "abc")


def test_a_file_is_held_to_its_digest_too(tmp_path: Path):
    file = tmp_path / "a.bin"
    file.write_bytes(CONTENT)
    assert download.checked(file, DIGEST) == file
    assert download.checked(file, None) == file
    with pytest.raises(FlashFault, match="compare the digest"):
        download.checked(file, "0" * 64)


# The command


def phantom(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "storagebox.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, stdin=DEVNULL, check=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("flash", "-b", "x", "-f", "y"), "flash: --board: there is no board 'x'; there are"),
        (("flash", "-b", "esp32_generic", "-f", "y"), "flash: no Wi-Fi for it: --ssid NAME"),
        (
            ("flash", "-b", "esp32_generic", "-f", "y", "--no-wifi", "-p", "/none"),
            "/none: no such",
        ),
        (("provision", "-p", "/none"), "provision: nothing to change: give --ssid"),
        (("provision", "--new", "--join"), "provision: --new, and a house to join: one of them"),
        (("logs", "-p", "/dev/null"), "logs: /dev/null: not a serial port"),
        (("repl", "-p", "/none"), "repl: /none: no such port"),
    ],
)
def test_bad_input_is_one_line_and_a_status(arguments: tuple[str, ...], said: str):
    ended = phantom(*arguments)
    assert ended.returncode == BAD_INPUT
    assert said in ended.stderr
    assert ended.stderr.startswith("phantom: ")
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == ""
