"""Waste in what is pasted into prompts as it is: markup, identifiers, digits, links, files in base64."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from tokenguard.lint.finding import Edit, Finding, Fix, Severity
from tokenguard.lint.rule import OURS, TextRule, text_rule
from tokenguard.lint.text import Text, tokens

_LEAST_TOKENS: Final = 24
_LEAST_OF_KIND: Final = 8
_MOST: Final = 50_000
"""So many of one kind are looked at in one text."""

_SIGNS_OF_TRACKING: Final = ("utm_", "gclid=", "fbclid=", "mc_cid=", "mc_eid=", "msclkid=", "igshid=")

_LEAST_OF_HTML: Final = 200
_LEAST_TAGS: Final = 20
_SHARE_OF_TAGS: Final = 0.25

_LEAST_BASE64: Final = 400
_LOOKED_AT: Final = 4_096
_LEAST_SIGNS: Final = 24


@text_rule("TG221", "html", needs=("<",), least=_LEAST_OF_HTML, places=OURS)
def html(text: Text) -> Iterator[Finding]:
    """A web page pasted with its markup.

    ## What it does
    Finds texts with at least 20 HTML tags that make up a quarter of them, outside of code. Tags that
    structure a prompt (`<instructions>`) are not HTML's, and do not count.

    ## Why is this bad?
    Most of a page is not what it says: a list of offers is 81 % fewer tokens as text (o200k_base,
    tests/lint/test_savings.py).

    ## Example
    ```python
    content = httpx.get(url).text
    ```

    ## Use instead
    ```python
    content = trafilatura.extract(httpx.get(url).text)  # or markdownify, or html2text
    ```
    """
    body = text.text
    if body.count("</") < _LEAST_TAGS // 4:
        return
    tags = [one.span() for one in islice(_TAG.finditer(body), _MOST) if not text.is_verbatim(*one.span())]
    if len(tags) < _LEAST_TAGS:
        return
    unseen = [span for span in text.verbatim if _UNSEEN.match(body, span[0])]
    tags = sorted([*tags, *unseen])
    first, last = tags[0][0], tags[-1][1]
    if sum(end - start for start, end in tags) >= _SHARE_OF_TAGS * (last - first):
        wasted = tokens("\n".join([body[start:end] for start, end in tags]))
        yield Finding(f"{len(tags)} HTML tags", (), first, last, tokens=wasted)


@text_rule("TG222", "long-identifiers", Severity.INFO, needs=("-",), least=8 * 36, places=OURS)
def long_identifiers(text: Text) -> Iterator[Finding]:
    """UUIDs as data.

    ## What it does
    Finds texts with at least 8 different UUIDs.

    ## Why is this bad?
    To a tokenizer a UUID is noise: 100 of them are 2,400 tokens, and 200 as numbers (o200k_base,
    tests/lint/test_savings.py). The model also copies short names more reliably.

    ## Example
    ```text
    9f0c2d9a-6c3b-4a53-9d4e-1f1f0c9f2b7a: broken screen
    1d6e3f60-83c5-4c7e-8a55-0b1f2f5a9d11: late parcel
    ```

    ## Use instead
    ```text
    1: broken screen
    2: late parcel
    ```
    with the UUIDs in a list of your own, to be put back in the answer.
    """
    if text.text.count("-") < 4 * _LEAST_OF_KIND:
        return
    found = [
        one
        for middle in islice(_MIDDLE_OF_UUID.finditer(text.text), _MOST)
        if (one := _uuid_around(text.text, middle))
    ]
    names = dict.fromkeys(text.text[start:end] for start, end in found)
    if len(names) < _LEAST_OF_KIND:
        return
    wasted = tokens("\n".join(text.text[start:end] for start, end in found)) - _TOKENS_OF_NUMBER * len(found)
    if wasted >= _LEAST_TOKENS:
        what = f"{len(names)} UUIDs"
        yield Finding(what, (), found[0][0], found[-1][1], tokens=wasted)


@text_rule("TG223", "precise-times", Severity.INFO, needs=(":",), least=8 * 13, places=OURS)
def precise_times(text: Text) -> Iterator[Finding]:
    """Times to the microsecond.

    ## What it does
    Finds texts with at least 8 times that have four or more digits after the second.

    ## Why is this bad?
    `2026-03-01T09:30:12.482913+00:00` is 19 tokens, 16 without the fraction, and 10 to the minute
    (o200k_base, tests/lint/test_savings.py).

    ## Example
    ```text
    2026-03-01T09:30:12.482913+00:00 paid
    ```

    ## Use instead
    ```text
    2026-03-01 09:30 paid
    ```

    ## Fix safety
    Unsafe: it cuts the fractions of seconds off, which may matter to you.
    """
    found = [one.span(1) for one in islice(_FRACTION_OF_SECOND.finditer(text.text), _MOST)]
    found = [span for span in found if not text.is_verbatim(*span)]
    yield from _replaced(
        text,
        [(start, end, "") for start, end in found],
        "times to the microsecond",
        "Cut fractions of seconds off",
    )


@text_rule("TG224", "long-floats", Severity.INFO, least=8 * 11, places=OURS)
def long_floats(text: Text) -> Iterator[Finding]:
    """Numbers with nine or more decimals.

    ## What it does
    Finds texts with at least 8 of them.

    ## Why is this bad?
    Every three digits are a token: 100 such numbers are 800 tokens, 500 with four decimals (o200k_base,
    tests/lint/test_savings.py). What computers print after the sixth decimal is seldom known, and never read.

    ## Example
    ```text
    0.4000000000000001, 12.837465019283745
    ```

    ## Use instead
    ```text
    0.4, 12.8375
    ```

    ## Fix safety
    Unsafe: it rounds to four decimals, which you may not want.
    """
    changes = []
    for decimals in islice(_DECIMALS.finditer(text.text), _MOST):
        start = decimals.start()
        while start > 0 and decimals.start() - start < 20 and text.text[start - 1].isdecimal():
            start -= 1
        is_number = start < decimals.start() and text.text[max(0, start - 1) : start] not in (".", "_")
        if is_number and not text.is_verbatim(start, decimals.end()):
            changes.append((start, decimals.end(), _rounded(text.text[start : decimals.end()])))
    yield from _replaced(text, changes, "numbers with nine or more decimals", "Round to four decimals")


@text_rule("TG225", "tracking-links", needs=("?",), places=OURS)
def tracking_links(text: Text) -> Iterator[Finding]:
    """Links with what marketing has added to them.

    ## What it does
    Finds `utm_...`, `gclid`, `fbclid` and their like in links.

    ## Why is this bad?
    They lead to the same page, and are most of the link: 19 tokens instead of 6 (o200k_base,
    tests/lint/test_savings.py). The model repeats them in its answer.

    ## Example
    ```text
    https://example.com/offer?utm_source=newsletter&utm_medium=email&utm_campaign=spring
    ```

    ## Use instead
    ```text
    https://example.com/offer
    ```

    ## Fix safety
    Unsafe: pages may count on them.
    """
    if not any(sign in text.text for sign in _SIGNS_OF_TRACKING):
        return
    changes = []
    for query in islice(_QUERY.finditer(text.text), _MOST):
        fields = query[1].rstrip(".,:;!*")  # of the sentence
        span = query.start(), query.start() + 1 + len(fields)
        left = [one for one in fields.split("&") if not one.startswith(_SIGNS_OF_TRACKING)]
        if len(left) <= fields.count("&") and not text.is_verbatim(*span):
            changes.append((*span, f"?{'&'.join(left)}" if left else ""))
    yield from _replaced(text, changes, "links with marks of marketing", "Take the marks out", least=1)


@text_rule("TG226", "base64-in-text", least=_LEAST_BASE64, places=OURS)
def base64_in_text(text: Text) -> Iterator[Finding]:
    """A file in base64 within a text.

    ## What it does
    Finds 400 or more characters of base64 in a row, and `data:` links, where the model reads text. Pictures
    and documents in fields of their own are not meant.

    ## Why is this bad?
    The model cannot read it, and it is dear: a megabyte is 680,000 tokens (o200k_base,
    tests/lint/test_savings.py). The same picture in a field of its own is a few hundred to a few thousand.

    ## Example
    ```python
    {"type": "text", "text": f"Describe data:image/png;base64,{data}"}
    ```

    ## Use instead
    ```python
    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    ```
    """
    body = text.text
    position = 0
    while (run := _next_base64(body, position)) is not None:
        start, end = run
        if _is_base64(body[start : min(end, start + _LOOKED_AT)]):
            wasted = tokens(body[start:end])
            yield Finding(f"{end - start} characters of base64", (), start, end, tokens=wasted)
        position = end


_TAG: Final = re.compile(
    r"</?(?:a|article|aside|b|body|br|button|div|dl|dt|dd|em|footer|form|h[1-6]|head|header|hr|html|i|iframe|img"
    r"|input|label|li|link|main|meta|nav|ol|option|p|section|select|small|span|strong|table|tbody|td|th|thead"
    r"|tr|u|ul)\b[^<>]{0,2000}>",
    re.I,
)
_UNSEEN: Final = re.compile(r"<(?:script|style|svg)\b", re.I)
"""Elements that a page's reader sees nothing of as text."""

