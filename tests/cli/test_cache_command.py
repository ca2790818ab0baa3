"""``tokenguard cache``: what is stored, what it was worth, and answers that are given no more."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import openai
import pytest

import tokenguard as library
from tokenguard import Cache, Guard
from tokenguard.cache import upkeep
from tokenguard.cache.disk import DiskStore
from tokenguard.cache.entry import Entry, sealed
from tokenguard.cache.memory import label_of
from tokenguard.call import Answered, Meter, Usage
from tokenguard.errors import ConfigError
from tokenguard.ledger.queries import report
from tokenguard.testing import Provider

from .conftest import Run, RunCommand

HOUR = 3600 * 10**9
Ask = Callable[..., str]


class Used(NamedTuple):
    """A directory and a ledger that were used, and the provider's answer to each question."""

    directory: Path
    ledger: Path
    options: tuple[str, ...]


def asking(guard: Guard, provider: Provider) -> Ask:
    """Asks one question with a guarded client, in a context of its own."""
    client = guard.wrap(openai.OpenAI(base_url=provider.openai_url, api_key="k"))

    def ask(
        text: str = "Capital?", model: str = "gpt-4.1-mini", temperature: float = 0, **wishes: Any
    ) -> str:
        with library.context(**wishes):
            reply = client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": text}], temperature=temperature
            )
        return reply.choices[0].message.content or ""

    return ask


@pytest.fixture
def used(folder: Path, provider: Provider) -> Used:
    """Three entries of two models; five hits, three of them of one entry."""
    guard = Guard(cache=Cache(store=folder / "c", tags=("all",), lookup_timeout="1m"), ledger=folder / "l.db")
    ask = asking(guard, provider)
    provider.answer("Paris.")
    ask("a", cache_tags=["[red]a"])
    for text in ("a", "a", "a", "b", "b"):
        ask(text)
    for _ in range(2):
        ask("a", model="gpt-4.1")
    ask("a", temperature=1)
    provider.answer("", times=1)
    ask("empty")
    guard.close()
    return Used(folder / "c", folder / "l.db", ("--directory", "c"))


def entry(key: str, **fields: Any) -> Entry:
    """An answer that came an hour ago and is good for another one."""
    now_ns = time.time_ns()
    usage = Usage({Meter.INPUT: 1200, Meter.OUTPUT: 340}, total=1540)
    made = Entry(
        key=key * 8,
        stored_ns=now_ns - HOUR,
        expires_ns=now_ns + HOUR,
        status=200,
        content_type="application/json",
        body=b'{"id": "1"}',
        answered=Answered("chatcmpl-1", "gpt-4.1-2025", "default", ("stop",), usage),
        request_id="req_1",
        dialect="openai.chat",
        model="gpt-4.1",
        namespace="n1",
        tags=("red",),
    )
    return made._replace(**fields)


def store(directory: Path, *entries: Entry) -> None:
    with closing(DiskStore(directory)) as opened:
        for one in entries:
            opened.set(label_of(one), sealed(one, opened.secret), 3600)


