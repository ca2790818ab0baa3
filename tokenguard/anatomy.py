"""What a request gives to the model, taken apart: the same pieces for every wire format.

Counting and linting are written once, for an :class:`Anatomy`. Each dialect says how its requests come apart,
and a piece's ``path`` leads back to its place in the request's JSON, for whoever reports or mends it.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from tokenguard.call import Json

Path = tuple[str | int, ...]
"""Keys and indexes from the request's JSON object down to a value: ``("messages", 3, "content")``."""

Kind = Literal["text", "image", "audio", "file", "unseen"]
Source = Literal["content", "tool_call", "tool_result", "reasoning"]
Role = Literal["system", "user", "assistant", "tool"]


class Media(NamedTuple):
    """A picture, a sound or a document: within the request, or somewhere else.

    Attributes:
        data: It, in base64, where the request has it: the very string, which may be a ``data:`` URL.
        url: Where it is, if that is somewhere else; also the id of a file that the provider keeps.
        media_type: ``image/png``; empty where the request does not say.
        detail: How closely the model is to look at a picture (OpenAI: ``low``, ``high``, ``auto`` ...).
        start: Where in ``data`` the base64 begins: behind the head of a ``data:`` URL.
    """

    data: str = ""
    url: str = ""
    media_type: str = ""
    detail: str = ""
    start: int = 0


class Part(NamedTuple):
    """One piece of a message.

    Attributes:
        kind: What it is. ``unseen``: something that only the provider knows, such as an encrypted thought.
        path: Where in the request it is; a text's leads to the string itself, but where a tool call's
            arguments are an object: then it leads to that.
        text: The text; of a tool call its arguments as they are sent, an object as its JSON.
        media: What a picture, sound or document is.
        source: Who made it.
        name: The tool that is called, where it is a call; the name of a file.
        marked: Whether the provider is told to keep the prompt up to here (``cache_control``,
            ``prompt_cache_breakpoint``).
    """

    kind: Kind
    path: Path
    text: str = ""
    media: Media | None = None
    source: Source = "content"
    name: str = ""
    marked: bool = False


class Message(NamedTuple):
    """One message, or what stands in the place of one: instructions, a tool's call, a tool's answer.

    Attributes:
        role: Whose it is. ``developer`` and ``instructions`` are ``system``; a message in which there are
            only answers of tools is ``tool``, whoever the format says that it is from.
        path: Where in the request it is.
        parts: Its pieces, in order.
        raw: It, as the request has it.
        name: Its author's name, where it has one.
    """

    role: Role
    path: Path
    parts: tuple[Part, ...]
    raw: Any
    name: str = ""


class Tool(NamedTuple):
    """A tool that the model may call.

    Attributes:
        name: Its name; the type of one that the provider runs.
        path: Where in the request it is.
        raw: It, as the request has it.
        description: What it is for, as the model is told.
        schema: The JSON schema of its arguments; empty where it has none.
        ours: Whether the application says what it is. What the others add, only the provider knows.
        marked: Whether the provider is told to keep the prompt up to here.
    """

    name: str
    path: Path
    raw: Json
    description: str = ""
    schema: Json = {}  # noqa: RUF012 # a default that nobody changes
    ours: bool = True
    marked: bool = False


class Anatomy(NamedTuple):
    """A request, taken apart.

    Attributes:
        messages: All that is said, in the order in which the model reads it: instructions first.
        tools: The tools that are offered.
        schema: The JSON schema of the answer, where one is asked for.
        schema_path: Where in the request that is.
        unseen: What counts as input and is not in the request: ``previous_response_id`` and its like.
        tool_choice: Which tool is to be called, where the request says so: ``auto``, ``none``, ``required``
            (any of them), or ``tool:`` and the name of the one that must be.
    """

    messages: tuple[Message, ...] = ()
    tools: tuple[Tool, ...] = ()
    schema: Json | None = None
    schema_path: Path = ()
    unseen: tuple[str, ...] = ()
    tool_choice: str = ""


def at(body: Json, path: Path) -> Any:
    """The value at a path.

    Raises:
        LookupError: There is none.
    """
    value: Any = body
    for key in path:
        value = value[key]
    return value


def shown(path: Path) -> str:
    """A path as people write it: ``messages[3].content[0].text``."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")
