"""Semantic matching at work: what a call asks, whether that was asked before, and what is noted of an answer.

Embeddings only propose. A question that was answered is a candidate where all the rest of its request is
equal and no gate keeps the two apart; the best of those is taken if its vector is close enough.
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import partial
from hashlib import sha256
from typing import Final

from tokenguard import faults
from tokenguard.cache.entry import Entry
from tokenguard.cache.headers import ignorable
from tokenguard.cache.key import scope
from tokenguard.cache.plan import Found, Plan
from tokenguard.cache.responses import ResponseCache
from tokenguard.cache.similar.gates import VERSION as GATE
from tokenguard.cache.similar.gates import Marks, features, marks
from tokenguard.cache.similar.index import Index, Row, normalised, page_body
from tokenguard.cache.similar.question import asked
from tokenguard.cache.similar.settings import Similar
from tokenguard.cache.store import INDEX_PAGE
from tokenguard.cache.storing import documents
from tokenguard.call import Answered, Call, Wire
from tokenguard.dialects.said import said
from tokenguard.wishes import on_our_own

PAUSE_NS: Final = 10 * 10**9
"""For how long an embedder that failed is left alone, so that not every call waits for it in vain."""

_embedding: ContextVar[bool] = ContextVar("tokenguard_embedding", default=False)


class Question:
    """What one call asks.

    Attributes:
        text: The user's words; they are kept nowhere.
        scope: Names all that is to be equal in another call.
        marks: What gates compare the text by.
        model: Which model is asked.
        vector: Of the text, once it is there.
    """

    __slots__ = ("marks", "model", "scope", "text", "vector")

    def __init__(self, text: str, scope: str, marks: Marks, model: str) -> None:
        self.text = text
        self.scope = scope
        self.marks = marks
        self.model = model
        self.vector: bytes | None = None


class Lookup:
    """Finds answers to similar questions.

    Args:
        settings: What counts as similar.
        cache: Whose answers. Its ``counts`` have how many lookups found something (``similar``) or not
            (``dissimilar``), had no vector (``not_embedded``), and how audits ended.
        secret: Its secret.

    Attributes:
        may_block: Whether it may take as long as a network does.
    """

    def __init__(self, settings: Similar, cache: ResponseCache, secret: bytes) -> None:
        self.settings = settings
        self.may_block = cache.may_block or settings.embedder.may_block
        self._cache = cache
        self.index = Index(settings.max_entries, settings.max_bytes)
        self._embedder_name = f"{settings.embedder.name}\n{GATE}"
        self._ignored_headers = ignorable(cache.settings.ignore_headers)
        self._secret = secret
        self._counts = cache.counts
        self._paused_until_ns = 0

    def asks(self, call: Call, plan: Plan) -> bool:
        """Whether a call has a question that others may have asked alike; it is then in the plan."""
        if call.wire is None or plan.generation is None or plan.left_ns <= 0:
            plan.question = None  # nobody would know, or hear in time, what was invalidated
        else:
            plan.question = self._question(call, call.wire, plan)
        return plan.question is not None

    def _question(self, call: Call, wire: Wire, plan: Plan) -> Question | None:
        found = None if plan.generation is None or _embedding.get() else asked(call.dialect, call.body or {})
        if found is None or len(found.text) > self.settings.max_chars:
            return None
        compared = features(found.text)
        if compared is None:
            return None
        name = scope(
            call,
            wire,
            found.rest,
            provider=plan.provider,
            namespace=plan.namespace,
            epoch=plan.epoch,
            ignored=self._cache.settings.ignore,
            ignored_headers=self._ignored_headers,
            embedder=self._embedder_name,
        )
        if name is None:
            return None
        return Question(found.text, name, marks(compared, self._secret, name), call.asked.model)

    def resemble(self, plan: Plan, call_id: str, now_ns: int) -> Found:
        """Look for the answer to a similar question. Never raises; asks the embedder.

        An answer that is to be audited is not given, but noted in the plan.
        """
        try:
            found = None if plan.question is None else self._find(plan, plan.question, now_ns)
        except Exception as error:
            faults.note("cache.similar", error)
            found = None
        if found is None:
            return Found("lead")
        entry, similarity = found
        if self.audits(call_id):
            plan.audited = entry
            return Found("lead")
        self._counts["similar"] += 1
        self._cache.let_go(plan, entry, similarity)
        return Found("hit", entry, similarity=similarity)

    def _find(self, plan: Plan, question: Question, now_ns: int) -> tuple[Entry, float] | None:
        """The answer to the most similar question, and how similar that is. The question gets its vector."""
        question.vector = self._vector(question.text, now_ns)
        if question.vector is None:
            self._counts["not_embedded"] += 1
            return None
        self.index.read(question.scope, now_ns, partial(self._stored, plan))
        for row, cosine in self.index.alike(question.scope, question.marks, question.vector, now_ns):
            if cosine < self.settings.least:
                break
            entry = self._cache.fresh(plan, row.key, now_ns)
            if entry is not None:
                return entry, cosine
            self.index.drop(question.scope, row.key)
        self._counts["dissimilar"] += 1
        return None

    def _stored(self, plan: Plan, key: str) -> bytes | None:
        """A page of the index, from the store."""
        entry = None if self._cache.backing is None else self._cache.backing.read(plan, key)
        return None if entry is None else entry.body

    def _loaded(self, plan: Plan, key: str) -> bytes | None:
        """The same in the background."""
        entry = None if self._cache.backing is None else self._cache.backing.load(plan, key)
        return None if entry is None else entry.body

    def _vector(self, text: str, now_ns: int) -> bytes | None:
        if now_ns < self._paused_until_ns:
            return None
        token = _embedding.set(True)
        try:
            with on_our_own():
                (made,) = self.settings.embedder.embed([text])
            return normalised(made)
        except Exception as error:
            faults.note("cache.embed", error)
            self._paused_until_ns = now_ns + PAUSE_NS
            return None
        finally:
            _embedding.reset(token)

    def audits(self, call_id: str) -> bool:
        """Whether the provider is to be asked though there is a similar answer. A call's id decides."""
        share = int.from_bytes(sha256(call_id.encode()).digest()[:8], "big") / 2**64
        return share < self.settings.audit

    def audited(self, similar: Entry, given: Entry) -> None:
        """Count whether an answer says what the provider said."""
        texts = [said(one.dialect, documents(one.body, one.content_type)).text for one in (similar, given)]
        try:
            agrees = self.settings.agrees(*texts)
        except Exception as error:
            faults.note("cache.similar.agrees", error)
            return
        self._counts["audit:same" if agrees else "audit:different"] += 1

    def note(self, question: Question, entry: Entry) -> Row | None:
        """Note that a question was answered; gives what is to be stored of that."""
        if question.vector is None:
            return None
        row = Row(entry.key, entry.stored_ns, entry.expires_ns, question.marks, question.vector, entry.tags)
        self.index.add(question.scope, row)
        return row

    def page(self, plan: Plan, row: Row) -> Entry:
        """The page of the index that a row belongs on, as an entry for the store.

        It can be invalidated by all that any answer on it can be: no vector outlives its answer.
        """
        if plan.question is None:
            raise TypeError("it has no question")
        page = self.index.merged(plan.question.scope, row, row.stored_ns, partial(self._loaded, plan))
        return Entry(
            key=page.key,
            stored_ns=min(one.stored_ns for one in page.rows.values()),
            expires_ns=max(one.expires_ns for one in page.rows.values()),
            status=200,
            content_type="application/json",
            body=page_body(page.rows.values()),
            answered=Answered(),
            request_id=None,
            dialect=INDEX_PAGE,
            model=plan.question.model,
            namespace=plan.namespace,
            tags=tuple(sorted({tag for one in page.rows.values() for tag in one.tags})),
            epoch=plan.epoch,
        )
