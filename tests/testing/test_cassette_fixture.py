"""The pytest fixture: a cassette for every test, played unless it is to be recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tokenguard.testing import Provider

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.timeout(120)

SUITE = """
    import openai, pytest, os

    def ask(guard, text):
        client = guard.wrap(openai.OpenAI(base_url=os.environ["URL"], api_key="none"))
        messages = [{"role": "user", "content": text}]
        reply = client.chat.completions.create(model="gpt-4.1-mini", messages=messages)
        return reply.choices[0].message.content

    def test_plain(tokenguard_cassette):
        assert ask(tokenguard_cassette, "plain") == "Recorded."
        assert tokenguard_cassette.ledger is None

    @pytest.mark.parametrize("text", ["a/b:c", "a/b/c", "A", "x" * 300, ""])
    def test_odd(tokenguard_cassette, text):
        assert ask(tokenguard_cassette, text) == "Recorded."

    class TestGroup:
        def test_plain(self, tokenguard_cassette):
            assert ask(tokenguard_cassette, "grouped") == "Recorded."
"""
TESTS = 7


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    pytester.makepyfile(test_suite=SUITE)
    monkeypatch.setenv("URL", "http://127.0.0.1:9/v1")
    return pytester


def run(suite: pytest.Pytester, *options: str) -> pytest.RunResult:
    return suite.runpytest_inprocess("-p", "no:cacheprovider", *options)


def recorded(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, option: str, answer: str = "Recorded."
) -> int:
    """Run the suite against a provider; gives how often that was asked."""
    with Provider() as provider, monkeypatch.context() as patch:
        provider.answer(answer)
        patch.setenv("URL", provider.openai_url)
        run(suite, f"--tokenguard-record={option}")
        return provider.count


def cassettes(suite: pytest.Pytester) -> list[Path]:
    return sorted((suite.path / "cassettes" / "test_suite").iterdir())


def test_a_suite_is_recorded_and_then_played(suite, monkeypatch) -> None:
    """With no provider from then on, and a cassette for each test, however odd its parameters are."""
    assert recorded(suite, monkeypatch, "all") == TESTS
    run(suite).assert_outcomes(passed=TESTS)
    names = [path.name for path in cassettes(suite)]
    assert len(names) == TESTS
    assert {"test_plain.json", "TestGroup.test_plain.json", "test_odd-A.json"} <= set(names)
    assert all(name.replace("-", "").replace(".", "").replace("_", "").isalnum() for name in names)
    assert max(map(len, names)) <= 105


def test_a_test_that_was_not_recorded_fails(suite) -> None:
    """Playing is the default; the message says how to record it."""
    result = run(suite, "-k", "test_plain")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["*CassetteMissError: cassette *cassettes/test_suite/test_plain.json does not*"]
    )
    result.stdout.fnmatch_lines(["*--tokenguard-record=new*"])
    assert not (suite.path / "cassettes").exists()


def test_new_records_what_is_missing(suite, monkeypatch) -> None:
    """And leaves what is there alone."""
    assert recorded(suite, monkeypatch, "new") == TESTS
    before = cassettes(suite)[0].read_bytes()
    assert recorded(suite, monkeypatch, "new", "Another.") == 0
    assert cassettes(suite)[0].read_bytes() == before
    cassettes(suite)[0].unlink()
    assert recorded(suite, monkeypatch, "new") == 1


def test_all_replaces_and_rewrite_starts_anew(suite, monkeypatch) -> None:
    """What no test asks for any more goes only where that is asked for."""
    recorded(suite, monkeypatch, "all")
    path = suite.path / "cassettes" / "test_suite" / "test_plain.json"

    def contents() -> list[str]:
        found = json.loads(path.read_text())["recordings"]
        return [one["request"]["body"]["messages"][0]["content"] for one in found]

    path.write_text(path.read_text().replace('"plain"', '"no more"'))
    recorded(suite, monkeypatch, "all")
    assert contents() == ["no more", "plain"]
    recorded(suite, monkeypatch, "rewrite")
    assert contents() == ["plain"]


def test_workers_record_at_the_same_time(suite, monkeypatch) -> None:
    """Each test's cassette is its own."""
    pytest.importorskip("xdist")
    with Provider() as provider, monkeypatch.context() as patch:
        provider.answer("Recorded.")
        patch.setenv("URL", provider.openai_url)
        suite.runpytest_subprocess("-n2", "--tokenguard-record=all").assert_outcomes(passed=TESTS)
    run(suite).assert_outcomes(passed=TESTS)


def test_a_cassette_that_cannot_be_written_fails_the_test(suite, monkeypatch) -> None:
    """Or it would be missed only when it is to be played."""
    (suite.path / "cassettes" / "test_suite" / ".test_plain.json.tmp").mkdir(parents=True)  # in the way
    with Provider() as provider, monkeypatch.context() as patch:
        provider.answer("Recorded.")
        patch.setenv("URL", provider.openai_url)
        result = run(suite, "--tokenguard-record=all", "test_suite.py::test_plain")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*test_plain.json could not be written*"])
