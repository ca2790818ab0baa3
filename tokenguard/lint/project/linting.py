"""Lint one file: its prompts and requests by the rules, each finding with its place and its price."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tokenguard import faults
from tokenguard.anatomy import shown
from tokenguard.call import Asked
from tokenguard.lint.codes import find_rule
from tokenguard.lint.engine import Linter, selected
from tokenguard.lint.finding import Finding
from tokenguard.lint.policy import Lint
from tokenguard.lint.project.located import Fixable, Identity, Located, fingerprint, what
from tokenguard.lint.project.paths import below
from tokenguard.lint.project.prices import InputPrices
from tokenguard.lint.project.reading import Content, contents
from tokenguard.lint.project.settings import ProjectSettings
from tokenguard.lint.project.suppression import Suppressions, suppressions
from tokenguard.lint.request import Request
from tokenguard.lint.rules.files import shared_text, unknown_model, unreadable_file
from tokenguard.lint.sources import File, Problem, Unit
from tokenguard.lint.sources.changes import changes
from tokenguard.lint.sources.places import Place, nearest
from tokenguard.tokens.limits import Limits, limits

_OF_FILES: Final = "TG0"
"""What is wrong with files is told whichever rules are selected, unless it is ignored."""


class Passage(NamedTuple):
    """A longer paragraph in a file: a digest of its words, its place, its text, and which model reads it."""

    digest: bytes
    start: int
    end: int
    text: str
    model: str


class Hit(NamedTuple):
    """What was found in a prompt or request."""

    located: Located
    unit: Unit


class Linted(NamedTuple):
    """What linting a file came to.

    Attributes:
        located: What was found, in the order of the file.
        hits: Of these, what was found in prompts and requests.
        units: The prompts and requests in it.
        passages: Their longer paragraphs.
        suppressions: What its comments ignore.
        suppressed: How many findings that are.
    """

    located: list[Located]
    hits: list[Hit]
    units: list[Unit]
    passages: list[Passage]
    suppressions: Suppressions
    suppressed: int


class FileLinter:
    """Lints files by the settings of a project; what is the same in many is worked out once."""

    def __init__(self, settings: ProjectSettings, prices: InputPrices, deployments: dict[str, str]) -> None:
        self.settings = settings
        self.prices = prices
        self._deployments = deployments
        self._linters: dict[Lint, Linter] = {}
        self._here = Path.cwd()

    def lint(self, content: Content) -> Linted:
        """All that is wrong with a file."""
        work = _Work(self, content)
        for one in contents(content):
            work.take(one)
        return work.done()

    def linter(self, path: Path) -> Linter:
        """The linter for a file's path."""
        settings = self.settings.lint_of(path)
        if settings not in self._linters:
            self._linters[settings] = Linter(settings)
        return self._linters[settings]

    def name(self, file: File) -> str:
        """A file's name as people see it: from the working directory on."""
        return below(file.path, self._here)

    def fingerprint(self, file: File, code: str, what: str) -> str:
        """A finding's identity, the same wherever the command is run."""
        return fingerprint(below(file.path, self.settings.root), code, what)

    def limits(self, model: str, provider: str) -> Limits:
        """What is known of a model, or of the one behind a deployment."""
        return limits(self._deployments.get(model, model), provider)


