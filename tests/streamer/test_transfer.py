"""Uploads over a link to a stand-in device."""

from __future__ import annotations

import asyncio
import hashlib
import random

import pytest

from phantom.rpc import CLOSED, INVALID_PARAMS, REFUSED, TIMED_OUT, RpcError
from phantom.wire import bulk
from storagebox.streamer import transfer
from storagebox.streamer.transfer import upload
from tests.standins import until
from tests.streamer.test_link import pair

DATA = random.Random(4).randbytes(300_000)


def test_a_device_gets_every_byte():
    async def story():
        async with pair() as (made, sink):
            for size in (0, 1, bulk.DATA_BYTES, len(DATA)):
                done = await upload(made.link, DATA[:size])
                assert done.sha256 == hashlib.sha256(DATA[:size]).hexdigest()
                assert done.size == size
            assert not sink.refused

    asyncio.run(story())


def test_calls_are_answered_while_bytes_wait_for_room():
    async def story():
        async with pair() as (made, sink):
            sink.freeze(True)
            under_way = asyncio.ensure_future(upload(made.link, DATA))
            sink.freeze(False)
            answered = 0
            while not under_way.done():
                await made.link.call("device.info", {})
                answered += 1
            assert answered > 5
            assert (await under_way).size == len(DATA)

    asyncio.run(story())


def test_an_upload_fails_when_its_link_goes_and_the_next_one_succeeds():
    async def story():
        async with pair() as (made, sink):
            under_way = asyncio.ensure_future(upload(made.link, DATA))
            await until(lambda: made.link.bulk_waits() or sink.uploads.busy, "bytes are out")
            sink.hang_up()
            with pytest.raises(RpcError) as caught:
                await under_way
            assert caught.value.code == CLOSED
            await until(lambda: made.link.up, "the link is up again")
            assert (await upload(made.link, DATA)).size == len(DATA)

    asyncio.run(story())


def test_a_cancelled_upload_leaves_room_for_the_next():
    async def story():
        async with pair() as (made, sink):
            under_way = asyncio.ensure_future(upload(made.link, DATA))
            await until(lambda: sink.uploads.busy, "it is under way")
            under_way.cancel()
            await asyncio.gather(under_way, return_exceptions=True)
            await until(lambda: not sink.uploads.busy, "the device has let go")
            assert (await upload(made.link, DATA[:5000])).size == 5000

    asyncio.run(story())


def test_a_device_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transfer, "STALLED_S", 0.1)

    async def story():
        async with pair() as (made, sink):
            under_way = asyncio.ensure_future(upload(made.link, DATA))
            await until(lambda: sink.uploads.busy, "it is under way")
            sink.freeze(True)
            with pytest.raises(RpcError) as caught:
                await under_way
            assert caught.value.code == TIMED_OUT
            sink.freeze(False)
            await until(lambda: not sink.uploads.busy, "the device has let go")

    asyncio.run(story())


def test_what_the_device_refuses_is_told():
    async def story():
        async with pair() as (made, _):
            for data, purpose, code in (
                (DATA[:10], "firmware!", INVALID_PARAMS),
                (bytes(bulk.MAX_SIZE + 1), "measure", INVALID_PARAMS),
            ):
                with pytest.raises(RpcError) as caught:
                    await upload(made.link, data, purpose)
                assert caught.value.code == code
            first = asyncio.ensure_future(upload(made.link, DATA))
            await asyncio.sleep(0)
            with pytest.raises(RpcError) as caught:
                await upload(made.link, DATA)
            assert caught.value.code == REFUSED
            await first

    asyncio.run(story())
