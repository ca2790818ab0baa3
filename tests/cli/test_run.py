"""``tokenguard run``: programs that know nothing of tokenguard are metered, and are otherwise themselves."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tokenguard.cli.run import SITE, guarded_environment, replace_process, wait_for_process
from tokenguard.testing import Provider

from .conftest import COMMAND, RunCommand, clean_environment

CALL = """
import os, sys, openai
client = openai.OpenAI(base_url=os.environ["PROVIDER"], api_key="test")
reply = client.chat.completions.create(model="gpt-4.1", messages=[{"role": "user", "content": "Capital?"}])
"""


@pytest.fixture
def program(folder: Path) -> Path:
    """A script that makes one call, prints the answer and its arguments, and ends with 7."""
    path = folder / "program.py"
    path.write_text(CALL + "print(reply.choices[0].message.content, *sys.argv[1:])\nsys.exit(7)\n")
    return path


def models_in(ledger: Path) -> list[Any]:
    connection = sqlite3.connect(ledger)
    try:
        return [row[0] for row in connection.execute("SELECT model_served FROM call WHERE state = 'settled'")]
    finally:
        connection.close()


def variables(provider: Provider, ledger: Path) -> dict[str, str]:
    return {"PROVIDER": provider.openai_url, "TOKENGUARD_LEDGER": str(ledger)}


def test_a_script_is_metered_and_its_exit_code_is_its_own(
    tokenguard: RunCommand, program: Path, folder: Path
) -> None:
    """Output, arguments and exit code are the program's; its call is in the ledger."""
    with Provider() as provider:
        provider.answer("Paris.")
        ran = tokenguard(
            "run", "--", sys.executable, str(program), "--verbose", **variables(provider, folder / "l.db")
        )
    assert (ran.returncode, ran.stdout, ran.stderr) == (7, "Paris. --verbose\n", "")
    assert models_in(folder / "l.db") == ["gpt-4.1"]


def test_a_module_is_metered(tokenguard: RunCommand, program: Path, folder: Path) -> None:
    """python -m works as python does, and the dashes may be left out."""
    with Provider() as provider:
        provider.answer("Paris.")
        ran = tokenguard("run", sys.executable, "-m", "program", **variables(provider, folder / "l.db"))
    assert (ran.returncode, ran.stdout) == (7, "Paris.\n")
    assert models_in(folder / "l.db") == ["gpt-4.1"]


def test_a_console_script_is_metered(tokenguard: RunCommand, folder: Path) -> None:
    """A test suite under pytest, say."""
    lines = CALL.strip().splitlines()
    (folder / "test_suite.py").write_text(
        "\n".join([lines[0], "def test_call():", *(f"    {line}" for line in lines[1:])])
    )
    pytest_script = str(Path(sys.executable).with_name("pytest"))
    with Provider() as provider:
        provider.answer("Paris.")
        ran = tokenguard(
            "run", "--", pytest_script, "-q", "-p", "no:cacheprovider", **variables(provider, folder / "l.db")
        )
    assert ran.returncode == 0, ran.stdout
    assert models_in(folder / "l.db") == ["gpt-4.1"]


def test_child_processes_are_metered(tokenguard: RunCommand, program: Path, folder: Path) -> None:
    """What a program starts is guarded as well."""
    parent = folder / "parent.py"
    parent.write_text(f"import subprocess, sys\nsubprocess.run([sys.executable, {str(program)!r}])\n")
    with Provider() as provider:
        provider.answer("Paris.")
        ran = tokenguard("run", "--", sys.executable, str(parent), **variables(provider, folder / "l.db"))
    assert ran.returncode == 0
    assert models_in(folder / "l.db") == ["gpt-4.1"]


def test_the_configuration_given_holds_for_children_elsewhere(tokenguard: RunCommand, folder: Path) -> None:
    """One run, one configuration, whichever folder a program works in."""
    (folder / "settings").mkdir()
    (folder / "settings" / "mine.toml").write_text("retry = 9\nledger = false\n")
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "tokenguard.toml").write_text("retry = 1\n")
    script = (
        "import os; os.chdir('elsewhere'); from tokenguard.config import load; print(load().values['retry'])"
    )
    ran = tokenguard("run", "--config", "settings/mine.toml", "--", sys.executable, "-c", script)
    assert ran.stdout == "{'retries': 9}\n"


def test_a_wrong_configuration_is_found_before_the_program_starts(
    tokenguard: RunCommand, folder: Path
) -> None:
    """Whoever asks for a guard is told that there would be none."""
    (folder / "tokenguard.toml").write_text("retrys = 1\n")
    ran = tokenguard("run", "--", sys.executable, "-c", "print('ran')")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "unknown key 'retrys'" in ran.stderr


