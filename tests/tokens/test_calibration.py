"""What is learned from bills gets close soon, is never spoiled by one of them, and outlives the process."""

from __future__ import annotations

import random
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenguard.anatomy import Anatomy
from tokenguard.dialects.anthropic_messages import MESSAGES
from tokenguard.dialects.openai_chat import CHAT
from tokenguard.ledger import SqliteLedger
from tokenguard.tokens.calibration import Calibration, Estimator, Prior
from tokenguard.tokens.request import count_request
from tokenguard.tokens.text import count

NAMES = (*(f"script{n}" for n in range(8)), "message", "tool", "frame")
START = (1.3,) * 8 + (5.0, 40.0, 8.0)
SPREAD = (0.4,) * 8 + (2.5, 20.0, 4.0)
PRIOR = Prior(NAMES, START, SPREAD, tuple(one / 2 for one in START), tuple(one * 4 for one in START))
TRUTH = (1.61, 1.79, 1.28, 1.85, 1.64, 1.14, 2.08, 2.59, 6.0, 34.0, 11.0)


def request(chance: random.Random, scripts: tuple[int, ...]) -> list[float]:
    features = [0.0] * len(NAMES)
    for script in scripts:
        features[script] = chance.uniform(50, 2000)
    features[8:] = [chance.randint(1, 9), chance.randint(0, 3), 1]
    return features


def bill(chance: random.Random, features: list[float]) -> int:
    true = sum(weight * value for weight, value in zip(TRUTH, features, strict=True))
    return round(true * chance.gauss(1, 0.02))


def off(estimator: Estimator, features: list[float], tokens: int) -> float:
    counted = sum(w * x for w, x in zip(estimator.learned().weights, features, strict=True))
    return abs(counted / tokens - 1)


@pytest.mark.parametrize("scripts", [(0,), (1, 2), (0, 3, 4, 6)], ids=["prose", "code", "languages"])
def test_counts_are_within_five_percent_after_fifty_bills(scripts: tuple[int, ...]) -> None:
    """And the bound that is promised holds for 19 of 20 of the next, with bills that scatter by 2 %."""
    chance = random.Random(scripts[-1])
    estimator = Estimator(PRIOR)
    for _ in range(50):
        features = request(chance, scripts)
        estimator.observe(features, bill(chance, features))
    learned, errors, above = estimator.learned(), [], 0
    for _ in range(200):
        features = request(chance, scripts)
        tokens = bill(chance, features)
        errors.append(off(estimator, features, tokens))
        counted = sum(w * x for w, x in zip(learned.weights, features, strict=True))
        above += tokens > counted * (learned.at_most or 1)
    assert statistics.median(errors) < 0.03
    assert sorted(errors)[190] < 0.06
    assert learned.error is not None
    assert learned.error < 0.3
    assert above <= 20


def test_a_wrong_bill_does_not_spoil_what_was_learned() -> None:
    """Whatever it says: a hundred times as much, or next to nothing."""
    chance = random.Random(1)
    estimator = Estimator(PRIOR)
    for _ in range(100):
        features = request(chance, (0, 1))
        estimator.observe(features, bill(chance, features))
    for wrong in (1, 10**9):
        estimator.observe(request(chance, (0, 1)), wrong)
    features = request(chance, (0, 1))
    assert off(estimator, features, bill(chance, features)) < 0.15


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.lists(st.floats(0, 1e7), min_size=11, max_size=11), st.integers(-5, 2**40)), max_size=60
    )
)
def test_no_bills_bring_it_out_of_bounds(bills: list[tuple[list[float], int]]) -> None:
    """Weights stay between half and four times the prior's, and what was learned survives being written."""
    estimator = Estimator(PRIOR)
    for features, tokens in bills:
        estimator.observe(features, tokens)
    for weight, prior in zip(estimator.learned().weights, PRIOR.weights, strict=True):
        assert prior / 2 <= weight <= prior * 4
    again = Estimator.of(estimator.state(), PRIOR).learned()
    assert again.weights == pytest.approx(estimator.learned().weights, rel=1e-4)
    assert again.bills == estimator.learned().bills


