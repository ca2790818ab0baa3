"""Every name that tokenguard puts on a span or a metric, in one place.

The ``gen_ai.*`` names are OpenTelemetry's GenAI conventions, which are still in development: the
constants of ``opentelemetry-semantic-conventions`` lag behind them, so they are written out here.
The others are read by the tool that each block names.
"""

from __future__ import annotations

from typing import Final

# OpenTelemetry GenAI conventions, client inference span
OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
REQUEST_TOP_P: Final = "gen_ai.request.top_p"
REQUEST_CHOICES: Final = "gen_ai.request.choice.count"
REQUEST_FREQUENCY_PENALTY: Final = "gen_ai.request.frequency_penalty"
REQUEST_PRESENCE_PENALTY: Final = "gen_ai.request.presence_penalty"
REQUEST_SEED: Final = "gen_ai.request.seed"
REQUEST_TOP_K: Final = "gen_ai.request.top_k"
REQUEST_STOP: Final = "gen_ai.request.stop_sequences"
REQUEST_REASONING: Final = "gen_ai.request.reasoning.level"
REQUEST_PREVIOUS: Final = "gen_ai.request.previous_response.id"
CONVERSATION: Final = "gen_ai.conversation.id"
OUTPUT_TYPE: Final = "gen_ai.output.type"
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_MODEL: Final = "gen_ai.response.model"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"
CACHE_CREATION_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"  # its old name, still read
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
TEXT_INPUT_TOKENS: Final = "gen_ai.usage.text.input_tokens"
TEXT_OUTPUT_TOKENS: Final = "gen_ai.usage.text.output_tokens"
AUDIO_INPUT_TOKENS: Final = "gen_ai.usage.audio.input_tokens"
AUDIO_OUTPUT_TOKENS: Final = "gen_ai.usage.audio.output_tokens"
IMAGE_INPUT_TOKENS: Final = "gen_ai.usage.image.input_tokens"
IMAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.image.output_tokens"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - no password
TOKEN_MODALITY: Final = "gen_ai.token.modality"  # noqa: S105 - nor here
WORKFLOW_NAME: Final = "gen_ai.workflow.name"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
ERROR_TYPE: Final = "error.type"
RESEND_COUNT: Final = "http.request.resend_count"
HTTP_STATUS: Final = "http.response.status_code"

# Cost, which has no standard name yet: each tool reads its own
COST_OPENLIT: Final = "gen_ai.usage.cost"  # OpenLIT, New Relic's guide, OneUptime; Langfuse's second choice
COST_LOGFIRE: Final = "operation.cost"
COST_MLFLOW: Final = "mlflow.llm.cost"  # a JSON string
LANGFUSE_USAGE: Final = "langfuse.observation.usage_details"  # a JSON string
LANGFUSE_COST: Final = "langfuse.observation.cost_details"  # a JSON string
LANGFUSE_TYPE: Final = "langfuse.observation.type"
OPENINFERENCE_KIND: Final = "openinference.span.kind"
OPENINFERENCE_MODEL: Final = "llm.model_name"
OPENINFERENCE_COST_TOTAL: Final = "llm.cost.total"
OPENINFERENCE_COST_PROMPT: Final = "llm.cost.prompt"
OPENINFERENCE_COST_COMPLETION: Final = "llm.cost.completion"
OPENINFERENCE_PROMPT: Final = "llm.token_count.prompt"
OPENINFERENCE_COMPLETION: Final = "llm.token_count.completion"
OPENINFERENCE_TOTAL: Final = "llm.token_count.total"
OPENINFERENCE_READ: Final = "llm.token_count.prompt_details.cache_read"
OPENINFERENCE_WRITTEN: Final = "llm.token_count.prompt_details.cache_write"
OPENINFERENCE_REASONING: Final = "llm.token_count.completion_details.reasoning"
SENTRY_COST: Final = "gen_ai.cost.total_tokens"  # US dollars, despite the name
SENTRY_COST_INPUT: Final = "gen_ai.cost.input_tokens"
SENTRY_COST_OUTPUT: Final = "gen_ai.cost.output_tokens"
OTEL_443_AMOUNT: Final = "gen_ai.usage.cost.amount"
OTEL_443_CURRENCY: Final = "gen_ai.usage.cost.currency"
OTEL_443_SOURCE: Final = "gen_ai.usage.cost.source"