def test_a_program_runs_even_if_it_cannot_be_guarded(program: Path, folder: Path) -> None:
    """A fault of ours in the program's own process is a warning."""
    with Provider() as provider:
        provider.answer("Paris.")
        environ = guarded_environment(clean_environment(folder), None)
        ran = subprocess.run(
            [sys.executable, str(program)],
            env={**environ, "PROVIDER": provider.openai_url, "TOKENGUARD_NONSENSE": "1"},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert (ran.returncode, ran.stdout) == (7, "Paris.\n")
    assert ran.stderr == (
        "tokenguard: calls of this process are not guarded: TOKENGUARD_NONSENSE: no setting has this name "
        f"({sys.executable})\n"
    )


def test_another_sitecustomize_is_not_lost(tokenguard: RunCommand, folder: Path) -> None:
    """Python imports one; the one that would have been imported without us still is."""
    (folder / "theirs").mkdir()
    (folder / "theirs" / "sitecustomize.py").write_text("import builtins\nbuiltins.THEIRS = __file__\n")
    script = (
        "import sitecustomize, sys, openai; "
        "print(THEIRS == sitecustomize.__file__, 'tokenguard' in sys.modules)"
    )
    ran = tokenguard(
        "run", "--", sys.executable, "-c", script, PYTHONPATH=str(folder / "theirs"), TOKENGUARD_LEDGER="off"
    )
    assert ran.stdout == "True True\n"


def test_a_program_without_an_sdk_pays_nothing(tokenguard: RunCommand, folder: Path) -> None:
    """No guard, no ledger, nothing of ours imported: most processes that a program starts are no callers."""
    script = "import sys; print([name for name in sys.modules if name.startswith('tokenguard')])"
    ran = tokenguard("run", "--", sys.executable, "-c", script, TOKENGUARD_LEDGER=str(folder / "l.db"))
    assert ran.stdout == "[]\n"
    assert not (folder / "l.db").exists()


@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
def test_both_sdks_are_seen(tokenguard: RunCommand, folder: Path, sdk: str) -> None:
    """Whichever is imported, and however: its base client is ours before anything is made with it."""
    script = (
        f"import {sdk}.types, {sdk}._base_client as base; "
        "print(*(hasattr(cls.__init__, '__wrapped__') for cls in (base.SyncAPIClient, base.AsyncAPIClient)))"
    )
    ran = tokenguard("run", "--", sys.executable, "-c", script, TOKENGUARD_LEDGER="off")
    assert (ran.stdout, ran.stderr) == ("True True\n", "")


def test_a_program_that_is_not_there(tokenguard: RunCommand, folder: Path) -> None:
    """127 and 126, as in a shell."""
    missing = tokenguard("run", "--", "no-such-program")
    assert missing.returncode == 127
    assert missing.stderr == "tokenguard: no-such-program: No such file or directory\n"
    (folder / "data").write_text("")
    assert tokenguard("run", "--", str(folder / "data")).returncode == 126


@pytest.mark.skipif(os.name == "nt", reason="POSIX")
def test_signals_are_the_program_s_own(folder: Path) -> None:
    """The command becomes the program: a supervisor's signal reaches it, and its end is its own."""
    script = "import os, signal; print(os.getpid(), flush=True); signal.pause()"
    with subprocess.Popen(
        [str(COMMAND), "run", "--", sys.executable, "-c", script],
        env={**clean_environment(folder), "TOKENGUARD_LEDGER": "off"},
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) == process.pid
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == -signal.SIGTERM


def test_where_a_process_cannot_become_another_it_is_waited_for(capfd: pytest.CaptureFixture[str]) -> None:
    """As on Windows: the exit code is the program's."""
    with pytest.raises(SystemExit) as ended:
        wait_for_process([sys.executable, "-c", "print('ran'); raise SystemExit(5)"], os.environ)
    assert ended.value.code == 5
    assert capfd.readouterr().out == "ran\n"


def test_a_missing_program_is_told_either_way() -> None:
    """Both ways raise what the command turns into 127."""
    for start in (replace_process, wait_for_process):
        with pytest.raises(FileNotFoundError):
            start(["no-such-program"], os.environ)


def test_our_folder_comes_first_and_once() -> None:
    """Runs inside runs do not pile up, and what was there stays in its order."""
    first = guarded_environment({"PYTHONPATH": os.pathsep.join(["/a", "/b"])}, None)
    assert first["PYTHONPATH"] == os.pathsep.join([str(SITE), "/a", "/b"])
    assert guarded_environment(first, None) == first
    assert guarded_environment({}, Path("/x/tokenguard.toml")) == {
        "PYTHONPATH": str(SITE),
        "TOKENGUARD_CONFIG": "/x/tokenguard.toml",
    }
