"""The settings as pydantic models: one table for each policy, and the arguments of a guard above them.

A new policy is a :class:`PolicyTable` with its keys, and one line in :class:`Configuration`. Files,
variables, messages, ``config show``, the JSON Schema and the reference page follow from that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args, get_origin

from pydantic import BeforeValidator, Field, PlainSerializer, field_validator
from pydantic.fields import FieldInfo

from tokenguard.cache import Cache
from tokenguard.cache.key import MAY_IGNORE
from tokenguard.cache.policy import MODES, Mode
from tokenguard.call import Meter
from tokenguard.config.lint import LintTable
from tokenguard.config.similar import SimilarTable
from tokenguard.config.tables import (
    BYTES,
    DAY,
    LENGTH,
    PRICE,
    SECONDS,
    TEXT,
    TEXTS,
    Count,
    Day,
    Key256,
    Length,
    Must,
    PolicyTable,
    Price,
    Seconds,
    Table,
    Text,
)
from tokenguard.pricing import PriceOverride
from tokenguard.pricing.overrides import check_unambiguous
from tokenguard.retry import Retry
from tokenguard.telemetry import TelemetrySettings
from tokenguard.telemetry.telemetry import COMPAT

_RETRY: Final = Retry()
_CACHE: Final = Cache()
_TELEMETRY: Final = TelemetrySettings()


class RetryTable(PolicyTable):
    """How to try again."""

    policy = Retry
    short = "retries"

    retries: Annotated[
        Count | None, Must("a whole number, 0 or more", default="the client's own `max_retries`")
    ] = Field(None, description="Further attempts after the first.")
    base_s: Annotated[Seconds, SECONDS] = Field(
        _RETRY.base_s,
        description="The first wait is drawn from 0 to this many seconds; the range doubles each time.",
    )
    cap_s: Annotated[Seconds, SECONDS] = Field(
        _RETRY.cap_s, description="No wait is drawn from more than 0 to this many seconds."
    )
    max_retry_after_s: Annotated[Seconds, SECONDS] = Field(
        _RETRY.max_retry_after_s,
        description="Where the provider asks for a longer wait than this, the failure is handed on at once.",
    )


class CacheTable(PolicyTable):
    """What to cache, where, and for how long."""

    policy = Cache

    ttl: Annotated[Length, LENGTH] = Field(
        "1d",
        description="For how long an answer is good, from when it came; spread by 10 % either way.",
    )
    store: Annotated[
        Text | Literal[False] | None,
        Must('"disk", a path in quotes, or false', default="`false`: nowhere"),
    ] = Field(
        None,
        description="Where answers are kept besides memory: `disk` is `tokenguard/responses` in the user's "
        "folder for caches; a path is relative to the file that says so.",
    )
    mode: Annotated[Mode, Must("one of " + ", ".join(f'"{mode}"' for mode in MODES))] = Field(
        _CACHE.mode,
        description="`deterministic` answers only calls that ask for one and the same answer each time "
        "(`temperature=0`, a `seed`, embeddings); `always` also answers one sample with another. `replay`, "
        "`record` and `new` are for tests, and make `store` the file of a cassette.",
    )
    namespace: Annotated[Text | None, Must("a name in quotes", default="one for each credential")] = Field(
        None,
        description="Who may have each other's answers: a name shares them between credentials, or keeps "
        "apart what has one.",
    )
    tags: Annotated[tuple[Text, ...], TEXTS] = Field(
        _CACHE.tags, strict=False, description="What the answers can be invalidated by."
    )
    stale_if_error: Annotated[Length | None, Must(LENGTH.be, default="never")] = Field(
        None,
        description="For how long after its `ttl` an answer is still good enough where the provider is "
        "overloaded or out of reach.",
    )
    negative_ttl: Annotated[
        Length | None, Must('a length of time of at most "60s", or a number of seconds', default="not at all")
    ] = Field(
        None,
        description="For how long a refusal is given again that the same request would get once more.",
    )
    max_bytes: Annotated[Count, BYTES] = Field(
        _CACHE.max_bytes, description="How much the store may take; a disk, at least 4 MiB."
    )
    memory_bytes: Annotated[Count, BYTES] = Field(
        _CACHE.memory_bytes, description="How much may be kept in memory, in front of the store."
    )
    max_entry_bytes: Annotated[Count, BYTES] = Field(
        _CACHE.max_entry_bytes, description="The largest answer that is kept."
    )
    tools: Annotated[bool, Must("true or false")] = Field(
        _CACHE.tools,
        description="Whether to keep answers that call tools. Whoever carries them out does so at each hit.",
    )
    ignore: Annotated[tuple[str, ...], Must("a list of " + ", ".join(f'"{name}"' for name in MAY_IGNORE))] = (
        Field(
            _CACHE.ignore,
            strict=False,
            description="Fields of a request that are not to matter.",
            json_schema_extra={"items": {"type": "string", "enum": list(MAY_IGNORE)}},
        )
    )
    ignore_headers: Annotated[tuple[Text, ...], Must("a list of names of headers")] = Field(
        _CACHE.ignore_headers,
        strict=False,
        description="Headers that are not to matter, such as one of your own that is another one in each "
        "request. None that says who asks, or how to answer.",
    )
    encryption_key: Annotated[
        Key256 | None,
        Must("32 random bytes in base64: `openssl rand -base64 32`", default="none", secret=True),
    ] = Field(
        None,
        description="Encrypts what the store keeps, with AES-GCM. Better said in a variable than in a file.",
    )
    single_flight: Annotated[bool, Must("true or false")] = Field(
        _CACHE.single_flight,
        description="Whether identical requests at one time wait for the first of them.",
    )
    wait: Annotated[Length, LENGTH] = Field(
        "60s",
        description="For how long they wait before they ask for themselves.",
    )
    lookup_timeout: Annotated[Length, LENGTH] = Field(
        "20ms",
        description="How long a lookup may take in the store, before the call goes on without it.",
    )
    similar: Annotated[
        SimilarTable | Literal[False] | None,
        Must("false or a [cache.similar] table", default="`false`: never"),
    ] = Field(
        None,
        description="Answer a question with the answer that a similar one got, where the same one got none.",
    )

    def made(self) -> Cache:
        """The settings of the cache.

        Raises:
            ConfigError: They make no sense.
        """
        said = self.said()
        if said.get("store") is False:
            said["store"] = None
        similar = said.pop("similar", None)
        return Cache(**said, similar=similar.made() if similar else None)


class TelemetryTable(PolicyTable):
    """What to emit to OpenTelemetry."""

    policy = TelemetrySettings

    spans: Annotated[Literal["own", "metrics", "off"], Must('"own", "metrics" or "off"')] = Field(
        _TELEMETRY.spans,
        description="`own` emits spans and metrics; `metrics` leaves spans to another instrumentation; "
        "`off` emits nothing.",
    )
    compat: Annotated[
        frozenset[str],
        PlainSerializer(sorted, return_type=list[str]),
        Must("a list of " + ", ".join(f'"{name}"' for name in COMPAT)),
    ] = Field(
        _TELEMETRY.compat,
        strict=False,
        description="Whose cost attributes to put on spans besides our own.",
        json_schema_extra={"items": {"type": "string", "enum": list(COMPAT)}},
    )
    metric_tags: Annotated[tuple[str, ...], Must("a list of names of tags")] = Field(
        _TELEMETRY.metric_tags,
        strict=False,
        description="Tags that become metric attributes. `customer` and `user` may not: a series for every "
        "customer drowns a metrics backend.",
    )
    max_tag_values: Annotated[int, Must("a whole number, 1 or more")] = Field(
        _TELEMETRY.max_tag_values,
        ge=1,
        description="Distinct values of one tag that metrics tell apart; later ones become `other`.",
    )
    capture_content: Annotated[
        bool | None,
        Must(
            "true or false",
            default="what `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` says, else `false`",
        ),
    ] = Field(_TELEMETRY.capture_content, description="Whether to put prompts and answers on spans.")
    semconv: Annotated[
        Literal["default", "latest"] | None,
        Must('"default" or "latest"', default='what `OTEL_SEMCONV_STABILITY_OPT_IN` says, else `"default"`'),
    ] = Field(
        _TELEMETRY.semconv,
        description="Which names the standard metrics have: `default` those that dashboards know, `latest` "
        "those of the GenAI conventions as they are now.",
    )


class PriceTable(PolicyTable):
    """A price of your own, which wins over the public one."""

    policy = PriceOverride

    model: Annotated[Text, Must("the name of a model, or a pattern with * and ?")] = Field(
        description="The model, or a pattern with `*` and `?`."
    )
    provider: Annotated[Text | None, TEXT] = Field(
        None, description="Only for calls to this provider (`openai`, `azure.ai.openai`, `aws` ...)."
    )
    origin: Annotated[Text | None, TEXT] = Field(
        None, description="Only for calls to this `https://host[:port]`."
    )
    region: Annotated[Text | None, TEXT] = Field(
        None, description="Only for calls to this region, where the endpoint names one."
    )
    service_tier: Annotated[Text | None, TEXT] = Field(
        None,
        description="Only for this processing (`batch`, `flex`, `priority`, `fast` ...). Without it a "
        "discount is on every tier, and amounts are for `standard` processing.",
    )
    prices: Annotated[dict[str, Price], Must("a table of US dollars by meter", entry=PRICE.be)] = Field(
        {},
        description=f"USD per million units, by meter: {', '.join(f'`{meter}`' for meter in Meter)}.",
        json_schema_extra={
            "properties": {meter.value: {"type": ["string", "number"]} for meter in Meter},
            "additionalProperties": False,
        },
    )
    per_request: Annotated[Price | None, PRICE] = Field(None, description="USD for each request, on top.")
    per_second: Annotated[Price | None, PRICE] = Field(None, description="USD for each second of audio.")
    gpu_hour_usd: Annotated[Price | None, PRICE] = Field(
        None,
        description="What an hour of the machine costs; with `tokens_per_second` the price of every token is "
        "`gpu_hour_usd / (3600 * tokens_per_second)`.",
    )
    tokens_per_second: Annotated[Price | None, Must("a number, more than 0")] = Field(
        None,
        description="Tokens, in and out, that the machine works off in a second, averaged over the hours you "
        "pay for.",
    )
    discount: Annotated[Text | None, Must('a percentage like "15%", up to 100%')] = Field(
        None, description='Off the public price, as `"15%"`.'
    )
    from_: Annotated[Day | None, DAY] = Field(None, alias="from", description="First day, UTC.")
    until: Annotated[Day | None, DAY] = Field(None, description="Day on which it no longer holds, UTC.")


def _or_short(table: type[Table]) -> BeforeValidator:
    def expanded(value: Any) -> Any:
        return {table.short: value} if isinstance(value, int) and not isinstance(value, bool) else value

    return BeforeValidator(expanded, json_schema_input_type=table | Count | Literal[False])


def _or_true(table: type[Table]) -> BeforeValidator:
    def expanded(value: Any) -> Any:
        return {} if value is True else value

    return BeforeValidator(expanded, json_schema_input_type=table | bool)


class Configuration(Table):
    """Everything that a guard takes, but for its clock."""

    retry: Annotated[
        RetryTable | Literal[False],
        _or_short(RetryTable),
        Must("a number of retries, false or a [retry] table"),
    ] = Field(
        RetryTable(),
        description="How to try again: `retry = 3` is short for `[retry] retries = 3`; `false` leaves the "
        "SDK's own loop alone.",
    )
    cache: Annotated[
        CacheTable | Literal[False],
        _or_true(CacheTable),
        Must("true, false or a [cache] table"),
    ] = Field(
        False,
        description="Answer a request with the answer that the same request got before. `true` is short for "
        "a `[cache]` with nothing in it: on, with every default.",
    )
    lint: Annotated[
        LintTable | Literal[False],
        _or_true(LintTable),
        Must("true, false or a [lint] table"),
    ] = Field(
        False,
        description="Look at every call before it is paid for; and how `tokenguard lint` looks at files. "
        "`true` is short for a `[lint]` with nothing in it: on, with every default.",
    )
    ledger: Annotated[
        Text | Literal[False] | None,
        Must("a path in quotes, or false", default="`tokenguard/ledger.db` in the user's folder for state"),
    ] = Field(
        None, description="The ledger's file, relative to the file that says so; `false` for no ledger."
    )
    durability: Annotated[Literal["normal", "full"], Must('"normal" or "full"')] = Field(
        "normal",
        description="`full` also survives a power cut (one disk sync per call); `normal` survives anything "
        "that happens to the process.",
    )
    on_unpriced: Annotated[Literal["warn", "refuse"], Must('"warn" or "refuse"')] = Field(
        "warn", description="`refuse` raises `UnpricedModelError` before anything is sent."
    )
    stream_usage: Annotated[bool, Must("true or false")] = Field(
        True,
        description="Ask for the usage of OpenAI chat streams that did not ask for it, and take the extra "
        "chunk out again.",
    )
    tags: Annotated[dict[Text, str], Must("a table of texts", entry=TEXT.be)] = Field(
        {}, description="Tags on every call; the context's tags are added to them."
    )
    telemetry: Annotated[TelemetryTable, Must("a [telemetry] table")] = Field(
        TelemetryTable(), description="What to emit to OpenTelemetry."
    )
    deployments: Annotated[
        dict[Text, Text], Must("a table of names of models", entry="the name of a model in quotes")
    ] = Field({}, description="Deployment name (Azure) or alias to model name, for prices.")
    prices: Annotated[tuple[PriceTable, ...], Must("[[prices]] tables")] = Field(
        (), strict=False, description="Prices of your own, which win over the public ones."
    )

    @field_validator("prices")
    @classmethod
    def _unambiguous(cls, prices: tuple[PriceTable, ...]) -> tuple[PriceTable, ...]:
        check_unambiguous([price.made() for price in prices])
        return prices

    def arguments(self) -> dict[str, Any]:
        """What was said, as keyword arguments for :class:`tokenguard.Guard`."""
        return {name: _argument(type(self).model_fields[name], value) for name, value in self.said().items()}

    def effective(self) -> dict[str, Any]:
        """Every key, shaped as in TOML; ``None`` where the default is not one value (``Must.default``)."""
        dumped: dict[str, Any] = self.model_dump(mode="json", by_alias=True)
        dumped["prices"] = _said_in_each(self.prices)
        if isinstance(self.lint, LintTable):
            dumped["lint"]["overrides"] = _said_in_each(self.lint.overrides)
        return dumped


def _said_in_each(tables: tuple[Table, ...]) -> list[dict[str, Any]]:
    """The tables of an array: what one does not say has no default that holds for it alone."""
    return [table.model_dump(mode="json", by_alias=True, exclude_unset=True) for table in tables]


def _argument(field: FieldInfo, value: Any) -> Any:
    if isinstance(value, PolicyTable):
        return value.made()
    if isinstance(value, tuple):
        return tuple(item.made() if isinstance(item, PolicyTable) else item for item in value)
    return None if value is False and field.annotation is not bool else value


class Key(NamedTuple):
    """A key that may be said. ``path`` is that of a file: ``("prices", "from")``."""

    path: tuple[str, ...]
    field: FieldInfo
    table: type[Table] | None
    """Its own table, if its value is one with keys of ours."""

    @property
    def must(self) -> Must:
        """What its value must be."""
        return next(entry for entry in self.field.metadata if isinstance(entry, Must))

    @property
    def is_array(self) -> bool:
        """Whether its value is a list."""
        parts = (self.field.annotation, *get_args(self.field.annotation))
        return any(get_origin(_plain(part)) in (tuple, frozenset) for part in parts)

    @property
    def is_mapping(self) -> bool:
        """Whether its value is a table whose keys are free."""
        return get_origin(self.field.annotation) is dict


def _plain(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def keys(table: type[Table] = Configuration, above: tuple[str, ...] = ()) -> Iterator[Key]:
    """Every key that may be said, tables before what is in them."""
    for name, field in table.model_fields.items():
        path = (*above, field.alias or name)
        own = _own_table(field.annotation)
        yield Key(path, field, own)
        if own is not None:
            yield from keys(own, path)


def _own_table(annotation: Any) -> type[Table] | None:
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, Table):
            return part
    return None
