"""Safety: what ought not to leave the house, and what lets a stranger give orders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tokenguard.anatomy import Message
from tokenguard.lint import personal, secrets
from tokenguard.lint.finding import Edit, Finding, Fix, Severity
from tokenguard.lint.request import Request
from tokenguard.lint.rule import RequestRule, TextRule, request_rule, text_rule
from tokenguard.lint.text import Text
from tokenguard.lint.worked_out import WorkedOut


@text_rule("TG601", "secret", Severity.ERROR)
def secret(text: Text) -> Iterator[Finding]:
    """A credential in a prompt: an API key, an access token, a private key.

    ## What it does
    Looks for credentials by the shapes that their issuers publish: keys of OpenAI, Anthropic and other
    model providers, AWS, GitHub, GitLab, Google, Hugging Face, Slack, Stripe, npm, PyPI and more, signed
    tokens (JWT) and private keys. What documentation shows in their place (`AKIAIOSFODNN7EXAMPLE`,
    `sk-your-key`) is passed by. Neither the finding nor anything that is stored has the credential in it.

    ## Why is this bad?
    What is in a prompt is at the provider, in its logs and in yours, and the model may repeat it to whoever
    asks. Mostly it got there by accident: with a pasted log or configuration, or a tool's answer. It costs
    tokens too: a key has 50 to 100 that no other text shares (o200k_base).

    ## Example
    ```text
    Deploy with these settings: STRIPE_KEY=sk_live_… REGION=eu-central-1
    ```

    ## Use instead
    ```text
    Deploy with these settings: STRIPE_KEY=$STRIPE_KEY REGION=eu-central-1
    ```
    The code that carries the tool call out knows the key; the model needs its name alone. A key that was
    sent is to be replaced at its issuer.

    ## Fix safety
    Putting the kind of credential in its place is unsafe: the model is told something else than before.
    """
    for found in secrets.secrets(text.text):
        yield _finding(found.what, found.start, found.end)


@text_rule("TG602", "possible-secret", Severity.ERROR, default=False)
def possible_secret(text: Text) -> Iterator[Finding]:
    """A credential that detect-secrets knows, and TG601 does not.

    ## What it does
    Asks the detectors of [detect-secrets](https://github.com/Yelp/detect-secrets) that know an issuer's
    shape (Azure, Discord, IBM, Mailchimp, Square, Telegram, Twilio, passwords in URLs ...). Those that go by
    randomness or by a word such as `password` are not asked: on prompts they are wrong too often. Nothing
    is tried out on an issuer's server.

    ## Why is this bad?
    For the reasons of TG601. It is off by default because it is slow (up to 0.2 s for 400 KB, against 6 ms),
    loads 30 MB of libraries, and has no list of examples from documentation to pass by.

    ## Example
    ```text
    Summarise what is in postgres://app:hG7…@db.internal/orders
    ```

    ## Use instead
    ```text
    Summarise what is in the table orders.
    ```

    ## Fix safety
    As for TG601: unsafe.

    ## Options
    Needs `pip install "tokenguard-middleware[lint]"`, and `extend-select = ["TG602"]`.
    """
    known = [(found.start, found.end) for found in secrets.secrets(text.text)]
    for found in secrets.others(text.text):
        if not any(start < found.end and found.start < end for start, end in known):
            known.append((found.start, found.end))
            yield _finding(
                f"what detect-secrets takes for a credential ({found.what})", found.start, found.end
            )


@text_rule("TG603", "payment-data")
def payment_data(text: Text) -> Iterator[Finding]:
    """The number of a payment card or bank account in a prompt.

    ## What it does
    Looks for card numbers of the ranges that are issued, with the right check digit (Luhn), written in
    groups or after a word such as "card"; and for IBANs with their country's length and right check digits
    (ISO 13616). Numbers that payment processors and registries publish for tests are passed by.

    ## Why is this bad?
    Card numbers at a model provider put that provider, and your logs, in scope of PCI DSS; an account number
    is personal data (GDPR, article 4). A model rarely needs more than the last four digits. It costs tokens
    too: 16 digits are 6 to 8, an IBAN 12 to 15 (o200k_base).

    ## Example
    ```text
    The customer wants to pay with card 5412 7512 3412 3452 from now on.
    ```

    ## Use instead
    ```text
    The customer wants to pay with the card that ends in 3452 from now on.
    ```

    ## Fix safety
    Putting the kind of number in its place is unsafe: the model is told something else than before.
    """
    for found in personal.payment(text.text):
        yield _finding(found.what, found.start, found.end)


@text_rule("TG604", "contact-data", default=False)
def contact_data(text: Text) -> Iterator[Finding]:
    """A person's e-mail address or telephone number in a prompt.

    ## What it does
    Looks for e-mail addresses and for telephone numbers in international form. Addresses of roles
    (`support@`, `info@`), domains for examples and numbers for films are passed by.

    ## Why is this bad?
    It is personal data, which needs a reason to be sent to a provider. In a mail assistant it has one: so
    that this rule is off by default. An e-mail address is 6 to 12 tokens (o200k_base).

    ## Example
    ```text
    Summarise the complaint of maria.keller@kellerbau.de, +49 171 8829104.
    ```

    ## Use instead
    ```text
    Summarise the complaint of customer C-8841.
    ```

    ## Fix safety
    Putting the kind of data in its place is unsafe: the model is told something else than before.

    ## Options
    `extend-select = ["TG604"]` turns it on.
    """
    for found in personal.reach(text.text):
        yield _finding(found.what, found.start, found.end)


_SAID_BY_USERS: Final = re.compile(
    r"(?<![$\w{])(?:\{\{-?[ ]*|\$?\{)"
    r"(?:(?:user|customer|human)[._]?(?:input|message|query|question|prompt|text|request)|query|question)"
    r"(?:[ ]*\|[^{}\n]{0,40})?[ ]*-?(?:\}\}|\})(?!\})",
    re.IGNORECASE,
)


@request_rule("TG605", "user-text-in-system-prompt")
def user_text_in_system_prompt(request: Request) -> Iterator[Finding]:
    """A template that puts what a user says into the system prompt.

    ## What it does
    Looks in system prompts for placeholders with the names of users' words: `{user_input}`,
    `{{ question }}`, `${query}`.

    ## Why is this bad?
    The model obeys the system prompt before anybody else, so that a user's "ignore the above" has the
    rank of your own instructions (OWASP Top 10 for LLM applications, LLM01). And whatever follows is new
    on every call, so that the provider's prompt cache never has it: at a tenth of the price.

    ## Example
    ```json
    {"messages": [{"role": "system", "content": "You are a travel agent. Answer this: {user_input}"}]}
    ```

    ## Use instead
    ```json
    {"messages": [{"role": "system", "content": "You are a travel agent."},
                  {"role": "user", "content": "{user_input}"}]}
    ```

    ## Fix safety
    There is no fix: only you know what the rest of the prompt says about it.
    """
    if not (request.complete or len(request.facts) > 1 or _HAS_INSTRUCTIONS & request.body.keys()):
        return  # a prompt in a file, of which nobody knows what message it becomes
    for facts, message in zip(request.facts, request.anatomy.messages, strict=True):
        if message.role != "system":
            return
        for k, start, end in _users_words(facts.digest, message):
            path = message.parts[k].path
            yield Finding("what a user says is put into the system prompt here", path, start, end)


_HAS_INSTRUCTIONS: Final = frozenset(("system", "instructions"))


def _places_of_users_words(message: Message) -> tuple[tuple[int, int, int], ...]:
    return tuple(
        [
            (k, *match.span())
            for k, part in enumerate(message.parts)
            if "{" in part.text
            for match in _SAID_BY_USERS.finditer(part.text)
        ]
    )


_users_words: Final = WorkedOut(_places_of_users_words)


def _finding(what: str, start: int, end: int) -> Finding:
    kind = re.sub(r"^(?:an?|the) ", "", what)
    fix = Fix(f"Put the words [{kind}] in its place", (Edit((), f"[{kind}]", start, end),), safe=False)
    return Finding(f"{what} is in this text", (), start, end, fix=fix)


TEXT_RULES: Final[tuple[TextRule, ...]] = (
    secret,
    possible_secret,
    payment_data,
    contact_data,
)
REQUEST_RULES: Final[tuple[RequestRule, ...]] = (user_text_in_system_prompt,)
