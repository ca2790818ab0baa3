"""A program that records calls, to be run beside others, and killed.

``python -m tests.cache.cassette_program CASSETTE BASE_URL NAME CALLS``
"""

from __future__ import annotations

import os
import sys

import openai

from tokenguard import Cache, Guard


def main(cassette: str, base_url: str, name: str, calls: str) -> None:
    guard = Guard(ledger=None, cache=Cache(mode="record", store=cassette))
    client = guard.wrap(openai.OpenAI(base_url=base_url, api_key="test"))
    os.write(1, b"ready\n")
    sys.stdin.readline()
    for n in range(int(calls)):
        messages = [{"role": "user", "content": f"{name} {n}"}]
        client.chat.completions.create(model="gpt-4.1-mini", messages=messages)
        os.write(1, f"{n}\n".encode())
    sys.stdin.readline()


if __name__ == "__main__":
    main(*sys.argv[1:])
