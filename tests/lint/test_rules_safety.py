"""What ought not to be sent is found, what only looks like it is not, and nothing repeats it."""

from __future__ import annotations

import base64
import json
import random
import string
from typing import Any

import pytest

from tests.lint.asked import chat, in_chat, in_claude, in_text, said
from tokenguard.lint.finding import Severity
from tokenguard.lint.rules import safety

LETTERS = string.ascii_letters + string.digits


def drawn(n: int, characters: str = LETTERS, seed: int = 7) -> str:
    """Characters drawn at random, the same ones every time: no credential of anybody."""
    return "".join(random.Random(f"{seed}{n}{characters}").choices(characters, k=n))


def token(payload: dict[str, Any]) -> str:
    """A signed web token."""
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT"}, payload)]
    encoded = [base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, drawn(43)])


HEX = "0123456789abcdef"
SECRETS = {
    "an Anthropic key": "sk-ant-api03-" + drawn(93, LETTERS + "-_") + "AA",
    "an OpenAI key": "sk-proj-" + drawn(74, LETTERS + "-_") + "T3BlbkFJ" + drawn(74, LETTERS + "-_"),
    "an OpenRouter key": "sk-or-v1-" + drawn(64, HEX),
    "an AWS access key": "AKIA" + drawn(16, string.ascii_uppercase + "234567"),
    "a GitHub token": "ghp_" + drawn(36),
    "a GitLab token": "glpat-" + drawn(20),
    "a Google API key": "AIza" + drawn(35),
    "a Hugging Face token": "hf_" + drawn(34),
    "a Slack token": "xoxb-" + drawn(12, string.digits) + "-" + drawn(24),
    "a Stripe key": "sk_live_" + drawn(24),
    "an npm token": "npm_" + drawn(36),
    "a PyPI token": "pypi-AgEIcHlwaS5vcmc" + drawn(100),
    "a SendGrid key": "SG." + drawn(22) + "." + drawn(43),
    "a DigitalOcean token": "dop_v1_" + drawn(64, HEX),
    "a Groq key": "gsk_" + drawn(52),
    "a Databricks token": "dapi" + drawn(32, HEX),
    "an Azure storage key": "AccountKey=" + drawn(86) + "==",
    "a signed token (JWT)": token({"sub": "83912", "iat": 1_795_000_000}),
    "a private key": "-----BEGIN PRIVATE KEY-----\n"
    + drawn(64)
    + "\n"
    + drawn(64)
    + "\n-----END PRIVATE KEY-----",
}


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize(
    "text", ["Use {} for that.", "API_KEY={}\n", '{{"key": "{}", "region": "eu"}}', "{}"]
)
def test_a_credential_is_found_wherever_it_stands(kind: str, text: str) -> None:
    """In prose, in a configuration, in JSON, alone; and said by its kind alone."""
    secret = SECRETS[kind]
    text = text.format(secret)
    (found,) = in_text(safety.secret, text)
    assert found.message == f"{kind} is in this text"
    assert found.severity is Severity.ERROR
    assert text[found.start : found.end] in secret


def test_no_finding_has_the_credential_in_it() -> None:
    """Neither the message nor the fix repeats it, and the fix takes all of it away."""
    for secret in SECRETS.values():
        (found,) = in_text(safety.secret, f"key: {secret}")
        assert found.fix is not None
        assert not found.fix.safe
        (edit,) = found.fix.edits
        assert (edit.start, edit.end) == (found.start, found.end)
        for n in range(0, len(secret) - 12, 6):
            assert secret[n : n + 12] not in found.message + found.fix.what + edit.new


@pytest.mark.parametrize(
    "text",
    [
        "Set OPENAI_API_KEY=sk-proj-your-key-here-and-nothing-else-please-thank-you-very-much first.",
        "export AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx and ghp_" + "a1" * 18,
        "Keys begin with sk-ant-api03- and tokens with ghp_ or github_pat_.",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MD"
        "IyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
        "A PEM file begins with -----BEGIN PRIVATE KEY----- or -----BEGIN CERTIFICATE-----",
        "The commit is 3f786850e387550fdab836ed7e6dc881de23001b, the checksum sha256-"
        + "47DEQpj8HBSa+/TImW+5JCeuQeRk",
        "https://example.com/assets/index-4f0b8c1e9d7a6b5c4d3e2f1a0b9c8d7e.js",
        "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUz"
        "FT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
        "risk-adjusted-returns-and-task-management-in-disk-based-systems",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg",
        "",
    ],
)
def test_what_documentation_shows_is_no_credential(text: str) -> None:
    """Examples, beginnings of keys, checksums, file names and pictures are passed by."""
    assert in_text(safety.secret, text) == []