# Our own
OWN: Final = "tokenguard."
CALL_ID: Final = "tokenguard.call.id"
OWN_REQUEST_MODEL: Final = "tokenguard.request.model"
OUTCOME: Final = "tokenguard.outcome"
ATTEMPTS: Final = "tokenguard.attempts"
ATTEMPT_INDEX: Final = "tokenguard.attempt.index"
ATTEMPT_ROLE: Final = "tokenguard.attempt.role"
COST_TOTAL: Final = "tokenguard.cost.total"
COST_INPUT: Final = "tokenguard.cost.input"
COST_OUTPUT: Final = "tokenguard.cost.output"
COST_NANO: Final = "tokenguard.cost.nano"
COST_CURRENCY: Final = "tokenguard.cost.currency"
COST_SOURCE: Final = "tokenguard.cost.source"
COST_UNCERTAIN: Final = "tokenguard.cost.uncertain"
COST_CALL_TOTAL: Final = "tokenguard.cost.call_total"
COST_BASELINE: Final = "tokenguard.cost.baseline"
PRICE_VERSION: Final = "tokenguard.price.version"
USAGE_SOURCE: Final = "tokenguard.usage.source"
ANOMALIES: Final = "tokenguard.anomalies"
LINT_CODES: Final = "tokenguard.lint.codes"
LINT_FINDINGS: Final = "tokenguard.lint.findings"
LINT_FIXED: Final = "tokenguard.lint.fixed"
LINT_SAVED: Final = "tokenguard.lint.tokens_saved"
LINT_CODE: Final = "tokenguard.lint.code"
LINT_SEVERITY: Final = "tokenguard.lint.severity"
LINT_MENDED: Final = "tokenguard.lint.mended"
CACHE_KIND: Final = "tokenguard.cache.kind"
CACHE_HIT: Final = "tokenguard.cache.hit"
CACHE_RESULT: Final = "tokenguard.cache.result"
CACHE_REASON: Final = "tokenguard.cache.reason"
CACHE_AGE: Final = "tokenguard.cache.age"
CACHE_SAVED: Final = "tokenguard.cache.saved"
CACHE_TIER: Final = "tokenguard.cache.tier"
CACHE_WRITE: Final = "tokenguard.cache.write"
CACHE_SIMILARITY: Final = "tokenguard.cache.similarity"
RUN_ID: Final = "tokenguard.run.id"
RUN_NAME: Final = "tokenguard.run.name"
RETRY_EVENT: Final = "tokenguard.retry"
RETRY_DELAY: Final = "tokenguard.retry.delay"

# Metrics
METRIC_DURATION: Final = "gen_ai.client.operation.duration"
METRIC_TOKENS: Final = "gen_ai.client.token.usage"
METRIC_FIRST_CHUNK: Final = "gen_ai.client.operation.time_to_first_chunk"
METRIC_INFERENCE_DURATION: Final = "gen_ai.client.inference.duration"
METRIC_INFERENCE_FIRST_CHUNK: Final = "gen_ai.client.inference.time_to_first_chunk"
METRIC_USAGE_INPUT: Final = "gen_ai.client.inference.usage.input_tokens"
METRIC_USAGE_OUTPUT: Final = "gen_ai.client.inference.usage.output_tokens"
METRIC_USAGE_READ: Final = "gen_ai.client.inference.usage.cache_read.input_tokens"
METRIC_USAGE_WRITTEN: Final = "gen_ai.client.inference.usage.cache_write.input_tokens"
METRIC_USAGE_REASONING: Final = "gen_ai.client.inference.usage.reasoning.output_tokens"
METRIC_COST: Final = "tokenguard.cost"
METRIC_BASELINE: Final = "tokenguard.cost.baseline"
METRIC_CALL_COST: Final = "tokenguard.call.cost"
METRIC_CALLS: Final = "tokenguard.calls"
METRIC_ATTEMPTS: Final = "tokenguard.attempts"
METRIC_CACHE_LOOKUPS: Final = "tokenguard.cache.lookups"
METRIC_LINT_FINDINGS: Final = "tokenguard.lint.findings"
METRIC_LINT_SAVED: Final = "tokenguard.lint.tokens_saved"
METRIC_CACHE_SAVED: Final = "tokenguard.cache.saved"
METRIC_CACHE_WRITES: Final = "tokenguard.cache.writes"
METRIC_CACHE_EVICTIONS: Final = "tokenguard.cache.evictions"
METRIC_CACHE_ENTRIES: Final = "tokenguard.cache.entries"
METRIC_CACHE_SIZE: Final = "tokenguard.cache.size"
METRIC_UNPRICED: Final = "tokenguard.unpriced"
METRIC_UNMETERED: Final = "tokenguard.unmetered"

DURATION_BOUNDARIES: Final = (
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
)  # fmt: skip
TOKEN_BOUNDARIES: Final = tuple(4**power for power in range(14))
COST_BOUNDARIES: Final = (
    1e-05, 3e-05, 1e-04, 3e-04, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30,
)  # fmt: skip

_TAKEN: Final = frozenset(
    value for name, value in tuple(globals().items()) if name.isupper() and isinstance(value, str)
)


def tag_name(tag: str) -> str:
    """The attribute of a tag: ``tokenguard.team``, or ``tokenguard.tag.outcome`` where we use that name."""
    name = OWN + tag
    return f"{OWN}tag.{tag}" if name in _TAKEN else name
