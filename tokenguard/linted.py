"""The linter's part in a call's life: what is found is noted, mended where that was asked for, or refused.

A part of the flow (``flow.py``), in a file of its own.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from tokenguard import faults
from tokenguard.call import Call
from tokenguard.dialects import Dialect
from tokenguard.effects import Effect, Rewrite
from tokenguard.errors import LintError
from tokenguard.policies import Policies

if TYPE_CHECKING:  # a guard that does not lint does not load it
    from tokenguard.lint.calls import CallLinter, Checked


def lint(
    call: Call, dialect: Dialect, linter: CallLinter, policies: Policies
) -> Generator[Effect, Any, None]:
    """Look at what is about to be sent. A fault of the linter costs nobody a call.

    Raises:
        LintError: Something is wrong that the application does not want to pay for. Nothing was sent.
    """
    try:
        checked = linter.check(call, dialect)
    except Exception as fault:
        faults.note("lint", fault)
        return
    call.lint = checked
    policies.telemetry.linted(call)
    if checked.body is not None:
        asked = dialect.ask(checked.body)
        call.asked = asked._replace(model=call.asked.model, stream=call.asked.stream)
        yield Rewrite(checked.body)
    if linter.settings.on_error == "raise" and checked.errors:
        raise _refused(checked)


def _refused(checked: Checked) -> LintError:
    first, *others = checked.errors
    more = f" (and {len(others)} more)" if others else ""
    error = LintError(
        f"{first.code}: {first.message}{more}; nothing was sent. `tokenguard lint --explain {first.code}` "
        f"says why; Lint(ignore=({first.code!r},)) lets it pass"
    )
    error.findings = checked.errors
    return error
