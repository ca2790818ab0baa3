"""Markdown, text and templates: the file is the prompt."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lint.sources.reading import changed, problem, read, unit, written
from tokenguard.lint.sources import File, Problem, Unit, source_of
from tokenguard.lint.sources.prose import CONTENT

TEXTS = st.text(st.sampled_from("ab \n\r{}%#é"), max_size=40)


@given(TEXTS, st.data())
def test_a_text_is_its_file_whatever_the_line_ends(text: str, data: st.DataObject) -> None:
    """To the model a line ends with a line feed; in the file it ends as it did before."""
    found = unit("p.md", text)
    said = found.body["messages"][0]["content"]
    assert said == text.replace("\r\n", "\n").replace("\r", "\n")
    end = data.draw(st.integers(0, len(said)))
    start = data.draw(st.integers(0, end))
    if start < end:
        stretch = written(text, found, CONTENT, start, end)
        assert stretch.replace("\r\n", "\n").replace("\r", "\n") == said[start:end]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_change_keeps_the_line_ends(line_end: str) -> None:
    """A new line ends as the others do."""
    file = line_end.join(["one  ", "two", "three", ""])
    found = unit("p.txt", file)
    assert changed(file, found, CONTENT, 3, 5, "") == line_end.join(["one", "two", "three", ""])
    assert changed(file, found, CONTENT, 6, 9, "x\ny") == line_end.join(["one  ", "x", "y", "three", ""])


def test_a_prompt_is_incomplete() -> None:
    """Nobody knows which request it becomes part of."""
    found = unit("p.prompt", "You are helpful.")
    assert found.prompt
    assert not found.complete


def test_comments_of_a_template_are_not_sent() -> None:
    """They cost nothing, and what is around them keeps its place."""
    file = "a {# why \n so #}b{{ x }}"
    found = unit("p.j2", file)
    assert found.body["messages"][0]["content"] == "a b{{ x }}"
    assert written(file, found, CONTENT, 2, 3) == "b"


@given(TEXTS)
def test_any_text_is_a_template_of_some_kind(text: str) -> None:
    """Whatever is wrong with its tags is told; the rest is linted."""
    found = read("p.j2", text)
    assert sum(isinstance(one, Unit) for one in found) == 1


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("one\n{{ name\n", 2),
        ("one\n{% if x \n", 2),
        ("{# never ends", 1),
        ("{% raw %}{{ fine }}\n", 1),
        ("{% raw %}{{{% endraw %}\n\n{%", 3),
    ],
)
def test_a_tag_without_its_end_is_told(file: str, line: int) -> None:
    """With its line."""
    assert problem("p.jinja", file) == ("TG003", line)


def cycles(path: Path) -> list[str]:
    """What is said about the circles that a template is part of."""
    source = source_of(path)
    assert source is not None
    found = source.read(File(path, path.read_text()))
    return [one.findings[0].message for one in found if isinstance(one, Problem)]


def test_templates_that_need_each_other_are_told(tmp_path: Path) -> None:
    """By their names, at the tag that leads back; whatever tag it is, from whatever folder."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "a.j2").write_text('{% include "parts/b.j2" %}')
    (tmp_path / "parts" / "b.j2").write_text("{%- extends 'parts/c.j2' -%}")
    (tmp_path / "parts" / "c.j2").write_text('{% from "a.j2" import x %}{% import "parts/../a.j2" as y %}')
    (tmp_path / "outside.j2").write_text('{% include "a.j2" %}')
    assert cycles(tmp_path / "a.j2") == ["the template needs itself: a.j2 -> b.j2 -> c.j2 -> a.j2"]
    assert len(cycles(tmp_path / "parts" / "c.j2")) == 2
    assert cycles(tmp_path / "outside.j2") == []


def test_templates_that_share_a_part_are_fine(tmp_path: Path) -> None:
    """However many ways lead to it; what is commented out, raw or missing leads nowhere."""
    for n in range(40):
        (tmp_path / f"t{n}.j2").write_text(f'{{% include "t{n + 1}.j2" %}}{{% include "t{n + 1}.j2" %}}')
    (tmp_path / "t40.j2").write_text(
        '{# {% include "t0.j2" %} #}{% raw %}{% include "t0.j2" %}{% endraw %}'
        '{% include "gone.j2" %}{% include x %}'
    )
    assert cycles(tmp_path / "t0.j2") == []
