"""An application as it is served: what it may take of the machine, what is remembered of it."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, TypeVar, cast
from uuid import uuid4

from storagebox.search.engine.text import Tokenizer
from storagebox.search.language.dictionaries import STANDARD, Dictionaries
from storagebox.search.language.settings import Settings
from storagebox.search.server import grants, secured
from storagebox.search.server.credentials import INVALID, Asked
from storagebox.search.server.grants import Grant
from storagebox.search.server.rates import Bucket, HourlyCounts
from storagebox.search.server.recent import Recent
from storagebox.search.server.ruling import Ruling
from storagebox.search.server.turns import Line
from storagebox.search.writes.application import Application
from storagebox.search.writes.operations import SETTINGS
from storagebox.search.writes.quotas import Quota, QuotaFile
from storagebox.search.writes.refused import Refused
from storagebox.search.writes.state import View

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_KEYS_CACHED: Final = 4096
_INDICES_CACHED: Final = 256
_REPEATS_KNOWN: Final = 4096


@dataclass(frozen=True, slots=True)
class Share:
    """What one application may take of the machine."""

    # Of one whose own file says nothing else.
    quota: Quota = field(default_factory=Quota)
    # Work that waits for its turn; beyond it, answers are 429.
    waiting: int = 500
    # Of the threads for what takes long: two that compute only hinder each other in Python.
    threads: int = 1


class Latest(Generic[K, V]):
    """A mapping of bounded size: what was longest unused is forgotten. Any thread may use it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """What is kept under `key`."""
        with self._lock:
            value = self._kept.get(key)
            if value is not None:
                self._kept.move_to_end(key)
            return value

    def put(self, key: K, value: V) -> None:
        """Keep it."""
        with self._lock:
            self._kept[key] = value
            self._kept.move_to_end(key)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)


class Tenant:
    """One application. Used within the event loop, but for settings and rules."""

    def __init__(self, application: Application, share: Share) -> None:
        self.application = application
        self.line = Line(share.waiting, share.threads)
        self.requests = self.writes = Bucket(0)
        self._quota_file = QuotaFile(application.folder, share.quota)
        self.hourly = HourlyCounts()
        self.recent = Recent()
        # How much of the processor a search of an index took of late, in seconds.
        self.worked_s: Latest[str, float] = Latest(_INDICES_CACHED)
        self._secured: Latest[str, tuple[object, Grant]] = Latest(_KEYS_CACHED)
        self._grants: Latest[str, tuple[object, Grant]] = Latest(_KEYS_CACHED)
        self._settings: Latest[tuple[str, bool], tuple[Any, Settings]] = Latest(_INDICES_CACHED)
        self._rulings: Latest[tuple[str, bool], Ruling] = Latest(_INDICES_CACHED)
        # The dictionaries there are, as they were kept and as what they came to.
        self._dictionaries: tuple[object, object, Dictionaries] = None, None, STANDARD
        self._answered: Latest[str, tuple[int, tuple[str, int]]] = Latest(_REPEATS_KNOWN)

    def read_quota(self) -> Quota | None:
        """Have the quota hold that its file says; None if that hasn't changed. Raises BadQuota."""
        if not self._quota_file.changed():
            return None
        quota = self._quota_file.read()
        self.application.quota = quota
        if quota.requests_per_s != self.requests.rate:
            self.requests = Bucket(quota.requests_per_s)
        if quota.writes_per_s != self.writes.rate:
            self.writes = Bucket(quota.writes_per_s)
        return quota

    def grant(self, value: str, now_s: float) -> Grant:
        """What a key, registered or secured, may do. Raises Refused for one that is none."""
        app, now_ms = self.application, int(now_s * 1000)
        if not value:
            raise Refused(INVALID, 403)
        if secured.same(value, app.admin_key):
            return grants.of_admin(value)
        key = app.keys.get(value, now_ms)
        if key is not None:
            known = self._grants.get(value)
            if known is None or known[0] is not key:
                known = key, grants.of_key(key)
                self._grants.put(value, known)
            return known[1]
        known = self._secured.get(value)
        if known is not None:
            parent = cast("Grant", known[0])
            if self.grant(parent.key, now_s) is parent:
                return known[1]
        found = secured.verify(value, app.keys.all(now_ms))
        if found is None:
            raise Refused(INVALID, 403)
        parent = self.grant(found.parent.value, now_s)
        grant = grants.of_secured(parent, found)
        self._secured.put(value, (parent, grant))
        return grant

    def settings(self, index: str, *, all_seen: bool) -> Settings:
        """An index's settings; with `all_seen`, no attribute is unretrievable."""
        view = self.application.view(index)
        given: Any = (view.meta(SETTINGS) if view is not None else None) or {}
        is_virtual = view is not None and view.is_virtual
        known = self._settings.get((index, all_seen))
        dictionaries = self.dictionaries
        if (
            known is not None
            and (known[0] is given or known[0] == given)
            and known[1].dictionaries is dictionaries
            and known[1].is_virtual == is_virtual
        ):
            return known[1]
        made = Settings.from_json(given)
        settings = replace(made, dictionaries=dictionaries, is_virtual=is_virtual)
        if all_seen:
            settings = replace(settings, unretrievable_attributes=())
        self._settings.put((index, all_seen), (given, settings))
        return settings

    @property
    def dictionaries(self) -> Dictionaries:
        """The application's stop words, plurals and compounds, beside ours."""
        app = self.application
        kept, settings = app.dictionaries, app.dictionary_settings
        if self._dictionaries[0] is not kept or self._dictionaries[1] is not settings:
            made = Dictionaries(
                kept.get("stopwords"),
                kept.get("plurals"),
                kept.get("compounds"),
                settings.get("disableStandardEntries"),
                Tokenizer().fold,
            )
            self._dictionaries = kept, settings, made
        return self._dictionaries[2]

    def ruling(self, index: str, view: View, settings: Settings) -> Ruling | None:
        """An index's rules, if it has any."""
        seen = bool(settings.unretrievable_attributes)
        ruling = Ruling.of(view, settings, self._rulings.get((index, seen)))
        if ruling is not None:
            self._rulings.put((index, seen), ruling)
        return ruling

    def operation_id(self, asked: Asked, grant: Grant, target: str, body: bytes) -> str:
        """What a write is known by: the same for all tries of it.

        Clients have one Request-ID for all that one call of a method sends, tries and several
        requests alike, which may even be equal. A try that follows another comes on a connection
        of its own, since the one before was given up; the next request comes on the same one.
        """
        if not asked.request_id:
            return uuid4().hex
        about = "\n".join((grant.key, asked.request_id, target)).encode()
        known = hashlib.blake2b(about + b"\n" + body, digest_size=20).hexdigest()
        client = asked.address, asked.port
        number, answered_to = self._answered.get(known) or (0, None)
        if asked.port and answered_to == client:  # a Unix socket's clients have no port
            number += 1
        self._answered.put(known, (number, client))
        return f"{known}-{number}"
