"""The line of a key."""

from __future__ import annotations

from tokenguard.config.lines import key_lines

TEXT = """\
# retry = 9
retry.retries = 3
"quoted key" = 1

[ tags ]  # a comment
team = "x"
'a.b' = "y"
[[prices]]
model = "a"
[prices.prices]
input = 1
[[prices]]
  model = "b"
prices = { input = 1 }
[tool.tokenguard.retry]
cap_s = 1
"""


def test_every_key_has_its_line() -> None:
    """Headers, dotted and quoted keys, and the entries of arrays of tables, each counted."""
    assert key_lines(TEXT) == {
        ("retry", "retries"): 2,
        ("quoted key",): 3,
        ("tags",): 5,
        ("tags", "team"): 6,
        ("tags", "a.b"): 7,
        ("prices",): 8,
        ("prices", 0): 8,
        ("prices", 0, "model"): 9,
        ("prices", 0, "prices"): 10,
        ("prices", 0, "prices", "input"): 11,
        ("prices", 1): 12,
        ("prices", 1, "model"): 13,
        ("prices", 1, "prices"): 14,
        ("tool", "tokenguard", "retry"): 15,
        ("tool", "tokenguard", "retry", "cap_s"): 16,
    }
