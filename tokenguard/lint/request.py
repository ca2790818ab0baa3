"""One request, as request rules see it: taken apart, with what is known of the model it is for."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Final, NamedTuple

from tokenguard.anatomy import Anatomy, Path
from tokenguard.call import Asked, Json
from tokenguard.lint.finding import Finding
from tokenguard.lint.policy import Lint
from tokenguard.lint.repeats import Repeat, repeats
from tokenguard.tokens.limits import Limits
from tokenguard.tokens.request import RequestCount, count_request
from tokenguard.tokens.weights import Weights


class Paragraph(NamedTuple):
    """A paragraph of at least 100 characters, to be compared with others.

    Attributes:
        digest: Of its words, whatever the whitespace between them.
        path: The text that it is in, from the message down.
        start: Where it begins there.
        end: Where it ends.
        signs: Two paragraphs that have most of their wording in common have one of these in common as well,
            but for one pair in twenty or less; others hardly ever do.
    """

    digest: bytes
    path: Path
    start: int
    end: int
    signs: tuple[int, ...] = ()


class Facts(NamedTuple):
    """What is known of one message or tool, and remembered with it.

    Attributes:
        digest: Of all of it.
        findings: Of the text rules; their paths begin at the message.
        paragraphs: Its longer paragraphs.
        size: Its bytes. A token is at least one byte, so that its texts have no more tokens than that.
        said: A digest of who says what in it, without ids and marks.
        characters: How long its texts are together.
        only_text: Whether there is nothing else in it.
    """

    digest: bytes
    findings: tuple[Finding, ...] = ()
    paragraphs: tuple[Paragraph, ...] = ()
    size: int = 0
    said: bytes = b""
    characters: int = 0
    only_text: bool = True


class Before(NamedTuple):
    """What is remembered of the last request of the same kind: of the same run, or with the same beginning.

    Attributes:
        messages: The digests of its messages.
        tools: The digests of its tools.
        requests: How many requests of this kind there were.
        called: Which tools the model has called in them.
        offered: In how many of them each tool was offered, by name.
        mended: The digests of messages and tools of the last one in which something was fixed. To be the
            same again for the provider, they are fixed again.
    """

    messages: tuple[bytes, ...] = ()
    tools: tuple[bytes, ...] = ()
    requests: int = 0
    called: frozenset[str] = frozenset()
    offered: dict[str, int] = {}  # noqa: RUF012 # a default that nobody changes
    mended: frozenset[bytes] = frozenset()


_FRAME: Final = 32
_FRAME_OF_ALL: Final = 1_024
"""More tokens than any provider puts around a message or tool, and before all of them (tool use adds a prompt
of 346 to Claude's: https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/overview#pricing)."""


class Request:
    """A request.

    Attributes:
        body: It, as it is sent.
        dialect: Its wire format: ``openai.chat``.
        provider: Whose model it is for: ``openai``, ``anthropic``; empty where nobody knows.
        asked: What the dialect reads in it.
        anatomy: It, taken apart.
        facts: What is known of each message, in the anatomy's order.
        tools: The same of each tool.
        limits: What is known of the model.
        settings: The linter's.
        weights: What was learned of how the model counts.
        before: The last request of this kind; ``None`` where there is none, as for requests in files.
        complete: Whether the body is all there is. Of a call in source code, parts may not be known.
        cached: Whether a cache of ours keeps the answers of such calls that are the same every time.
        template: Whether its texts have placeholders that are filled in before it is sent, as prompts in
            files and calls in source code have.
    """

    def __init__(
        self,
        body: Json,
        dialect: str,
        provider: str,
        asked: Asked,
        anatomy: Anatomy,
        facts: tuple[Facts, ...],
        tools: tuple[Facts, ...],
        limits: Limits,
        settings: Lint,
        before: Before | None = None,
        *,
        weights: Weights | None = None,
        complete: bool = True,
        cached: bool = False,
        template: bool = False,
    ) -> None:
        self.body = body
        self.dialect = dialect
        self.provider = provider
        self.asked = asked
        self.anatomy = anatomy
        self.facts = facts
        self.tools = tools
        self.limits = limits
        self.settings = settings
        self.before = before
        self.weights = weights
        self.complete = complete
        self.cached = cached
        self.template = template or not complete

    @cached_property
    def count(self) -> RequestCount:
        """Its input tokens, part by part. Counted once, when a rule asks: most do not need to know."""
        return count_request(self.anatomy, self.asked.model, self.provider, self.weights)

    @cached_property
    def characters(self) -> int:
        """The characters of all its texts: a character is 4 tokens at most, which often is enough to know."""
        return sum(len(part.text) for message in self.anatomy.messages for part in message.parts)

    @cached_property
    def marks(self) -> tuple[tuple[int, int], ...]:
        """Which pieces say that the provider is to keep the prompt up to them, in the order of the prompt.

        A pair is a message and a part of it; -1 and a tool, for tools stand before all messages.
        """
        tools = [(-1, i) for i, tool in enumerate(self.anatomy.tools) if tool.marked]
        return (
            *tools,
            *[
                (i, k)
                for i, message in enumerate(self.anatomy.messages)
                for k, part in enumerate(message.parts)
                if part.marked
            ],
        )

    @cached_property
    def media(self) -> tuple[tuple[int, int], ...]:
        """Which pieces are pictures, sounds or documents: pairs of a message and a part of it."""
        return tuple(
            [
                (i, k)
                for i, message in enumerate(self.anatomy.messages)
                for k, part in enumerate(message.parts)
                if part.media is not None
            ]
        )

    @cached_property
    def bound(self) -> int | None:
        """A number that its input is not above, known from its bytes alone.

        ``None`` where there is more to it than text. For most requests, that answers whether they fit.
        """
        anatomy = self.anatomy
        if anatomy.unseen or not all(tool.ours for tool in anatomy.tools):
            return None
        if not all(one.only_text for one in self.facts):
            return None
        schema = len(json.dumps(anatomy.schema)) if anatomy.schema else 0
        pieces = len(self.facts) + len(self.tools)
        return (
            sum([one.size for one in (*self.facts, *self.tools)]) + schema + _FRAME * pieces + _FRAME_OF_ALL
        )

    @cached_property
    def repeats(self) -> tuple[Repeat, ...]:
        """What is said in it more than once, in paragraphs."""
        return repeats(self.anatomy, self.facts)
