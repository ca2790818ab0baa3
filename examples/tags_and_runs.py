"""Say whose call it is, and what piece of work it belongs to; then ask the ledger.

Tags from the guard, the run and the context add up. Afterwards:

    tokenguard report --by team,feature
    tokenguard report --by run --where customer=c-17
"""

import anthropic
import openai

import tokenguard

guard = tokenguard.Guard(tags={"project": "helpdesk"})
gpt = guard.wrap(openai.OpenAI())
claude = guard.wrap(anthropic.Anthropic())

with guard.run("resolve-ticket", tags={"team": "support", "customer": "c-17"}) as run:
    with tokenguard.context(tags={"feature": "triage"}):
        gpt.responses.create(model="gpt-4.1-nano", input="Is this about billing? 'I paid twice.'")
    with tokenguard.context(tags={"feature": "reply"}):
        claude.messages.create(
            model="claude-haiku-4-5",
            max_tokens=200,
            messages=[{"role": "user", "content": "Answer politely: 'I paid twice.'"}],
        )
    run.outcome("ticket_resolved")

for receipt in run.receipts:
    print(f"{receipt.tags['feature']:<8} {receipt.model_served:<18} {receipt.cost_nano:>9,} nano-dollars")
print(f"{run.name}: {run.calls} calls, ${run.cost_usd:.6f}")
guard.close()  # also happens at exit; here so that a report right after this line is complete
