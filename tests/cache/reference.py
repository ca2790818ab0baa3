"""The tables of docs/concepts/caching.md, as the code has them.

``python -m tests.cache.reference`` writes them into the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from tokenguard.cache.eligibility import CACHEABLE, CHAT, COMPLETIONS, EMBEDDINGS, MESSAGES, RESPONSES, RULES
from tokenguard.cache.headers import CARRYING, CARRYING_PREFIXES, IDENTITY, PASSING_COOKIES
from tokenguard.cache.key import IGNORED, IGNORED_OF_STREAM
from tokenguard.cache.negative import LASTING
from tokenguard.cache.storing import REFUSALS, WHOLE

PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "caching.md"
NAMES = {
    CHAT: "OpenAI chat",
    COMPLETIONS: "OpenAI completions",
    RESPONSES: "OpenAI responses",
    EMBEDDINGS: "OpenAI embeddings",
    MESSAGES: "Anthropic messages",
}
PROVIDERS = {"openai": "OpenAI", "anthropic": "Anthropic"}


def sections() -> dict[str, str]:
    """What stands between ``<!-- name -->`` and ``<!-- /name -->``, by the name."""
    return {
        "formats": "\n".join(f"* {NAMES[dialect]}" for dialect in CACHEABLE),
        "rules": "\n".join([_HEAD_OF_RULES, *_rules()]),
        "refusals": "\n".join([_HEAD_OF_REFUSALS, *(f"| `{name}` | {what} |" for name, what in REFUSALS)]),
        "whole": "\n".join([_HEAD_OF_WHOLE, *(f"| {NAMES[one]} | {_code(WHOLE[one])} |" for one in WHOLE)]),
        "lasting": "\n".join([_HEAD_OF_LASTING, *_lasting()]),
        "ignored": "\n".join(_ignored()),
    }


def written(page: str) -> str:
    """The page with its tables as they are to be."""
    for name, text in sections().items():
        between = re.compile(rf"<!-- {name} -->\n.*?<!-- /{name} -->", re.S)
        whole = f"<!-- {name} -->\n\n{text}\n\n<!-- /{name} -->"
        page, found = between.subn(lambda _, whole=whole: whole, page)  # type: ignore[misc]
        assert found == 1, f"the page has no place for {name}, or several"
    return page


_HEAD_OF_RULES = '| Reason | Of | What | With `mode="always"` |\n| --- | --- | --- | --- |'
_HEAD_OF_REFUSALS = "| Reason | What |\n| --- | --- |"
_HEAD_OF_LASTING = "| Status | By | What it says | What that means |\n| --- | --- | --- | --- |"
_HEAD_OF_WHOLE = "| Format | How a whole answer ends |\n| --- | --- |"


def _rules() -> Iterable[str]:
    for rule in RULES:
        formats = ", ".join(NAMES[dialect] for dialect in rule.dialects)
        yield f"| `{rule.reason}` | {formats} | {rule.what} | {'answered' if rule.lifted else ''} |"


def _lasting() -> Iterable[str]:
    for one in LASTING:
        says = f"{one.value} …" if one.field == "message" else one.value
        ticks = "``" if "`" in says else "`"
        yield f"| {one.status} | {one.who} | `{one.field}`: {ticks}{says}{ticks} | {one.what} |"


def _ignored() -> Iterable[str]:
    for provider, fields in IGNORED.items():
        yield f"* Fields at the top of {PROVIDERS[provider]} bodies: {_code(fields)}."
    yield f"* Within `stream_options`: {_code(IGNORED_OF_STREAM)}."
    headers = {name.decode() for name in CARRYING}
    prefixes = {f"{prefix.decode()}*" for prefix in CARRYING_PREFIXES}
    yield f"* Headers that only carry a request, or trace it: {_code(headers)}; {_code(prefixes)}."
    identity = {name.decode() for name in IDENTITY}
    yield f"* Headers that say who asks, for those are in the namespace: {_code(identity)}."
    cookies = {name.decode() for name in PASSING_COOKIES}
    yield f"* Cookies of load balancers and bot filters, which are in neither: {_code(cookies)}."


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
