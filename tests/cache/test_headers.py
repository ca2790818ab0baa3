"""A header is part of the question, of who asks it, or of neither; and the user has a say in that."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.cache.asking import CHAT_URL, SECRET, asking, key_of
from tests.cache.conftest import Cached
from tests.cache.embedders import Everything
from tests.transport.clients import GPT, HELLO, chat
from tokenguard import Cache, ConfigError, Guard, Similar, config
from tokenguard.cache.headers import CARRYING, CARRYING_PREFIXES, IDENTITY, PASSING_COOKIES, ignorable
from tokenguard.cache.key import fingerprint, namespace
from tokenguard.testing import Answer, Provider

BODY: dict[str, Any] = {"model": "m-1", "messages": HELLO}
Sent = dict[str, str]

VALUES = st.sampled_from(["", "a", "b", "a; b", "=", "a=1", "b=2; a=1"])
CARRIES = st.sampled_from(
    sorted({*(name.decode() for name in CARRYING), *(f"{one.decode()}1" for one in CARRYING_PREFIXES)})
)
IDENTIFIES = st.sampled_from([name.decode() for name in IDENTITY if name != b"cookie"])
UNKNOWN = st.sampled_from(["x-tenant", "anthropic-beta", "x-job", "x-model-override"]) | st.text(
    "abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=3
).map("x-y-{}".format)
SENT = st.dictionaries(CARRIES | IDENTIFIES | UNKNOWN, VALUES, max_size=4)


def made(sent: Sent, **options: Any) -> tuple[str, str]:
    """The namespace of a request with these headers, and its key within one that all share."""
    call = asking(CHAT_URL, BODY, sent)
    assert call.wire is not None
    return namespace(call.wire, SECRET), key_of(call, owner="team", **options)


def gpt(client: Any, **headers: str) -> Any:
    return client.chat.completions.create(
        model=GPT,
        messages=HELLO,
        temperature=0,
        extra_headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def use_of(guard: Guard, reply: object) -> str | None:
    receipt = guard.receipt(reply)
    assert receipt is not None
    return receipt.cache


# What a header is


@given(SENT, CARRIES, VALUES)
def test_what_only_carries_a_request_makes_no_miss(sent: Sent, name: str, value: str) -> None:
    """Traces, ids of requests, what SDKs say of themselves: whatever they say."""
    assert made({**sent, name: value}) == made({n: v for n, v in sent.items() if n != name})


@given(SENT, IDENTIFIES, VALUES, VALUES)
def test_whoever_has_another_credential_is_another(sent: Sent, name: str, one: str, other: str) -> None:
    """No two of them ever share a namespace; in one that they are given, they share what is there."""
    first, second, without = ({**sent, name: one}, {**sent, name: other}, {**sent})
    without.pop(name, None)
    assert (made(first)[0] == made(second)[0]) == (one == other)
    assert made(first)[0] != made(without)[0]
    assert made(first)[1] == made(second)[1] == made(without)[1]


@given(SENT, UNKNOWN, VALUES, VALUES)
def test_what_nobody_knows_makes_a_miss(sent: Sent, name: str, one: str, other: str) -> None:
    """And never a collision: it may be what a gateway chooses the model by."""
    first, second, without = ({**sent, name: one}, {**sent, name: other}, {**sent})
    without.pop(name, None)
    assert (made(first)[1] == made(second)[1]) == (one == other)
    assert made(first)[1] != made(without)[1]
    assert made(first)[0] == made(second)[0] == made(without)[0]


@given(SENT, SENT)
@example({"x-job": "1", "a": "b"}, {"x-job": "2", "a": "b"})
def test_what_is_remembered_of_a_request_is_its_own_key(one: Sent, other: Sent) -> None:
    """Also where headers are left out: two requests that pass for one have one key and one namespace."""
    left_out = ignorable(["x-job", "x-tenant"])
    marks, keys = [], []
    for sent in (one, other):
        call = asking(CHAT_URL, BODY, sent)
        assert call.wire is not None
        marks.append(fingerprint(call, call.wire, CARRYING | left_out))
        keys.append(made(sent, ignored_headers=left_out))
    assert marks[0] != marks[1] or keys[0] == keys[1]


def test_a_host_counts_that_is_not_the_addresss_own() -> None:
    """Behind one address there may be several servers; the library itself says which of them it is."""
    plain, own = made({}), made({"host": "api.openai.com"})
    assert own == plain
    assert len({plain[1], made({"host": "eu.gateway"})[1], made({"host": "us.gateway"})[1]}) == 3


# Cookies

OWN = st.lists(st.sampled_from(["sid=1", "sid=2", "sid", "a=b=c", "_cf_bm=1", "awsalb=1"]), unique=True)
PASSING = st.lists(st.sampled_from([f"{name.decode()}=x" for name in sorted(PASSING_COOKIES)]), max_size=3)


@given(OWN, PASSING, st.randoms(use_true_random=False))
def test_cookies_say_who_asks(own: list[str], passing: list[str], random: Any) -> None:
    """In whatever order; but for those that load balancers and bot filters hand out with every answer."""
    mixed = [*own, *passing]
    random.shuffle(mixed)
    expected = made({"cookie": "; ".join(sorted(own))} if own else {})
    assert made({"cookie": "; ".join(mixed)}) == expected
    assert made({"cookie": ";".join(mixed)}) == expected
    assert made({"cookie": "; ".join([*mixed, "other=1"])})[0] != expected[0]


def test_a_session_of_a_gateway_is_not_another_ones(provider: Provider, cached: Cached) -> None:
    """Where a cookie is the credential, nobody gets what somebody else's paid for."""
    guard = cached()
    client = guard.wrap(chat(provider))
    uses = [use_of(guard, gpt(client, cookie=f"session={who}")) for who in ("ada", "bob", "ada")]
    assert uses == ["miss", "miss", "hit"]


