"""A threshold is worth what the pairs behind it can prove, and no more."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from tests.cache.embedders import Words
from tests.transport.clients import chat
from tokenguard import Calibration, ConfigError, EndpointEmbedder, Similar
from tokenguard.cache.similar.calibration import (
    Judged,
    calibration,
    chosen,
    fewest_hits,
    thresholds,
    upper_bound,
)
from tokenguard.cli.cache.calibrate import calibrate
from tokenguard.testing import Provider

ONE_PERCENT = 0.01
MODEL = "text-embedding-3-small"


@pytest.mark.parametrize(
    ("k", "n", "bound"),
    [
        # R: binom.test(k, n, alternative = "less")$conf.int[2], and for k = 0 by hand: 1 - 0.05 ** (1 / n)
        (0, 1, 0.95),
        (0, 10, 0.2588656),
        (0, 299, 0.009969108),
        (0, 3000, 0.0009980794),
        (1, 10, 0.3941633),
        (5, 10, 0.7775589),
        (9, 10, 0.9948838),
        (3, 100, 0.07571087),
    ],
)
def test_the_bound_is_the_exact_one(k: int, n: int, bound: float) -> None:
    """Against known values."""
    assert upper_bound(k, n) == pytest.approx(bound, rel=1e-5)


@given(st.integers(0, 400), st.integers(0, 400))
def test_the_bound_grows_with_what_was_seen(k: int, more: int) -> None:
    """More false hits, a higher bound; more hits without one, a lower; all is all."""
    n = k + more
    assert upper_bound(n, n) == 1
    bound = upper_bound(k, n)
    assert k / max(n, 1) <= bound <= 1
    assert upper_bound(k, n + 50) < bound or n == 0 or k == n
    if k < n:
        assert upper_bound(k + 1, n) > bound


def test_how_many_hits_it_takes() -> None:
    """299 for 1 %, without a false one."""
    for share, fewest in ((0.01, 299), (0.05, 59), (0.1, 29)):
        assert fewest_hits(share) == fewest
        assert upper_bound(0, fewest) <= share < upper_bound(0, fewest - 1)


def pairs(*groups: tuple[float, bool, int]) -> list[Judged]:
    """So many pairs of each cosine and label."""
    return [Judged(cosine, same) for cosine, same, n in groups for _ in range(n)]


def test_the_lowest_threshold_that_passes_is_chosen() -> None:
    """And what is below the first that fails is not looked at, however good it may seem."""
    judged = pairs((0.95, True, 320), (0.85, True, 200), (0.75, False, 20), (0.6, True, 5000))
    rows = thresholds(judged, ONE_PERCENT)
    best = chosen(rows)
    assert best is not None
    assert (best.threshold, best.hits, best.false_hits) == (0.76, 520, 0)
    assert {row.threshold: row.passed for row in rows}[0.75] is False
    last = rows[-1]
    assert (last.upper_bound < ONE_PERCENT, last.passed) == (True, None)
    assert {row.passed for row in rows if row.threshold > 0.95} == {None}


def test_too_few_pairs_prove_nothing() -> None:
    """298 hits without a false one are one too few for 1 %; so is any number that gates kept apart."""
    assert chosen(thresholds(pairs((0.9, True, 298)), ONE_PERCENT)) is None
    assert chosen(thresholds([Judged(None, True)] * 1000, ONE_PERCENT)) is None
    assert chosen(thresholds(pairs((0.9, True, 299)), ONE_PERCENT)) is not None


def test_the_bound_holds_though_many_thresholds_are_looked_at() -> None:
    """Of many files, hardly more than one in twenty certifies a threshold that is worse than was asked for.

    Every hit is false with a probability just above 10 % here, whatever the threshold.
    """
    generator, wrong = random.Random(7), 0
    for _ in range(200):
        judged = [Judged(generator.uniform(0.5, 1), generator.random() > 0.101) for _ in range(150)]
        wrong += chosen(thresholds(judged, 0.1)) is not None
    assert wrong / 200 <= 0.08


def made(embedder: str = "words") -> Calibration:
    judged = pairs((0.9, True, 400))
    found = calibration(
        thresholds(judged, ONE_PERCENT), judged, embedder=embedder, max_false_hits=ONE_PERCENT
    )
    assert found is not None
    return found


def test_a_calibration_can_be_written_and_read(tmp_path: Path) -> None:
    """And says what it said."""
    made().save(tmp_path / "calibration.json")
    assert Calibration.load(tmp_path / "calibration.json") == made()
    similar = Similar(Words(), calibration=tmp_path / "calibration.json")
    assert similar.least == made().threshold == 0.5


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"threshold": 0},
        {"threshold": "0.9"},
        {"hits": 30},
        {"false_hits": 4},
        {"upper_bound": 0.001},
        {"max_false_hits": 0.0001},
        {"more": 1},
    ],
)
def test_a_calibration_that_cannot_be_right_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    """Its bound is worked out again, and has to follow from its counts."""
    path = tmp_path / "calibration.json"
    made().save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ConfigError, match="tokenguard cache calibrate"):
        Calibration.load(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", "3"])
def test_what_is_no_calibration_is_refused(text: str, tmp_path: Path) -> None:
    """With what to do about it."""
    path = tmp_path / "calibration.json"
    path.write_text(text)
    for wrong in (path, tmp_path / "none.json"):
        with pytest.raises(ConfigError, match="tokenguard cache calibrate"):
            Similar(Words(), calibration=wrong)


def test_no_threshold_without_a_word_on_how_good_it_is() -> None:
    """A calibration of this embedder, or a plain statement that there is none."""
    for wrong, why in (
        ({}, "calibrated"),
        ({"threshold": 0.9}, "uncalibrated=True"),
        ({"threshold": 1.5, "uncalibrated": True}, "above 0"),
        ({"threshold": 0.0, "uncalibrated": True}, "above 0"),
        ({"uncalibrated": True}, "calibrated"),
        ({"calibration": made("another")}, "'another'"),
        ({"calibration": made()._replace(gate="en-0")}, "'en-0'"),
        ({"calibration": made(), "threshold": 0.9}, "leave the other one out"),
        ({"calibration": made(), "audit": 2}, "audit"),
        ({"calibration": made(), "max_entries": 0}, "max_entries"),
    ):
        with pytest.raises(ConfigError, match=why):
            Similar(Words(), **wrong)
    with pytest.raises(ConfigError, match="'embed'"):
        Similar(type("Half", (), {"name": "x", "may_block": False})(), calibration=made("x"))


def test_numpy_is_asked_for_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, with the extra that has it."""
    monkeypatch.setattr("tokenguard.cache.similar.settings.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"tokenguard-middleware\[semantic\]"):
        Similar(Words(), threshold=0.9, uncalibrated=True)


def test_an_endpoint_needs_a_synchronous_client(provider: Provider) -> None:
    """Anything else is refused when it is given, not at the first question."""
    import openai

    with pytest.raises(ConfigError, match="synchronous"):
        EndpointEmbedder(openai.AsyncOpenAI(base_url=provider.openai_url, api_key="sk-x"), "m")
    with pytest.raises(ConfigError, match="client of the openai SDK"):
        EndpointEmbedder(object(), "m")
    one, other = [EndpointEmbedder(chat(provider), "m", dimensions=n) for n in (None, 64)]
    assert one.name != other.name
    assert len(other.embed(["a", "b"])) == 2
    assert len(other.embed(["a"])[0]) == 64
    assert EndpointEmbedder(chat(provider), "m", name="ours").name == "ours"


# The command


Calibrates = Callable[..., Result]


@pytest.fixture
def calibrates(provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calibrates:
    """Runs the command on pairs, where an embedder knows words only."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    monkeypatch.setenv("OPENAI_BASE_URL", provider.openai_url)
    monkeypatch.setenv("TOKENGUARD_LEDGER", str(tmp_path / "ledger.db"))
    app = typer.Typer()
    app.command()(calibrate)

    def run(lines: Iterable[object], *arguments: str, words: bool = True) -> Result:
        (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
        with pytest.MonkeyPatch.context() as patch:
            if words:  # the provider's own vectors are noise
                patch.setattr(EndpointEmbedder, "embed", lambda _, texts: Words().embed(texts))
            result = CliRunner().invoke(app, ["pairs.jsonl", "--embedder-model", MODEL, *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def labelled(same: int, different: int) -> list[dict[str, object]]:
    """Pairs of which words alone tell the same from the different."""
    return [
        {"a": f"How do I mend a thing of type{x}?", "b": f"How can I mend the thing of type{x}", "same": True}
        for x in map(_letters, range(same))
    ] + [
        {
            "a": f"How do I mend a thing of type{x}?",
            "b": f"How do we paint a roof of tile{x}",
            "same": False,
        }
        for x in map(_letters, range(different))
    ]


def _letters(n: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in str(n))


def test_the_command_certifies_and_writes(calibrates: Calibrates, tmp_path: Path) -> None:
    """What it writes is what a cache takes; what it says is what it wrote."""
    done = calibrates(labelled(310, 100), "--out", "calibration.json")
    assert done.exit_code == 0, done.output
    found = Calibration.load(tmp_path / "calibration.json")
    assert (found.hits, found.false_hits, found.pairs, found.same) == (310, 0, 410, 310)
    assert f"Threshold {found.threshold:.2f}: 0 of 310 hits are false" in done.output
    assert found.embedder.endswith(f" {MODEL}")


def test_the_command_speaks_json(calibrates: Calibrates) -> None:
    """All of it, for whoever wants to plot it."""
    twice = labelled(310, 3)
    turned = {"a": "Is it safe to eat this?", "b": "Is it not safe to eat this?", "same": False}
    done = calibrates([*twice, *twice, {"a": "x", "b": "x", "same": True}, turned], "--json")
    said = json.loads(done.stdout)
    assert (said["pairs"], said["same"], said["repeated"]) == (314, 310, 314)
    assert said["kept_apart"]["negation"] == {"same": 0, "different": 1}
    assert said["calibration"]["hits"] == 310
    assert len(said["thresholds"]) == 50


def test_the_command_says_when_it_proves_nothing(calibrates: Calibrates, tmp_path: Path) -> None:
    """Too few pairs, or too many false hits; and then it writes nothing."""
    few = calibrates(labelled(50, 50), "--out", "calibration.json")
    assert (few.exit_code, "takes 299 without a false one" in few.output) == (1, True)
    wrong = [pair | {"same": False} for pair in labelled(310, 0)]
    bad = calibrates(wrong, "--out", "calibration.json")
    assert (bad.exit_code, "may be false at the strictest" in bad.output) == (1, True)
    assert not (tmp_path / "calibration.json").exists()
    assert calibrates(labelled(50, 50), "--max-false-hits", "0.05").exit_code == 1
    assert calibrates(labelled(60, 50), "--max-false-hits", "0.05").exit_code == 0


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("x", "pairs.jsonl:1"),
        ({"a": "x", "b": "y"}, "pairs.jsonl:1"),
        ({"a": "x", "b": 3, "same": True}, "are texts"),
        ({"a": "x", "b": "y", "same": "yes"}, "true or false"),
    ],
)
def test_the_command_says_which_line_is_wrong(line: object, why: str, calibrates: Calibrates) -> None:
    """And reads no further."""
    with pytest.raises(ConfigError, match=why):
        calibrates([line])


def test_a_pair_with_two_labels_is_refused(calibrates: Calibrates) -> None:
    """Somebody has to say which of them holds."""
    with pytest.raises(ConfigError, match="the other label"):
        calibrates([{"a": "x", "b": "y", "same": True}, {"a": "y", "b": "x", "same": False}])
    with pytest.raises(ConfigError, match="max-false-hits"):
        calibrates([], "--max-false-hits", "1")


def test_the_command_meters_its_embeddings(
    calibrates: Calibrates, provider: Provider, tmp_path: Path
) -> None:
    """A request for each batch of texts, in the ledger like any other; a provider that fails is named."""
    calibrates(labelled(100, 100), words=False)
    assert provider.count == 3
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as ledger:
        (cost,) = ledger.execute("SELECT sum(cost_nano) FROM call WHERE operation = 'embeddings'").fetchone()
    assert cost > 0
    provider.fail(401)
    with pytest.raises(ConfigError, match="gave no vectors"):
        calibrates(labelled(1, 0), words=False)