@pytest.fixture
def filled(folder: Path) -> Path:
    """Four entries: of two models, two namespaces and three tags; one is stale."""
    now_ns = time.time_ns()
    store(
        folder / "c",
        entry("aaaaaaaa"),
        entry("aabbbbbb", model="gpt-5", stored_ns=now_ns - 30 * HOUR, tags=("red", "blue")),
        entry("cccccccc", namespace="n2", stored_ns=now_ns - HOUR // 120, body="Größe".encode()),
        entry("dddddddd", expires_ns=now_ns - 1, stored_ns=now_ns - 2 * HOUR, tags=(), body=b"\xff\x00"),
    )
    return folder / "c"


def keys(directory: Path) -> str:
    """The first letters of the keys that are there."""
    with closing(DiskStore(directory)) as opened:
        return "".join(sorted(label.key[2] for label in opened.labels()))


def execute(directory: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(directory / "cache.db", timeout=30)) as database, database:
        database.execute(statement, values)


# Where it is


@pytest.mark.parametrize(
    "words",
    [["stats"], ["ls"], ["show", "a"], ["verify"], ["verify", "--remove"]]
    + [["invalidate", *which] for which in (["--tag", "a"], ["--all", "--yes"], ["--all"])],
    ids=" ".join,
)
def test_no_command_makes_a_directory(run: Run, folder: Path, words: list[str]) -> None:
    """Neither the named nor the default one, nor a cache in a folder of something else: it says so, and 1."""
    (folder / "mine").mkdir()
    (folder / "mine" / "cache.db").write_text("")
    before = sorted(folder.rglob("*"))
    for named in (["--directory", "none"], ["--directory", "mine"], []):
        ran = run(*words, *named, XDG_CACHE_HOME=str(folder / "caches"))
        assert (ran.returncode, ran.stdout) == (1, "")
        where = named[1] if named else folder / "caches/tokenguard/responses"
        assert f"There is no cache at {where}:" in ran.stderr
    assert sorted(folder.rglob("*")) == before


def test_the_default_directory_is_used_where_there_is_one(run: Run, folder: Path) -> None:
    """It is the one that Cache(store="disk") makes."""
    store(folder / "caches/tokenguard/responses", entry("aaaaaaaa"))
    ran = run("ls", "--json", XDG_CACHE_HOME=str(folder / "caches"))
    assert [found["key"] for found in json.loads(ran.stdout)["entries"]] == ["aaaaaaaa" * 8]


def test_the_configured_directory_is_used(run: Run, filled: Path, folder: Path) -> None:
    """Unless --directory names another one."""
    (folder / "tokenguard.toml").write_text(f'[cache]\nstore = "{filled}"\n')
    assert json.loads(run("ls", "--json").stdout)["total"] == 4
    assert run("ls", "--directory", "none").returncode == 1
    (folder / "tokenguard.toml").write_text('[cache]\nstore = "disk"\n')
    ran = run("ls", XDG_CACHE_HOME=str(folder / "caches"))
    assert f"{folder}/caches/tokenguard/responses" in ran.stderr


def test_a_directory_that_cannot_be_used_is_an_error(tokenguard: RunCommand, filled: Path) -> None:
    """2, with what to do; not a traceback."""
    (filled / "cache.db-wal").unlink(missing_ok=True)
    (filled / "cache.db").write_bytes(b"no database" * 1000)
    for command in (["ls"], ["verify"], ["stats"], ["invalidate", "--tag", "red"]):
        ran = tokenguard("cache", *command, "--directory", "c")
        assert (ran.returncode, ran.stdout) == (2, "")
        assert ran.stderr.startswith("tokenguard: the cache ")
        assert "Traceback" not in ran.stderr


def test_a_directory_is_left_as_it_is(folder: Path) -> None:
    """It may be allowed more than the default; and whoever removes it while it is looked at is obeyed."""
    directory = folder / "c"
    store(directory, entry("aaaaaaaa"))
    with upkeep.existing(directory) as opened:
        with opened._answers.mine() as cache:
            assert cache.size_limit > 2**60
        shutil.rmtree(directory)
        with pytest.raises(ConfigError, match="not there any more"):
            list(opened.labels())
    assert not directory.exists()


# ls


def test_ls_lists_the_newest_first(run: Run, filled: Path) -> None:
    """Short keys, and what can be invalidated by."""
    ran = run("ls", "--directory", "c")
    rows = [
        [cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")]
        for line in ran.stdout.splitlines()
        if line[0] in "│┃"
    ]
    assert (ran.returncode, ran.stderr) == (0, "")
    assert rows == [
        ["Key", "Model", "Dialect", "Age", "Expires in", "Size", "Tags", "Namespace"],
        ["cccccccccccc", "gpt-4.1", "openai.chat", "30s", "59m", "7 bytes", "red", "n2"],
        ["aaaaaaaaaaaa", "gpt-4.1", "openai.chat", "1h", "59m", "11 bytes", "red", "n1"],
        ["dddddddddddd", "gpt-4.1", "openai.chat", "2h", "stale", "2 bytes", "", "n1"],
        ["aabbbbbbaabb", "gpt-5", "openai.chat", "1d", "59m", "11 bytes", "red, blue", "n1"],
    ]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ([], "cadb"),
        (["--tag", "red"], "cab"),
        (["--model", "gpt-5"], "b"),
        (["--namespace", "n1"], "adb"),
        (["--namespace", "n1", "--tag", "red", "--model", "gpt-4.1"], "a"),
        (["--limit", "2"], "ca"),
        (["--tag", "none"], ""),
    ],
)
def test_ls_takes_filters(run: Run, filled: Path, filters: list[str], found: str) -> None:
    """All of them hold; 1 if nothing is left."""
    ran = run("ls", "--directory", "c", "--json", *filters)
    told = json.loads(ran.stdout)
    assert "".join(label["key"][2] for label in told["entries"]) == found
    assert told["total"] == (4 if "--limit" in filters else len(found))
    assert ran.returncode == (0 if found else 1)


