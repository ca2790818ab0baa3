"""Threads of a pool do not see the context of whoever submits work: send it along as headers.

The headers are read by the guard and taken off again: they never reach the provider.
"""

from concurrent.futures import ThreadPoolExecutor

import openai

import tokenguard

guard = tokenguard.Guard()
client = guard.wrap(openai.OpenAI())


def summarize(text: str, headers: dict[str, str]) -> str:
    """One call on a thread of the pool."""
    reply = client.chat.completions.create(
        model="gpt-4.1-mini",
        messages=[{"role": "user", "content": f"Summarize: {text}"}],
        extra_headers=headers,
    )
    return reply.choices[0].message.content


with ThreadPoolExecutor(4) as pool, guard.run("nightly-digest", tags={"team": "news"}) as run:
    headers = tokenguard.headers(tags={"feature": "digest"})
    list(pool.map(lambda text: summarize(text, headers), ["One.", "Two.", "Three.", "Four."]))

for receipt in run.receipts:
    print(receipt.run_name, dict(receipt.tags), receipt.cost_nano)
print(f"{run.calls} calls, ${run.cost_usd:.6f}")
