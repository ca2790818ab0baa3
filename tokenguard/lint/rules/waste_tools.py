"""Waste in tools and schemas: never called, said twice, longer than they need to be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from tokenguard.anatomy import Tool
from tokenguard.call import Json
from tokenguard.lint import schemas
from tokenguard.lint.finding import REMOVED, Edit, Finding, Fix, Severity
from tokenguard.lint.json_blocks import JsonBlock
from tokenguard.lint.remembered import Remembered
from tokenguard.lint.request import Request
from tokenguard.lint.rule import RequestRule, ToolRule, request_rule, tool_rule
from tokenguard.lint.text import Text, tokens
from tokenguard.lint.tools import description_path, schema_path

_LEAST_REQUESTS: Final = 20
"""A tool that none of so many requests called is unused."""

_LEAST_TOKENS: Final = 8
_LEAST_SAID_TWICE: Final = 60
_MOST_TOKENS_OF_DESCRIPTION: Final = 400
_MOST_NAMED: Final = 5


@request_rule("TG241", "unused-tools", about="tools")
def unused_tools(request: Request) -> Iterator[Finding]:
    """Tools that are sent with every request and never called.

    ## What it does
    At run time, finds tools that were in at least 20 requests of the same kind (of one run, or with the same
    instructions and tools), and that the model called in none of them.

    ## Why is this bad?
    A tool is 30 tokens without arguments and 200 to 300 with an object of some fields, on every call
    (o200k_base, tests/lint/test_savings.py); and the more there are, the more often the model picks a wrong
    one.

    ## Example
    ```python
    client.chat.completions.create(model="gpt-4o", messages=messages, tools=all_tools)
    ```

    ## Use instead
    ```python
    client.chat.completions.create(model="gpt-4o", messages=messages, tools=tools_for(task))
    ```
    or `defer_loading` with Anthropic's tool search.

    ## Fix safety
    Safe for the tools that `droppable_tools` names, as long as another tool is left: you said that they may
    be left out. The others have no fix. A conversation that has begun keeps its tools, since the provider
    would have to read all of it anew.

    ## Options
    `droppable_tools`: the names of tools that may be left out.
    """
    before, tools = request.before, request.anatomy.tools
    if before is None or before.requests < _LEAST_REQUESTS or not tools:
        return
    called = before.called | {
        part.name
        for message in request.anatomy.messages
        for part in message.parts
        if part.source == "tool_call"
    }
    unused = [
        i
        for i, tool in enumerate(tools)
        if tool.ours and tool.name not in called and before.offered.get(tool.name, 0) >= _LEAST_REQUESTS
    ]
    if not unused:
        return
    wasted = sum(_TOKENS.get(request.tools[i].digest, _tokens_of, tools[i]) for i in unused)
    names = ", ".join(tools[i].name for i in unused[:_MOST_NAMED])
    more = f" and {len(unused) - _MOST_NAMED} more" if len(unused) > _MOST_NAMED else ""
    what = f"{len(unused)} of {len(tools)} tools were not called in {before.requests} requests: {names}{more}"
    yield Finding(what, tools[unused[0]].path[:-1], tokens=wasted, fix=_without(request, unused))


@tool_rule("TG242", "verbose-schema")
def verbose_schema(tool: Tool) -> Iterator[Finding]:
    """A tool's schema with what pydantic adds to it.

    ## What it does
    Finds titles that repeat a name (`"title": "User Id"` of `user_id`), defaults of null where null is
    allowed, and definitions that are used once.

    ## Why is this bad?
    It is sent with every request: the schema of an order with an address and lines is a quarter shorter
    without (o200k_base, tests/lint/test_savings.py).

    ## Example
    ```json
    {"properties": {"user_id": {"title": "User Id", "type": "string"}}, "title": "Lookup", "type": "object"}
    ```

    ## Use instead
    ```json
    {"properties": {"user_id": {"type": "string"}}, "type": "object"}
    ```

    ## Fix safety
    Safe: before it is applied, both schemas are walked side by side, and must allow and explain the same. A
    property that is called `title` stays, and so does a title that says something.
    """
    path = schema_path(tool)
    if not path or not tool.ours:
        return
    slim = schemas.slimmed(tool.schema)
    if slim is tool.schema:
        return
    wasted = tokens(_written(tool.schema)) - tokens(_written(slim))
    if wasted >= _LEAST_TOKENS:
        fix = Fix("Leave out what repeats names", (Edit(path, slim),), True, "schema")
        yield Finding(f"the schema of {tool.name} says things twice", path, tokens=wasted, fix=fix)


@tool_rule("TG243", "long-tool-description", Severity.INFO)
def long_tool_description(tool: Tool) -> Iterator[Finding]:
    """A tool's description of more than 400 tokens.

    ## What it does
    Counts the description of each tool, and those of its arguments.

    ## Why is this bad?
    It is sent with every request, whether the tool is called or not. How to use a tool well is worth words;
    what it returns, its errors and its history are not needed to decide on a call.

    ## Example
    ```python
    {"name": "search", "description": open("search_manual.md").read(), ...}
    ```

    ## Use instead
    ```python
    {"name": "search", "description": "Searches tickets by words, newest first. ...", ...}
    ```
    """
    texts = [(description_path(tool), tool.description)]
    above = schema_path(tool)
    if above:
        texts += [((*above, *path), text) for path, text in schemas.descriptions(tool.schema)]
    for path, text in texts:
        size = tokens(text) if len(text) > _MOST_TOKENS_OF_DESCRIPTION else 0
        if size > _MOST_TOKENS_OF_DESCRIPTION:
            what = f"a description of {size} tokens in the tool {tool.name}"
            yield Finding(what, path, tokens=size - _MOST_TOKENS_OF_DESCRIPTION)


@request_rule("TG244", "tool-described-twice", about="tools")
def tool_described_twice(request: Request) -> Iterator[Finding]:
    r"""A tool's description that the instructions repeat.

    ## What it does
    Finds descriptions of at least 60 characters that stand in the instructions to the letter.

    ## Why is this bad?
    The provider puts the tools before the instructions by itself: the model has read them.

    ## Example
    ```python
    system = "You have these tools:\n" + "\n".join(tool["description"] for tool in tools)
    ```

    ## Use instead
    ```python
    system = "Search before you answer."
    ```
    """
    if not any(len(tool.description) >= _LEAST_SAID_TWICE for tool in request.anatomy.tools):
        return
    for i, message in enumerate(request.anatomy.messages):
        if message.role != "system":
            continue
        for part in message.parts:
            for tool, facts in zip(request.anatomy.tools, request.tools, strict=True):
                if len(tool.description) < _LEAST_SAID_TWICE:
                    continue
                key = request.facts[i].digest, facts.digest, part.path[len(message.path) :]
                start = _DESCRIBED.get(key, part.text.find, tool.description)
                if start >= 0:
                    end = start + len(tool.description)
                    what = f"the description of the tool {tool.name} stands here again"
                    yield Finding(what, part.path, start, end, tokens=tokens(tool.description))


@request_rule("TG251", "schema-in-prompt", about="schema")
def schema_in_prompt(request: Request) -> Iterator[Finding]:
    """The schema of the answer, pasted into the prompt as well.

    ## What it does
    Where a request asks for an answer by a JSON schema (`response_format`, `text.format`, `output_config`),
    finds JSON in the prompt with the same properties.

    ## Why is this bad?
    The provider gives the schema to the model, and holds it to it: the copy is paid for and does nothing.

    ## Example
    ```python
    system = f"Answer with JSON by this schema: {json.dumps(schema)}"
    ```

    ## Use instead
    ```python
    system = "Answer in the words of the customer."
    ```

    ## Fix safety
    Unsafe: it takes the schema out, and the words around it stay.
    """
    schema = request.anatomy.schema
    if not schema or not isinstance(schema.get("properties"), dict):
        return
    for message in request.anatomy.messages:
        for part in message.parts:
            if part.source != "content" or '"properties"' not in part.text:
                continue
            for block in Text(part.text, message.role).json:
                if _is_like(block, schema):
                    edit = Edit(part.path, "", block.start, block.end)
                    fix = Fix("Take the schema out of the prompt", (edit,), safe=False)
                    what = "the schema that the answer is held to anyway"
                    yield Finding(what, part.path, block.start, block.end, tokens(block.text), fix)


_TOKENS: Final[Remembered[bytes, int]] = Remembered()
_DESCRIBED: Final[Remembered[tuple[Any, ...], int]] = Remembered()


def _tokens_of(tool: Tool) -> int:
    return tokens(_written([tool.name, tool.description, tool.schema]))


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _without(request: Request, unused: list[int]) -> Fix | None:
    tools = request.anatomy.tools
    chosen = request.anatomy.tool_choice
    droppable = [tools[i] for i in unused if tools[i].name in request.settings.droppable_tools]
    droppable = [tool for tool in droppable if chosen != f"tool:{tool.name}"]
    if not droppable or len(droppable) == len(tools):
        return None
    return Fix("Leave the unused tools out", tuple([Edit(tool.path, REMOVED) for tool in droppable]))


def _is_like(block: JsonBlock, schema: Json) -> bool:
    """Whether JSON is a schema with the same properties, perhaps within an envelope."""
    names = schema["properties"].keys()
    value = block.value
    for _ in range(3):
        if not isinstance(value, dict):
            return False
        properties = value.get("properties")
        if isinstance(properties, dict) and properties.keys() == names:
            return True
        value = value.get("schema") or value.get("json_schema") or value.get("parameters")
    return False


TOOL_RULES: Final[tuple[ToolRule, ...]] = (verbose_schema, long_tool_description)
REQUEST_RULES: Final[tuple[RequestRule, ...]] = (unused_tools, tool_described_twice, schema_in_prompt)
