"""``tokenguard estimate``: what a request would cost, part by part and model by model, before it is sent."""

from __future__ import annotations

import json
import struct
import subprocess
import time
from base64 import b64encode
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tokenguard.call import Meter, Usage
from tokenguard.dialects.anthropic_messages import MESSAGES as MESSAGES_FORMAT
from tokenguard.ledger import SqliteLedger
from tokenguard.pricing import PriceBook
from tokenguard.pricing.describe import endpoint_of
from tokenguard.tokens.calibration import Calibration

from .conftest import COMMAND, Ended, Run, clean_environment

Estimated = dict[str, Any]

CHAT = {
    "model": "gpt-4.1",
    "max_completion_tokens": 800,
    "messages": [
        {"role": "system", "content": "You answer questions on geography, in one sentence."},
        {"role": "user", "content": "What is the capital of Norway?"},
        {"role": "assistant", "content": "Oslo."},
        {"role": "user", "content": "And how far is it from Bergen?"},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "distance",
                "description": "How far two cities are apart, in kilometres.",
                "parameters": {"type": "object", "properties": {"from": {"type": "string"}}},
            },
        }
    ],
}
MESSAGES = {
    "model": "claude-opus-5-5",
    "max_tokens": 500,
    "system": "You answer questions on geography.",
    "messages": [{"role": "user", "content": "What is the capital of Norway?"}],
}
RESPONSES = {"model": "gpt-5.6-sol", "max_output_tokens": 300, "input": "What is the capital of Norway?"}
EMBEDDINGS = {"model": "text-embedding-3-small", "input": ["Oslo", "Bergen"]}


def written(folder: Path, document: Any, name: str = "request.json") -> str:
    (folder / name).write_text(json.dumps(document))
    return name


def lines(folder: Path, *documents: Any, name: str = "requests.jsonl") -> str:
    (folder / name).write_text(
        "".join(each if isinstance(each, str) else json.dumps(each) + "\n" for each in documents)
    )
    return name


def report(ran: Ended | subprocess.CompletedProcess[str]) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(ran.stdout)
    return read


def cost(model: str, sent: int, made: int, tier: str | None = None) -> int:
    """What so many tokens cost, by the price book."""
    book = PriceBook()
    usage = Usage({Meter.INPUT: sent, Meter.OUTPUT: made})
    where = endpoint_of(book, model)
    charge = book.charge(usage, where=where, model=model, service_tier=tier, at_ns=time.time_ns())
    assert charge.cost_nano is not None
    return charge.cost_nano


