"""Which calls may be answered from a cache: rules on requests, and the table of them in the docs.

The first rule that a request breaks is the reason on its receipt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from tokenguard.call import Call, Json
from tokenguard.dialects.dialect import items

CHAT: Final = "openai.chat"
COMPLETIONS: Final = "openai.completions"
RESPONSES: Final = "openai.responses"
EMBEDDINGS: Final = "openai.embeddings"
MESSAGES: Final = "anthropic.messages"

CACHEABLE: Final = (CHAT, COMPLETIONS, RESPONSES, EMBEDDINGS, MESSAGES)

_OURS: Final = (None, "custom", "function")
_CLIENT_TOOLS: Final = ("bash_", "computer_", "memory_", "text_editor_")
"""Anthropic's own tools that the application carries out (docs.anthropic.com, tool use overview)."""


class Rule(NamedTuple):
    """A reason to pass the cache by.

    Attributes:
        reason: What receipts, spans and the ledger call it.
        dialects: The formats that it is for.
        what: What it says, for the docs.
        broken: Whether a request's body breaks it.
        lifted: Whether ``mode="always"`` lifts it.
    """

    reason: str
    dialects: tuple[str, ...]
    what: str
    broken: Callable[[Json], bool]
    lifted: bool = False


def _set(*names: str) -> Callable[[Json], bool]:
    return lambda body: any(body.get(name) for name in names)


def _above_one(*names: str) -> Callable[[Json], bool]:
    return lambda body: any(isinstance(body.get(name), int | float) and body[name] > 1 for name in names)


def _sampled(body: Json) -> bool:
    return body.get("temperature") != 0 or isinstance(body.get("temperature"), bool)


def _sampled_without_seed(body: Json) -> bool:
    return _sampled(body) and body.get("seed") is None


def _unversioned_prompt(body: Json) -> bool:
    prompt = body.get("prompt")
    return bool(prompt) and not (isinstance(prompt, dict) and prompt.get("version"))


def _server_tool(body: Json) -> bool:
    return any(tool.get("type") not in _OURS for tool in items(body, "tools"))


def _anthropic_server_tool(body: Json) -> bool:
    if body.get("mcp_servers"):
        return True
    kinds = [tool.get("type") for tool in items(body, "tools")]
    return any(kind not in _OURS and not str(kind).startswith(_CLIENT_TOOLS) for kind in kinds)


def _item_reference(body: Json) -> bool:
    # Its type may be left out, as a message's may, which has a role.
    kinds = [item.get("type") or ("role" in item and "message") for item in items(body, "input")]
    return any(kind in (False, "item_reference") for kind in kinds)


RULES: Final = (
    Rule(
        "server_state",
        (RESPONSES,),
        "`previous_response_id`, `conversation` or an item reference: "
        "what the model reads is kept by the provider.",
        lambda body: _set("previous_response_id", "conversation")(body) or _item_reference(body),
    ),
    Rule("server_state", (MESSAGES,), "`container` is in it.", _set("container")),
    Rule(
        "background", (RESPONSES,), "`background` is true: the reply is not the answer.", _set("background")
    ),
    Rule("stored", (CHAT, RESPONSES), "`store` is true: the provider is to keep this call.", _set("store")),
    Rule(
        "server_tools",
        (CHAT,),
        "`web_search_options` is in it, if only as `{}`, or a tool that is neither `function` nor `custom`: "
        "the answer depends on the moment.",
        lambda body: body.get("web_search_options") is not None or _server_tool(body),
    ),
    Rule(
        "server_tools",
        (RESPONSES,),
        "A tool that the provider runs (web and file search, code, MCP, computer use).",
        _server_tool,
    ),
    Rule(
        "server_tools",
        (MESSAGES,),
        "`mcp_servers`, or a tool that the provider runs (web search and fetch, code execution).",
        _anthropic_server_tool,
    ),
    Rule(
        "prompt_version",
        (RESPONSES,),
        "`prompt` names a template without its `version`: it may change.",
        _unversioned_prompt,
    ),
    Rule("choices", (CHAT,), "`n` is above 1: several samples are wanted.", _above_one("n"), lifted=True),
    Rule("choices", (COMPLETIONS,), "`n` or `best_of` is above 1.", _above_one("n", "best_of"), lifted=True),
    Rule(
        "sampled",
        (CHAT, COMPLETIONS),
        "`temperature` is not 0 and there is no `seed`: the answer is one of many.",
        _sampled_without_seed,
        lifted=True,
    ),
    Rule(
        "sampled",
        (RESPONSES, MESSAGES),
        "`temperature` is not 0: the answer is one of many.",
        _sampled,
        lifted=True,
    ),
)
"""In the order in which they are tried. Embeddings have none: they are never sampled."""


def ineligible(call: Call, *, always: bool) -> str | None:
    """Why a call cannot be answered from a cache, or ``None`` where it can.

    Args:
        call: It.
        always: Whether samples may be answered with one another: ``mode="always"``.
    """
    if call.dialect not in CACHEABLE:
        return "endpoint"
    if not call.body:
        return "not_json"
    for rule in RULES:
        if call.dialect in rule.dialects and not (always and rule.lifted) and rule.broken(call.body):
            return rule.reason
    return None
