"""Import replacements, and imports in any order."""

from __future__ import annotations

import importlib
from typing import Any

import anthropic
import openai
import pytest

import tokenguard
import tokenguard.anthropic
import tokenguard.openai
from tests.instrument.conftest import RunProgram
from tests.transport.clients import CLAUDE, GPT, HELLO
from tokenguard import instrumentation
from tokenguard.testing import Provider


@pytest.mark.parametrize(
    ("order", "guarded"),
    [
        ("import openai, anthropic, tokenguard; tokenguard.instrument()", True),
        ("import tokenguard; tokenguard.instrument(); import openai, anthropic", True),
        (
            "import tokenguard; tokenguard.instrument(); tokenguard.uninstrument(); import openai, anthropic",
            False,
        ),
    ],
    ids=["before", "after", "uninstrumented"],
)
def test_any_order(order: str, guarded: bool, run_program: RunProgram, provider: Provider) -> None:
    """SDKs imported before or after instrument() are guarded, and not after uninstrument()."""
    said = run_program(
        f"""
        {order}
        openai.chat.completions.create(**GPT)
        openai.OpenAI().chat.completions.create(**GPT)
        anthropic.Anthropic().messages.create(**CLAUDE)
        guard = tokenguard.instrument()
        guard.flush()
        say(guard.ledger.reader().execute("SELECT count(*) FROM call").fetchone()[0])
        """
    )
    assert said == (3 if guarded else 0)
    assert provider.count == 3


def test_threads_that_import_at_once(run_program: RunProgram) -> None:
    """Both SDKs imported by two threads at the same time are both guarded."""
    said = run_program(
        """
        import threading, tokenguard
        guard = tokenguard.instrument()
        start = threading.Barrier(2)

        def load(name):
            start.wait()
            __import__(name)

        threads = [threading.Thread(target=load, args=(name,)) for name in ("openai", "anthropic")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        import openai, anthropic
        say([openai.OpenAI().max_retries, anthropic.Anthropic().max_retries])
        """
    )
    assert said == [0, 0]


def test_other_import_hooks_are_heeded(run_program: RunProgram) -> None:
    """Another tool's finder, before or after ours, that asks all finders itself, still gets its turn."""
    said = run_program(
        """
        import importlib.util, sys, tokenguard

        class Other:
            def __init__(self):
                self.seen, self.busy = [], False
            def find_spec(self, name, path=None, target=None):
                if self.busy or not name.endswith("_base_client"):
                    return None
                self.busy = True
                try:
                    self.seen.append(name)
                    return importlib.util.find_spec(name)
                finally:
                    self.busy = False

        below, above = Other(), Other()
        sys.meta_path.insert(0, below)
        tokenguard.instrument()
        sys.meta_path.insert(0, above)
        import openai, anthropic
        both = {"openai._base_client", "anthropic._base_client"}
        say([set(below.seen) == both, set(above.seen) == both, openai.OpenAI().max_retries])
        """
    )
    assert said == [True, True, 0]


def test_nothing_is_imported_before_it_is_needed(run_program: RunProgram) -> None:
    """import tokenguard brings neither SDK, and instrument() none either."""
    said = run_program(
        """
        import sys, tokenguard
        first = sorted({"openai", "anthropic", "httpx2", "pydantic", "asyncio"} & set(sys.modules))
        tokenguard.instrument()
        say([first, sorted({"openai", "anthropic", "httpx2"} & set(sys.modules))])
        """
    )
    assert said == [[], []]


@pytest.mark.parametrize("name", ["OpenAI", "AsyncOpenAI", "AzureOpenAI", "AsyncAzureOpenAI", "Client"])
def test_openai_replaced(name: str) -> None:
    """The classes are subclasses of the SDK's under the same names, the same each time."""
    ours, theirs = getattr(tokenguard.openai, name), getattr(openai, name)
    assert issubclass(ours, theirs)
    assert ours is not theirs
    assert ours is getattr(tokenguard.openai, name)
    assert ours.__name__ == theirs.__name__


