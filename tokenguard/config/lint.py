"""The ``[lint]`` table: what is looked for in every call, and in the files of a project."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from tokenguard.config.tables import Count, Must, PolicyTable, Table, Text
from tokenguard.errors import ConfigError
from tokenguard.lint import Lint
from tokenguard.lint.policy import ON_ERROR, OnError

if TYPE_CHECKING:  # an application that lints no files does not load what reads them
    from tokenguard.lint.project.settings import Override

_LINT: Final = Lint()

_TOKENS: Final = "a number of tokens, 0 or more"
_LIMIT: Final = Must(_TOKENS, default="none")
_CODES: Final = Must('a list of rule codes or their beginnings: `["TG201", "TG3"]`')
_PATTERNS: Final = Must('a list of patterns for paths: `["prompts/**/*.md"]`')
_MODEL: Final = Must("the name of a model in quotes", default="none")

Codes = Annotated[tuple[str, ...], Field(strict=False)]
Tokens = Annotated[Count | None, _LIMIT]
OwnTokens = Annotated[Count | None, Must(_TOKENS, default="as in `[lint]`")]


class LintOverrideTable(Table):
    """Settings for some files."""

    files: Annotated[tuple[Text, ...], _PATTERNS] = Field(
        strict=False,
        min_length=1,
        description="For which: `*` stands for anything within a name, `**` for folders as well, and a "
        "folder for all that is in it. The later table has the last word.",
    )
    max_input_tokens: OwnTokens = Field(None, description="As in `[lint]`, for these files.")
    max_system_tokens: OwnTokens = Field(None, description="As in `[lint]`, for these files.")
    max_tools_tokens: OwnTokens = Field(None, description="As in `[lint]`, for these files.")
    max_passages_tokens: OwnTokens = Field(None, description="As in `[lint]`, for these files.")
    select: Annotated[Codes | None, Must(_CODES.be, default="as in `[lint]`")] = Field(
        None, description="The rules that are on, instead of those of `[lint]`."
    )
    extend_select: Annotated[Codes, _CODES] = Field((), description="Rules that are on as well.")
    ignore: Annotated[Codes, _CODES] = Field((), description="Rules that are off.")
    model: Annotated[Text | None, _MODEL] = Field(
        None, description="The model that these prompts are for, where they do not say."
    )

    @model_validator(mode="after")
    def _codes_exist(self) -> Self:
        for name in ("select", "extend_select", "ignore"):
            _check(name, getattr(self, name) or ())
        return self

    def override(self) -> Override:
        """What was said, as the linter takes it."""
        from tokenguard.lint.project.settings import Override

        said = {name: value for name, value in self.said().items() if name not in ("files", "model")}
        return Override(self.files, said, self.model)


class LintTable(PolicyTable):
    """What to lint for, in calls and in files."""

    policy = Lint
    of_files: ClassVar[tuple[str, ...]] = ("model", "exclude", "per_file_ignores", "overrides")
    """Keys for ``tokenguard lint`` alone, which are no part of the policy."""

    max_input_tokens: Annotated[Count | None, Must(_TOKENS, default="the model's own limit")] = Field(
        None, description="The most that a request may have as input."
    )
    max_system_tokens: Tokens = Field(
        None, description="The most that instructions may have together; a prompt in a file counts as such."
    )
    max_tools_tokens: Tokens = Field(None, description="The most that the tools may have together.")
    max_passages_tokens: Tokens = Field(
        None, description="The most that retrieved passages may have together, where they can be told."
    )
    select: Annotated[Codes | None, Must(_CODES.be, default="those that are on by default")] = Field(
        None, description="The rules that are on."
    )
    extend_select: Annotated[Codes, _CODES] = Field((), description="Rules that are on as well.")
    ignore: Annotated[Codes, _CODES] = Field((), description="Rules that are off, whatever else is said.")
    on_error: Annotated[OnError, Must("one of " + ", ".join(f'"{name}"' for name in ON_ERROR))] = Field(
        _LINT.on_error,
        description="Of calls: what to do where a rule of severity `error` finds something. `raise` refuses "
        "the call before anything is sent, `warn` notes it on the receipt, `fix` mends what can safely be "
        "mended and notes the rest.",
    )
    compress: Annotated[Literal["safe"] | None, Must('"safe"', default="none")] = Field(
        None, description="Of calls: apply every safe fix to what is sent."
    )
    droppable_tools: Annotated[tuple[Text, ...], Must("a list of names of tools")] = Field(
        _LINT.droppable_tools,
        strict=False,
        description="Tools that may be left out of a request after none of many calls used them.",
    )
    model: Annotated[Text | None, _MODEL] = Field(
        None, description="Of files: the model that a prompt is for, where it does not say."
    )
    exclude: Annotated[tuple[Text, ...], _PATTERNS] = Field(
        (), strict=False, description="Files and folders that are not linted, not even where they are named."
    )
    per_file_ignores: Annotated[
        dict[Text, Codes], Must("a table of lists of rule codes by pattern", entry=_CODES.be)
    ] = Field({}, description="Rules that are off in some files.")
    overrides: Annotated[tuple[LintOverrideTable, ...], Must("[[lint.overrides]] tables")] = Field(
        (), strict=False, description="Settings for some files."
    )

    def made(self) -> Lint:
        """The settings of calls.

        Raises:
            ConfigError: They make no sense.
        """
        return Lint(**{name: value for name, value in self.said().items() if name not in self.of_files})

    def override_settings(self) -> tuple[Override, ...]:
        """The settings of some files, as the linter takes them."""
        return tuple(table.override() for table in self.overrides)

    @model_validator(mode="after")
    def _codes_exist(self) -> Self:
        _check("per_file_ignores", (code for codes in self.per_file_ignores.values() for code in codes))
        return self


def _check(name: str, codes: Iterable[str]) -> None:
    said = tuple(codes)
    if not said:
        return
    from tokenguard.lint.codes import complaint, unknown  # which needs all rules

    for code in unknown(said):
        raise ConfigError(f"{name}: {complaint(code)}")
