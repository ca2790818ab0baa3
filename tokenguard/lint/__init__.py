"""Look at prompts before they are paid for: rules, findings, and fixes that change nothing for the model.

``Lint`` says what to look for; ``engine.Linter`` does it, for calls at run time and for files.
"""

from tokenguard.lint.finding import Edit, Finding, Fix, Severity
from tokenguard.lint.policy import Lint

__all__ = ["Edit", "Finding", "Fix", "Lint", "Severity"]
