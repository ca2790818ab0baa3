"""``python -m tokenguard.testing``: serve a provider to programs of any language until interrupted."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from tokenguard.testing.provider import Provider
from tokenguard.testing.steps import run_steps


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted or terminated; 0 then, and 2 if the arguments cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m tokenguard.testing",
        description="A local provider that speaks OpenAI's and Anthropic's wire formats. Prints one line "
        "of JSON with its base URLs once it is listening.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=8080, help="port to listen on; 0 takes a free one (8080)")
    parser.add_argument(
        "--script", type=Path, metavar="F", help="a JSON list of answers, failures and faults"
    )
    parser.add_argument("--recorded", type=Path, metavar="F.jsonl", help="recorded answers, one row a line")
    chosen = parser.parse_args(arguments)
    stop = threading.Event()
    for signalled in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signalled, lambda *_: stop.set())
    try:
        # Nobody can read the requests back here, so none are kept.
        provider = Provider(host=chosen.host, port=chosen.port, recorded=chosen.recorded, keep_requests=0)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    with provider:
        if chosen.script:
            try:
                run_steps(provider, chosen.script)
            except (OSError, ValueError) as error:
                parser.error(str(error))
        urls = {
            "url": provider.url,
            "openai": provider.openai_url,
            "anthropic": provider.anthropic_url,
            "azure": provider.azure_url,
            "bedrock": provider.bedrock_url,
            "vertex": provider.vertex_url,
        }
        sys.stdout.write(json.dumps(urls) + "\n")
        sys.stdout.flush()
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
