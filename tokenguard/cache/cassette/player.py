"""A cassette at work: calls are answered with what was recorded of them, or recorded.

It stands where a cache stands, and differs from one in that it keeps whatever is answered: samples, tool
calls and refusals, too.
"""

from __future__ import annotations

import json
import os
import threading
import weakref
from collections import Counter
from pathlib import Path
from typing import Final

from tokenguard import faults
from tokenguard.cache.cassette.nearest import difference, nearest
from tokenguard.cache.cassette.recording import (
    Recording,
    Request,
    Response,
    request_of,
    scrubbed,
    text_headers,
)
from tokenguard.cache.cassette.scrub import credentials_in
from tokenguard.cache.cassette.tape import Tape
from tokenguard.cache.entry import Entry
from tokenguard.cache.plan import Found, Plan
from tokenguard.cache.policy import Cache
from tokenguard.call import Answered, CacheUse, Call, WholeReply
from tokenguard.dialects import Dialect
from tokenguard.errors import CassetteMissError, ConfigError

OF_THE_MOMENT: Final = frozenset({401, 403, 408, 409, 425, 429})
"""Refusals that say nothing of the request, but of who sent it and when. They are not recorded."""

_HOW_TO_RECORD: Final = (
    "To record it, make the call once with Cache(mode='new'), or mode='record' to record all of them anew; "
    "with the pytest fixture: pytest --tokenguard-record=new"
)


class _Wanted(Plan):
    """What one call wants of a cassette, and what will be recorded of it."""

    __slots__ = ("credentials", "dialect", "recording", "request")

    def __init__(self, request: Request, dialect: Dialect, credentials: tuple[str, ...]) -> None:
        super().__init__(request.key, "", (), 0.0)
        self.request = request
        self.dialect = dialect
        self.credentials = credentials
        self.recording: Recording | None = None