def test_ls_says_what_it_does_not_list(tokenguard: RunCommand, filled: Path) -> None:
    """Older entries, and what is refused."""
    ran = tokenguard("cache", "ls", "--directory", "c", "--limit", "1")
    assert "The newest 1 of 4 entries" in ran.stdout
    execute(filled, "UPDATE Cache SET tag = '[]'")
    ran = tokenguard("cache", "ls", "--directory", "c")
    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout.splitlines() == [
        "No entries.",
        "4 entries are refused: 'tokenguard cache verify' tells why.",
    ]


# show


def test_show_tells_what_a_receipt_would(run: Run, filled: Path) -> None:
    """The beginning of a key is enough; the body only if asked for."""
    ran = run("show", "AAA", "--directory", "c", TZ="UTC")
    lines = dict(line.split(maxsplit=1) for line in ran.stdout.splitlines() if not line.startswith("re"))
    assert lines["key"] == "aaaaaaaa" * 8
    assert lines["stored"].endswith("UTC (1h ago)")
    assert lines["expires"].endswith("UTC (in 59m)")
    assert (lines["size"], lines["status"]) == ("11 bytes", "200 application/json")
    assert lines["usage"] == "1,200 input, 340 output"
    assert "request id    req_1\nresponse id   chatcmpl-1\n" in ran.stdout
    assert '{"id": "1"}' not in ran.stdout
    assert run("show", "aaa", "--directory", "c", "--body").stdout.endswith('\n\n{"id": "1"}\n')


def test_show_speaks_json(run: Run, filled: Path) -> None:
    """Text as text, other bytes as base64."""
    told = json.loads(run("show", "c", "--directory", "c", "--json", "--body").stdout)
    assert (told["body"], told["namespace"], told["tags"], told["stale"]) == ("Größe", "n2", ["red"], False)
    assert told["usage"]["meters"] == {"input": 1200, "output": 340}
    assert (told["answered"]["finish_reasons"], told["request_id"]) == (["stop"], "req_1")
    told = json.loads(run("show", "d", "--directory", "c", "--json", "--body").stdout)
    assert (told["body_base64"], told["stale"]) == ("/wA=", True)
    assert "body" not in json.loads(run("show", "d", "--directory", "c", "--json").stdout)


def test_show_of_a_real_answer(run: Run, used: Used) -> None:
    """The body is the provider's, and the usage the one that was billed."""
    newest = json.loads(run("ls", *used.options, "--json").stdout)["entries"][0]
    told = json.loads(run("show", newest["key"][:9], *used.options, "--json", "--body").stdout)
    body = json.loads(told["body"])
    assert (body["model"], body["choices"][0]["message"]["content"]) == (newest["model"], "Paris.")
    assert body["id"] == told["answered"]["response_id"]
    assert body["usage"] == told["usage"]["raw"]
    assert len(told["body"].encode()) == newest["size"]


def test_show_of_what_is_not_one_entry(run: Run, filled: Path) -> None:
    """None is 1, several are 2 and are named, a damaged one is 1 and says why."""
    ran = run("show", "zz", "--directory", "c")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "has a key that begins with 'zz'" in ran.stderr
    ran = run("show", "aa", "--directory", "c")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "2 keys begin with 'aa'" in ran.stderr
    assert "aaaaaaaa" * 8 in ran.stderr
    assert "aabbbbbb" * 8 in ran.stderr
    execute(filled, "UPDATE Cache SET value = ? WHERE key LIKE 'c%'", b"x" * 100)
    ran = run("show", "c", "--directory", "c")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "cannot be opened: the seal is broken" in ran.stderr


# invalidate