_TOKENS_OF_NUMBER: Final = 3
_MIDDLE_OF_UUID: Final = re.compile(r"-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-")
_HEX: Final = re.compile(r"[0-9a-fA-F]+")
_FRACTION_OF_SECOND: Final = re.compile(r":\d\d:\d\d(\.\d{4,12})(?!\d)")
_DECIMALS: Final = re.compile(r"\.\d{9,40}(?![\d.eE])")
_DECIMALS_LEFT: Final = 4
_QUERY: Final = re.compile(r"(?<=[\w/])\?([\w.~%+=&;:@!*,/-]{4,2000})")
_BASE64: Final = re.compile(
    r"[A-Za-z0-9+/]+(?:\r?\n[A-Za-z0-9+/]{40,})*(?:\r?\n[A-Za-z0-9+/]+(?==|\r?\n|\Z))?={0,2}"
)


def _uuid_around(body: str, middle: re.Match[str]) -> tuple[int, int] | None:
    start, end = middle.start() - 8, middle.end() + 12
    if start < 0 or not (_HEX.fullmatch(body, start, start + 8) and _HEX.fullmatch(body, end - 12, end)):
        return None
    return (start, end) if len(body) >= end else None


def _rounded(number: str) -> str:
    value = float(number)
    if 0 < value < 10**-_DECIMALS_LEFT:
        return f"{value:.{_DECIMALS_LEFT}g}"
    return f"{value:.{_DECIMALS_LEFT}f}".rstrip("0").rstrip(".")


