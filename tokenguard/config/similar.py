"""``[cache.similar]``: answers to similar questions, where what makes vectors can be said as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from tokenguard.config.tables import LENGTH, Length, Must, PolicyTable, Text

if TYPE_CHECKING:
    from tokenguard.cache.similar import Similar

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Cosine = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
More = Annotated[int, Field(ge=1)]

_MORE: Final = Must("a whole number, 1 or more")
_OF_THE_EMBEDDER: Final = ("model", "base_url", "api_key_env", "dimensions", "timeout", "name")


class SimilarTable(PolicyTable):
    """Which questions are similar, and what makes vectors of them."""

    model: Annotated[Text, Must("the name of an embedding model")] = Field(
        description="The embedding model. The guard meters its calls as all others."
    )
    base_url: Annotated[Text | None, Must("a URL in quotes", default="`OPENAI_BASE_URL`, else OpenAI's")] = (
        Field(None, description="An endpoint that speaks OpenAI's embeddings format.")
    )
    api_key_env: Annotated[
        Text | None,
        Must(
            "the name of a variable in quotes", default="`OPENAI_API_KEY`; with a `base_url`, no key is sent"
        ),
    ] = Field(None, description="The environment variable that has the API key, which is never in a file.")
    dimensions: Annotated[More | None, Must(_MORE.be, default="the model's own")] = Field(
        None, description="The length of the vectors, for models that leave the choice."
    )
    timeout: Annotated[Length, LENGTH] = Field(
        "2s", description="After that, the call goes on without a vector; it is never tried again."
    )
    name: Annotated[Text | None, Must("a name in quotes", default="the endpoint and the model")] = Field(
        None,
        description="What the vectors are called, where one model is behind several addresses. Those of two "
        "names are never compared.",
    )
    calibration: Annotated[Text | None, Must("a path in quotes")] = Field(
        None,
        description="What `tokenguard cache calibrate` found; relative to the file that says so. It has the "
        "threshold.",
    )
    threshold: Annotated[Cosine | None, Must("a cosine above 0, up to 1")] = Field(
        None,
        description="Without a calibration: vectors whose cosine is at least this are taken for the same.",
    )
    uncalibrated: Annotated[bool, Must("true or false")] = Field(
        False, description="Says that nobody knows how often that threshold is wrong."
    )
    audit: Annotated[Share, Must("a share from 0 to 1")] = Field(
        0.0, description="The share of similar hits that the provider is asked for all the same."
    )
    max_chars: Annotated[More, _MORE] = Field(
        1000, description="The longest question; what is longer is matched exactly only."
    )
    max_entries: Annotated[More, _MORE] = Field(
        1000, description="The questions that are kept of one scope, about; the oldest are forgotten first."
    )
    max_bytes: Annotated[More, Must("a number of bytes, 1 or more")] = Field(
        64 * 2**20, description="How much memory all of them may take."
    )

    def made(self) -> Similar:
        """The settings of the similar matching.

        Raises:
            ConfigError: They make no sense, or ``numpy`` is not installed.
        """
        from tokenguard.cache.similar import Similar
        from tokenguard.cache.similar.described import DescribedEmbedder

        said = self.said()
        of_embedder = {name: said.pop(name) for name in _OF_THE_EMBEDDER if name in said}
        return Similar(DescribedEmbedder(**of_embedder), **said)
