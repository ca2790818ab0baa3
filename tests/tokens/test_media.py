"""What is known of sounds and documents without asking anyone."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenguard.anatomy import Kind, Media, Part
from tokenguard.tokens.media import Seen, decoded, seen

from .asking import counted, png


def part(kind: Kind, data: bytes, media_type: str = "") -> Part:
    return Part(kind, (), media=Media(base64.b64encode(data).decode(), "", media_type))


def wav(seconds: float, rate: int = 16_000) -> bytes:
    """16 bits, one channel."""
    sound = b"\x00" * int(seconds * rate * 2)
    head = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, rate, rate * 2, 2, 16)
    return (
        b"RIFF"
        + struct.pack("<I", len(sound) + 36)
        + b"WAVE"
        + head
        + b"data"
        + struct.pack("<I", len(sound))
        + sound
    )


def test_a_wav_says_how_long_it_is() -> None:
    """Ten tokens a second for OpenAI: 6.96 seconds were billed as 69 (cassettes of pydantic-ai)."""
    found = seen(part("audio", wav(6.96)))
    assert found.seconds == found.longest == pytest.approx(6.96, abs=0.01)
    sound = {
        "type": "input_audio",
        "input_audio": {"data": base64.b64encode(wav(6.96)).decode(), "format": "wav"},
    }
    count = counted("chat", "gpt-audio", messages=[{"role": "user", "content": [sound]}])
    assert count.media == 69
    assert count.total.how == "estimated"


def test_an_mp3_is_about_as_long_as_its_bitrate_says() -> None:
    """96 kbit/s, behind a tag; but other frames may have another bitrate."""
    frames = b"\xff\xfb\x70\xc4" + b"\x00" * 53_852
    found = seen(part("audio", b"ID3\x04\x00\x00\x00\x00\x02\x00" + b"\x00" * 256 + frames))
    assert found.seconds == pytest.approx(53_856 / 12_000, rel=0.01)
    assert found.longest is not None
    assert found.longest > 50


def test_another_sound_is_as_long_as_can_be() -> None:
    """By its bytes: nobody sends speech in fewer."""
    data = base64.b64encode(b"OggS" + b"\x00" * 9_996).decode()
    sound = {"type": "input_audio", "input_audio": {"data": data, "format": "ogg"}}
    count = counted("chat", "gpt-audio", messages=[{"role": "user", "content": [sound]}])
    assert count.media == pytest.approx(100, abs=1)
    assert count.total.how == "upper_bound"


def test_a_pdf_has_pages() -> None:
    """Where they can be seen; where not, it is one, which says little."""
    pages = b"%PDF-1.4\n" + b"<< /Type /Page /Parent 1 0 R >>\n" * 3 + b"<< /Type /Pages /Count 3 >>"
    assert seen(part("file", pages)).pages == 3
    assert seen(part("file", b"%PDF-1.7\n" + b"\x00" * 900)).pages is None
    document = {
        "type": "document",
        "source": {
            "type": "base64",
            "media_type": "application/pdf",
            "data": base64.b64encode(pages).decode(),
        },
    }
    count = counted("messages", "claude-sonnet-4-5", messages=[{"role": "user", "content": [document]}])
    assert count.media == 4800
    assert (count.total.how, count.total.error) == ("estimated", None)


def test_a_document_that_is_text_is_counted_as_such() -> None:
    """Its words, among the media."""
    data = "data:text/plain;base64," + base64.b64encode(b"hello world " * 100).decode()
    file = {"type": "file", "file": {"file_data": data, "filename": "a.txt"}}
    count = counted("chat", "gpt-4o", messages=[{"role": "user", "content": [file]}])
    assert count.media == pytest.approx(200, abs=2)


def test_a_picture_is_remembered_by_its_head() -> None:
    """Two that differ in size are two, however alike the rest."""
    counts = []
    for side in (512, 1024, 512):
        url = "data:image/png;base64," + base64.b64encode(png(side, side) + b"\x00" * 500_000).decode()
        content = [{"type": "image_url", "image_url": {"url": url, "detail": "high"}}]
        counts.append(counted("chat", "gpt-4o", messages=[{"role": "user", "content": content}]).media)
    assert counts == [255, 765, 255]


def test_a_document_is_remembered_by_all_of_it() -> None:
    """For all of it was counted."""
    counts = []
    for end in (b"word " * 20, b"a" * 100):
        data = "data:text/plain;base64," + base64.b64encode(b"word " * 40_000 + end).decode()
        file = {"type": "file", "file": {"file_data": data}}
        counts.append(counted("chat", "gpt-4o", messages=[{"role": "user", "content": [file]}]).media)
    assert counts[0] > counts[1]


@given(st.text(max_size=200), st.integers(0, 220), st.sampled_from(["image", "audio", "file"]))
def test_what_is_no_base64_is_nothing(data: str, start: int, kind: Kind) -> None:
    """Nothing raises, whatever stands there."""
    media = Media(data, "", "text/plain", start=start)
    assert isinstance(decoded(media, 64), bytes)
    assert isinstance(seen(Part(kind, (), media=media)), Seen)


def test_base64_may_be_of_either_alphabet_and_without_an_end() -> None:
    """As browsers and JSON web tokens write it."""
    data = bytes(range(256))
    for text in (base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode().rstrip("=")):
        assert decoded(Media(text), 10_000) == data