def test_cookies_that_come_with_answers_make_no_misses(provider: Provider, cached: Cached) -> None:
    """OpenAI's edge sets one with the first answer, and the HTTP client sends it from then on."""
    provider.answer(Answer("Paris.", headers={"set-cookie": "__cf_bm=abc.123; path=/; HttpOnly"}))
    guard = cached()
    client = guard.wrap(chat(provider))
    assert [use_of(guard, gpt(client)) for _ in range(2)] == ["miss", "hit"]
    gpt(client, x_tokenguard_cache="refresh")
    assert "__cf_bm" in (provider.requests[-1].header("cookie") or "")


def test_projects_of_one_credential_do_not_share(provider: Provider, cached: Cached) -> None:
    """Whose quota it is, is who asks."""
    guard = cached()
    client = guard.wrap(chat(provider))
    for name in ("openai_organization", "openai_project", "x_goog_user_project"):
        uses = [use_of(guard, gpt(client, **{name: who})) for who in ("one", "two", "one")]
        assert uses == ["miss", "miss", "hit"], name


# What the user leaves out


def test_a_header_that_is_new_in_each_request_makes_misses_until_it_is_left_out(
    provider: Provider, cached: Cached
) -> None:
    """However it is spelt."""
    for left_out, expected in (((), "miss"), (("X-Request-CTX",), "hit")):
        guard = cached(Cache(ignore_headers=left_out))
        client = guard.wrap(chat(provider))
        uses = [use_of(guard, gpt(client, x_request_ctx=str(uuid4()))) for _ in range(3)]
        assert uses == ["miss", expected, expected]
        assert use_of(guard, gpt(client, x_request_ctx="a", x_other="b")) == "miss"


def test_it_is_left_out_of_what_similar_questions_have_in_common(provider: Provider, cached: Cached) -> None:
    """A similar question in a request of its own is found."""
    texts = ("How do I reset my password?", "Please, how do I reset my password?")
    for left_out, expected in (((), "miss"), (("x-request-ctx",), "similar")):
        similar = Similar(Everything(), threshold=0.9, uncalibrated=True)
        guard = cached(Cache(ignore_headers=left_out, similar=similar))
        client = guard.wrap(chat(provider))
        uses = []
        for text in texts:
            reply = client.chat.completions.create(
                model=GPT,
                messages=[{"role": "user", "content": text}],
                temperature=0,
                extra_headers={"x-request-ctx": str(uuid4())},
            )
            uses.append(use_of(guard, reply))
        assert uses == ["miss", expected]


@pytest.mark.parametrize(
    "name",
    [
        *sorted(name.decode() for name in IDENTITY),
        *("Authorization", "X-API-Key", "Cookie", "x-gateway-token", "x-auth-user", "X-My-ApiKey"),
        *("x-client-secret", "x-amz-signature", "proxy_password"),
    ],
)
def test_who_asks_cannot_be_left_out(name: str) -> None:
    """Not by any spelling: a tenant would get another one's answers."""
    with pytest.raises(ConfigError, match=r"says who asks.*namespace"):
        Cache(ignore_headers=(name,))


@pytest.mark.parametrize(
    "name", ["anthropic-beta", "OpenAI-Beta", "anthropic-version", "Host", "api_version"]
)
def test_what_changes_answers_cannot_be_left_out(name: str) -> None:
    """It would be a wrong answer."""
    with pytest.raises(ConfigError, match=f"{name!r} may change the answer"):
        Cache(ignore_headers=(name,))


@pytest.mark.parametrize("names", [("",), ("x request",), ("x:y",), ("x\n",), "x-job", (7,), ("ü",)])
def test_what_is_no_name_is_refused(names: Any) -> None:
    """At once, by a message that shows it."""
    with pytest.raises(ConfigError, match=r"Cache\(ignore_headers"):
        Cache(ignore_headers=names)


def test_it_can_be_configured(tmp_path: Path) -> None:
    """And a name that may not be left out is an error that says where it stands."""
    file = tmp_path / "tokenguard.toml"
    file.write_text('[cache]\nignore_headers = ["x-request-ctx"]\n')
    settings = config.guard_arguments(config.load(file, environ={}))["cache"]
    assert settings.ignore_headers == ("x-request-ctx",)
    variable = {"TOKENGUARD_CACHE__IGNORE_HEADERS": "x-job, x-request-ctx"}
    settings = config.guard_arguments(config.load(file, environ=variable))["cache"]
    assert settings.ignore_headers == ("x-job", "x-request-ctx")
    file.write_text('[cache]\nttl = "1d"\nignore_headers = ["api-key"]\n')
    with pytest.raises(ConfigError) as refused:
        config.load(file, environ={})
    assert str(refused.value).startswith(f"{file}:3: Cache(ignore_headers=...): 'api-key' says who asks")