def _replaced(
    text: Text, changes: list[tuple[int, int, str]], what: str, order: str, least: int = _LEAST_OF_KIND
) -> Iterator[Finding]:
    if len(changes) < least:
        return
    edits = tuple([Edit((), new, start, end) for start, end, new in changes])
    wasted = text.saved(edits)
    if wasted >= (_LEAST_TOKENS if least > 1 else _LEAST_OF_KIND):
        fix = Fix(order, edits, safe=False)
        yield Finding(f"{len(changes)} {what}", (), changes[0][0], changes[-1][1], wasted, fix)


def _next_base64(body: str, position: int) -> tuple[int, int] | None:
    """The next run that may be base64: found by looking every 200 characters, since it has no blanks."""
    step = _LEAST_BASE64 // 2
    for i in range(position, len(body) - step + 1, step):
        if " " in body[i : i + step]:
            continue
        start = max(body.rfind(sign, max(position, i - step), i) for sign in _ENDS_OF_RUNS) + 1
        run = _BASE64.match(body, max(start, position, i - step))
        if run and run.end() - run.start() >= _LEAST_BASE64:
            return run.span()
    return None


_ENDS_OF_RUNS: Final = " \n\t\"',;:()<>"


def _is_base64(sample: str) -> bool:
    """Whether a run has the mixture of signs that base64 of a real file has, and a word or name has not."""
    return (
        len(set(sample)) >= _LEAST_SIGNS
        and any(sign.isdigit() for sign in sample)
        and any(sign.isupper() for sign in sample)
        and any(sign.islower() for sign in sample)
    )


TEXT_RULES: Final[tuple[TextRule, ...]] = (
    html,
    long_identifiers,
    precise_times,
    long_floats,
    tracking_links,
    base64_in_text,
)
