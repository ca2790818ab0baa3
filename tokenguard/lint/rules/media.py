"""Pictures, sound and documents: no larger and no more often than the model can use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tokenguard.anatomy import Media, Message
from tokenguard.lint.documents import is_text
from tokenguard.lint.finding import Finding, Severity
from tokenguard.lint.remembered import Remembered
from tokenguard.lint.request import Request
from tokenguard.lint.rule import RequestRule, request_rule

_COMPARED: Final = 512
_STALE: Final = 6
_LANGUAGES: Final = frozenset(("language", "languages"))
_LEAST_DATA: Final = 256
"""Characters of base64 below which nothing is a picture that costs anything."""


@request_rule("TG503", "repeated-media")
def repeated_media(request: Request) -> Iterator[Finding]:
    """The same picture, sound or document several times in one request.

    ## What it does
    Compares the pictures, sounds and documents of a request with one another, byte for byte, and those that
    are somewhere else by their addresses.

    ## Why is this bad?
    Each is paid again: a photo of 12 megapixels is 2,942 tokens of gpt-6 in `high` detail and 14,364 in
    full, a page of a PDF 2,000 of Claude (measured, tokens of input). The model sees nothing new.

    ## Example
    ```json
    {"messages": [{"role": "user", "content": [
      {"type": "text", "text": "Compare these:"},
      {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
      {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}]}
    ```

    ## Use instead
    Send it once, and say "the picture above" where it is meant again.

    ## Fix safety
    There is no fix: the text around it counts on its place.
    """
    if len(request.media) < 2:
        return
    seen: dict[tuple[str, int, str, str], Media] = {}
    for i, k in request.media:
        part = request.anatomy.messages[i].parts[k]
        media = part.media
        if media is None or (not media.url and len(media.data) < _LEAST_DATA):
            continue
        # Hashing all of a picture would take longer than comparing it with the few that end alike.
        alike = media.url, len(media.data), media.data[-_COMPARED:], media.data[media.start : _COMPARED]
        if alike in seen and seen[alike].data == media.data:
            yield Finding(f"this {part.kind} was sent before in the same request", part.path)
        seen[alike] = media


@request_rule("TG504", "pdf-of-text", Severity.INFO)
def pdf_of_text(request: Request) -> Iterator[Finding]:
    """A PDF without pictures, where its text would do.

    ## What it does
    Looks into the first megabyte of PDFs for text and pictures; those with pictures, such as scans, and
    those that are somewhere else are passed by.

    ## Why is this bad?
    Providers give the model each page as a picture as well as its text: a page of text is 2,347 tokens of
    Claude Sonnet 5.5 as a PDF and 728 as text, 69 % less (public measurements, JOHNISKING/pdf-token-cost).

    ## Example
    ```json
    {"messages": [{"role": "user", "content": [{"type": "document", "source": {
      "type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjcK..."}}]}]}
    ```

    ## Use instead
    ```json
    {"messages": [{"role": "user", "content": [{"type": "document", "source": {
      "type": "text", "media_type": "text/plain", "data": "1. The parties agree ..."}}]}]}
    ```

    ## Fix safety
    There is no fix: extracting text needs a library, and tables and formulas may suffer.
    """
    for i, k in request.media:
        message = request.anatomy.messages[i]
        if message.parts[k].kind == "file" and k in _texts(request.facts[i].digest, message):
            yield Finding(
                "this PDF has text and no pictures: as text it would be about a third of the tokens",
                message.parts[k].path,
            )


@request_rule("TG505", "no-language", Severity.INFO)
def no_language(request: Request) -> Iterator[Finding]:
    """A transcription that does not say which language is spoken.

    ## What it does
    Looks for calls of OpenAI's transcriptions in source code, and for their requests in files, without
    `language` or `languages`. At run time it sees nothing: such a request is an upload, which is passed on
    unread.

    ## Why is this bad?
    Saying it "will improve accuracy and latency" (OpenAI's API reference). A transcription in the wrong
    language is paid, and made again.

    ## Example
    ```python
    client.audio.transcriptions.create(model="gpt-4o-transcribe", file=recording)
    ```

    ## Use instead
    ```python
    client.audio.transcriptions.create(model="gpt-4o-transcribe", file=recording, language="de")
    ```

    ## Fix safety
    There is no fix: only you know which language is spoken.
    """
    if request.dialect != "openai.audio" or not request.complete or not request.asked.model:
        return
    if not _LANGUAGES & request.body.keys():
        yield Finding("the language that is spoken is not said")


@request_rule("TG506", "stale-media", Severity.INFO, default=False)
def stale_media(request: Request) -> Iterator[Finding]:
    """A picture, sound or document far back in the history.

    ## What it does
    Looks for those that stand six turns of the user or more before the last one.

    ## Why is this bad?
    It is sent and paid on every turn, and by then the conversation has said what was in it. It is off by
    default: the provider's cache makes it cheap, as long as nothing before it changes.

    ## Example
    A chat of twenty turns about a photo that was discussed in the first.

    ## Use instead
    Once the model has described it, put "[photo of a broken pump, described below]" in its place.

    ## Fix safety
    There is no fix: a later question may need it.

    ## Options
    `extend-select = ["TG506"]` turns it on.
    """
    if not request.media:
        return
    turns = [i for i, message in enumerate(request.anatomy.messages) if message.role == "user"]
    for i, k in request.media:
        later = sum(turn > i for turn in turns)
        if later >= _STALE:
            part = request.anatomy.messages[i].parts[k]
            yield Finding(
                f"this {part.kind} was sent {later} turns ago, and is paid again on each", part.path
            )


def _texts_of(message: Message) -> frozenset[int]:
    return frozenset(
        [
            k
            for k, part in enumerate(message.parts)
            if part.media and is_text(part.media.data, part.media.start)
        ]
    )


_texts: Final = Remembered(_texts_of)

REQUEST_RULES: Final[tuple[RequestRule, ...]] = (repeated_media, pdf_of_text, no_language, stale_media)