def test_models_stand_side_by_side(command: Run, folder: Path) -> None:
    """The same request, counted and priced for each; its output at the cap that it asks for."""
    ran = command(
        *("estimate", written(folder, CHAT), "--models", "gpt-4.1,gpt-4.1-mini,claude-opus-5-5"),
        *("--calls-per-month", "20000", "--json"),
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    (request,) = report(ran)["requests"]
    assert (request["dialect"], request["where"]) == ("openai.chat", "request.json")
    each: list[Estimated] = request["estimates"]
    assert [one["model"] for one in each] == ["gpt-4.1", "gpt-4.1-mini", "claude-opus-5-5"]
    for one, mean in zip(each, report(ran)["mean"], strict=True):
        sent = one["input_tokens"]["tokens"]
        assert sum(one["parts"].values()) == sent
        assert one["input_tokens"]["at_most"] >= sent
        assert one["output_tokens"] == 800
        assert one["cost_nano"] == cost(one["model"], sent, 800) == one["input_nano"] + one["output_nano"]
        assert mean["cost_nano_per_1000"] == 1000 * one["cost_nano"]
        assert mean["cost_nano_per_month"] == 20_000 * one["cost_nano"]


def test_parts_are_told_apart(command: Run, folder: Path) -> None:
    """Instructions, what was said before, the last turn, tools, and what frames them."""
    ran = command("estimate", written(folder, CHAT), "--json")
    parts = report(ran)["requests"][0]["estimates"][0]["parts"]
    assert all(parts[name] > 0 for name in ("system", "history", "user", "tools", "framing"))
    assert (parts["schema"], parts["media"]) == (0, 0)


def test_a_table_is_for_people(command: Run, folder: Path) -> None:
    """Models as columns, parts and costs as rows, and what the numbers rest on."""
    shown = command(
        *("estimate", written(folder, CHAT), "--models", "gpt-4.1,claude-opus-5-5"),
        *("--calls-per-month", "20000"),
    ).stdout
    for words in (
        *("request.json: openai.chat", "gpt-4.1", "claude-opus-5-5", "system", "history", "tools"),
        *("input tokens", "counted", "output tokens", "a call", "1,000 calls", "20,000 a month", "$"),
        *("Output is at its cap", "genai-prices"),
    ):
        assert words in shown
    assert "media" not in shown


@pytest.mark.parametrize(
    ("body", "dialect", "output"),
    [
        (CHAT, "openai.chat", 800),
        ({**CHAT, "n": 3}, "openai.chat", 2400),
        (MESSAGES, "anthropic.messages", 500),
        (RESPONSES, "openai.responses", 300),
        (EMBEDDINGS, "openai.embeddings", 0),
        ({"model": "gpt-3.5-turbo-instruct", "prompt": "Once", "max_tokens": 16}, "openai.completions", 16),
    ],
)
def test_the_format_is_told_by_the_shape(
    command: Run, folder: Path, body: dict[str, Any], dialect: str, output: int
) -> None:
    """Every format that is billed by its texts, with the model that the request names."""
    ran = command("estimate", written(folder, body), "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    (request,) = report(ran)["requests"]
    (one,) = request["estimates"]
    assert (request["dialect"], one["model"], one["output_tokens"]) == (dialect, body["model"], output)
    assert one["cost_nano"] > 0


def test_output_tokens_take_the_place_of_the_cap(command: Run, folder: Path) -> None:
    """Answers are shorter than what they may be, and whoever knows how short can say it."""
    ran = command("estimate", written(folder, CHAT), "--output-tokens", "120", "--json")
    one = report(ran)["requests"][0]["estimates"][0]
    assert one["output_tokens"] == 120
    assert one["cost_nano"] == cost("gpt-4.1", one["input_tokens"]["tokens"], 120)


def test_without_a_cap_the_output_is_not_guessed(command: Run, folder: Path) -> None:
    """Only the input is priced, and that is said."""
    body = {"model": "gpt-4.1", "messages": CHAT["messages"]}
    name = written(folder, body)
    one = report(command("estimate", name, "--json"))["requests"][0]["estimates"][0]
    assert (one["output_tokens"], one["output_nano"]) == (None, None)
    assert one["cost_nano"] == one["input_nano"] == cost("gpt-4.1", one["input_tokens"]["tokens"], 0)
    shown = command("estimate", name).stdout
    assert "no cap" in shown
    assert "--output-tokens" in shown


def test_an_unknown_model_is_unpriced_and_never_free(command: Run, folder: Path) -> None:
    """It is said, with the names that look like it; its tokens are estimated all the same."""
    name = written(folder, CHAT)
    ran = command("estimate", name, "--models", "gpt-4.1-minni,gpt-4.1", "--json")
    assert ran.returncode == 0
    unknown, known = report(ran)["requests"][0]["estimates"]
    assert (unknown["input_nano"], unknown["output_nano"], unknown["cost_nano"]) == (None, None, None)
    assert unknown["input_tokens"]["tokens"] > 0
    assert known["cost_nano"] > 0
    assert report(ran)["mean"][0]["cost_nano"] is None
    assert "no price for 'gpt-4.1-minni'" in ran.stderr
    assert "Did you mean: gpt-4.1-mini" in ran.stderr
    shown = command("estimate", name, "--models", "gpt-4.1-minni").stdout
    assert shown.count("unpriced") == 4
    assert "$0" not in shown


def test_prices_of_your_own_count(command: Run, folder: Path) -> None:
    """Negotiated rates and models that no list has."""
    (folder / "tokenguard.toml").write_text(
        '[[prices]]\nmodel = "house-model"\nprices = { input = "1", output = "2" }\n'
    )
    ran = command("estimate", written(folder, CHAT), "--models", "house-model", "--json")
    one = report(ran)["requests"][0]["estimates"][0]
    assert one["cost_nano"] == 1000 * one["input_tokens"]["tokens"] + 2000 * 800


def test_of_several_requests_the_mean_is_shown(command: Run, folder: Path) -> None:
    """One on each line; per call, and for as many calls as there are a month."""
    ran = command(
        *("estimate", lines(folder, CHAT, MESSAGES, RESPONSES), "--models", "gpt-4.1"),
        *("--output-tokens", "100", "--calls-per-month", "3", "--json"),
    )
    each = [request["estimates"][0]["cost_nano"] for request in report(ran)["requests"]]
    (mean,) = report(ran)["mean"]
    assert mean["cost_nano"] == round(sum(each) / 3)
    assert mean["cost_nano_per_month"] == sum(each)
    assert [request["where"] for request in report(ran)["requests"]] == [
        f"requests.jsonl:{number}" for number in (1, 2, 3)
    ]
    assert "3 requests: the mean" in command("estimate", "requests.jsonl").stdout


def test_each_request_has_its_own_model_where_none_is_given(command: Run, folder: Path) -> None:
    """Traffic as it is."""
    ran = command("estimate", lines(folder, CHAT, MESSAGES), "--json")
    models = [request["estimates"][0]["model"] for request in report(ran)["requests"]]
    assert models == ["gpt-4.1", "claude-opus-5-5"]
    assert report(ran)["mean"][0]["model"] == "as named"


def test_lines_of_batch_files_have_the_price_of_batches(command: Run, folder: Path) -> None:
    """Both providers' formats; another way of processing can be asked for."""
    name = lines(
        folder,
        {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": CHAT},
        {"custom_id": "2", "params": MESSAGES},
    )
    for options, tier in (((), "batch"), (("--service-tier", "standard"), None)):
        for request in report(command("estimate", name, "--json", *options))["requests"]:
            (one,) = request["estimates"]
            sent, made = one["input_tokens"]["tokens"], one["output_tokens"]
            assert request["service_tier"] == (tier or "standard")
            assert one["cost_nano"] == cost(one["model"], sent, made, tier)
    assert command("estimate", name, "--service-tier", "cheap").returncode == 2


def test_what_is_no_request_is_told_with_its_line(command: Run, folder: Path) -> None:
    """Broken lines, other JSON, requests for pictures: the rest is estimated, and the code is 1."""
    name = lines(
        folder,
        CHAT,
        "{broken\n",
        {"role": "user", "content": "Hi"},
        "\n",
        {"model": "gpt-image-1", "prompt": "A cat"},
        {"messages": CHAT["messages"]},
    )
    ran = command("estimate", name, "none.json", "--json")
    assert ran.returncode == 1
    assert [request["where"] for request in report(ran)["requests"]] == ["requests.jsonl:1"]
    assert [line.split(": ")[1] for line in ran.stderr.splitlines()] == [
        *(f"requests.jsonl:{number}" for number in (2, 3, 5)),
        "none.json",
        "requests.jsonl:6",
    ]
    assert "names no model" in ran.stderr
    assert report(ran)["errors"][0] == {
        "where": "requests.jsonl:2",
        "error": "not JSON: Expecting property name enclosed in double quotes, at column 2",
    }


def test_a_file_that_is_no_json_at_all_is_one_diagnostic(command: Run, folder: Path) -> None:
    """Not one for every line of it."""
    (folder / "page.md").write_text("# A page\n\nIt has\nlines.\n")
    ran = command("estimate", "page.md")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert len(ran.stderr.splitlines()) == 1
    assert ran.stderr.startswith("tokenguard: page.md:1: not JSON")


def test_a_list_holds_requests_too(command: Run, folder: Path) -> None:
    """A JSON array, on as many lines as it likes."""
    (folder / "all.json").write_text(json.dumps([CHAT, MESSAGES], indent=2))
    places = [each["where"] for each in report(command("estimate", "all.json", "--json"))["requests"]]
    assert places == ["all.json[0]", "all.json[1]"]


def test_what_the_provider_adds_is_named(command: Run, folder: Path) -> None:
    """Earlier turns that it keeps, and tools that it describes, are not in the count, and that is said."""
    body = {**RESPONSES, "previous_response_id": "resp_1", "tools": [{"type": "web_search"}]}
    shown = command("estimate", written(folder, body)).stdout
    assert "not counted: previous_response_id" in shown
    assert "not counted: web_search" in shown


def test_pictures_are_counted_by_their_size(command: Run, folder: Path) -> None:
    """The picture itself is in the request: nothing is fetched."""
    name = written(folder, asking_of({"type": "image_url", "image_url": {"url": png(512, 512)}}))
    parts = report(command("estimate", name, "--json"))["requests"][0]["estimates"][0]["parts"]
    assert parts["media"] > 200
    assert parts["user"] < 10


def test_sound_is_not_priced_as_text(command: Run, folder: Path) -> None:
    """It costs many times as much; with a model that has no price for it, the request has none."""
    sound = b"RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00" + bytes(8000)
    block = {"type": "input_audio", "input_audio": {"data": b64encode(sound).decode(), "format": "wav"}}
    ran = command("estimate", written(folder, asking_of(block)), "--json")
    assert report(ran)["mean"][0]["cost_nano"] is None


def asking_of(block: dict[str, Any]) -> dict[str, Any]:
    content = [{"type": "text", "text": "What is that?"}, block]
    return {"model": "gpt-4.1", "max_tokens": 50, "messages": [{"role": "user", "content": content}]}


def png(width: int, height: int) -> str:
    """A data: URL with the head of a picture of that size."""
    head = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height) + bytes(20)
    return f"data:image/png;base64,{b64encode(head).decode()}"


def test_a_request_comes_through_a_pipe(folder: Path) -> None:
    """From whatever made it."""
    ran = subprocess.run(
        [str(COMMAND), "estimate", "-", "--json"],
        cwd=folder,
        env=clean_environment(folder),
        input=json.dumps(CHAT),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0
    assert report(ran)["requests"][0]["estimates"][0]["model"] == "gpt-4.1"


def test_no_model_is_wrong_usage(command: Run, folder: Path) -> None:
    """An empty list is a mistake, not a wish."""
    ran = command("estimate", written(folder, CHAT), "--models", " , ")
    assert ran.returncode == 2
    assert "names no model" in ran.stderr


def test_what_bills_taught_is_used(command: Run, folder: Path) -> None:
    """A Claude that was called before is counted as it was billed, and the count says so."""
    path = folder / "ledger.db"
    name = written(folder, MESSAGES)
    before = report(command("estimate", name, "--json"))["mean"][0]
    assert MESSAGES_FORMAT.anatomy is not None
    anatomy = MESSAGES_FORMAT.anatomy(MESSAGES)
    with closing(SqliteLedger(path)) as ledger:
        calibration = Calibration(ledger)
        for _ in range(40):
            calibration.observe("anthropic", "claude-opus-5-5", anatomy, 2 * before["input_tokens"])
    after = report(command("estimate", name, "--json", TOKENGUARD_LEDGER=str(path)))["mean"][0]
    assert (before["how"], after["how"]) == ("estimated", "calibrated")
    assert after["input_tokens"] == pytest.approx(2 * before["input_tokens"], rel=0.1)


def test_a_ledger_that_cannot_be_read_taught_nothing(command: Run, folder: Path) -> None:
    """An estimate is made without it."""
    (folder / "ledger.db").write_text("This is no database.")
    ran = command("estimate", written(folder, MESSAGES), TOKENGUARD_LEDGER=str(folder / "ledger.db"))
    assert ran.returncode == 0
    assert "estimated" in ran.stdout
