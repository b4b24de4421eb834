"""The devices that a session feeds: opening its stream on each, and letting each go."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, cast

from phantom.rpc import CLOSED, RpcError
from storagebox.journal import Journal
from storagebox.streamer import formats
from storagebox.streamer.house_clock import HouseTime
from storagebox.streamer.stream import Output, Stream

from .device import Device
from .memo import Memo
from .terms import Terms


class Feeding:
    """Devices of one session; `stream` is what they are fed, None while there is nothing."""

    def __init__(self, house: HouseTime, journal: Journal) -> None:
        self.stream: Stream | None = None
        self._house = house
        self._journal = journal
        self._memo: Memo | None = None  # what devices hold
        self._outputs: dict[Device, Output] = {}
        self._systems: dict[Device, str] = {}
        self._totals: dict[Device, list[int]] = {}
        self._closed: set[Output] = set()  # outputs that were told their last chunk
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def devices(self) -> list[Device]:
        """Those that are fed."""
        return list(self._outputs)

    def pick_of(self, device: Device) -> str | None:
        """What a device is sent now."""
        output = self._outputs.get(device)
        return output.variant.pick if output else None

    def counts(self, device: Device) -> dict[str, int]:
        """Chunks sent to a device and skipped for it in this session."""
        sent, skipped = self._totals.get(device, (0, 0))
        output = self._outputs.get(device)
        if output:
            sent += output.sent_chunks
            skipped += output.skipped_chunks
        return {"sent_chunks": sent, "skipped_chunks": skipped}

    def add(self, device: Device, pick: str, own: str, terms: Terms) -> bool:
        """Feed a device from now on; `own` is its system. False if it can't be.

        One that only changed connections still has what it had buffered, and gets the rest.
        """
        stream = self.stream
        variant = self._variant(device, pick, terms)
        if stream is None or variant is None:
            return False
        budget_ms = device.info.lead_ms if device.info else None
        output = stream.add(device.link, variant, self._house.now_us(), budget_ms)
        self._outputs[device] = output
        self._systems[device] = own
        self._totals.setdefault(device, [0, 0])
        opening = {
            "stream": stream.number,
            "start_us": stream.start_us,
            "codec": variant.codec_name,
            "pick": pick,
            "channels": variant.channels,
            "first_chunk": output.next_chunk,
            "session": self._memo.dumps(own) if self._memo else "",
        }
        self._spawn(self._open(device, stream, output, opening))
        return True

    async def _open(
        self, device: Device, stream: Stream, output: Output, opening: dict[str, Any]
    ) -> None:
        answer = await self._call(device, "renderer.open", opening)
        if isinstance(answer, dict):
            wants: Any = cast("dict[str, Any]", answer).get("wants")
            first = wants if isinstance(wants, int) else output.next_chunk
            stream.ready(output, first, self._house.now_us())

    def _variant(self, device: Device, pick: str, terms: Terms) -> formats.Variant | None:
        info = device.info
        if info is None:
            return None
        channels = formats.Variant(pick, 0).channels
        try:
            codec = formats.choose_codec(
                terms.codec,
                info.codecs,
                info.ring_bytes,
                channels,
                min(terms.lead_ms, info.lead_ms or terms.lead_ms),
                info.codec,
            )
        except formats.FormatError as fault:
            self._journal.emit("device.unplayable", device=device.id, reason=str(fault))
            return None
        return formats.Variant(pick, codec)

    def change(self, device: Device, pick: str, terms: Terms) -> None:
        """Send a device another part of the sound, or in another codec, without a gap."""
        output = self._outputs.get(device)
        variant = self._variant(device, pick, terms)
        if self.stream is not None and output is not None and variant is not None:
            self.stream.change(output, variant, self._house.now_us())

    def set_terms(self, terms: Terms) -> None:
        """Another lead and codec for all, without a gap."""
        if self.stream is not None:
            self.stream.set_lead(terms.lead_ms)
            for device, output in self._outputs.items():
                self.change(device, output.variant.pick, terms)

    def remove(self, device: Device, reason: str | None) -> None:
        """Feed a device no more; with a `reason` it is told to fade out, and why."""
        output = self._outputs.pop(device, None)
        if output is None or self.stream is None:
            return
        if reason is not None and device.ready:
            output.sent_chunks -= device.link.forget_audio()
            closing = {"stream": self.stream.number, "at_chunk": None, "reason": reason}
            self._spawn(self._call(device, "renderer.close", closing))
        self.stream.remove(output)
        self._closed.discard(output)
        totals = self._totals[device]
        totals[0] += output.sent_chunks
        totals[1] += output.skipped_chunks

    def end_at(self, last: int) -> None:
        """Chunk `last` is the last: tell those that have been sent it."""
        stream = self.stream
        for device, output in self._outputs.items():
            if stream is not None and stream.finished(output) and output not in self._closed:
                self._closed.add(output)
                closing = {"stream": stream.number, "at_chunk": last + 1}
                self._spawn(self._call(device, "renderer.close", closing))

    def leave_memo(self, memo: Memo) -> None:
        """Have devices keep this; those that come later, too."""
        self._memo = memo
        for device in self._outputs:
            if self.stream is not None:
                text = memo.dumps(self._systems[device])
                params = {"stream": self.stream.number, "session": text}
                self._spawn(self._call(device, "renderer.session", params))

    async def _call(self, device: Device, method: str, params: dict[str, Any]) -> Any:
        """The device's answer; None if it refused, which is noted."""
        try:
            return await device.link.call(method, params)
        except RpcError as fault:
            if fault.code != CLOSED:  # it has gone, which is told elsewhere
                self._journal.emit(
                    "device.refused", device=device.id, method=method, reason=str(fault)
                )

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
