"""The five lines: wrap the client you have, and ask what a call cost."""

import openai

import tokenguard

guard = tokenguard.Guard()
client = guard.wrap(openai.OpenAI())
messages = [{"role": "user", "content": "Where is my parcel?"}]
reply = client.chat.completions.create(model="gpt-4.1-mini", messages=messages)
print(f"{reply.choices[0].message.content}  (${guard.receipt(reply).cost_usd:.6f})")