@pytest.mark.parametrize(
    "name", ["Anthropic", "AsyncAnthropic", "AnthropicBedrock", "AnthropicVertex", "Client"]
)
def test_anthropic_replaced(name: str) -> None:
    """The same of the other SDK."""
    ours, theirs = getattr(tokenguard.anthropic, name), getattr(anthropic, name)
    assert issubclass(ours, theirs)
    assert ours is not theirs


def test_replaced_clients_are_guarded(provider: Provider) -> None:
    """Their objects are the SDK's, guarded by the configured guard, copies included."""
    client = tokenguard.openai.OpenAI(base_url=provider.openai_url, api_key="x")
    assert isinstance(client, openai.OpenAI)
    copied = client.with_options(timeout=9)
    assert type(copied) is type(client) is tokenguard.openai.OpenAI
    haiku = tokenguard.anthropic.Anthropic(base_url=provider.anthropic_url, api_key="x")
    guard = instrumentation.default_guard()
    for made in (client, copied):
        reply = made.chat.completions.create(model=GPT, messages=HELLO)
        assert guard.receipt(reply) is not None
    message = haiku.messages.create(model=CLAUDE, max_tokens=9, messages=HELLO)
    assert guard.receipt(message) is not None
    assert provider.count == 3


def test_replaced_and_instrumented(provider: Provider) -> None:
    """Both at once meter once."""
    guard = tokenguard.instrument()
    client = tokenguard.openai.OpenAI(base_url=provider.openai_url, api_key="x")
    client.chat.completions.create(model=GPT, messages=HELLO)
    assert guard.flush()
    reader: Any = guard.ledger.reader()  # type: ignore[union-attr]
    assert reader.execute("SELECT count(*) FROM call").fetchone() == (1,)
    reader.close()


def test_subclasses(provider: Provider) -> None:
    """A class of the user's own can be derived from a replaced one."""

    class House(tokenguard.openai.OpenAI):
        def ask(self, text: str) -> Any:
            messages: Any = [{"role": "user", "content": text}]
            return self.chat.completions.create(model=GPT, messages=messages)

    house = House(base_url=provider.openai_url, api_key="x")
    assert instrumentation.default_guard().receipt(house.ask("Hello")) is not None
    assert type(house.with_options(timeout=3)) is House


def test_everything_else_is_the_sdks_own() -> None:
    """Errors, types, constants and functions are the same objects; what there is not, there is not."""
    assert tokenguard.openai.APIError is openai.APIError
    assert tokenguard.openai.RateLimitError is openai.RateLimitError
    assert tokenguard.openai.NOT_GIVEN is openai.NOT_GIVEN
    assert tokenguard.openai.types is openai.types
    assert tokenguard.openai.pydantic_function_tool is openai.pydantic_function_tool
    assert tokenguard.anthropic.APIStatusError is anthropic.APIStatusError
    assert tokenguard.anthropic.types is anthropic.types
    with pytest.raises(AttributeError):
        tokenguard.openai.NoSuchThing  # noqa: B018
    with pytest.raises(ImportError):
        exec("from tokenguard.openai import NoSuchThing")


def test_star_imports_and_dir() -> None:
    """from tokenguard.openai import * gives every public name, guarded; dir() lists them."""
    names: dict[str, Any] = {}
    exec("from tokenguard.openai import *", names)
    assert names["OpenAI"] is tokenguard.openai.OpenAI
    assert set(openai.__all__) <= set(names)
    assert set(openai.__all__) <= set(dir(tokenguard.openai))
    assert set(anthropic.__all__) <= set(dir(tokenguard.anthropic))


def test_the_sdks_modules_are_loaded_once() -> None:
    """The replacement is no package: its submodules would be second copies of the SDK's."""
    for name in ("tokenguard.openai.types", "tokenguard.anthropic.types"):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(name)
