"""``tokenguard demo``: guarded calls of two teams, what they cost, and proof that it adds up."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from tokenguard.errors import ConfigError, GuardError
from tokenguard.pricing import PriceBook, format_usd

if TYPE_CHECKING:
    from tokenguard.demo.play import Played
    from tokenguard.demo.upstream import Upstream

_NEEDS: Final = ("openai", "anthropic", "opentelemetry.sdk")
_INSTALL: Final = "pip install 'tokenguard-middleware[openai,anthropic,otel]'"


def demo(
    ledger: Annotated[
        Path | None, typer.Option(help="Keep the ledger in this file. Default: a temporary one.")
    ] = None,
    live: Annotated[
        bool,
        typer.Option("--live", help="Ask the real APIs: OPENAI_API_KEY, ANTHROPIC_API_KEY or both are set."),
    ] = False,
    local_model: Annotated[
        bool, typer.Option("--local-model", help="Ask a small language model on this machine (extra: local).")
    ] = False,
    openai_model: Annotated[str, typer.Option(help="The OpenAI model to ask with --live.")] = "gpt-4.1-nano",
    anthropic_model: Annotated[
        str, typer.Option(help="The Anthropic model to ask with --live.")
    ] = "claude-haiku-4-5",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before --live spends money.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object; costs are exact nano-dollars.")
    ] = False,
) -> None:
    """Make guarded calls for two teams, and show what they cost. No key, no network, no cost by default.

    Exit codes: 0 done; 1 the totals do not tie, a call failed, or --live was not confirmed; 2 wrong usage.
    """
    if live and local_model:
        raise typer.BadParameter("--live and --local-model exclude each other")
    _check_installed()
    _leave_surroundings(loopback=not live)
    console = Console(stderr=as_json, quiet=as_json and not sys.stderr.isatty(), highlight=False)
    models = {"openai": openai_model, "anthropic": anthropic_model}
    with _upstream(live, local_model, models) as upstream, _ledger_file(ledger) as path:
        if live and not yes:
            _confirm(upstream, err=as_json)
        played = _played(upstream, path, console)
    if as_json:
        typer.echo(json.dumps({**played.as_json(), "ledger": str(ledger) if ledger else None}, indent=2))
    else:
        _show(played, ledger, console)
    if not played.ties.tied:
        raise typer.Exit(1)


def _check_installed() -> None:
    missing = [
        name for name in _NEEDS if find_spec(name.partition(".")[0]) is None or find_spec(name) is None
    ]
    if missing:
        raise ConfigError(f"the demo needs {', '.join(missing)}: {_INSTALL}")


def _leave_surroundings(*, loopback: bool) -> None:
    """See that no variable of this shell changes what the demo shows."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        del os.environ[name]
    if loopback:
        os.environ["NO_PROXY"] = "*"


@contextmanager
def _ledger_file(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="tokenguard-demo-") as folder:
        yield Path(folder) / "ledger.db"


def _upstream(live: bool, local_model: bool, models: dict[str, str]) -> AbstractContextManager[Upstream]:
    from tokenguard.demo import upstream

    if local_model:
        return upstream.local_model()
    if not live:
        return upstream.recorded()
    with_key = {sdk: models[sdk] for sdk, variable in upstream.KEYS.items() if os.environ.get(variable)}
    if not with_key:
        raise ConfigError(f"--live needs a key: set {' or '.join(upstream.KEYS.values())}")
    return nullcontext(upstream.live(with_key))


def _confirm(upstream: Upstream, *, err: bool) -> None:
    """Say what it will cost at most, and ask.

    Raises:
        ConfigError: No price is known for a model.
        typer.Abort: The answer was no, or there was none.
    """
    from tokenguard.demo.plan import batches
    from tokenguard.demo.play import RETRY
    from tokenguard.demo.worst_case import worst_case_nano

    plan = list(batches(upstream.models, at_most=upstream.at_most))
    calls = sum(len(batch.questions) for batch in plan)
    most = worst_case_nano(
        PriceBook(), plan, max_tokens=upstream.max_tokens, attempts=1 + (RETRY.retries or 0)
    )
    typer.echo(
        f"This makes {calls} calls to {upstream.says}, with questions from a public data set and your key. "
        f"They cost {format_usd(most)} at most.",
        err=err,
    )
    typer.confirm("Go on?", abort=True, err=err)


def _played(upstream: Upstream, ledger: Path, console: Console) -> Played:
    """Play the demo with a progress bar; a call that fails in the end ends it with one line."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from tokenguard.demo import show
    from tokenguard.demo.plan import Batch, batches
    from tokenguard.demo.play import play
    from tokenguard.demo.traffic import Answer

    console.print(f"Calls go to {upstream.says}.", markup=False, soft_wrap=True)
    total = sum(len(batch.questions) for batch in batches(upstream.models, at_most=upstream.at_most))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        calls = progress.add_task("Calls", total=total)

        def done(batch: Batch, answers: Sequence[Answer]) -> None:
            progress.console.print(show.batch_line(batch, answers), markup=False, soft_wrap=True)

        try:
            return play(upstream, ledger, answered=lambda: progress.advance(calls), done=done)
        except _sdk_errors() as error:
            if isinstance(error, GuardError):
                raise
            typer.echo(f"tokenguard: a call failed: {error}", err=True)
            raise typer.Exit(1) from None


def _sdk_errors() -> tuple[type[Exception], ...]:
    from anthropic import AnthropicError
    from openai import OpenAIError

    return OpenAIError, AnthropicError


def _show(played: Played, ledger: Path | None, console: Console) -> None:
    from tokenguard.demo import show

    show.wide(console).print(show.everything(played))
    kept = (
        "The ledger was temporary and is gone; --ledger FILE keeps it."
        if ledger is None
        else f"The ledger is {ledger}: tokenguard report --ledger {ledger} --by team,feature,model"
    )
    console.print(kept, markup=False, soft_wrap=True)
