"""Pictures, sound and documents are no larger, and sent no more often, than the model can use."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import pytest

from tests.lint.asked import chat, claude, in_chat, in_claude, request
from tokenguard.anatomy import at
from tokenguard.dialects.openai_media import AUDIO
from tokenguard.dialects.openai_responses import RESPONSES
from tokenguard.lint.rules import media


def png(width: int, height: int, *, kilobytes: int = 1) -> str:
    """The head of a picture, and as many bytes as it should have, in base64."""
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)
    return base64.b64encode(head.ljust(kilobytes * 1024, b"\0")).decode()


def picture(data: str, **options: Any) -> dict[str, Any]:
    """As chat completions have it."""
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}", **options}}


def of_claude(data: str) -> dict[str, Any]:
    """As Anthropic's messages have it."""
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}


PHOTO = png(4032, 3024)
ELSEWHERE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}


def seeing(*blocks: Any, model: str = "gpt-6-sol") -> dict[str, Any]:
    return {**chat(("user", [{"type": "text", "text": "What is this?"}, *blocks])), "model": model}


def test_a_photo_in_its_original_size() -> None:
    """The numbers are those of the public measurements, and the fix says what it costs the eye."""
    body = seeing(picture(PHOTO))
    (found,) = in_chat(media.image_detail, body)
    assert "14,364" in found.message
    assert "2,942" in found.message
    assert found.tokens == 14_364 - 2_942
    assert found.fix is not None
    assert not found.fix.safe
    (edit,) = found.fix.edits
    assert edit.new == "high"
    assert at(body, edit.path[:-1]) == body["messages"][0]["content"][1]["image_url"]


def test_a_photo_in_responses() -> None:
    """The detail stands beside the picture there."""
    block = {"type": "input_image", "image_url": f"data:image/png;base64,{PHOTO}"}
    body = {"model": "gpt-6-sol", "input": [{"role": "user", "content": [block]}]}
    (found,) = media.image_detail.run(request(body, RESPONSES))
    assert found.fix is not None
    assert found.fix.edits[0].path == ("input", 0, "content", 0, "detail")


@pytest.mark.parametrize(
    "body",
    [
        seeing(picture(PHOTO, detail="high")),
        seeing(picture(PHOTO, detail="original")),  # somebody wants it so
        seeing(picture(png(640, 480))),
        seeing(picture(PHOTO), model="gpt-4o"),
        seeing(picture(PHOTO), model="our-own-model"),
        seeing(ELSEWHERE),
        seeing(picture("not a picture")),
        seeing(),
    ],
)
def test_pictures_whose_detail_is_no_matter(body: dict[str, Any]) -> None:
    """Small ones, those of other models, those whose detail was chosen, those that nobody has."""
    assert in_chat(media.image_detail, body) == []


def test_a_picture_that_is_scaled_down_anyway() -> None:
    """Half as wide and high it looks the same to the model."""
    large = png(4032, 3024, kilobytes=900)
    assert in_claude(media.oversized_image, claude(("user", [of_claude(large)]))) != []
    assert in_chat(media.oversized_image, seeing(picture(large), model="gpt-4o")) != []
    for other in (
        png(1568, 1176, kilobytes=900),
        png(4032, 3024, kilobytes=100),
        png(2000, 600, kilobytes=900),
    ):
        assert in_claude(media.oversized_image, claude(("user", [of_claude(other)]))) == []
    assert in_chat(media.oversized_image, seeing(picture(large))) == []  # that model sees all of it


def test_the_same_picture_again() -> None:
    """In the request or elsewhere; in one message or another; others are others."""
    (found,) = in_chat(media.repeated_media, seeing(picture(PHOTO), picture(PHOTO)))
    assert found.path == ("messages", 0, "content", 2)
    assert found.tokens > 2000
    assert in_chat(media.repeated_media, seeing(ELSEWHERE, ELSEWHERE)) != []
    turns = claude(("user", [of_claude(PHOTO)]), ("assistant", "A pump."), ("user", [of_claude(PHOTO)]))
    assert in_claude(media.repeated_media, turns) != []
    assert in_chat(media.repeated_media, seeing(picture(PHOTO), picture(png(4032, 3025)))) == []
    assert in_chat(media.repeated_media, seeing(picture(PHOTO))) == []


def pdf(*, scanned: bool = False, packed: bool = True) -> str:
    """A page of a contract, as the libraries write it, in base64."""
    page = (
        b"BT /F1 12 Tf\n"
        + b"".join(b"72 %d Td (Line %d of a contract) Tj\n" % (n, n) for n in range(30))
        + b"ET"
    )
    stream = zlib.compress(page) if packed else page
    image = (
        b"5 0 obj\n<< /Type /XObject /Subtype /Image /Width 2480 /Height 3508 >>\nendobj\n"
        if scanned
        else b""
    )
    body = (
        b"%PDF-1.7\n"
        + image
        + b"4 0 obj\n<< /Length %d >>\nstream\n" % len(stream)
        + stream
        + b"\nendstream\nendobj\n"
    )
    return base64.b64encode(body + b"%%EOF").decode()


def document(data: str) -> dict[str, Any]:
    return {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": data}}


@pytest.mark.parametrize("packed", [True, False])
def test_a_pdf_that_is_text(packed: bool) -> None:
    """Whether its pages are packed or not, and whatever the format calls a file."""
    data = pdf(packed=packed)
    (found,) = in_claude(media.pdf_of_text, claude(("user", [document(data)])))
    assert found.path == ("messages", 0, "content", 0)
    file = {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{data}"}}
    assert in_chat(media.pdf_of_text, seeing(file)) != []


@pytest.mark.parametrize(
    "data", [pdf(scanned=True), base64.b64encode(b"%PDF-1.7 nothing").decode(), "JVBERi0!", PHOTO, ""]
)
def test_a_pdf_that_is_more_than_text(data: str) -> None:
    """Scans, and what cannot be read, are left to the provider."""
    assert in_claude(media.pdf_of_text, claude(("user", [document(data)]))) == []


def test_a_transcription_in_some_language() -> None:
    """Where all of the call is known."""
    body = {"model": "gpt-4o-transcribe", "response_format": "json"}
    (found,) = media.no_language.run(request(body, AUDIO))
    assert "language" in found.message
    assert media.no_language.run(request({**body, "language": "de"}, AUDIO)) == []
    assert media.no_language.run(request({**body, "languages": ["de", "en"]}, AUDIO)) == []
    assert media.no_language.run(request(body, AUDIO, complete=False)) == []
    assert media.no_language.run(request({}, AUDIO)) == []  # an upload, which nobody reads
    assert in_chat(media.no_language, chat(("user", "Hello"))) == []


def test_pictures_of_long_ago_are_found_when_asked_for() -> None:
    """Six turns later or more; off by default."""
    assert not media.stale_media.default
    turns = [turn for n in range(6) for turn in (("assistant", f"{n}?"), ("user", f"{n}!"))]
    old = claude(("user", [of_claude(PHOTO)]), *turns)
    (found,) = in_claude(media.stale_media, old)
    assert "6 turns" in found.message
    assert in_claude(media.stale_media, claude(("user", [of_claude(PHOTO)]), *turns[:-2])) == []
