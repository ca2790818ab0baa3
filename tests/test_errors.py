"""Our errors are the SDKs' too: existing clauses catch them, and they say what to do."""

from __future__ import annotations

import copy
import inspect
import pickle

import anthropic
import openai
import pytest

from tokenguard import errors
from tokenguard.errors import ConfigError, GuardError, UnpricedModelError, for_sdk

OURS = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, GuardError)]
BASES = [openai.OpenAIError, anthropic.AnthropicError]


def test_there_are_errors_to_look_at() -> None:
    """The tests below are about all of them."""
    assert GuardError in OURS
    assert len(OURS) >= 5


@pytest.mark.parametrize("error", OURS)
def test_every_error_says_what_to_do(error: type[GuardError]) -> None:
    """In its documentation."""
    assert error.__doc__ is not None
    assert "What to do:" in error.__doc__


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("error", OURS)
def test_an_error_is_the_sdks_too(error: type[GuardError], base: type[Exception]) -> None:
    """It is caught as ours and as theirs, and looks like ours."""
    made = for_sdk(error("no price is known"), base)
    assert isinstance(made, error)
    assert isinstance(made, base)
    assert isinstance(made, GuardError)
    assert str(made) == "no price is known"
    assert type(made).__name__ == error.__name__
    assert type(made).__module__ == "tokenguard.errors"
    assert type(made).__doc__ == error.__doc__


def test_an_error_keeps_what_it_carries() -> None:
    """Its arguments and its attributes."""
    error = UnpricedModelError("no price", 7)
    error.model = "m"  # type: ignore[attr-defined]
    made = for_sdk(error, openai.OpenAIError)
    assert made.args == ("no price", 7)
    assert made.model == "m"  # type: ignore[attr-defined]


def test_an_error_that_is_the_sdks_already_stays_as_it_is() -> None:
    """Passing two seams changes nothing."""
    made = for_sdk(GuardError("x"), openai.OpenAIError)
    assert for_sdk(made, openai.OpenAIError) is made


def test_the_same_class_is_made_once() -> None:
    """``except type(error)`` works from one call to the next."""
    first, second = (for_sdk(GuardError("x"), openai.OpenAIError) for _ in range(2))
    assert type(first) is type(second)


def test_an_error_travels_between_processes() -> None:
    """Workers of a pool hand it to their parent by pickle: it arrives as ours and as the SDK's."""
    error = for_sdk(ConfigError("bad", 1), anthropic.AnthropicError)
    error.model = "m"  # type: ignore[attr-defined]
    for copied in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(copied) is type(error)
        assert copied.args == ("bad", 1)
        assert copied.model == "m"
