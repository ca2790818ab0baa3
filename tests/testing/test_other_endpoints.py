"""Azure, embeddings, recordings, images, files and models."""

import hashlib

import openai
import pytest

from tokenguard.testing import Answer
from tokenguard.tokens import text

pytestmark = pytest.mark.timeout(60)


def test_azure_deployments_work(provider, prompt) -> None:
    """Whole and streamed; where the body names no model, the deployment is it."""
    provider.answer("Paris.")
    with openai.AzureOpenAI(
        azure_endpoint=provider.azure_url, api_key="test", api_version="2024-10-21", max_retries=0
    ) as azure:
        completion = azure.chat.completions.create(model="my-deployment", messages=prompt)
        assert (completion.choices[0].message.content, completion.model) == ("Paris.", "my-deployment")
        stream = azure.chat.completions.create(model="my-deployment", messages=prompt, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "Paris."
        bare = azure.post("/deployments/bare/chat/completions", body={"messages": prompt}, cast_to=object)
        assert bare["model"] == "bare"
    request = provider.requests[0]
    assert request.path == "/openai/deployments/my-deployment/chat/completions"
    assert request.query == "api-version=2024-10-21"


def test_openai_on_bedrock_works(provider, prompt) -> None:
    """Any prefix before the operation is fine, this one of Amazon's included."""
    with openai.OpenAI(base_url=f"{provider.url}/openai/v1", api_key="test") as client:
        assert client.chat.completions.create(model="openai.gpt-oss-20b", messages=prompt).usage.total_tokens


def test_embeddings_are_the_same_as_floats_and_in_base64(gpt) -> None:
    """The SDK asks for base64 unless told otherwise, and decodes it."""
    inputs = ["Paris", "London"]
    packed = gpt.embeddings.create(model="text-embedding-3-small", input=inputs)
    floats = gpt.embeddings.create(model="text-embedding-3-small", input=inputs, encoding_format="float")
    for one, other in zip(packed.data, floats.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
    assert packed.usage == floats.usage
    assert packed.usage.prompt_tokens == sum(text.count(given, "text-embedding-3-small") for given in inputs)


def test_embeddings_have_the_dimensions_asked_for_and_length_one(gpt) -> None:
    """By model, or as asked for; and token lists are inputs too."""
    made = gpt.embeddings.create(model="text-embedding-3-large", input="Paris")
    assert len(made.data[0].embedding) == 3072
    made = gpt.embeddings.create(model="text-embedding-3-large", input=[1, 2, 3], dimensions=8)
    assert made.usage.prompt_tokens == 3
    assert len(made.data) == 1
    assert sum(x * x for x in made.data[0].embedding) == pytest.approx(1, abs=1e-6)


def test_recordings_are_transcribed_with_usage(gpt, provider) -> None:
    """By tokens or by seconds, as the model has it; 40,000 bytes count as 3 seconds."""
    provider.answer("Hello there.")
    recording = ("a.wav", b"\0" * 40_000)
    by_tokens = gpt.audio.transcriptions.create(model="gpt-4o-transcribe", file=recording)
    assert by_tokens.text == "Hello there."
    assert by_tokens.usage.input_token_details.audio_tokens == 30
    assert by_tokens.usage.output_tokens == 3
    by_seconds = gpt.audio.transcriptions.create(model="whisper-1", file=recording)
    assert (by_seconds.usage.type, by_seconds.usage.seconds) == ("duration", 3)
    plain = gpt.audio.transcriptions.create(model="whisper-1", file=recording, response_format="text")
    assert plain == "Hello there.\n"
    verbose = gpt.audio.transcriptions.create(
        model="whisper-1", file=recording, response_format="verbose_json"
    )
    assert verbose.duration == 3
    *deltas, done = gpt.audio.transcriptions.create(model="gpt-4o-transcribe", file=recording, stream=True)
    assert "".join(delta.delta for delta in deltas) == done.text == "Hello there."
    assert done.usage.output_tokens == 3


def test_images_come_with_usage_where_the_model_reports_it(gpt) -> None:
    """By size and quality, as OpenAI's guide has them; older models report none."""
    images = gpt.images.generate(model="gpt-image-1", prompt="A cat.", quality="high", size="1024x1536", n=2)
    assert len(images.data) == 2
    assert images.usage.output_tokens == 2 * 6240
    assert images.usage.total_tokens == images.usage.input_tokens + images.usage.output_tokens
    assert gpt.images.generate(model="dall-e-3", prompt="A cat.").usage is None


def test_big_uploads_are_hashed_and_not_kept(gpt, provider) -> None:
    """Five megabytes arrive whole, yet only the first is kept."""
    content = bytes(range(256)) * 20_000
    uploaded = gpt.files.create(file=("data.jsonl", content), purpose="batch")
    assert (uploaded.filename, uploaded.purpose) == ("data.jsonl", "batch")
    [request] = provider.requests
    assert request.body_size == uploaded.bytes > len(content)
    assert len(request.body) == 1024 * 1024
    assert len(request.body_sha256) == 64


def test_the_hash_of_a_body_is_of_all_of_it(gpt, provider) -> None:
    """Whether it was kept or not."""
    for size in (100, 3_000_000):
        content = b"x" * size
        gpt.post("/files", content=content, cast_to=object, options={"headers": {"content-type": "x/y"}})
        assert provider.requests[-1].body_sha256 == hashlib.sha256(content).hexdigest()


def test_files_have_binary_content(gpt) -> None:
    """The same bytes every time, which are no text."""
    content = gpt.files.content("file-1").read()
    assert content == gpt.files.content("file-1").read() != gpt.files.content("file-2").read()
    assert len(content) == 4096
    assert gpt.files.retrieve("file-1").id == "file-1"


def test_models_are_listed(gpt, claude) -> None:
    """In the form of the provider that is asked."""
    assert "gpt-4o" in [model.id for model in gpt.models.list()]
    assert gpt.models.retrieve("gpt-9").id == "gpt-9"
    assert "claude-sonnet-5" in [model.id for model in claude.models.list()]
    assert claude.models.retrieve("claude-9").id == "claude-9"


def test_unknown_endpoints_are_not_found(gpt) -> None:
    """With status 404, whatever the method."""
    for ask in (gpt.get, gpt.post, gpt.delete):
        with pytest.raises(openai.NotFoundError, match="Invalid URL"):
            ask("/nothing", cast_to=object)


def test_every_reply_has_limits_and_an_identifier_of_its_own(gpt, claude, prompt) -> None:
    """In each provider's own headers."""
    raw = [gpt.chat.completions.with_raw_response.create(model="gpt-4o", messages=prompt) for _ in range(2)]
    assert raw[0].request_id != raw[1].request_id
    assert raw[0].headers["x-ratelimit-remaining-requests"] == "9999"
    raw = claude.messages.with_raw_response.create(model="claude", max_tokens=9, messages=prompt)
    assert raw.headers["request-id"].startswith("req_")
    assert raw.headers["anthropic-ratelimit-tokens-remaining"] == "499000"
    assert raw.headers["anthropic-ratelimit-tokens-reset"].endswith("Z")


def test_headers_can_be_scripted(gpt, provider, prompt) -> None:
    """On top of the usual ones."""
    provider.answer(Answer("a", headers={"x-extra": "1"}))
    raw = gpt.chat.completions.with_raw_response.create(model="gpt-4o", messages=prompt)
    assert raw.headers["x-extra"] == "1"
