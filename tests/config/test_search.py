"""Which file is read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tokenguard.config import load
from tokenguard.config.sources import shadowed
from tokenguard.errors import ConfigError

HERE = 'durability = "full"\n'


def read(start: Path, **environ: str) -> Path | None:
    file = load(environ=environ, start=start).file
    return file.path if file is not None else None


def test_nothing_is_configured_where_there_is_no_file(folder: Path) -> None:
    """Without a file and without variables there is nothing, and that is no error."""
    settings = load(environ={"PATH": "/bin"}, start=folder)
    assert settings.values == {}
    assert settings.sources == {}


def test_nothing_is_paid_where_nothing_is_configured(folder: Path) -> None:
    """A plain wrap() imports neither pydantic nor a TOML parser."""
    script = (
        "import sys, pathlib; from tokenguard import config; "
        "assert config.guard_arguments(config.load(environ={}, start=pathlib.Path(sys.argv[1]))) == {}; "
        "sys.exit(' '.join({'pydantic', 'tomllib', 'difflib'} & sys.modules.keys()) or None)"
    )
    (folder / "pyproject.toml").write_text('[project]\nname = "app"\n')
    done = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_nearest_folder_wins(folder: Path) -> None:
    """A file in the working directory is read, not the one above it."""
    inner = folder / "a" / "b"
    inner.mkdir(parents=True)
    (folder / "tokenguard.toml").write_text(HERE)
    assert read(inner) == folder / "tokenguard.toml"
    (folder / "a" / "tokenguard.toml").write_text(HERE)
    assert read(inner) == folder / "a" / "tokenguard.toml"


def test_the_search_ends_at_a_checkout(folder: Path) -> None:
    """A file above the folder with .git belongs to something else."""
    (folder / "tokenguard.toml").write_text(HERE)
    (folder / "checkout" / ".git").mkdir(parents=True)
    (folder / "checkout" / "src").mkdir()
    assert read(folder / "checkout" / "src") is None


def test_pyproject_counts_if_it_speaks_of_us(folder: Path) -> None:
    """A pyproject.toml without [tool.tokenguard] is passed by, whatever else it says of us."""
    (folder / "app").mkdir()
    (folder / "app" / "pyproject.toml").write_text('[project]\ndependencies = ["tokenguard-middleware"]\n')
    (folder / "pyproject.toml").write_text('[tool.tokenguard]\ndurability = "full"\n')
    settings = load(environ={}, start=folder / "app")
    assert settings.values == {"durability": "full"}
    assert settings.origin(("durability",)) == f"{folder / 'pyproject.toml'}:2"


def test_of_two_files_in_one_folder_ours_is_read(folder: Path) -> None:
    """tokenguard.toml is read, and the pyproject.toml that is not can be told."""
    (folder / "tokenguard.toml").write_text(HERE)
    (folder / "pyproject.toml").write_text("[tool.tokenguard]\nretry = 1\n")
    settings = load(environ={}, start=folder)
    assert settings.file is not None
    assert settings.values == {"durability": "full"}
    assert shadowed(settings.file) == folder / "pyproject.toml"


def test_a_variable_names_the_file(folder: Path) -> None:
    """TOKENGUARD_CONFIG ends the search before it begins."""
    (folder / "tokenguard.toml").write_text("retry = 1\n")
    (folder / "other.toml").write_text(HERE)
    assert read(folder, TOKENGUARD_CONFIG="other.toml") == folder / "other.toml"


def test_an_argument_beats_the_variable(folder: Path) -> None:
    """The path given in code is read, whatever TOKENGUARD_CONFIG says."""
    (folder / "mine.toml").write_text(HERE)
    settings = load("mine.toml", environ={"TOKENGUARD_CONFIG": "gone.toml"}, start=folder)
    assert settings.values == {"durability": "full"}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot be read"),
        (b'durability = "full\n', "is not TOML"),
        (b"tags = { team = '\xff' }\n", "is not TOML"),
    ],
)
def test_a_file_that_is_asked_for_must_be_right(folder: Path, content: bytes | None, complaint: str) -> None:
    """A file that was named and cannot be used is an error that says who named it."""
    if content is not None:
        (folder / "named.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=complaint) as raised:
        load(environ={"TOKENGUARD_CONFIG": "named.toml"}, start=folder)
    assert str(folder / "named.toml") in str(raised.value)


def test_a_syntax_error_says_its_line(folder: Path) -> None:
    """What is not TOML is told with its line."""
    (folder / "tokenguard.toml").write_text("retry = 3\ndurability = full\n")
    with pytest.raises(ConfigError, match="line 2"):
        load(environ={}, start=folder)


def test_a_pyproject_that_is_named_must_speak_of_us(folder: Path) -> None:
    """Naming a pyproject.toml without [tool.tokenguard] is a mistake."""
    (folder / "pyproject.toml").write_text('[project]\nname = "app"\n')
    with pytest.raises(ConfigError, match=r"no \[tool.tokenguard\] table"):
        load(folder / "pyproject.toml", environ={})


def test_the_table_must_be_a_table(folder: Path) -> None:
    """tool.tokenguard = 3 is told as what it is."""
    (folder / "pyproject.toml").write_text("[tool]\ntokenguard = 3\n")
    with pytest.raises(ConfigError, match="must be a table"):
        load(environ={}, start=folder)


def test_a_byte_order_mark_is_no_mistake(folder: Path) -> None:
    """Windows editors write one."""
    (folder / "tokenguard.toml").write_bytes(b"\xef\xbb\xbf" + HERE.encode())
    assert load(environ={}, start=folder).values == {"durability": "full"}