@pytest.mark.parametrize(
    ("which", "left"),
    [
        (["--tag", "red"], "d"),
        (["--tag", "blue"], "acd"),
        (["--model", "gpt-4.1"], "b"),
        (["--namespace", "n1"], "c"),
        (["--older-than", "90m"], "ac"),
        (["--older-than", "90m", "--tag", "red"], "acd"),
        (["--model", "gpt-4.1", "--namespace", "n2"], "abd"),
        (["--all", "--yes"], ""),
        (["--tag", "none"], "abcd"),
    ],
    ids=" ".join,
)
def test_invalidate_removes_what_has_all_that_is_said(
    run: Run, filled: Path, which: list[str], left: str
) -> None:
    """And says how many that were; none is done, too: it is not there any more."""
    ran = run("invalidate", "--directory", "c", *which)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == f"{4 - len(left)} answers were removed from c.\n"
    assert keys(filled) == left
    told = json.loads(run("invalidate", "--directory", "c", *which, "--json").stdout)
    assert told == {"directory": "c", "removed": 0}


@pytest.mark.parametrize("which", [[], ["--all", "--tag", "red"], ["--older-than", "soon"], ["--yes"]])
def test_invalidate_has_to_be_told_what(run: Run, filled: Path, which: list[str]) -> None:
    """Nothing is removed by a slip."""
    ran = run("invalidate", "--directory", "c", *which)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert keys(filled) == "abcd"


