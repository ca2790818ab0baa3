"""Every exception that tokenguard raises, each saying what happened and what to do about it.

Each class here derives from :class:`GuardError`. Where one is raised inside a call of an SDK it is
also an instance of that SDK's own base error, so that existing ``except openai.OpenAIError`` and
``except anthropic.AnthropicError`` clauses catch it and neither SDK wraps or retries it.
"""

from __future__ import annotations

from collections.abc import Callable
from types import new_class
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from tokenguard.lint import Finding


class GuardError(Exception):
    """The base of everything that tokenguard raises on purpose.

    What to do: read the message. It names the value, where it came from, and the remedy.
    """


class ConfigError(GuardError, ValueError):
    """A setting is wrong. Raised when a guard is made, never in the middle of a call.

    What to do: correct the value that the message names. ``tokenguard config check`` finds the
    same mistakes without running the program.
    """


class LedgerError(GuardError):
    """The ledger that was configured cannot be used: not writable, not a database, or too new.

    What to do: point ``ledger=`` (or ``TOKENGUARD_LEDGER``) at a file in a directory that this
    process may write to, or upgrade tokenguard when the file was written by a newer version.
    """


class UnpricedModelError(GuardError):
    """No price is known for the model, and ``on_unpriced="refuse"`` is set. Nothing was sent.

    What to do: add a ``[[prices]]`` entry for the model, map the deployment to a model with
    ``deployments``, or upgrade ``genai-prices``.
    """


class LintError(GuardError):
    """The request breaks a rule, and ``Lint(on_error="raise")`` is set. Nothing was sent.

    What to do: correct what the message names; ``tokenguard lint --explain CODE`` says why it matters.

    Attributes:
        findings: What was found, each with its code, its place in the request and what to do about it.
    """

    findings: tuple[Finding, ...] = ()


class CacheMissError(GuardError):
    """``cache="only"`` was asked for, and the answer is not in the cache. Nothing was sent.

    What to do: make the call once without ``cache="only"``, or find out why its answer was not kept:
    the receipt's ``cache_reason`` and ``tokenguard cache stats`` say so.

    Attributes:
        request_id: The call's own id, by which ``guard.receipt(error)`` finds its receipt.
    """

    request_id: str | None = None


class CassetteMissError(CacheMissError):
    """A cassette plays, and has no answer to this request. Nothing was sent.

    What to do: read what the message says is different from the most similar request that was recorded. If
    the request is meant to be so, record it: ``Cache(mode="new")``, or ``pytest --tokenguard-record=new``.
    """


class NotWrappableError(GuardError, TypeError):
    """The object given to ``wrap()`` is not a client of the openai or anthropic SDK.

    What to do: pass the client object itself; for frameworks that only accept an HTTP client use
    ``guard.http_client()`` or ``guard.async_http_client()``.
    """


def for_sdk(error: GuardError, base: type[Exception]) -> GuardError:
    """The same error as an instance of ``base`` too, where ``base`` is an SDK's base error class."""
    if isinstance(error, base):
        return error
    ours = type(error)
    both = _combined.get((ours, base))
    if both is None:
        both = _combined[ours, base] = cast(
            "type[GuardError]",
            new_class(ours.__name__, (ours, base), exec_body=lambda body: body.update(__reduce__=_reduced)),
        )
        both.__module__, both.__doc__ = ours.__module__, ours.__doc__
    return _copied(error, both)


def _copied(error: GuardError, cls: type[GuardError]) -> GuardError:
    made = GuardError.__new__(cls)
    made.args = error.args
    made.__dict__.update(error.__dict__)
    return made


def _reduced(error: GuardError) -> tuple[Callable[..., GuardError], tuple[GuardError, type[Exception]]]:
    """For pickle, which cannot look up a class that was made at run time: its two halves can be."""
    ours, base = type(error).__bases__
    return for_sdk, (_copied(error, ours), base)


_combined: dict[tuple[type[GuardError], type[Exception]], type[GuardError]] = {}
