"""Scripts: which answer a request gets, and what the provider remembers of it."""

import json
import threading

import openai
import pytest

from tokenguard.testing import Answer, Provider

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def ask(gpt):
    def ask(prompt: str = "Hi.", model: str = "gpt-4o") -> str:
        messages = [{"role": "user", "content": prompt}]
        return gpt.chat.completions.create(model=model, messages=messages).choices[0].message.content

    return ask


def test_counted_answers_are_a_queue_and_lasting_ones_follow(ask, provider) -> None:
    """Counted ones first, in order; of the lasting ones the latest."""
    provider.answer("lasting")
    provider.answer("first", times=1)
    provider.answer("second", times=2)
    provider.answer("latest")
    assert [ask() for _ in range(5)] == ["first", "second", "second", "latest", "latest"]


def test_answers_can_be_for_one_model_or_for_some_requests(ask, provider) -> None:
    """By the model's name, or by a function of the request."""
    provider.answer("small", when="gpt-4o-mini")
    provider.answer("about Paris", when=lambda request: b"Paris" in request.body)
    assert ask("Paris?", "gpt-4o-mini") == "about Paris"
    assert ask("London?", "gpt-4o-mini") == "small"
    assert ask("London?") not in ("small", "about Paris")


def test_failures_can_be_for_one_model(ask, provider) -> None:
    """The others are served."""
    provider.fail(503, times=None, when="gpt-4o-mini")
    assert ask()
    with pytest.raises(openai.InternalServerError):
        ask(model="gpt-4o-mini")


def test_answers_can_be_made_from_the_request(ask, provider) -> None:
    """A text or a whole answer."""
    provider.answer(lambda request: request.json["messages"][0]["content"].upper(), times=1)
    provider.answer(lambda request: Answer(text=request.header("X-Stainless-Lang")), times=1)
    assert ask("echo") == "ECHO"
    assert ask() == "python"


def test_a_script_that_raises_is_told_to_the_client(ask, provider) -> None:
    """A mistake in a test must not look like a hanging provider."""
    provider.answer(lambda request: request.json["no such key"])
    with pytest.raises(openai.InternalServerError, match="KeyError: 'no such key'"):
        ask()


def test_a_rule_may_script_more(ask, provider) -> None:
    """A function may call the provider that calls it."""
    provider.answer("never", when=lambda request: provider.answer("added", times=1))
    ask()
    assert ask() == "added"


def test_requests_are_recorded_as_they_came(ask, provider) -> None:
    """Method, path, headers in order, body."""
    ask("What?")
    [request] = provider.requests
    assert (request.index, request.method, request.path, request.query) == (
        0,
        "POST",
        "/v1/chat/completions",
        "",
    )
    assert request.json["messages"] == [{"role": "user", "content": "What?"}]
    assert request.header("AUTHORIZATION") == "Bearer test"
    assert request.header("x-nothing") is None
    names = [name.lower() for name, _ in request.headers]
    assert names.index("host") < names.index("content-length")
    assert request.body_size == len(request.body) == int(request.header("content-length"))


def test_only_so_many_requests_are_kept(prompt) -> None:
    """The latest; all are counted."""
    with (
        Provider(keep_requests=3, record_bodies=False) as provider,
        openai.OpenAI(base_url=provider.openai_url, api_key="test") as gpt,
    ):
        for _ in range(5):
            gpt.chat.completions.create(model="gpt-4o", messages=prompt)
        assert provider.count == 5
        assert [request.index for request in provider.requests] == [2, 3, 4]
        assert {request.body for request in provider.requests} == {b""}
        assert all(request.body_size for request in provider.requests)
        provider.forget_requests()
        assert (provider.count, provider.requests) == (0, [])


def test_long_bodies_are_kept_in_part(ask, provider) -> None:
    """They are answered whole, but only their beginning is remembered."""
    assert ask("x " * 1_000_000)
    [request] = provider.wait_for(1, ended=True)
    assert len(request.body) == 1024 * 1024 < request.body_size
    with pytest.raises(ValueError, match="Unterminated"):
        _ = request.json


def test_waiting_for_requests_that_do_not_come_ends(provider) -> None:
    """With a message that says how many came."""
    with pytest.raises(TimeoutError, match=r"0 requests after 0.01 s, expected 1"):
        provider.wait_for(1, timeout=0.01)


def test_scripting_from_many_threads_loses_nothing(gpt, provider, prompt) -> None:
    """Each of 200 counted answers is given exactly once."""

    def add(start: int) -> None:
        for number in range(start, start + 50):
            provider.answer(str(number), times=1)

    def ask(found: list[str]) -> None:
        for _ in range(50):
            completion = gpt.chat.completions.create(model="gpt-4o", messages=prompt)
            found.append(completion.choices[0].message.content)

    adding = [threading.Thread(target=add, args=(start,)) for start in (0, 50, 100, 150)]
    for thread in adding:
        thread.start()
    for thread in adding:
        thread.join()
    found: list[str] = []
    asking = [threading.Thread(target=ask, args=(found,)) for _ in range(4)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert sorted(found, key=int) == [str(number) for number in range(200)]


def test_recorded_answers_are_found_by_their_prompt(tmp_path) -> None:
    """The row that names most wins; prompts that are not there get the default answer."""
    rows = [
        {"prompt": "Where?", "answer": "Anywhere."},
        {"prompt": "Where?", "answer": "Here.", "model": "gpt-4o"},
        {"prompt": "Where?", "answer": "There.", "model": "gpt-4o", "dialect": "openai_responses"},
        {
            "prompt": "When?",
            "answer": "Now.",
            "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
        },
    ]
    path = tmp_path / "recorded.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    with (
        Provider(recorded=path) as provider,
        openai.OpenAI(base_url=provider.openai_url, api_key="test") as gpt,
    ):

        def chat(prompt: str, model: str):
            messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": prompt}]
            return gpt.chat.completions.create(model=model, messages=messages)

        assert chat("Where?", "gpt-4").choices[0].message.content == "Anywhere."
        assert chat("Where?", "gpt-4o").choices[0].message.content == "Here."
        assert gpt.responses.create(model="gpt-4o", input="Where?").output_text == "There."
        assert chat("When?", "gpt-4o").usage.total_tokens == 10
        assert chat("Why?", "gpt-4o").choices[0].message.content not in ("Here.", "Now.")
        provider.answer("Scripted.")
        assert chat("Where?", "gpt-4o").choices[0].message.content == "Scripted."


@pytest.mark.parametrize("line", ["not json", "[]", '{"prompt": 1, "answer": ""}', '{"prompt": "a"}'])
def test_a_recorded_row_that_is_none_is_named(tmp_path, line) -> None:
    """With file and line."""
    path = tmp_path / "recorded.jsonl"
    path.write_text('{"prompt": "a", "answer": "b"}\n' + line)
    with pytest.raises(ValueError, match=r"recorded\.jsonl:2: "):
        Provider(recorded=path)


def test_a_port_that_is_taken_is_an_error(provider) -> None:
    """Of the caller's, and at once."""
    with pytest.raises(OSError, match="in use"):
        Provider(port=int(provider.url.rpartition(":")[2]))