CLAUDE = ("anthropic", "claude-opus-4-7")
TEXT = "Where is my order? It should have been here on Monday, and nobody answers the telephone. "


def chat(n: int) -> Anatomy:
    body = {"messages": [{"role": "user", "content": TEXT * n}, {"role": "user", "content": f"Order {n}"}]}
    assert MESSAGES.anatomy is not None
    return MESSAGES.anatomy(body)


def taught(calibration: Calibration, bills: int) -> None:
    """Bills of a provider that counts 1.9 times what OpenAI does, and 40 tokens for each request."""
    for n in range(1, bills + 1):
        tokens = round(1.9 * sum(count(part.text, "") for m in chat(n).messages for part in m.parts)) + 40
        calibration.observe(*CLAUDE, chat(n), tokens)


def test_counts_are_calibrated_by_bills() -> None:
    """They say so, they are within 3 %, and none of the bills that come is above what is promised."""
    calibration = Calibration(None)
    assert calibration.weights(*CLAUDE) is None
    before = count_request(chat(7), CLAUDE[1], CLAUDE[0], calibration.weights(*CLAUDE)).total
    assert before.how == "estimated"
    taught(calibration, 50)
    for n in (7, 60, 90):
        counted = count_request(chat(n), CLAUDE[1], CLAUDE[0], calibration.weights(*CLAUDE)).total
        tokens = round(1.9 * sum(count(part.text, "") for m in chat(n).messages for part in m.parts)) + 40
        assert counted.how == "calibrated"
        assert counted.tokens == pytest.approx(tokens, rel=0.03)
        assert counted.at_most >= tokens


def test_counting_and_learning_at_one_time() -> None:
    """Whoever counts while others learn gets what was learned so far, and never an error."""
    calibration = Calibration(None)

    def asked() -> None:
        for _ in range(2000):
            calibration.weights(*CLAUDE)

    with ThreadPoolExecutor(4) as pool:
        every = [pool.submit(asked) for _ in range(2)]
        every += [pool.submit(taught, calibration, 40) for _ in range(2)]
        for one in every:
            one.result()
    assert calibration.weights(*CLAUDE) is not None


def test_a_count_that_is_right_stays_exact() -> None:
    """OpenAI's texts are counted, not learned: bills that agree change nothing."""
    calibration = Calibration(None)
    assert CHAT.anatomy is not None
    for n in range(1, 20):
        anatomy = CHAT.anatomy({"messages": [{"role": "user", "content": TEXT * n}]})
        exact = count_request(anatomy, "gpt-4o", "openai").total
        assert exact.how == "exact"
        calibration.observe("openai", "gpt-4o", anatomy, exact.tokens)
    assert calibration.weights("openai", "gpt-4o") is None


def test_what_was_learned_is_in_the_ledger(tmp_path: Path) -> None:
    """Another process goes on where this one ended; what is damaged is learned anew."""
    path = tmp_path / "usage.db"
    ledger = SqliteLedger(path)
    calibration = Calibration(ledger)
    taught(calibration, 20)
    learned = calibration.weights(*CLAUDE)
    assert learned is not None
    ledger.close()

    ledger = SqliteLedger(path)
    again = Calibration(ledger).weights(*CLAUDE)
    assert again is not None
    assert again.classes == pytest.approx(learned.classes, rel=1e-4)
    assert again.error == pytest.approx(learned.error, rel=1e-4)
    (features,) = {row[0] for row in ledger.reader().execute("SELECT features FROM learned")}
    ledger.learn(*CLAUDE, features, 99, "{}")
    ledger.close()

    ledger = SqliteLedger(path)
    assert Calibration(ledger).weights(*CLAUDE) is None
    ledger.close()


def test_what_fewer_bills_taught_does_not_replace_what_more_did(tmp_path: Path) -> None:
    """Two processes learn of the same model: the one that knows more is kept."""
    path = tmp_path / "usage.db"
    for bills, state in ((50, "of more"), (3, "of less")):
        ledger = SqliteLedger(path)
        ledger.learn("anthropic", "claude-opus-4-7", "f", bills, state)
        ledger.close()
    ledger = SqliteLedger(path)
    assert ledger.learned("f") == {("anthropic", "claude-opus-4-7"): "of more"}
    ledger.close()
