"""How many tokens a picture is, by each family's published formula; its size from the head of its file.

Nothing is ever fetched, and of a picture in the request the first 48 KB of base64 are looked at.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Final, Literal, NamedTuple, Protocol

Size = tuple[int, int]
"""Width and height, in pixels."""

HEAD: Final = 48 * 1024
"""So many characters of base64 are looked at for the size of a picture."""

_PATCH: Final = 32
_TILE: Final = 512
_CELL: Final = 28


class Rule(Protocol):
    """A family's formula."""

    def tokens(self, size: Size, detail: str) -> int:
        """The tokens of a picture of a size in pixels, looked at as closely as ``detail`` says."""
        ...

    def largest(self, detail: str) -> int:
        """The tokens of the largest picture."""
        ...


class Tiles(NamedTuple):
    """OpenAI's first formula: the picture is made to fit, and each tile of 512 pixels has a price.

    It is made to fit a square of 2,048 pixels, then its short side is made 768. ``low`` is the base alone.
    https://platform.openai.com/docs/guides/images-vision
    """

    base: int
    tile: int

    def tokens(self, size: Size, detail: str) -> int:
        """See :class:`Rule`."""
        if detail == "low":
            return self.base
        scale = min(1.0, 2048 / max(size), 768 / min(size))
        across, down = (math.ceil(math.floor(side * scale) / _TILE) or 1 for side in size)
        return self.base + self.tile * across * down

    def largest(self, detail: str) -> int:
        """See :class:`Rule`: 768 pixels by 2,048."""
        return self.tokens((768, 2048), detail)


class Fit(NamedTuple):
    """How large a picture may be: its longer edge in pixels, all of it in patches. ``None``: as it likes."""

    edge: int | None = None
    patches: int | None = None


class Patches(NamedTuple):
    """OpenAI's second formula: patches of 32 pixels, times a factor.

    ``fits`` says for each detail how a picture is made smaller first; ``auto`` is in it, and stands for those
    that are not. The largest picture is one of ``most`` patches.
    https://developers.openai.com/api/docs/guides/images-vision
    """

    factor: float
    fits: dict[str, Fit]
    most: int = 30_000

    def tokens(self, size: Size, detail: str) -> int:
        """See :class:`Rule`."""
        return math.ceil(round(self._patches(size, self._fit(detail)) * self.factor, 6))

    def largest(self, detail: str) -> int:
        """See :class:`Rule`."""
        edge, patches = self._fit(detail)
        within = self.most if edge is None else math.ceil(edge / _PATCH) ** 2
        return math.ceil(round(min(within, patches or self.most) * self.factor, 6))

    def _fit(self, detail: str) -> Fit:
        return self.fits.get(detail) or self.fits["auto"]

    def _patches(self, size: Size, fit: Fit) -> int:
        scale = 1.0 if fit.edge is None else min(1.0, fit.edge / max(size))
        width, height = (max(1, round(side * scale)) for side in size)
        count = math.ceil(width / _PATCH) * math.ceil(height / _PATCH)
        if fit.patches is None or count <= fit.patches:
            return count
        # Shrunk to the budget, then a little more, so that one side is a whole number of patches.
        shrink = math.sqrt(fit.patches * _PATCH**2 / (width * height))
        across, down = width * shrink / _PATCH, height * shrink / _PATCH
        shrink *= min((math.floor(across) or across) / across, (math.floor(down) or down) / down)
        across, down = (math.ceil(max(1, math.floor(side * shrink)) / _PATCH) for side in (width, height))
        return min(across * down, fit.patches)


class Cells(NamedTuple):
    """Claude's formula: cells of 28 pixels, at the largest scale that fits edge and budget.

    ``extra`` is what a picture has on top of its cells, and ``resized`` what one has besides whose longer
    edge is above 2,000 pixels (measured, https://huggingface.co/datasets/JOHNISKING/image-token-cost).
    https://platform.claude.com/docs/en/build-with-claude/vision
    """

    edge: int
    budget: int
    extra: int = 3
    resized: int = 32

    def tokens(self, size: Size, detail: str) -> int:  # noqa: ARG002 - Claude has no details
        """See :class:`Rule`."""
        long, short = max(size), min(size)

        def at(edge: int) -> int:
            return math.ceil(edge / _CELL) * math.ceil(max(round(edge * short / long), 1) / _CELL)

        edge = max(1, bisect_right(range(1, min(long, self.edge) + 1), self.budget, key=at))
        return at(edge) + self.extra + (self.resized if long > 2000 else 0)

    def largest(self, detail: str) -> int:  # noqa: ARG002
        """See :class:`Rule`."""
        return self.budget + self.extra + self.resized


class Flat(NamedTuple):
    """A number of tokens for any picture, give or take; not more than ``most``."""

    about: int
    most: int

    def tokens(self, size: Size, detail: str) -> int:  # noqa: ARG002
        """See :class:`Rule`."""
        return self.about

    def largest(self, detail: str) -> int:  # noqa: ARG002
        """See :class:`Rule`."""
        return self.most


def size_of(head: bytes) -> Size | None:
    """Width and height of a PNG, JPEG, GIF or WebP picture, from the first bytes of its file.

    ``None`` where it is none of these, or where its size stands further down than ``head`` goes.
    """
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        size = _pair(head, 16, 4, "big")
    elif head[:6] in (b"GIF87a", b"GIF89a"):
        size = _pair(head, 6, 2, "little")
    elif head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        size = _webp(head)
    elif head[:2] == b"\xff\xd8":
        size = _jpeg(head)
    else:
        return None
    return size if size and min(size) > 0 else None


def _pair(data: bytes, start: int, width: int, order: Literal["big", "little"]) -> Size | None:
    middle, end = start + width, start + 2 * width
    if len(data) < end:
        return None
    return int.from_bytes(data[start:middle], order), int.from_bytes(data[middle:end], order)


def _webp(head: bytes) -> Size | None:
    """https://developers.google.com/speed/webp/docs/riff_container, and RFC 6386 §9.1 for ``VP8``."""
    kind = head[12:16]
    if kind == b"VP8X" and len(head) >= 30:
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L" and len(head) >= 25:
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    size = _pair(head, 26, 2, "little") if kind == b"VP8 " else None
    return (size[0] & 0x3FFF, size[1] & 0x3FFF) if size else None


def _jpeg(head: bytes) -> Size | None:
    """The first frame header (ITU T.81, B.2.2), segment by segment."""
    at = 2
    while at + 9 <= len(head):
        if head[at] != 0xFF:
            return None
        marker = head[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            size = _pair(head, at + 5, 2, "big")
            return (size[1], size[0]) if size else None
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:  # without a length
            at += 2
        else:
            at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return None
