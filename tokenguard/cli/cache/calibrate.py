"""``tokenguard cache calibrate``: a threshold for similar questions, and its proof, from labelled pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from tokenguard import config
from tokenguard.cache.similar.calibration import (
    Calibration,
    Judged,
    Row,
    calibration,
    fewest_hits,
    thresholds,
)
from tokenguard.cache.similar.embedder import Embedder, EndpointEmbedder
from tokenguard.cache.similar.gates import difference, features
from tokenguard.cache.similar.index import normalised, rounded
from tokenguard.cli.cache.pairs import Pair, read_pairs
from tokenguard.cli.options import AsJson
from tokenguard.cli.screen import print_json
from tokenguard.errors import ConfigError
from tokenguard.guard import Guard
from tokenguard.pricing.money import format_usd

_BATCH: Final = 128  # texts in one request
_TIMEOUT_S: Final = 60.0
_UNREADABLE: Final = "unreadable"  # too short, or not English: gates do not compare it


def calibrate(
    pairs: Annotated[Path, typer.Argument(help='A file with a {"a": ..., "b": ..., "same": ...} a line.')],
    embedder_model: Annotated[str, typer.Option(help="The embedding model.")],
    base_url: Annotated[
        str | None,
        typer.Option(help="The endpoint. Default: OPENAI_BASE_URL, else OpenAI's.", show_default=False),
    ] = None,
    dimensions: Annotated[
        int | None, typer.Option(min=1, help="The length of the vectors.", show_default=False)
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="As in EndpointEmbedder(name=...), if it is given there.", show_default=False),
    ] = None,
    max_false_hits: Annotated[
        float, typer.Option(help="The largest share of hits that may be false, from 0 to 1.")
    ] = 0.01,
    out: Annotated[
        Path | None, typer.Option(help="Where to write what was found.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find the lowest threshold at which the share of false hits has an exact bound, at 95 % confidence.

    Each text is embedded once, by calls that are metered as the configuration says. Pairs should be as those
    that the cache will meet: a question, and the earlier question most like it. Exits with 1, and writes
    nothing, if no threshold can be certified.
    """
    if not 0 < max_false_hits < 1:
        raise ConfigError(f"--max-false-hits {max_false_hits}: give a share above 0 and below 1")
    found, repeated = read_pairs(pairs)
    with _guard() as guard, guard.run("cache calibrate") as run:
        embedder = _embedder(guard, embedder_model, base_url, dimensions, name)
        judged, refused = _judged(found, embedder)
    rows = thresholds(judged, max_false_hits)
    made = calibration(rows, judged, embedder=embedder.name, max_false_hits=max_false_hits)
    if made is not None and out is not None:
        made.save(out)
    cost_nano = None if run.unpriced else run.cost_nano
    report = _Report(judged, rows, made, repeated, refused, max_false_hits, cost_nano, out)
    if as_json:
        print_json(_json(report))
    else:
        _show(report, Console())
    if made is None:
        raise typer.Exit(1)


class _Report(NamedTuple):
    judged: Sequence[Judged]
    rows: Sequence[Row]
    made: Calibration | None
    repeated: int
    refused: dict[str, list[int]]  # by gate: how many pairs labelled as the same, and how many as different
    max_false_hits: float
    cost_nano: int | None
    out: Path | None


def _guard() -> closing[Guard]:
    return closing(Guard(**config.guard_arguments(config.load())))


def _embedder(
    guard: Guard, model: str, base_url: str | None, dimensions: int | None, name: str | None
) -> EndpointEmbedder:
    try:
        import openai
    except ImportError as error:
        raise ConfigError(
            "an embeddings endpoint needs openai, which is not installed: "
            'pip install "tokenguard-middleware[openai]"'
        ) from error
    try:
        client = guard.wrap(openai.OpenAI(base_url=base_url))
    except openai.OpenAIError as error:
        raise ConfigError(str(error)) from error
    return EndpointEmbedder(client, model, dimensions=dimensions, timeout=_TIMEOUT_S, name=name)


def _judged(pairs: Sequence[Pair], embedder: Embedder) -> tuple[list[Judged], dict[str, list[int]]]:
    """How alike the texts of each pair are, and which gates kept how many apart."""
    gates = [_gate(pair) for pair in pairs]
    passing = [pair for pair, gate in zip(pairs, gates, strict=True) if gate is None]
    texts = {text for pair in passing for text in (pair.a, pair.b)}
    vectors = _vectors(sorted(texts), embedder)
    judged: list[Judged] = []
    refused: dict[str, list[int]] = {}
    for pair, gate in zip(pairs, gates, strict=True):
        if gate is None:
            judged.append(Judged(_cosine(vectors[pair.a], vectors[pair.b]), pair.same))
        else:
            judged.append(Judged(None, pair.same))
            refused.setdefault(gate, [0, 0])[not pair.same] += 1
    return judged, refused


