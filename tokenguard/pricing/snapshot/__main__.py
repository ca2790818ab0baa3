"""Make the snapshot again from the installed genai-prices: ``python -m tokenguard.pricing.snapshot``."""

from __future__ import annotations

import hashlib
import json
import sys
from importlib.metadata import version
from pathlib import Path

from tokenguard.call import Json
from tokenguard.pricing import genai


def files() -> dict[str, str]:
    """The text of every file of the snapshot, by name; the same installed version gives the same text."""
    made: dict[str, str] = {}
    heads: list[Json] = []
    for provider in genai.providers():
        name = f"{provider.id}.json"
        made[name] = _lines(genai.provider_json(provider), "models")
        heads.append(
            genai.provider_head(provider) | {"sha256": hashlib.sha256(made[name].encode()).hexdigest()}
        )
    index = {
        "source": "https://github.com/pydantic/genai-prices",
        "licence": "MIT, in the file LICENSE",
        "version": version("genai-prices"),
        "providers": heads,
    }
    made["index.json"] = _lines(index, "providers")
    return made


def _lines(value: Json, listed: str) -> str:
    """JSON with one line for each item of one list, so that a changed price is one changed line."""
    head = ",\n".join(f'"{name}":{_compact(item)}' for name, item in value.items() if name != listed)
    rows = ",\n".join(_compact(row) for row in value[listed])
    return f'{{\n{head},\n"{listed}":[\n{rows}\n]\n}}\n'


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def main(folder: Path = Path(__file__).parent) -> None:
    """Write the files, and remove those of providers that are gone."""
    made = files()
    for old in folder.glob("*.json"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")
    size = sum(map(len, made.values()))
    sys.stdout.write(f"{len(made)} files, {size} bytes, from genai-prices {version('genai-prices')}\n")


if __name__ == "__main__":
    main()