def test_several_credentials_are_several_findings() -> None:
    """Each has its own place."""
    text = f"old: {SECRETS['a GitHub token']}\nnew: {SECRETS['a GitLab token']}\n"
    assert said(in_text(safety.secret, text), text) == [SECRETS["a GitHub token"], SECRETS["a GitLab token"]]


def test_more_detectors_can_be_asked() -> None:
    """What detect-secrets knows is found too, once, and what TG601 has found is not found again."""
    pytest.importorskip("detect_secrets")
    text = f"token {SECRETS['a GitHub token']}\nsee postgres://app:{drawn(16)}@db.internal/orders\n"
    (found,) = in_text(safety.possible_secret, text)
    assert text[found.start : found.end] == drawn(16)
    assert "Basic Auth" in found.message
    assert drawn(16) not in found.message


def test_the_loose_rules_are_off() -> None:
    """Those that are wrong more often, or slow, are on for those who ask."""
    assert not safety.possible_secret.default
    assert not safety.contact_data.default


@pytest.mark.parametrize(
    "text",
    [
        "Charge 5412 7512 3412 3452 for the renewal.",
        "card: 5412751234123452, expires 09/28",
        "Kreditkarte 5412-7512-3412-3452",
        "Amex 3714 499353 98438 was declined",
        "Please wire it to DE68 2105 0170 0012 3456 78 by Friday.",
        "IBAN:GB33BUKB20201555555555",
        "Konto CH56 0483 5012 3456 7800 9 (Müller)",
    ],
)
def test_numbers_of_payment_are_found(text: str) -> None:
    """Cards and accounts with the right check digits."""
    (found,) = in_text(safety.payment_data, text)
    number = text[found.start : found.end]
    assert number[0].isalnum()
    assert number[-1].isdigit()
    assert number not in found.message


@pytest.mark.parametrize(
    "text",
    [
        "Pay with 4242 4242 4242 4242 in test mode, or 5555-5555-5555-4444.",
        "card 5412 7512 3412 3458",  # the check digit is wrong
        "order 5412751234123452 is late",  # nobody says that it is a card
        "at 1732456789123456 ns, user 541275123412345699, ratio 0.5412751234123452",
        "The IBAN has the form DE89 3704 0044 0532 0130 00.",
        "DE68 2105 0170 0012 3456 79",  # check digits
        "Model GB33BUKB2020155555, part FR76-3000",
        "f47ac10b-5412-7512-3412-34560e02b2c3",
        "ports 1200 5432 5412 7512 3412 3452 6379",
        "",
    ],
)
def test_numbers_that_are_nobodys_are_passed_by(text: str) -> None:
    """Numbers for tests, numbers without the right check digit, and numbers of other things."""
    assert in_text(safety.payment_data, text) == []


def test_ways_to_reach_a_person_are_found_when_asked_for() -> None:
    """Addresses and numbers of people, not of roles or of documentation."""
    text = (
        "Write to maria.keller@kellerbau.de or +49 171 8829104.\n"
        "Not to support@kellerbau.de, john.doe@example.com, you@company.com or +1 555 0100 200."
    )
    found = said(in_text(safety.contact_data, text), text)
    assert found == ["maria.keller@kellerbau.de", "+49 171 8829104"]


@pytest.mark.parametrize(
    "placeholder", ["{user_input}", "{{ question }}", "${query}", "{{user.message | trim}}"]
)
def test_what_users_say_does_not_belong_into_instructions(placeholder: str) -> None:
    """In the system prompt, whatever the format calls it; elsewhere it does no harm."""
    text = f"You are a travel agent. Answer this: {placeholder}"
    (found,) = in_chat(safety.user_text_in_system_prompt, chat(("system", text), ("user", "Hello")))
    assert said([found], text) == [placeholder]
    assert found.path == ("messages", 0, "content")
    body = {"model": "claude-sonnet-4-5", "max_tokens": 9, "system": text, "messages": []}
    assert in_claude(safety.user_text_in_system_prompt, body) != []
    assert in_chat(safety.user_text_in_system_prompt, chat(("system", "Be brief."), ("user", text))) == []


def test_a_prompt_in_a_file_may_be_what_a_user_says() -> None:
    """Nobody knows what message it becomes."""
    body = {"messages": [{"role": "system", "content": "Answer this: {question}"}]}
    assert in_chat(safety.user_text_in_system_prompt, body, complete=False) == []


@pytest.mark.parametrize(
    "text", ["Reply as {name} in {language}.", 'Answer with {"question": "..."}', "Use f(x) = {x | x > 0}"]
)
def test_other_braces_mean_other_things(text: str) -> None:
    """Placeholders for settings, JSON and sets are no users' words."""
    assert in_chat(safety.user_text_in_system_prompt, chat(("system", text), ("user", "Hello"))) == []
