"""The same text in several prompts, and what findings cost."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

from tests.lint.project.conftest import PARAGRAPH, SPACES, LintProject, told, write
from tests.lint.sources.reading import body
from tokenguard.lint.project.settings import Override
from tokenguard.pricing import PriceBook, PriceOverride
from tokenguard.tokens.text import count

OTHER = (
    "Whatever the customer says, you stay polite, you stay brief, and you stay with the facts that are in "
    "the order that is shown below.\n"
)
LONG = "Something else entirely, which is as long as the others are. " * 3


def test_each_copy_in_another_file_is_told(folder: Path, lint: LintProject) -> None:
    """With where it was first, how many have it and what it costs each of them; whatever kind of file."""
    write(folder, "a.md", f"# Refunds\n\n{PARAGRAPH}\nMore.\n")
    write(folder, "b.txt", f"{PARAGRAPH}\nOther.\n")
    call = "client.messages.create(model='claude-sonnet-4-5', max_tokens=1, system=S, messages=[])"
    write(folder, "c.py", f"S = {PARAGRAPH!r}\n{call}\n")
    report = lint(select=("TG290",), model="gpt-4.1")
    assert told(report) == [("b.txt", 1, "TG290"), ("c.py", 1, "TG290")]
    assert "$" in report.located[1].finding.message  # of the model that the call names
    tokens = count(PARAGRAPH.strip(), "gpt-4.1")
    assert report.located[0].finding.message == (
        f"{tokens} tokens, $0.{tokens * 2 / 10:02.0f} per 1k calls that a.md:3 and 1 more has as well"
    )


def test_paragraphs_that_follow_each_other_are_one_copy(folder: Path, lint: LintProject) -> None:
    """Unless something else stands between them."""
    write(folder, "a.md", f"{PARAGRAPH}\n{OTHER}")
    write(folder, "b.md", f"{PARAGRAPH}\n{OTHER}")
    write(
        folder,
        "c.md",
        f"{OTHER}\n{LONG}\n\n{PARAGRAPH}",
    )
    assert told(lint(select=("TG290",))) == [("b.md", 1, "TG290"), ("c.md", 1, "TG290"), ("c.md", 5, "TG290")]


def test_what_repeats_by_nature_is_no_copy(folder: Path, lint: LintProject) -> None:
    """Recorded requests, and what is said twice in one file."""
    line = json.dumps(body(PARAGRAPH)) + "\n"
    write(folder, "a.jsonl", line * 3)
    write(folder, "b.jsonl", line * 3)
    write(folder, "c.md", f"{PARAGRAPH}\nand\n\n{PARAGRAPH}")
    assert told(lint(select=("TG290",))) == []


def test_a_copy_can_be_ignored(folder: Path, lint: LintProject) -> None:
    """Like everything else: by a comment, or by path."""
    write(folder, "a.md", PARAGRAPH)
    write(folder, "b.md", f"<!-- tg: ignore[TG290] -->\n{PARAGRAPH}")
    write(folder, "c.md", PARAGRAPH)
    report = lint(select=("TG290",), per_file_ignores={"c.md": ("TG290",)})
    assert told(report) == []
    assert report.suppressed == 1


def test_a_finding_costs_its_tokens_at_the_input_price(folder: Path, lint: LintProject) -> None:
    """Of the request's own model, of the one that is asked about, of your own price; else of none."""
    write(folder, "r.json", json.dumps(body(SPACES)))
    (found,) = lint(select=("TG211",)).located
    assert (found.model, found.usd_per_1k_calls) == ("gpt-4.1", Decimal(2) * found.finding.tokens / 1000)
    (found,) = lint(select=("TG211",), price_model="gpt-4.1-mini").located
    assert (found.model, found.usd_per_1k_calls) == (
        "gpt-4.1-mini",
        Decimal("0.4") * found.finding.tokens / 1000,
    )
    book = PriceBook([PriceOverride("gpt-4.1", prices={"input": "10"})])
    (found,) = lint(select=("TG211",), book=book).located
    assert found.usd_per_1k_calls == Decimal(10) * found.finding.tokens / 1000
    (found,) = lint(select=("TG211",), price_model="nobody-knows").located
    assert (found.model, found.usd_per_1k_calls) == ("nobody-knows", None)


def test_a_prompt_costs_what_its_path_says(folder: Path, lint: LintProject) -> None:
    """Files do not say for which model they are; the configuration may."""
    write(folder, "a.md", SPACES)
    write(folder, "big/b.md", SPACES)
    report = lint(select=("TG211",), model="gpt-4.1-mini", overrides=(Override(("big",), {}, "gpt-4.1"),))
    assert [one.model for one in report.located] == ["gpt-4.1-mini", "gpt-4.1"]
    (found,) = lint("a.md", select=("TG211",)).located
    assert (found.model, found.usd_per_1k_calls) == ("", None)
