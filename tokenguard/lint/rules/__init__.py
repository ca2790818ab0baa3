"""The rules: a file for each family, or several. Add a rule by adding it to its file's list.

The first digit of a code says the family: 0 files that cannot be linted, 1 size, 2 waste, 3 the provider's
prompt cache, 4 output, 5 pictures, sound and documents, 6 safety.
"""

from __future__ import annotations

from typing import Any, Final

from tokenguard.lint.rule import RequestRule, Rule, TextRule, ToolRule
from tokenguard.lint.rules import (
    cache,
    files,
    marks,
    media,
    output,
    parameters,
    safety,
    size,
    waste_examples,
    waste_json,
    waste_pasted,
    waste_repeated,
    waste_tools,
    waste_whitespace,
    wording,
)

TEXT_RULES: Final[tuple[TextRule, ...]] = (
    *waste_json.TEXT_RULES,
    *waste_whitespace.TEXT_RULES,
    *waste_pasted.TEXT_RULES,
    *waste_examples.TEXT_RULES,
    *wording.TEXT_RULES,
    *safety.TEXT_RULES,
)
TOOL_RULES: Final[tuple[ToolRule, ...]] = (*waste_tools.TOOL_RULES,)
REQUEST_RULES: Final[tuple[RequestRule, ...]] = (
    *size.REQUEST_RULES,
    *waste_repeated.REQUEST_RULES,
    *waste_tools.REQUEST_RULES,
    *cache.REQUEST_RULES,
    *marks.REQUEST_RULES,
    *output.REQUEST_RULES,
    *parameters.REQUEST_RULES,
    *wording.REQUEST_RULES,
    *media.REQUEST_RULES,
    *safety.REQUEST_RULES,
)
RULES: Final[tuple[Rule[Any], ...]] = tuple(
    sorted((*TEXT_RULES, *TOOL_RULES, *REQUEST_RULES, *files.FILE_RULES), key=lambda rule: rule.code)
)
