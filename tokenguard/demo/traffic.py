"""Ask the questions of a batch through guarded clients, as an application would."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from opentelemetry import trace

from tokenguard.call import Receipt
from tokenguard.demo.plan import Batch
from tokenguard.demo.questions import Question
from tokenguard.demo.upstream import Upstream
from tokenguard.errors import GuardError
from tokenguard.guard import Guard

if TYPE_CHECKING:
    from anthropic import Anthropic, AsyncAnthropic
    from openai import AsyncOpenAI, OpenAI

SPAN: Final = "answer question"
"""The application's own span around each call."""

_READ: Final = 4
"""Pieces of an abandoned stream that are read."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question. ``logprobs`` are natural logarithms, one for each token of the text."""

    question: Question
    text: str
    receipt: Receipt
    logprobs: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class _Ask:
    model: str
    prompt: str
    max_tokens: int
    logprobs: bool

    @property
    def messages(self) -> Any:
        return [{"role": "user", "content": self.prompt}]

    @property
    def chat(self) -> dict[str, Any]:
        """The arguments of a chat completion."""
        options = {"logprobs": True} if self.logprobs else {}
        caps = {"max_completion_tokens": self.max_tokens}
        return {"model": self.model, "messages": self.messages, **caps, **options}


class _Reply(NamedTuple):
    response: object
    text: str
    logprobs: tuple[float, ...] = ()


def ask(batch: Batch, guard: Guard, upstream: Upstream, answered: Callable[[], None]) -> list[Answer]:
    """Ask every question of a batch, as one run.

    Args:
        batch: Who asks what, and how.
        guard: Guards the clients.
        upstream: Where the clients send to.
        answered: Called after each answer.

    Raises:
        openai.OpenAIError, anthropic.AnthropicError: A call failed in the end.
    """
    with guard.run(batch.feature, tags={"team": batch.team, "feature": batch.feature}) as run:
        if batch.is_async:
            answers = asyncio.run(_ask_together(batch, guard, upstream, answered))
        else:
            answers = _ask_in_turn(batch, guard, upstream, answered)
        run.outcome("answered", value=len(answers))
    return answers


def _ask_in_turn(
    batch: Batch, guard: Guard, upstream: Upstream, answered: Callable[[], None]
) -> list[Answer]:
    send, answers = _SYNC[batch.sdk, batch.way], []
    with guard.wrap(_client(batch.sdk, upstream, is_async=False)) as client:
        for question in batch.questions:
            with _application_span(question):
                reply = send(client, _asked(batch, question, upstream))
            answers.append(_answer(question, reply, guard))
            answered()
    return answers


async def _ask_together(
    batch: Batch, guard: Guard, upstream: Upstream, answered: Callable[[], None]
) -> list[Answer]:
    send = _ASYNC[batch.sdk, batch.way]
    async with guard.wrap(_client(batch.sdk, upstream, is_async=True)) as client:

        async def one(question: Question) -> Answer:
            with _application_span(question):
                reply = await send(client, _asked(batch, question, upstream))
            answered()
            return _answer(question, reply, guard)

        return await asyncio.gather(*map(one, batch.questions))


def _client(sdk: str, upstream: Upstream, *, is_async: bool) -> Any:
    options: dict[str, Any] = dict(upstream.options[sdk])
    if sdk == "openai":
        import openai

        return openai.AsyncOpenAI(**options) if is_async else openai.OpenAI(**options)
    import anthropic

    return anthropic.AsyncAnthropic(**options) if is_async else anthropic.Anthropic(**options)


def _application_span(question: Question) -> Any:
    tracer = trace.get_tracer("tokenguard.demo")
    return tracer.start_as_current_span(SPAN, attributes={"question.id": question.id})


def _asked(batch: Batch, question: Question, upstream: Upstream) -> _Ask:
    return _Ask(batch.model, question.prompt, upstream.max_tokens, upstream.logprobs)


def _answer(question: Question, reply: _Reply, guard: Guard) -> Answer:
    receipt = guard.receipt(reply.response)
    if receipt is None:
        raise GuardError(f"there is no receipt for question {question.id}; please report this as a bug")
    return Answer(question, reply.text, receipt, reply.logprobs)


def _chat(client: OpenAI, ask: _Ask) -> _Reply:
    completion = client.chat.completions.create(**ask.chat)
    choice = completion.choices[0]
    return _Reply(completion, choice.message.content or "", _logprobs(choice))


async def _chat_async(client: AsyncOpenAI, ask: _Ask) -> _Reply:
    completion = await client.chat.completions.create(**ask.chat)
    choice = completion.choices[0]
    return _Reply(completion, choice.message.content or "", _logprobs(choice))


def _chat_stream(client: OpenAI, ask: _Ask, *, pieces: int | None = None) -> _Reply:
    said: list[str] = []
    logprobs: list[float] = []
    with client.chat.completions.create(**ask.chat, stream=True) as stream:
        for chunk in stream:
            for choice in chunk.choices:
                said += [choice.delta.content] if choice.delta.content else []
                logprobs += _logprobs(choice)
            if len(said) == pieces:
                break
    return _Reply(stream, "".join(said), tuple(logprobs))


def _abandoned_chat_stream(client: OpenAI, ask: _Ask) -> _Reply:
    return _chat_stream(client, ask, pieces=_READ)


def _response(client: OpenAI, ask: _Ask) -> _Reply:
    response = client.responses.create(model=ask.model, input=ask.prompt, max_output_tokens=ask.max_tokens)
    return _Reply(response, response.output_text)


def _message(client: Anthropic, ask: _Ask) -> _Reply:
    message = client.messages.create(model=ask.model, messages=ask.messages, max_tokens=ask.max_tokens)
    return _Reply(message, _text(message))


def _message_stream(client: Anthropic, ask: _Ask) -> _Reply:
    with client.messages.stream(model=ask.model, messages=ask.messages, max_tokens=ask.max_tokens) as stream:
        return _Reply(stream, "".join(stream.text_stream))


async def _message_async(client: AsyncAnthropic, ask: _Ask) -> _Reply:
    message = await client.messages.create(model=ask.model, messages=ask.messages, max_tokens=ask.max_tokens)
    return _Reply(message, _text(message))


async def _message_stream_async(client: AsyncAnthropic, ask: _Ask) -> _Reply:
    async with client.messages.stream(
        model=ask.model, messages=ask.messages, max_tokens=ask.max_tokens
    ) as stream:
        return _Reply(stream, "".join([text async for text in stream.text_stream]))


def _logprobs(choice: Any) -> tuple[float, ...]:
    """The log-probability of each token of a choice, whole or a part of a stream."""
    given = choice.logprobs
    return tuple(token.logprob for token in given.content or ()) if given else ()


def _text(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


_SYNC: Final[dict[tuple[str, str], Callable[[Any, _Ask], _Reply]]] = {
    ("openai", "sync"): _chat,
    ("openai", "stream"): _chat_stream,
    ("openai", "abandoned stream"): _abandoned_chat_stream,
    ("openai", "responses"): _response,
    ("anthropic", "sync"): _message,
    ("anthropic", "stream"): _message_stream,
}
_ASYNC: Final[dict[tuple[str, str], Callable[[Any, _Ask], Awaitable[_Reply]]]] = {
    ("openai", "async"): _chat_async,
    ("anthropic", "async"): _message_async,
    ("anthropic", "async stream"): _message_stream_async,
}