class _Work:
    """The linting of one file."""

    def __init__(self, of: FileLinter, content: Content) -> None:
        self._of = of
        self._file = content.file
        self._linter = of.linter(content.file.path)
        self._model = of.settings.model_of(content.file.path)
        self._suppressions = suppressions(content.file, content.source)
        self._wants_passages = not content.source.each_line and selected(shared_text, self._linter.settings)
        self._known: set[str] = set()
        self._seen: set[Identity] = set()
        self._result = Linted([], [], [], [], self._suppressions, 0)
        for problem in self._suppressions.problems:
            self.take(problem)

    def take(self, one: Unit | Problem) -> None:
        """Lint what is in the file."""
        if isinstance(one, Problem):
            for finding in one.findings:
                self._locate(finding, Place(one.start, one.end), None)
            return
        self._result.units.append(one)
        try:
            request = self._request(one)
        except Exception as error:  # ours; the others are linted, and this one does not look clean
            faults.note("lint.request", error)
            why = f"an error in tokenguard ({type(error).__name__}: {error})"
            self.take(Problem(unreadable_file.run(why), one.start, one.start))
            return
        for finding in (*self._linter.request(request), *self._unknown_model(one, request)):
            self._found(finding, one)
        if self._wants_passages:
            self._result.passages.extend(_passages(one, request, self._price_model(one)))

    def done(self) -> Linted:
        """What was found, in order."""
        self._result.located.sort(key=lambda one: one.order)
        return self._result

    def _request(self, unit: Unit) -> Request:
        dialect, linter = unit.dialect, self._linter
        asked: Asked = dialect.ask(unit.body)
        if not asked.model:
            asked = asked._replace(model=self._model)
        assert dialect.anatomy is not None
        anatomy = dialect.anatomy(unit.body)
        return Request(
            body=unit.body,
            dialect=dialect.name,
            provider=dialect.provider,
            asked=asked,
            anatomy=anatomy,
            facts=tuple([linter.message(message) for message in anatomy.messages]),
            tools=tuple([linter.tool(tool) for tool in anatomy.tools]),
            limits=self._of.limits(asked.model, dialect.provider),
            settings=linter.settings,
            complete=unit.complete,
            template=unit.template,
        )

    def _unknown_model(self, unit: Unit, request: Request) -> Iterator[Finding]:
        model = request.asked.model
        if not model or model in self._known or unit.prompt:
            return
        self._known.add(model)
        if request.limits == Limits() and not self._of.prices.know(model):
            for finding in unknown_model.run(f"nothing is known of the model {model!r}: no window, no price"):
                yield finding._replace(path=("model",))

    def _found(self, finding: Finding, unit: Unit) -> None:
        place = nearest(unit.places, finding.path) or Place(unit.start, unit.end)
        stretch = _stretch(finding)
        where = place
        if place.text is not None and stretch is not None:
            where = Place(*place.text.span(*stretch))
        self._locate(finding, where, unit, None if unit.prompt else place)

    def _locate(self, finding: Finding, place: Place, unit: Unit | None, value: Place | None = None) -> None:
        if not self._is_on(finding.code):
            return
        located = self._located(finding, place, unit)
        # Several calls may use one text: what is wrong with it is told once, and mended for all of them.
        is_new = located.identity not in self._seen
        self._seen.add(located.identity)
        if self._suppressions.cover(finding.code, self._lines(place, value)):
            self._result = self._result._replace(suppressed=self._result.suppressed + is_new)
            return
        if is_new:
            self._result.located.append(located)
        if unit is not None:
            self._result.hits.append(Hit(located, unit))

    def _located(self, finding: Finding, place: Place, unit: Unit | None) -> Located:
        rule = find_rule(finding.code)
        where = "" if unit is None or unit.prompt else shown(finding.path)
        model = self._price_model(unit) if unit is not None else ""
        return Located(
            finding,
            rule.name if rule is not None else finding.code,
            self._file,
            self._of.name(self._file),
            place.start,
            place.end,
            where,
            model,
            self._of.prices.per_1k_calls(finding.tokens, model),
            _fixable(finding, unit),
            self._of.fingerprint(self._file, finding.code, what(finding, where, unit)),
        )

    def _is_on(self, code: str) -> bool:
        """Whether what was found is to be told; what rules of requests find, they were asked for."""
        return not (code.startswith(_OF_FILES) and code.startswith(self._linter.settings.ignore or ("-",)))

    def _lines(self, place: Place, value: Place | None) -> set[int]:
        """The lines on which a comment is about a place: its first, the one before, and around its value."""
        first = self._file.line(place.start)
        lines = {first, first - 1}
        if value is not None:
            begin = self._file.line(value.start)
            lines |= {begin, begin - 1, self._file.line(max(value.start, value.end - 1))}
        return lines

    def _price_model(self, unit: Unit) -> str:
        said = unit.body.get("model")
        own = said if isinstance(said, str) else ""
        return self._of.settings.price_model or own or self._model


def _stretch(finding: Finding) -> tuple[int, int] | None:
    """The part of its text that a finding is about; of one about many parts, the first that it mends."""
    if finding.end > finding.start:
        return finding.start, finding.end
    edits = finding.fix.edits if finding.fix is not None else ()
    spans = [
        (edit.start, edit.end)
        for edit in edits
        if edit.path == finding.path and edit.start is not None and edit.end is not None
    ]
    return min(spans, default=None)


def _fixable(finding: Finding, unit: Unit | None) -> Fixable:
    if unit is None or finding.fix is None or not finding.fix.edits or changes(unit, finding.fix) is None:
        return ""
    return "safe" if finding.fix.safe else "unsafe"


def _passages(unit: Unit, request: Request, model: str) -> Iterator[Passage]:
    for message, facts in zip(request.anatomy.messages, request.facts, strict=True):
        for paragraph in facts.paragraphs:
            place = unit.places.find(message.path + paragraph.path)
            if place is not None and place.text is not None:
                start, end = place.text.span(paragraph.start, paragraph.end)
                text = place.text.text[paragraph.start : paragraph.end]
                yield Passage(paragraph.digest, start, end, text, model)
