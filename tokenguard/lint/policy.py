"""What to lint for, and what to do about it: the settings of a guard's linter, and of the command."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from tokenguard.errors import ConfigError

OnError = Literal["raise", "warn", "fix"]
ON_ERROR: Final = ("raise", "warn", "fix")


@dataclass(frozen=True, slots=True)
class Lint:
    """Look at what is sent before it is paid for.

    Attributes:
        max_input_tokens: The most that a request may have as input. ``None``: the model's own limit.
        max_system_tokens: The most that instructions (system messages) may have together.
        max_tools_tokens: The most that the tools may have together.
        max_passages_tokens: The most that retrieved passages may have together, where they can be told.
        select: Which rules are on: codes, or their beginnings (``TG2``). ``None``: those on by default.
        extend_select: Rules that are on as well.
        ignore: Rules that are off, whatever else is said.
        on_error: What to do where a rule of severity ``error`` finds something: ``raise`` refuses the call
            before anything is sent, ``warn`` notes it on the receipt, ``fix`` mends what can safely be
            mended and notes the rest.
        compress: ``safe`` applies every safe fix to what is sent, whatever its severity.
        droppable_tools: Tools that may be left out of a request after none of many calls used them.
    """

    max_input_tokens: int | None = None
    max_system_tokens: int | None = None
    max_tools_tokens: int | None = None
    max_passages_tokens: int | None = None
    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    on_error: OnError = "warn"
    compress: Literal["safe"] | None = None
    droppable_tools: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.on_error not in ON_ERROR:
            raise ConfigError(
                f"Lint(on_error={self.on_error!r}): give one of {', '.join(map(repr, ON_ERROR))}"
            )
        for name in ("select", "extend_select", "ignore"):
            if codes := getattr(self, name):
                object.__setattr__(self, name, _checked(name, codes))


def _checked(name: str, codes: Iterable[str]) -> tuple[str, ...]:
    from tokenguard.lint.codes import complaint, unknown  # which needs all rules

    if isinstance(codes, str):
        raise ConfigError(f"Lint({name}={codes!r}): give a list of codes, as in {name}=[{codes!r}]")
    said = tuple(codes)
    for code in unknown(said):
        raise ConfigError(f"Lint({name}={list(said)!r}): {complaint(code)}")
    return said
