"""Frameworks that make the SDK's client themselves usually take an HTTP client: give them the guard's.

Shown with the SDK's own constructor. The same argument exists wherever ``http_client`` or
``http_async_client`` is passed on; ``flavour="httpx"`` is for frameworks that pin openai 2.
"""

import openai

import tokenguard

guard = tokenguard.Guard(tags={"project": "agents"})
client = openai.OpenAI(
    http_client=guard.http_client(timeout=60),
    max_retries=0,  # the guard tries again; two loops would multiply
)

reply = client.chat.completions.create(
    model="gpt-4.1-mini",
    messages=[{"role": "user", "content": "Where is my parcel?"}],
    extra_headers=tokenguard.headers(tags={"team": "support"}),  # or tokenguard.context(...)
)
receipt = guard.receipt(reply)
print(receipt.model_served, dict(receipt.meters), dict(receipt.tags), f"${receipt.cost_usd:.6f}")
