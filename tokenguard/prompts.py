"""Prompts with a name and a version: what never changes stands first, and receipts say which one it was.

A provider keeps the beginning of a prompt and asks less for it the next time, as long as it is the same to
the byte. So a :class:`Prompt` has its variables in the user's turn alone; instructions and examples are made
of fixed text and shared fragments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from tokenguard.errors import ConfigError
from tokenguard.wishes import headers

TAG: Final = "prompt"
"""The tag that says on receipts, spans and in the ledger which prompt a call was made with."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_SLOT: Final = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_DEEPEST: Final = 50


class Prompt:
    """A prompt, as arguments for a call.

    ::

        TRIAGE = Prompt(
            "triage",
            "3",
            system="You sort tickets for {{company}}. Answer with one word: billing, login or other.",
            examples=[("I cannot sign in", "login")],
            user="Ticket: {{ticket}}",
            fragments={"company": "Acme"},
        )
        client.chat.completions.create(model="gpt-4o-mini", **TRIAGE.chat(ticket=text))

    Args:
        name: What it is called: letters, digits, ``.``, ``_``, ``-`` and ``/``.
        version: Which version of it this is.
        system: The instructions: fixed text, with ``{{fragments}}``.
        user: The user's turn, with ``{{fragments}}`` and ``{{variables}}``.
        examples: Questions and their answers, between the two: fixed text, with ``{{fragments}}``.
        fragments: Texts by their names, to be used in several places or prompts; they may use each other.

    Raises:
        ConfigError: The name or version cannot be one, fragments use each other in a circle, or there is a
            variable in the instructions or examples.
    """

    def __init__(
        self,
        name: str,
        version: str,
        *,
        system: str = "",
        user: str,
        examples: Sequence[tuple[str, str]] = (),
        fragments: Mapping[str, str] | None = None,
    ) -> None:
        for what, value in (("name", name), ("version", version)):
            if not isinstance(value, str) or not _NAME.fullmatch(value):
                raise ConfigError(
                    f"Prompt({what}={value!r}): give letters and digits, such as 'triage' and '3'; "
                    ". _ - and / may be within"
                )
        self.name, self.version = name, version
        given = fragments or {}
        self.system = _fixed(system, given, f"the instructions of {self.id}")
        self.examples = tuple(
            (
                _fixed(question, given, f"an example of {self.id}"),
                _fixed(reply, given, f"an example of {self.id}"),
            )
            for question, reply in examples
        )
        self._user = _filled(user, given, f"the user's turn of {self.id}")
        self.variables = frozenset(_SLOT.findall(self._user))

    @property
    def id(self) -> str:
        """Its name and version: ``triage@3``."""
        return f"{self.name}@{self.version}"

    def user(self, **variables: object) -> str:
        """The user's turn. A value is put in as it is: what looks like a variable in it stays as it stands.

        Raises:
            ConfigError: A variable is missing, or there is none of that name.
        """
        unknown, missing = (
            sorted(variables.keys() - self.variables),
            sorted(self.variables - variables.keys()),
        )
        if unknown:
            near = get_close_matches(unknown[0], self.variables, 1)
            hint = (
                f"; did you mean {near[0]!r}?"
                if near
                else f"; it has {', '.join(sorted(self.variables)) or 'none'}"
            )
            raise ConfigError(f"the prompt {self.id} has no variable {unknown[0]!r}{hint}")
        if missing:
            raise ConfigError(f"the prompt {self.id} needs a value for {missing[0]!r}")
        return _SLOT.sub(lambda slot: str(variables[slot[1]]), self._user)

    def chat(self, **variables: object) -> dict[str, Any]:
        """Arguments for ``client.chat.completions.create``: ``messages``, and headers that name the prompt.

        Raises:
            ConfigError: As :meth:`user`.
        """
        first = [{"role": "system", "content": self.system}] if self.system else []
        return {"messages": [*first, *self._turns(variables)], **self._named()}

    def responses(self, **variables: object) -> dict[str, Any]:
        """Arguments for ``client.responses.create``: ``instructions``, ``input``, and headers.

        Raises:
            ConfigError: As :meth:`user`.
        """
        first = {"instructions": self.system} if self.system else {}
        return {**first, "input": self._turns(variables), **self._named()}

    def anthropic(self, *, keep: bool = False, **variables: object) -> dict[str, Any]:
        """Arguments for Anthropic's ``client.messages.create``: ``system``, ``messages``, and headers.

        Args:
            keep: Whether Anthropic is to keep the instructions (``cache_control``): dearer once, cheap after.
            variables: The values of the variables.

        Raises:
            ConfigError: As :meth:`user`.
        """
        block = {"type": "text", "text": self.system, "cache_control": {"type": "ephemeral"}}
        first = {"system": [block] if keep else self.system} if self.system else {}
        return {**first, "messages": self._turns(variables), **self._named()}

    def _turns(self, variables: Mapping[str, object]) -> list[dict[str, str]]:
        turns = []
        for question, reply in self.examples:
            turns += [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]
        return [*turns, {"role": "user", "content": self.user(**variables)}]

    def _named(self) -> dict[str, Any]:
        return {"extra_headers": headers(tags={TAG: self.id})}

    def __repr__(self) -> str:
        return f"<Prompt {self.id}>"