def _gate(pair: Pair) -> str | None:
    a, b = features(pair.a), features(pair.b)
    return _UNREADABLE if a is None or b is None else difference(a, b)


def _vectors(texts: Sequence[str], embedder: Embedder) -> dict[str, bytes]:
    made: dict[str, bytes] = {}
    for start in range(0, len(texts), _BATCH):
        batch = texts[start : start + _BATCH]
        try:
            vectors = embedder.embed(batch)
            made |= {text: normalised(vector) for text, vector in zip(batch, vectors, strict=True)}
        except Exception as error:
            raise ConfigError(f"{embedder.name} gave no vectors: {error}") from error
    return made


def _cosine(a: bytes, b: bytes) -> float:
    import numpy as np

    return rounded(np.frombuffer(a, "<f4") @ np.frombuffer(b, "<f4"))


def _json(report: _Report) -> dict[str, Any]:
    return {
        "pairs": len(report.judged),
        "same": sum(pair.same for pair in report.judged),
        "repeated": report.repeated,
        "kept_apart": {
            gate: {"same": same, "different": different}
            for gate, (same, different) in sorted(report.refused.items())
        },
        "max_false_hits": report.max_false_hits,
        "fewest_hits": fewest_hits(report.max_false_hits),
        "thresholds": [row._asdict() for row in report.rows],
        "calibration": report.made._asdict() if report.made else None,
        "cost_nano": report.cost_nano,
    }


def _show(report: _Report, screen: Console) -> None:
    same = sum(pair.same for pair in report.judged)
    screen.print(_table(report), _gates(report))
    lines = [
        f"{len(report.judged)} pairs, {same} of them the same question; embedding them cost "
        f"{format_usd(report.cost_nano)}."
    ]
    if report.repeated:
        lines.append(f"Not counted: {report.repeated} of one text with itself, or that stand there before.")
    lines += _verdict(report)
    for line in lines:
        screen.print(line, markup=False, highlight=False, soft_wrap=True)


def _verdict(report: _Report) -> Iterator[str]:
    made, most, fewest = report.made, report.max_false_hits, fewest_hits(report.max_false_hits)
    hits = max(row.hits for row in report.rows)
    if made is not None:
        yield (
            f"Threshold {made.threshold:.2f}: {made.false_hits} of {made.hits} hits are false; with 95 % "
            f"confidence no more than {made.upper_bound:.2%} are, for questions as these."
        )
        yield f"Written to {report.out}." if report.out else "Not written: give --out calibration.json."
    elif hits < fewest:
        yield (
            f"Nothing can be certified: these pairs make {hits} hits at most. To show that no more than "
            f"{most:.2%} of hits are false takes {fewest} without a false one, and more if there are any. "
            "Label more pairs, or allow more with --max-false-hits."
        )
    else:
        yield (
            f"Nothing can be certified: of the hits, more than {most:.2%} may be false at the strictest "
            "threshold that has enough of them. Another model may tell these questions apart, or matching "
            "exactly is right for them."
        )


def _table(report: _Report) -> Table:
    table = Table(title="Thresholds", title_justify="left")
    for column in ("Cosine", "Hits", "False", "False-hit rate", "At most (95 %)", "Certified"):
        table.add_column(column, justify="right", no_wrap=True)
    before = None
    for row in report.rows:
        if (row.hits, row.passed) == before or not row.hits:
            continue
        before = (row.hits, row.passed)
        table.add_row(
            f"{row.threshold:.2f}",
            str(row.hits),
            str(row.false_hits),
            f"{row.false_hits / row.hits:.2%}",
            f"{row.upper_bound:.2%}",
            {True: "yes", False: "no", None: ""}[row.passed],
        )
    return table


def _gates(report: _Report) -> Table:
    table = Table(title="Kept apart by gates", title_justify="left")
    table.add_column("Gate")
    table.add_column("Labelled as the same", justify="right")
    table.add_column("As different", justify="right")
    for gate, (same, different) in sorted(report.refused.items()):
        table.add_row(gate, str(same), str(different))
    return table
