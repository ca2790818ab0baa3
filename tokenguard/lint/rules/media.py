"""Pictures, sound and documents: no larger and no more often than the model can use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tokenguard.anatomy import Media, Message, Path
from tokenguard.lint.documents import is_text
from tokenguard.lint.finding import Edit, Finding, Fix, Severity
from tokenguard.lint.request import Request
from tokenguard.lint.rule import RequestRule, request_rule
from tokenguard.lint.worked_out import WorkedOut
from tokenguard.tokens.families import family_of
from tokenguard.tokens.images import Size
from tokenguard.tokens.media import seen

_WITH_DETAIL: Final[dict[str, Path]] = {"openai.chat": ("image_url",), "openai.responses": ()}
"""Formats in which a picture has a detail, and where in its block that stands."""

_WORTH_IT: Final = 500
"""Tokens of a picture that are worth a finding."""

_LARGE: Final = 400_000
"""Characters of base64, about 300 KB, above which an upload takes time."""

_ALWAYS_USED: Final = 768
"""Pixels of a picture's shorter side that no model does without."""

_ALIKE: Final = 64
"""Tokens by which a picture may differ from one of half its size: what Claude adds for being resized."""

_COMPARED: Final = 512
_STALE: Final = 6
_LANGUAGES: Final = frozenset(("language", "languages"))
_LEAST_DATA: Final = 256
"""Characters of base64 below which nothing is a picture that costs anything."""


@request_rule("TG501", "image-detail", about="media")
def image_detail(request: Request) -> Iterator[Finding]:
    """A large picture that a model of OpenAI's looks at as closely as it can, unasked.

    ## What it does
    Works out the tokens of pictures in the request by the model's published formula, and compares
    `"detail": "auto"`, which is the default, with `"high"`. Pictures that are somewhere else are passed by:
    nothing is fetched.

    ## Why is this bad?
    `auto` means the original size since gpt-5.6, and up to 10,000 patches with gpt-5.5: a photo of 12
    megapixels is 14,364 tokens of gpt-6, and 2,942 in `high`, 80 % less (public measurements,
    JOHNISKING/image-token-cost; the formulas give the same numbers).

    ## Example
    ```json
    {"model": "gpt-6-sol", "messages": [{"role": "user", "content": [
      {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/4AAQ..."}}]}]}
    ```

    ## Use instead
    ```json
    {"model": "gpt-6-sol", "messages": [{"role": "user", "content": [
      {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/4AAQ...", "detail": "high"}}]}]}
    ```

    ## Fix safety
    Setting the detail is unsafe: small print and far-off things are lost.
    """
    if not request.media or request.dialect not in _WITH_DETAIL:
        return
    images = family_of(request.asked.model).images
    for path, media, size in _pictures(request):
        if media.detail in ("", "auto"):
            now, high = images.tokens(size, "auto"), images.tokens(size, "high")
            if now - high >= _WORTH_IT:
                where = (*path, *_WITH_DETAIL[request.dialect], "detail")
                yield Finding(
                    f"this picture is {now:,} tokens in its original size, and {high:,} in high detail",
                    path,
                    tokens=now - high,
                    fix=Fix("Ask for high detail", (Edit(where, "high"),), safe=False),
                )


@request_rule("TG502", "oversized-image", Severity.INFO, about="media")
def oversized_image(request: Request) -> Iterator[Finding]:
    """A picture of which the model sees no more than of one half as wide and high.

    ## What it does
    Works out by the model's published formula whether a picture in the request is made smaller by the
    provider, to half its width and height or less, and has more than 300 KB.

    ## Why is this bad?
    It costs no tokens: the provider scales it down before they are counted. But three quarters of an
    upload are thrown away: with 20 Mbit/s, 5 MB are two seconds before the model begins, on every turn.

    ## Example
    A photo of 4,032 by 3,024 pixels for Claude Sonnet 4.5, which looks at 1,568 by 1,176 of them.

    ## Use instead
    The same photo, scaled down before it is sent:
    ```text
    image.thumbnail((1568, 1568))
    ```

    ## Fix safety
    There is no fix: scaling needs a library.
    """
    if not request.media:
        return
    images = family_of(request.asked.model, request.provider).images
    for path, media, size in _pictures(request):
        half = size[0] // 2, size[1] // 2
        if len(media.data) < _LARGE or min(half) < _ALWAYS_USED:
            continue
        spared = images.tokens(size, media.detail) - images.tokens(half, media.detail)
        if 0 <= spared <= _ALIKE:
            yield Finding(
                f"the model sees no more of {size[0]:,} by {size[1]:,} pixels than of half as many each way",
                path,
                tokens=spared,
            )


@request_rule("TG503", "repeated-media", about="media")
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
    known: dict[tuple[str, int, str, str], Media] = {}
    for i, k in request.media:
        part = request.anatomy.messages[i].parts[k]
        media = part.media
        if media is None or (not media.url and len(media.data) < _LEAST_DATA):
            continue
        # Hashing all of a picture would take longer than comparing it with the few that end alike.
        alike = media.url, len(media.data), media.data[-_COMPARED:], media.data[media.start : _COMPARED]
        if alike in known and known[alike].data == media.data:
            size = _sizes(request.facts[i].digest, request.anatomy.messages[i]).get(k)
            images = family_of(request.asked.model, request.provider).images
            yield Finding(
                f"this {part.kind} was sent before in the same request",
                part.path,
                tokens=images.tokens(size, media.detail) if size and part.kind == "image" else 0,
            )
        known[alike] = media


@request_rule("TG504", "pdf-of-text", Severity.INFO, about="media")
def pdf_of_text(request: Request) -> Iterator[Finding]:
    """A PDF without pictures, where its text would do.

    ## What it does
    Looks into the first megabyte of PDFs for text and pictures; those with pictures, such as scans, and
    those that are somewhere else are passed by.

    ## Why is this bad?
    Providers give the model each page as a picture as well as its text: a page of text is 2,347 tokens of
    Claude 5.5 as a PDF and 728 as text, 69 % less (public measurements, JOHNISKING/pdf-token-cost).

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


@request_rule("TG505", "no-language", Severity.INFO, dialects=("openai.audio",))
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


@request_rule("TG506", "stale-media", Severity.INFO, default=False, about="media")
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


def _pictures(request: Request) -> Iterator[tuple[Path, Media, Size]]:
    """The pictures of which the size is known, and where they are."""
    for i, k in request.media:
        message = request.anatomy.messages[i]
        part = message.parts[k]
        size = _sizes(request.facts[i].digest, message).get(k) if part.kind == "image" else None
        if part.media is not None and size is not None:
            yield part.path, part.media, size


def _sizes_of(message: Message) -> dict[int, Size]:
    found = {k: seen(part).size for k, part in enumerate(message.parts) if part.kind == "image"}
    return {k: size for k, size in found.items() if size is not None}


_sizes: Final = WorkedOut(_sizes_of)


def _texts_of(message: Message) -> frozenset[int]:
    return frozenset(
        [
            k
            for k, part in enumerate(message.parts)
            if part.media and is_text(part.media.data, part.media.start)
        ]
    )


_texts: Final = WorkedOut(_texts_of)

REQUEST_RULES: Final[tuple[RequestRule, ...]] = (
    image_detail,
    oversized_image,
    repeated_media,
    pdf_of_text,
    no_language,
    stale_media,
)