def test_invalidate_asks_before_all_is_gone(
    filled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anything but yes is no, and so is nobody to ask."""
    from typer.testing import CliRunner

    from tokenguard.cli.cache import app

    for said, code, left in (("n\n", 1, "abcd"), ("", 1, "abcd"), ("y\n", 0, "")):
        ran = CliRunner().invoke(app, ["invalidate", "--directory", str(filled), "--all"], input=said)
        assert ran.exit_code == code
        assert f"Remove all 4 answers from {filled}?" in ran.output
        assert keys(filled) == left


def test_a_namespace_alone_is_given_up_as_a_whole(run: Run, filled: Path) -> None:
    """Its epoch goes on, so that no key of before is looked up any more; a part of it leaves that alone."""
    with closing(DiskStore(filled)) as opened:
        run("invalidate", "--directory", "c", "--namespace", "n2", "--tag", "red")
        assert (opened.epoch("n1"), opened.epoch("n2")) == (0, 0)
        run("invalidate", "--directory", "c", "--namespace", "n2")
        assert (opened.epoch("n1"), opened.epoch("n2")) == (0, 1)


# A process that runs meanwhile (D4)


@pytest.fixture
def running(folder: Path) -> Iterator[Guard]:
    """A guard of this process; the command is another one."""
    guard = Guard(
        cache=Cache(store=folder / "c", tags=("v1",), namespace="team", lookup_timeout="1m"),
        ledger=folder / "l.db",
    )
    yield guard
    guard.close()


@pytest.mark.parametrize(
    "which",
    [["--tag", "v1"], ["--model", "gpt-4.1-mini"], ["--namespace", "team"], ["--all", "--yes"]],
    ids=" ".join,
)
def test_no_stale_hit_follows_an_invalidation_by_another_process(
    tokenguard: RunCommand, provider: Provider, running: Guard, which: list[str]
) -> None:
    """While four threads ask without a pause: what is asked once the command has ended gets new answers."""
    ask = asking(running, provider)
    provider.answer("old")
    texts = ("a", "b", "c")
    assert {ask(text) for text in texts} == {"old"}
    running.flush()
    seen: list[tuple[float, str]] = []
    ended, enough = threading.Event(), threading.Event()

    def go_on_asking() -> None:
        n = 0
        while not enough.is_set():
            began = time.monotonic()
            seen.append((began, ask(texts[n % len(texts)])))
            n += 1

    threads = [threading.Thread(target=go_on_asking) for _ in range(4)]
    for thread in threads:
        thread.start()
    provider.answer("new")
    ran = tokenguard("cache", "invalidate", "--directory", "c", *which, "--json")
    done = time.monotonic()
    ended.wait(0.3)
    enough.set()
    for thread in threads:
        thread.join()
    assert json.loads(ran.stdout)["removed"] >= len(texts)
    assert "old" in {answer for began, answer in seen if began < done}
    assert {answer for began, answer in seen if began > done} == {"new"}


def test_an_answer_that_was_asked_for_before_is_not_given_after(
    tokenguard: RunCommand, provider: Provider, running: Guard
) -> None:
    """A call under way brings the old answer to its caller, but to nobody who comes after, then or later."""
    ask = asking(running, provider)
    provider.answer("old", times=1)
    provider.answer("new")
    provider.fault(header_delay=60)
    got: dict[str, str] = {}
    before = threading.Thread(target=lambda: got.update(before=ask()))
    before.start()
    provider.wait_for(1)
    assert tokenguard("cache", "invalidate", "--directory", "c", "--tag", "v1").returncode == 0
    after = threading.Thread(target=lambda: got.update(after=ask()))
    after.start()
    after.join(20)
    provider.release()
    before.join()
    assert got == {"before": "old", "after": "new"}
    assert ask() == "new"
    assert provider.count == 2


def test_what_is_removed_is_asked_for_again_and_kept_again(
    tokenguard: RunCommand, provider: Provider, running: Guard
) -> None:
    """By the process that has been running all the time; what was not meant is still there."""
    ask = asking(running, provider)
    provider.answer("old")
    ask("a", cache_tags=["prompt-1"])
    ask("b")
    running.flush()
    provider.answer("new")
    tokenguard("cache", "invalidate", "--directory", "c", "--tag", "prompt-1")
    assert [ask("a"), ask("a"), ask("b")] == ["new", "new", "old"]
    assert provider.count == 3


# verify


def test_verify_of_a_sound_cache(run: Run, filled: Path) -> None:
    """A stale answer is sound."""
    ran = run("verify", "--directory", "c")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "4 entries in c: 4 sound (1 stale), 0 damaged, 0 refused.\n"


DAMAGE = [
    (
        "value = CAST(substr(value, 1, 60) || 'x' || substr(value, 62) AS BLOB)",
        "damaged",
        "the seal is broken",
    ),
    ("value = (SELECT value FROM Cache WHERE key LIKE 'c%')", "damaged", "under another key"),
    ("tag = replace(tag, 'gpt-5', 'gpt-6')", "damaged", "its label says something else"),
    ("mode = 4", "refused", "not bytes"),
    ("filename = '/etc/passwd'", "refused", "not bytes"),
    ("value = 'text'", "refused", "not bytes"),
    ("tag = NULL", "refused", "without a label"),
    ("tag = CAST(x'ff' AS TEXT)", "refused", "damaged label"),
    ("tag = '[1, 2]'", "refused", "damaged label"),
    ("tag = (SELECT tag FROM Cache WHERE key LIKE 'c%')", "refused", "another one's label"),
    ("expire_time = 'never'", "refused", "damaged label"),
    ("key = x'80', raw = 0", "refused", "without a label"),
]


@pytest.mark.parametrize(("change", "kind", "reason"), DAMAGE, ids=[change for change, *_ in DAMAGE])
def test_verify_finds_what_is_bad_and_removes_only_that(
    run: Run, filled: Path, change: str, kind: str, reason: str
) -> None:
    """1 as long as something bad is left."""
    execute(filled, f"UPDATE Cache SET {change} WHERE key LIKE 'aab%'")
    ran = run("verify", "--directory", "c", "--json")
    told = json.loads(ran.stdout)
    assert (ran.returncode, told["entries"], told["sound"], told["stale"]) == (1, 4, 3, 1)
    assert (told[kind], told["damaged"] + told["refused"], told["removed"]) == (1, 1, 0)
    assert told["bad"][0]["kind"] == kind
    assert reason in told["bad"][0]["reason"]
    ran = run("verify", "--directory", "c", "--remove")
    assert ran.returncode == 0
    assert f"1 {kind}" in ran.stdout
    assert "1 were removed." in ran.stdout
    assert "Traceback" not in ran.stderr
    assert run("verify", "--directory", "c").stdout.startswith("3 entries in c: 3 sound")
    assert keys(filled) == "acd"


def test_encrypted_answers_are_not_found_bad(folder: Path, provider: Provider, run: Run) -> None:
    """Without their key nobody can tell; so --remove leaves them, too."""
    pytest.importorskip("cryptography")
    key = os.urandom(32)
    with closing(Guard(cache=Cache(store=folder / "c", encryption_key=key), ledger=None)) as guard:
        asking(guard, provider)()
    ran = run("verify", "--directory", "c", "--remove")
    assert (ran.returncode, ran.stdout.splitlines()) == (
        0,
        [
            "1 entries in c: 0 sound (0 stale), 0 damaged, 0 refused.",
            "1 are encrypted and whole; only a configured encryption_key opens them.",
        ],
    )
    (label,) = json.loads(run("ls", "--directory", "c", "--json").stdout)["entries"]
    ran = run("show", label["key"], "--directory", "c")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "cannot be shown: it is encrypted" in ran.stderr
    known = {"TOKENGUARD_CACHE__ENCRYPTION_KEY": b64encode(key).decode(), "TOKENGUARD_CACHE__STORE": "c"}
    assert (
        run("verify", **known).stdout
        == f"1 entries in {folder}/c: 1 sound (0 stale), 0 damaged, 0 refused.\n"
    )
    assert run("show", label["key"], **known).returncode == 0
    typo = {**known, "TOKENGUARD_CACHE__ENCRYPTION_KEY": b64encode(bytes(32)).decode()}
    ran = run("verify", "--remove", **typo)
    assert (ran.returncode, ran.stdout.splitlines()) == (
        0,
        [
            f"1 entries in {folder}/c: 0 sound (0 stale), 0 damaged, 0 refused.",
            "1 are encrypted with another key than the configured encryption_key: is it the right one? "
            "Only --remove --other-key removes them.",
        ],
    )
    assert "with another key" in run("show", label["key"], **typo).stderr
    told = json.loads(run("verify", "--json", **typo).stdout)
    assert (told["entries"], told["other_key"], told["removed"]) == (1, 1, 0)
    assert "give it with --remove" in run("verify", "--other-key", **typo).stderr
    assert json.loads(run("verify", "--remove", "--other-key", "--json", **typo).stdout)["removed"] == 1
    assert run("ls", "--directory", "c").stdout == "No entries.\n"


def test_verify_where_the_secret_was_changed(run: Run, filled: Path) -> None:
    """Every entry is damaged; they are told up to a number, and can all be removed."""
    with closing(DiskStore(filled)) as opened:
        for n in range(21):
            opened.set(label_of(entry(f"eeeeee{n:02}")), b"x" * 100, 60)
    (filled / "secret").write_bytes(os.urandom(32))
    ran = run("verify", "--directory", "c")
    assert ran.returncode == 1
    assert ran.stdout.startswith("25 entries in c: 0 sound (0 stale), 25 damaged, 0 refused.\n")
    assert "  ... and 5 more; --json tells all.\n" in ran.stdout
    assert json.loads(run("verify", "--directory", "c", "--remove", "--json").stdout)["removed"] == 25
    assert keys(filled) == ""


# stats


def test_stats_of_store_and_ledger(run: Run, used: Used) -> None:
    """What is stored by model, what was looked up, and what gave the hits; the money is the report's."""
    ran = run("stats", *used.options, "--ledger", "l.db", "--json")
    told = json.loads(ran.stdout)
    size = {model["model"]: model["bytes"] for model in told["store"]["models"]}
    assert [(m["model"], m["entries"], m["stale"]) for m in told["store"]["models"]] == [
        ("gpt-4.1-mini", 2, 0),
        ("gpt-4.1", 1, 0),
    ]
    assert (told["store"]["entries"], told["store"]["bytes"]) == (3, sum(size.values()))
    use, total = told["use"], report(used.ledger, now_ns=time.time_ns()).total
    assert use["by_status"] == {"hit": 5, "miss": 4, "bypass": 1}
    assert (use["bypassed"], use["not_kept"]) == ({"sampled": 1}, {"empty": 1})
    assert (use["hits"], use["lookups"], use["hit_rate"]) == (5, 9, 5 / 9)
    assert (use["answered"], use["saved_nano"]) == (total.cached_calls, total.saved_nano)
    assert total.saved_nano > 0
    assert (use["keys"], use["keys_with_hits"]) == (4, 3)
    points = [(point["percent"], point["keys"], point["hits"], point["entries"]) for point in use["curve"]]
    assert points == [(50, 1, 3, 1), (80, 2, 4, 2), (95, 3, 5, 3)]
    assert use["curve"][-1]["bytes"] == sum(size.values())
    assert use["curve"][0]["bytes"] == size["gpt-4.1-mini"] // 2
    assert use["curve"][0]["share_of_keys"] == 0.25


def test_stats_in_words(run: Run, used: Used) -> None:
    """A table for each question."""
    ran = run("stats", *used.options, "--ledger", "l.db", "--tz", "UTC")
    assert (ran.returncode, ran.stderr) == (0, "")
    words = " ".join(ran.stdout.replace("│", " ").split())
    assert "In c " in words
    assert "Calls, from the beginning until now (UTC)" in words
    assert "hit 5 50.0%" in words
    assert "Passed by, because" in words
    assert "sampled 1 100.0%" in words
    assert "Not kept, because" in words
    assert "50 % 1 25.0% 1" in words
    assert "Hit rate: 55.6% (5 of 9 lookups)." in words
    assert "by 5 answers." in words


def test_stats_tell_what_had_to_go(run: Run, folder: Path) -> None:
    """For want of room, by any process since the directory was made; and what room is taken."""
    with closing(DiskStore(folder / "c", max_bytes=4 * 2**20)) as opened:
        evicted = sum(opened.set(label_of(entry(f"{n:08}")), b"x" * 400_000, 3600) for n in range(20))
        held = opened.held()
    assert held is not None
    told = json.loads(run("stats", "--directory", "c", "--json").stdout)["store"]
    assert told["evicted"] == evicted == 20 - told["entries"] > 0
    assert told["disk_bytes"] == held.bytes > 400_000 * told["entries"]
    words = run("stats", "--directory", "c").stdout
    assert f"On disk: {held.bytes / 1e6:.1f} MB. Evicted so far to make room: {evicted} entries.\n" in words


def test_stats_know_what_is_no_longer_stored(run: Run, used: Used) -> None:
    """The hits were there; the entries are gone."""
    run("invalidate", *used.options, "--tag", "[red]a")
    told = json.loads(run("stats", *used.options, "--ledger", "l.db", "--json").stdout)
    assert [(point["keys"], point["entries"]) for point in told["use"]["curve"]] == [(1, 0), (2, 1), (3, 2)]
    assert told["use"]["curve"][0]["bytes"] == 0


def test_stats_of_a_range(run: Run, used: Used) -> None:
    """As in a report."""
    options = ("--ledger", "l.db", "--json", *used.options)
    told = json.loads(run("stats", *options, "--until", "2026-01-01", "--tz", "UTC").stdout)
    assert (told["use"]["by_status"], told["use"]["hit_rate"]) == ({}, None)
    assert told["use"]["until_ns"] == 1_767_312_000 * 10**9
    told = json.loads(run("stats", *options, "--since", "1h").stdout)
    assert told["use"]["hits"] == 5
    assert run("stats", *options, "--since", "soon").returncode == 2


def test_stats_show_what_there_is(run: Run, used: Used, folder: Path) -> None:
    """A cache may be in memory, or used without a ledger; but what is named must be there."""
    told = json.loads(run("stats", *used.options, "--json").stdout)
    assert (told["store"]["entries"], told["use"], told["ledger"]) == (3, None, None)
    ran = run("stats", "--ledger", "l.db", XDG_CACHE_HOME=str(folder / "caches"))
    assert ran.returncode == 0
    assert "Hit rate: 55.6%" in ran.stdout
    assert "There is no cache at" in ran.stdout
    for options in (
        ["--directory", "c", "--ledger", "none.db"],
        ["--directory", "none", "--ledger", "l.db"],
        [],
    ):
        ran = run("stats", *options, XDG_CACHE_HOME=str(folder / "caches"))
        assert (ran.returncode, ran.stdout) == (1, "")
        assert "There is no" in ran.stderr


def test_stale_entries_are_counted(run: Run, filled: Path) -> None:
    """By model and in total."""
    told = json.loads(run("stats", "--directory", "c", "--json").stdout)
    stale = {model["model"]: (model["entries"], model["stale"]) for model in told["store"]["models"]}
    assert stale == {"gpt-4.1": (3, 1), "gpt-5": (1, 0)}
    assert told["store"]["stale"] == 1
    assert "25.0%" in run("stats", "--directory", "c").stdout
