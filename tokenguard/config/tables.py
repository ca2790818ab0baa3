"""What every table of the configuration is made of: values of TOML, and what they must be."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, model_validator
from pydantic_core import PydanticCustomError

from tokenguard.durations import seconds
from tokenguard.errors import ConfigError

Text = Annotated[str, Field(min_length=1)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Length = Annotated[str | float, AfterValidator(lambda value: _length(value))]
Key256 = Annotated[
    str,
    AfterValidator(lambda value: _key(value)),
    PlainSerializer(lambda _: "(not shown)", return_type=str),
]
Price = str | int | float
Day = datetime | date | str


@dataclass(frozen=True, slots=True)
class Must:
    """What a key must be, as messages and the reference say it: "must be ...".

    Attributes:
        be: What is allowed.
        default: What holds where nobody says anything and that is not one value.
        entry: What is allowed of the entries of a table whose keys are free.
        secret: Whether its value is never shown.
    """

    be: str
    default: str | None = None
    entry: str | None = None
    secret: bool = False


TEXT: Final = Must("a text in quotes")
PRICE: Final = Must("a number of US dollars, 0 or more, best in quotes")
SECONDS: Final = Must("a number of seconds, 0 or more")
LENGTH: Final = Must('a length of time like "90s", "12h" or "7d", or a number of seconds')
BYTES: Final = Must("a number of bytes, 0 or more")
TEXTS: Final = Must("a list of texts")
DAY: Final = Must("a day like 2026-07-01")


def _length(value: str | float) -> str | float:
    try:
        seconds(value, "")
    except ConfigError as error:
        raise PydanticCustomError("length", "not a length of time") from error
    return value


def _key(value: str) -> str:
    try:
        size = len(b64decode(value, validate=True))
    except ValueError:
        size = 0
    if size != 32:
        raise PydanticCustomError("key", "not a key")
    return value


class Table(BaseModel):
    """A table of the configuration. Values are not converted: ``"3"`` is not a number."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    short: ClassVar[str | None] = None
    """The key that a bare value in the table's place is for: ``retry = 3``."""

    def said(self) -> dict[str, Any]:
        """The values that were given, by the name of the attribute."""
        return {
            name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set
        }


class PolicyTable(Table):
    """A table that is one policy object, which has the last word on whether it makes sense."""

    policy: ClassVar[type[Any]]

    def made(self) -> Any:
        """The policy.

        Raises:
            ConfigError: The policy refuses these values.
        """
        return self.policy(**self.said())

    @model_validator(mode="after")
    def _can_be_made(self) -> Self:
        self.made()
        return self
