"""Adds a request up: its texts, what frames them, tools, schema and media, each with how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tokenguard.anatomy import Anatomy, Message
from tokenguard.tokens.families import Family
from tokenguard.tokens.length import Length, length
from tokenguard.tokens.media import Seen
from tokenguard.tokens.said import Said, all_said
from tokenguard.tokens.tools import asked_for, offered
from tokenguard.tokens.weights import Weights, dot

RUN_ERROR: Final = 0.05
"""By what share a text may be off of which only a part was counted."""

_TOOLS_ERROR: Final = 0.08
_SCHEMA_ERROR: Final = 0.15
_IMAGE_ERROR: Final = 0.01
_SOUND_ERROR: Final = 0.05
"""The same of pieces whose form is not published, at the 95th percentile of recorded requests. What pictures
come to is published, but for one family it is off by a token."""

_UNFRAMED_ERROR: Final = 0.05
"""By what share a request may be off where nobody has seen what frames it."""

_PAGE_MOST: Final = 6000
"""No page of a document has more tokens of text: that is ten times a printed one."""


class Tally:
    """A request, added up.

    Attributes:
        system: Tokens of instructions.
        history: Of messages before the last turn.
        user: Of the last turn.
        tools: Of tools, with what frames them.
        schema: Of the schema, with what frames it.
        media: Of pictures, sounds and documents.
        framing: Of what frames all that.
        at_most: It is not more than that, but for what is ``dark``.
        doubt: Tokens by which it may be off.
        exact: Whether all texts and what frames them are counted exactly.
        bounded: Whether something is taken to be as large as it can be.
        dark: Whether there is something that may be anything.
        classes: Tokens of o200k_base by class, of a tokenizer that is not public.
        extras: How many there are of each of :data:`~tokenguard.tokens.weights.EXTRAS`.
    """

    def __init__(self, anatomy: Anatomy, family: Family, weights: Weights | None = None) -> None:
        self._family = family
        self._weights = weights or family.weights
        self._learned = weights.classes if weights else None  # the prior is in the lengths
        self._lengths: list[Length] = []
        self._pictures = 0
        self.system = self.history = self.user = self.tools = self.schema = self.media = self.framing = 0.0
        self.at_most = 0
        self.doubt = 0.0
        self.exact = family.published and family.framed
        self.bounded = False
        self.dark = bool(anatomy.unseen)
        messages = all_said(anatomy.messages, family)
        self._messages(anatomy.messages, messages)
        if anatomy.tools:
            self._tools(anatomy, messages)
        if anatomy.schema is not None:
            self.schema = family.framing.schema + self._add(asked_for(anatomy.schema, family))
            self.doubt += self.schema * _SCHEMA_ERROR
        self.extras = tuple(
            map(float, (1, len(messages), len(anatomy.tools), self._pictures, anatomy.schema is not None))
        )
        if weights:
            self.framing += dot(weights.extras, self.extras)
        self.at_most += round(self.framing + family.framing.schema) + family.spare.request
        if self.media or anatomy.tools or self.schema:
            self.at_most += family.spare.extras

    @property
    def classes(self) -> tuple[float, ...]:
        """See above; empty where the tokenizer is public."""
        whole = Length()
        for one in self._lengths:
            whole = whole.plus(one)
        return whole.classes

    @property
    def whole(self) -> float:
        """All tokens."""
        spoken = self.system + self.history + self.user
        return spoken + self.tools + self.schema + self.media + self.framing

    def error(self, tokens: int) -> float | None:
        """By what share of so many tokens the request may be off; ``None`` where nobody knows."""
        if not self._family.published:
            return self._weights.error
        inexact = 0.0 if all(one.exact for one in self._lengths) else RUN_ERROR
        unframed = 0.0 if self._family.framed else _UNFRAMED_ERROR
        return min(1.0, self.doubt / max(tokens, 1) + inexact + unframed)

    def _add(self, one: Length) -> float:
        """The tokens of a text."""
        self._lengths.append(one)
        self.at_most += one.at_most
        self.exact = self.exact and one.exact
        return self._worth(one)

    def _worth(self, one: Length) -> float:
        return one.tokens if self._learned is None or not one.classes else dot(self._learned, one.classes)

    def _messages(self, messages: Sequence[Message], counted: Sequence[Said]) -> None:
        # This runs for every message of every call, so that it does with local names.
        framing, learned, keep = self._family.framing, self._learned, self._lengths.append
        turn = _last_turn(messages)
        spoken = [0.0, 0.0, 0.0]
        around, at_most, exact = float(framing.request), 0, self.exact
        for index, message in enumerate(messages):
            one = counted[index]
            text = one.text
            keep(text)
            at_most += text.at_most
            exact = exact and text.exact
            which = 0 if message.role == "system" else 1 if index < turn else 2
            spoken[which] += text.tokens if learned is None else self._worth(text)
            if one.framed:
                around += framing.message if which else framing.system
            if not one.plain:
                around += self._more(one)
        self.system, self.history, self.user = spoken
        self.framing = around
        self.at_most += at_most
        self.exact = self.exact and exact

    def _more(self, one: Said) -> float:
        """Add what a message has besides text. Gives the tokens of what frames that."""
        framing = self._family.framing
        self.media += self._add(one.papers)
        for item in one.media:
            self._medium(item)
        self.at_most += one.unseen
        self.dark = self.dark or one.unseen > 0
        around = one.calls * framing.call + one.named * framing.names + one.results * framing.result
        around += framing.together if one.calls > 1 else 0
        return around + (one.author + framing.name if one.author and framing.name else 0)

    def _tools(self, anatomy: Anatomy, messages: Sequence[Said]) -> None:
        framing, choice = self._family.framing, anatomy.tool_choice
        found = offered(anatomy.tools, self._family)
        in_chat = bool(anatomy.messages) and anatomy.messages[0].path[:1] == ("messages",)
        around: float = framing.tools if in_chat else framing.tools_responses
        if framing.forced and choice not in ("", "auto", "none"):
            around = framing.forced
        around += framing.tool * len(anatomy.tools) + (framing.arguments if found.arguments else 0)
        if in_chat and framing.after_system:
            first = next(
                (one for one, m in zip(messages, anatomy.messages, strict=True) if m.role == "system"), None
            )
            around += first.newline - framing.after_system if first else 0
        if choice.startswith("tool:"):
            around += framing.named + length(choice[5:], self._family).tokens
        around += framing.none if choice == "none" else 0
        self.tools = around + self._add(found.text)
        self.at_most += round(around)
        self.doubt += self.tools * _TOOLS_ERROR
        self.dark = self.dark or not found.certain

    def _medium(self, item: Seen) -> None:
        family = self._family
        if item.kind == "image":
            self._pictures += 1
            largest = family.images.largest(item.detail)
            tokens = largest if item.size is None else family.images.tokens(item.size, item.detail)
            self.bounded = self.bounded or item.size is None
            self.at_most += tokens
            self.doubt += tokens * _IMAGE_ERROR
        elif item.kind == "audio" and item.longest is not None:
            tokens = int((item.longest if item.seconds is None else item.seconds) * family.sound)
            self.bounded = self.bounded or item.seconds is None
            self.at_most += int(item.longest * family.sound) + 1
            self.doubt += tokens * _SOUND_ERROR
        elif item.text is not None:  # counted with the papers
            tokens = 0
        else:
            tokens = family.page * (item.pages or 1)
            self.at_most += (item.pages or 0) * (family.images.largest("auto") + _PAGE_MOST)
            self.dark = True
        self.media += tokens


def _last_turn(messages: Sequence[Message]) -> int:
    """Where the last turn begins: with the user's last message; with the last message, if there is none."""
    for index in range(len(messages) - 1, -1, -1):
        if messages[index].role == "user":
            return index
    return len(messages) - 1