class Fitted(NamedTuple):
    """Passages that fit.

    Attributes:
        passages: The best ones, the best first.
        dropped: How many did not fit.
        tokens: How many tokens the question and the passages are together.
    """

    passages: list[str]
    dropped: int
    tokens: int


def fit_passages(
    question: str, passages: Iterable[tuple[str, float]], max_tokens: int, *, model: str = ""
) -> Fitted:
    """The best passages that fit beside a question. The question itself is never cut.

    A passage that does not fit is left out as a whole, and a shorter one that comes after it may still fit.
    Where the question alone takes all there is, no passage is left.

    Args:
        question: What is asked; it is counted first.
        passages: Texts with their scores, in any order. The same text counts once, with its best score.
        max_tokens: The most that question and passages may have together.
        model: By whose encoding to count; that of OpenAI's newer models where nothing is said.

    Raises:
        ConfigError: ``max_tokens`` is no number above 0.
    """
    from tokenguard.tokens.text import count

    if isinstance(max_tokens, bool) or not isinstance(max_tokens, int) or max_tokens <= 0:
        raise ConfigError(f"fit_passages(max_tokens={max_tokens!r}): give a whole number above 0")
    used, kept, seen = count(question, model), [], set()
    ranked = sorted(passages, key=lambda one: one[1], reverse=True)
    for text, _ in ranked:
        if text in seen:
            continue
        seen.add(text)
        size = count(text, model)
        if used + size <= max_tokens:
            kept.append(text)
            used += size
    return Fitted(kept, len(seen) - len(kept), used)


def _fixed(text: str, fragments: Mapping[str, str], where: str) -> str:
    """A text with its fragments, which has no variable left."""
    filled = _filled(text, fragments, where)
    left = _SLOT.search(filled)
    if left:
        raise ConfigError(
            f"{where} cannot have the variable {left[1]!r}: a provider keeps a prompt only up to the first "
            "character that differs. Move it to user=, or give a fragment of that name"
        )
    return filled


def _filled(text: str, fragments: Mapping[str, str], where: str, within: tuple[str, ...] = ()) -> str:
    """A text with its fragments, and theirs, put in; other slots stay."""

    def put(slot: re.Match[str]) -> str:
        name = slot[1]
        if name not in fragments:
            return slot[0]
        if name in within or len(within) >= _DEEPEST:
            circle = " -> ".join((*within, name))
            raise ConfigError(f"{where}: its fragments use each other in a circle: {circle}")
        return _filled(fragments[name], fragments, where, (*within, name))

    return _SLOT.sub(put, text)
