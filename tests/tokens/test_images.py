"""Sizes are read from the heads of files, and formulas keep to their own limits."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenguard.tokens.families import FAMILIES, family_of
from tokenguard.tokens.images import Cells, Fit, Patches, Tiles, size_of

from .asking import png

SIDE = st.integers(1, 20_000)
BOUNDED = [family for family in FAMILIES if not isinstance(family.images, Patches)]


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def jpeg(width: int, height: int, before: bytes = b"", frame: int = 0xC0) -> bytes:
    return b"\xff\xd8" + before + segment(frame, b"\x08" + struct.pack(">HH", height, width) + b"\x03" * 10)


def webp(kind: bytes, body: bytes) -> bytes:
    return b"RIFF\x00\x00\x00\x00WEBP" + kind + b"\x00\x00\x00\x00" + body


HEADS = {
    "png": png(640, 480),
    "gif": b"GIF89a" + struct.pack("<HH", 640, 480),
    "jpeg": jpeg(640, 480, segment(0xE0, b"JFIF")),
    "progressive jpeg": jpeg(640, 480, b"\xff" + segment(0xE1, b"Exif" * 900) + b"\xff\xd0", frame=0xC2),
    "webp, lossy": webp(b"VP8 ", b"\x00" * 3 + b"\x9d\x01\x2a" + struct.pack("<HH", 640 | 1 << 14, 480)),
    "webp, lossless": webp(b"VP8L", b"\x2f" + struct.pack("<I", 639 | 479 << 14)),
    "webp, extended": webp(
        b"VP8X", b"\x10\x00\x00\x00" + struct.pack("<I", 639)[:3] + struct.pack("<I", 479)[:3]
    ),
}


@pytest.mark.parametrize("kind", HEADS)
def test_a_size_is_in_the_head(kind: str) -> None:
    """Of every format that the providers take."""
    assert size_of(HEADS[kind]) == (640, 480)


@pytest.mark.parametrize("kind", HEADS)
def test_half_a_head_has_no_size(kind: str) -> None:
    """What was cut off in it is not guessed at, however little there is."""
    for end in range(20 if kind == "png" else len(HEADS[kind]) - 20):
        assert size_of(HEADS[kind][:end]) is None


@given(st.binary(max_size=64), st.sampled_from(sorted(HEADS)), st.integers(0, 40))
def test_no_file_is_too_strange(junk: bytes, kind: str, keep: int) -> None:
    """A head that goes on with anything."""
    size = size_of(HEADS[kind][:keep] + junk)
    assert size is None or min(size) > 0


@given(
    SIDE, SIDE, st.sampled_from(["auto", "high", "low", "original", "", "nonsense"]), st.sampled_from(BOUNDED)
)
def test_no_picture_is_above_the_largest(width: int, height: int, detail: str, family: object) -> None:
    """Which is what one is taken for that is somewhere else."""
    rule = family.images  # type: ignore[attr-defined]
    assert 0 < rule.tokens((width, height), detail) <= rule.largest(detail)


@given(SIDE, SIDE, st.integers(1, 10_000), st.sampled_from([None, 512, 2048, 6000]))
def test_patches_keep_to_their_budget(width: int, height: int, budget: int, edge: int | None) -> None:
    """Whatever the shape, and whatever the factor is."""
    rule = Patches(1.2, {"auto": Fit(edge, budget)})
    assert 0 < rule.tokens((width, height), "auto") <= rule.largest("auto") <= -(-budget * 12 // 10)


@given(SIDE, SIDE)
def test_turning_a_picture_changes_nothing(width: int, height: int) -> None:
    """Upright or across."""
    for rule in (Tiles(85, 170), Cells(1568, 1568), Cells(2576, 4784)):
        assert rule.tokens((width, height), "high") == rule.tokens((height, width), "high")


def test_a_smaller_picture_does_not_cost_more() -> None:
    """Where the model sees it as it is."""
    rule = family_of("gpt-6-astra").images
    costs = [rule.tokens((side, side), "auto") for side in range(32, 4000, 32)]
    assert costs == sorted(costs)
