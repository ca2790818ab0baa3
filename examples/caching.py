"""Ask the same twice: the second answer comes from the cache, streamed or not, and costs nothing.

tokenguard report --by cache
"""

import openai

import tokenguard

guard = tokenguard.Guard(cache=tokenguard.Cache(ttl="7d"))  # store="disk" keeps answers for the next process
client = guard.wrap(openai.OpenAI())
question = {
    "model": "gpt-4.1-mini",
    "messages": [{"role": "user", "content": "What are your opening hours?"}],
    "temperature": 0,  # one and the same answer is wanted each time: without this, mode="always"
}


def tell(receipt: tokenguard.Receipt, what: str) -> None:
    """What the cache did, what the call cost, and what was saved."""
    print(f"{what:<7} {receipt.cache:<4} cost ${receipt.cost_usd:.6f}  saved ${receipt.saved_usd:.6f}")


with guard.run("opening-hours") as run:
    for _ in range(2):
        tell(guard.receipt(client.chat.completions.create(**question)), "plain")
    for _ in range(2):
        stream = client.chat.completions.create(**question, stream=True)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        tell(guard.receipt(stream), "stream")
print(text)
print(f"{run.calls} calls: ${run.cost_usd:.6f} spent, ${sum(r.saved_usd for r in run.receipts):.6f} saved")
guard.close()