class Cassette:
    """The calls of a test suite, recorded or played back.

    Identical requests are played back in the order in which they were recorded, then from the first again.
    Recording takes the place of what an earlier run recorded of the same request; all else stays.

    Args:
        settings: Where the cassette is, and what to do with it.

    Attributes:
        counts: How many calls were played, recorded and not recorded, by reason, since it was made.

    Raises:
        ConfigError: What is there is no cassette.
    """

    def __init__(self, settings: Cache) -> None:
        if not isinstance(settings.store, str | Path):
            raise ConfigError("a cassette is a file: Cache(store=...) must be its path")
        self.settings = settings
        self.counts: Counter[str] = Counter()
        self.wait_s = self.poll_s = 0.0
        self.may_block = False
        self.similar = None
        self.missed = self._missed if settings.mode == "replay" else None
        self._tape = Tape(settings.store)
        self._lock = threading.RLock()
        self._there: dict[str, list[Recording]] = {}
        for recording in self._tape.recordings:
            self._there.setdefault(recording.request.key, []).append(recording)
        self._played: Counter[str] = Counter()
        self._last: Recording | None = None
        self._unwritten: list[Recording] = []
        self._replaced: set[str] = set()
        if hasattr(os, "register_at_fork"):
            method = weakref.WeakMethod(self._after_fork)
            os.register_at_fork(after_in_child=lambda: (made := method()) and made())

    @property
    def path(self) -> Path:
        """Where the cassette is."""
        return self._tape.path

    def plan(self, call: Call, dialect: Dialect) -> Plan | None:
        """What a call wants of the cassette; ``None`` where it cannot be recorded. Says so in ``call.cache``.

        A call that would pass a cache by, or have it refreshed, is recorded and played all the same.
        """
        if call.wire is None:
            call.cache = CacheUse("bypass", "not_json")
            return None
        request = request_of(call, call.wire, dialect, self.settings.ignore)
        call.cache = CacheUse("refresh" if self.settings.mode == "record" else "miss", key=request.key)
        return _Wanted(request, dialect, credentials_in(text_headers(call.wire)))

    def find(self, plan: Plan, now_ns: int, *, refresh: bool = False, leads: bool = True) -> Found:  # noqa: ARG002
        """The next recording of a request, if it is to be played.

        Args:
            plan: What for.
            now_ns: Of no importance: what was recorded never grows old.
            refresh: Of no importance either.
            leads: Whether the provider may be asked, if it need be.
        """
        wanted = _of_cassette(plan)
        with self._lock:
            if not leads and self.settings.mode != "replay":
                takes = [one for one in self._tape.recordings if one.request == wanted.request]
            else:
                takes = [] if self.settings.mode == "record" else self._there.get(plan.key, [])
            if not takes:
                return Found("lead")
            self._last = takes[self._played[plan.key] % len(takes)]
            self._played[plan.key] += 1
            self.counts["played"] += 1
            return Found("hit", self._last.entry(wanted.dialect, key=plan.key))

    def takes(self, status: int) -> bool:  # noqa: ARG002
        """Whatever is answered is recorded."""
        return True

    def entry(self, call: Call, plan: Plan, reply: WholeReply, now_ns: int) -> Entry | None:
        """The answer as it will be played; ``None`` if it is not to be recorded. ``call.cache`` says why."""
        wanted = _of_cassette(plan)
        reason = self._refusal(reply)
        if reason is None and reply.body is not None:
            clean = scrubbed(reply.body, reply.kind, wanted.credentials)
            if clean is None:
                reason = "secret"
            else:
                recorded_ns = now_ns // 1000 * 1000  # as exact as the file is
                response = Response(recorded_ns, reply.status, reply.kind, reply.request_id, clean)
                wanted.recording = _with_usage(Recording(wanted.request, response), wanted, reply.answered)
        if call.cache is not None:
            call.cache.reason = reason
        if wanted.recording is None:
            self.counts[f"refused:{reason}"] += 1
            if reason != "status":  # which the caller is told of anyway
                faults.warn_once(
                    "cassette", "%s: a call of %s was not recorded: %s", self.path, call.dialect, reason
                )
            return None
        return wanted.recording.entry(wanted.dialect, key=plan.key)

    def _refusal(self, reply: WholeReply) -> str | None:
        """Why an answer is not recorded, in the words of the cache's own reasons."""
        status, body = reply.status, reply.body
        if not (200 <= status < 300 or 400 <= status < 500) or status in OF_THE_MOMENT:
            return "status"
        if not reply.finished:
            return "unfinished"
        if body is None or len(body) > self.settings.max_entry_bytes:
            return "too_large"
        return "error" if reply.answered.error_type else None

    def put(self, plan: Plan, entry: Entry, *, keeps: bool) -> None:  # noqa: ARG002
        """Record an answer; it is on disk when this returns.

        Raises:
            OSError: It could not be written down; :meth:`flush` tries again.
        """
        recording = _of_cassette(plan).recording
        if not keeps or recording is None:
            return
        with self._lock:
            self.counts["recorded"] += 1
            self._unwritten.append(recording)
            self._write()

    def _write(self) -> None:
        self._tape.change(self._edit)
        self._replaced.update(recording.request.key for recording in self._unwritten)
        self._last = self._unwritten[-1]
        self._unwritten.clear()

    def _edit(self, recordings: list[Recording]) -> None:
        """Put each new recording where the old ones were, or behind the call before it."""
        replaced, last = self._replaced.copy(), self._last
        for recording in self._unwritten:
            key = recording.request.key
            old = [] if key in replaced or self.settings.mode != "record" else self._there.get(key, [])
            places = [n for n, one in enumerate(recordings) if one in old]
            if places:
                recordings[places[0]] = recording
                for n in reversed(places[1:]):
                    del recordings[n]
            else:
                behind = recordings.index(last) + 1 if last in recordings else len(recordings)
                recordings.insert(behind, recording)
            replaced.add(key)
            last = recording

    def let_go(self, plan: Plan, entry: Entry | None = None) -> None:
        """Nobody waits for anybody here."""

    def invalidate(
        self,
        *,
        tag: str | None = None,  # noqa: ARG002
        model: str | None = None,  # noqa: ARG002
        namespace: str | None = None,  # noqa: ARG002
        stored_before_ns: int | None = None,  # noqa: ARG002
    ) -> int:
        """What was recorded stays, so that code which invalidates its cache can be tested; gives 0."""
        return 0

    def flush(self, timeout_s: float = 10.0) -> bool:  # noqa: ARG002
        """Whether everything is on disk; what could not be written before is tried again."""
        with self._lock:
            try:
                if self._unwritten:
                    self._write()
            except (OSError, ConfigError) as error:
                faults.note("cassette.write", error)
                return False
        return True

    def close(self) -> None:
        """Write what is left."""
        self.flush()

    def _missed(self, call: Call, plan: Plan | None, what: str = "") -> CassetteMissError:
        """Why a call cannot be played."""
        if plan is None:
            if what:
                why = f"{what} is not an endpoint that is metered"
            elif call.wire is None:
                why = "its request is an upload, not JSON"
            else:
                why = "its request could not be read; the log says why"
            return CassetteMissError(
                f"cassette {self.path} plays, so that nothing may be sent, and this call is none that can be "
                f"recorded: {why}"
            )
        request = _of_cassette(plan).request
        with self._lock:
            recorded = list(dict.fromkeys(one.request for one in self._tape.recordings))
            found = nearest(request, recorded)
        if found is None:
            state = "is empty" if self._tape.exists else "does not exist"
            return CassetteMissError(
                f"cassette {self.path} {state}, and nothing may be sent where it is to play. {_HOW_TO_RECORD}"
            )
        return CassetteMissError(
            f"cassette {self.path} has no answer to this request to {request.model!r}, and nothing may be "
            f"sent where it plays. The most similar of its {len(recorded)} requests, and what differs:\n"
            f"--- recorded\n+++ asked for\n{difference(found, request)}\n{_HOW_TO_RECORD}"
        )

    def _after_fork(self) -> None:
        self._lock = threading.RLock()


def _of_cassette(plan: Plan) -> _Wanted:
    if not isinstance(plan, _Wanted):
        raise TypeError("the plan is another cache's")
    return plan


def _with_usage(recording: Recording, wanted: _Wanted, answered: Answered) -> Recording:
    """The recording, with the usage beside the body where it does not stand there."""
    raw = answered.usage.raw if answered.usage is not None else None
    if raw is None or recording.entry(wanted.dialect, key="").answered.usage is not None:
        return recording
    return recording._replace(response=recording.response._replace(usage=json.dumps(raw)))
