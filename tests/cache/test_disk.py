"""A directory of answers: nobody else gets at it, nothing planted in it acts, and it stays in bounds."""

from __future__ import annotations

import itertools
import json
import os
import pickle
import shutil
import sqlite3
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.cache.stores import label
from tokenguard import faults
from tokenguard.cache.disk import DiskStore, default_directory
from tokenguard.cache.store import Which
from tokenguard.errors import ConfigError

HOME = Path.home()
MB = 2**20

Open = Callable[..., DiskStore]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def opened(folder: Path) -> Iterator[Open]:
    """Opens a store on the directory; it is closed in the end."""
    stores: list[DiskStore] = []

    def make(**settings: Any) -> DiskStore:
        stores.append(DiskStore(folder, **settings))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


def execute(folder: Path, statement: str, *parameters: object, file: str = "cache.db") -> None:
    """Do to a database what somebody could who got at it."""
    with closing(sqlite3.connect(folder / file, timeout=30)) as database, database:
        database.execute(statement, parameters)


def refused() -> int:
    return faults.counts().get("cache.refused", 0)


def run(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A process of its own."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=50)
    assert process.returncode == 0, err
    return out


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


# Where it is


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({}, "linux", HOME / ".cache/tokenguard/responses"),
        ({"XDG_CACHE_HOME": "/caches"}, "linux", Path("/caches/tokenguard/responses")),
        ({"XDG_CACHE_HOME": "relative"}, "linux", HOME / ".cache/tokenguard/responses"),
        ({}, "darwin", HOME / "Library/Caches/tokenguard/responses"),
        ({"LOCALAPPDATA": "/local"}, "win32", Path("/local/tokenguard/responses")),
    ],
)
def test_each_platform_has_its_place(
    environ: dict[str, str], platform: str, expected: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment wins, then the platform's folder for caches."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert default_directory() == expected


def test_a_name_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dollar sign in it names no variable."""
    monkeypatch.setenv("ELSEWHERE", "elsewhere")
    monkeypatch.chdir(tmp_path)
    DiskStore("$ELSEWHERE").close()
    assert [path.name for path in tmp_path.iterdir()] == ["$ELSEWHERE"]


# What was planted does nothing


def _pickled(outside: Path) -> tuple[int, Any, Any]:
    return 4, None, pickle.dumps(Payload(outside / "marker"))


def _pickled_in_a_file(outside: Path) -> tuple[int, Any, Any]:
    (outside / "pickle").write_bytes(pickle.dumps(Payload(outside / "marker")))
    return 4, "../outside/pickle", None


PLANTED = {
    "a pickle": _pickled,
    "a pickle in a file": _pickled_in_a_file,
    "a binary file": lambda _: (2, "../outside/victim", None),
    "a text file": lambda _: (3, "../outside/victim", None),
    "an absolute file": lambda outside: (2, str(outside / "victim"), None),
    "bytes and a file": lambda _: (1, "../outside/victim", b"x"),
    "text": lambda _: (1, None, "text"),
    "a number": lambda _: (1, None, 5),
    "no mode": lambda _: (None, None, b"x"),
    "an unknown mode": lambda _: ("4", None, b"x"),
}


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    made = tmp_path / "outside"
    made.mkdir()
    (made / "victim").write_bytes(b"secret")
    return made


@pytest.fixture(params=PLANTED)
def planted(request: pytest.FixtureRequest, folder: Path, outside: Path, opened: Open) -> DiskStore:
    """A store of which the row under ``k`` is somebody else's."""
    store = opened(max_bytes=4 * MB)
    store.set(label("k"), b"ours", 60)
    change = "UPDATE Cache SET mode = ?, filename = ?, value = ? WHERE key = 'k'"
    execute(folder, change, *PLANTED[request.param](outside))
    return store


def unharmed(outside: Path) -> bool:
    return (outside / "victim").read_bytes() == b"secret" and not (outside / "marker").exists()


def test_a_planted_row_is_a_miss(planted: DiskStore, outside: Path) -> None:
    """It is neither unpickled nor read, and it is counted."""
    before = refused()
    assert planted.get("k") is None
    assert refused() == before + 1
    assert unharmed(outside)


def test_a_planted_row_is_overwritten(planted: DiskStore, outside: Path) -> None:
    """The file that it names stays."""
    planted.set(label("k"), b"ours again", 60)
    assert planted.get("k") == b"ours again"
    assert unharmed(outside)


def test_a_planted_row_is_removed(planted: DiskStore, outside: Path) -> None:
    """The file that it names stays."""
    assert planted.remove(Which(tag="red")) == 1
    assert list(planted.labels()) == []
    assert unharmed(outside)


@pytest.mark.parametrize("column", ["access_time", "expire_time"])
def test_a_planted_row_is_evicted(planted: DiskStore, folder: Path, outside: Path, column: str) -> None:
    """When it is past its time, or when room is needed; the file that it names stays."""
    execute(folder, f"UPDATE Cache SET {column} = 1")
    for n in range(50):
        planted.set(label(str(n)), b"x" * 100_000, 60)
    assert "k" not in [found.key for found in planted.labels()]
    assert unharmed(outside)


def test_what_diskcache_does_by_itself_survives_planted_rows(
    planted: DiskStore, folder: Path, outside: Path
) -> None:
    """None of its own ways to remove rows touches a file."""
    for remove in ("cull", "expire", "evict", "clear", "delete", "pop"):
        with planted._answers.mine() as cache:
            arguments: dict[str, tuple[Any, ...]] = {
                "expire": (2e12,),
                "evict": ("t",),
                "delete": ("k",),
                "pop": ("k",),
            }
            try:
                getattr(cache, remove)(*arguments.get(remove, ()))
            except ValueError:
                assert remove == "pop"  # it would give the value
        assert unharmed(outside)


@pytest.mark.parametrize("raw", [0, 1])
def test_a_planted_key_is_not_unpickled(folder: Path, outside: Path, opened: Open, raw: int) -> None:
    """It is not listed; it is counted, and goes with the next removal."""
    store = opened()
    store.set(label("ours"), b"x", 60)
    store.set(label("k"), b"x", 60)
    planted = pickle.dumps(Payload(outside / "marker"))
    execute(folder, "UPDATE Cache SET key = ?, raw = ? WHERE key = 'k'", planted, raw)
    before = refused()
    assert [found.key for found in store.labels()] == ["ours"]
    assert refused() == before + 1
    assert store.remove(Which(tag="none")) == 0
    before = refused()
    assert [found.key for found in store.labels()] == ["ours"]
    assert refused() == before
    assert unharmed(outside)


@pytest.mark.parametrize(
    "tag",
    [
        None,
        5,
        b"[]",
        "",
        "{}",
        "[1,2]",
        "[" * 5000,
        json.dumps(label("another")),
        json.dumps(label("k", tags=7)),
        json.dumps(label("k", tags=(7,))),
        json.dumps(label("k", size="7")),
    ],
)
def test_a_planted_label_is_not_listed(folder: Path, opened: Open, tag: object) -> None:
    """It is counted, and the others are listed."""
    store = opened()
    store.set(label("k"), b"x", 60)
    store.set(label("ours"), b"x", 60)
    execute(folder, "UPDATE Cache SET tag = ? WHERE key = 'k'", tag)
    before = refused()
    assert list(store.labels()) == [label("ours")]
    assert refused() == before + 1
    assert store.remove(Which()) == 1
    assert store.get("k") is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("disk_min_file_size", 1),
        ("disk_directory", "/tmp"),
        ("disk__directory", "/tmp"),
        ("disk_surprise", "x"),
        ("eviction_policy", "unknown"),
        ("eviction_policy", "least-recently-used"),
        ("statistics", 1),
        ("cull_limit", "many"),
        ("size_limit", 0),
        ("sqlite_journal_mode", "delete"),
        ("sqlite_writable_schema", 1),
        ("sqlite_mmap_size = 1; ATTACH 'x' AS y; --", 1),
        ("get", 7),
        ("connection", 7),
        (b"\x80", b"\x80"),
    ],
)
def test_planted_settings_mean_nothing(
    folder: Path, outside: Path, opened: Open, key: object, value: object
) -> None:
    """Neither to a store that is open nor to one that opens."""
    first = opened()
    execute(folder, "INSERT OR REPLACE INTO Settings VALUES (?, ?)", key, value)
    for store in (first, opened()):
        store.set(label("k"), b"x" * 50_000, 60)
        assert store.get("k") == b"x" * 50_000
        assert store.remove(Which()) == 1
        with store._answers.mine() as cache:
            assert cache.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert cache.connection.execute("PRAGMA writable_schema").fetchone() == (0,)
    assert {path.suffix for path in folder.iterdir()} <= {".db", ".db-wal", ".db-shm", ".json", ""}


def test_a_planted_time_is_refused(folder: Path, opened: Open) -> None:
    """An entry that ends at no time is not listed, and the others are."""
    store = opened()
    store.set(label("k"), b"x", 60)
    store.set(label("ours"), b"x", 60)
    execute(folder, "UPDATE Cache SET expire_time = 'never', access_time = 'always' WHERE key = 'k'")
    assert list(store.labels()) == [label("ours")]
    assert store.remove(Which()) == 1
    assert store.get("k") is None


@pytest.mark.parametrize("column", ["tag", "key", "expire_time"])
def test_a_text_that_is_no_utf8_is_refused(folder: Path, opened: Open, column: str) -> None:
    """The others are listed and removed all the same."""
    store = opened()
    store.set(label("k"), b"x", 60)
    store.set(label("ours"), b"x", 60)
    execute(folder, f"UPDATE Cache SET {column} = CAST(x'ff' AS TEXT) WHERE key = 'k'")
    assert list(store.labels()) == [label("ours")]
    assert store.remove(Which()) == 1
    assert list(store.labels()) == []


def test_only_bytes_are_kept(opened: Open) -> None:
    """Whatever else is refused before it is written."""
    store = opened()
    for value in ("text", 5, bytearray(b"x"), None):
        with pytest.raises((ValueError, TypeError)):
            store.set(label("k"), value, 60)  # type: ignore[arg-type]
        assert store.get("k") is None


# Nobody else gets at it


def test_only_the_owner_can_read_it(folder: Path, opened: Open) -> None:
    """Whatever the umask, each file that is ever in it."""
    before = os.umask(0)
    try:
        store = DiskStore(folder / "deep" / "er")
        store.set(label("k"), b"x", 60)
        store.acquire("k", "a", 10)
        store.end_epoch("team")
    finally:
        os.umask(before)
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder / "deep/er").iterdir()}
    assert {"cache.db", "cache.db-wal", "cache.db-shm", "leases.db", "secret", "invalidations.json"} <= set(
        files
    )
    assert set(files.values()) == {0o600}
    for made in (folder, folder / "deep", folder / "deep/er"):
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
    store.close()


def test_files_that_others_may_read_are_closed_to_them(folder: Path, opened: Open) -> None:
    """A database that was made with a careless copy is private once it is opened."""
    opened().close()
    (folder / "cache.db").chmod(0o644)
    opened()
    assert stat.S_IMODE((folder / "cache.db").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o722, 0o1777])
def test_a_directory_that_others_may_write_to_is_refused(folder: Path, mode: int) -> None:
    """They could forge answers."""
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(ConfigError, match=rf"{folder}.*others may write to it.*chmod 700"):
        DiskStore(folder)


@pytest.mark.other_platform
@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_somebody_else_is_refused(folder: Path) -> None:
    """Its owner could read all."""
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    with pytest.raises(ConfigError, match="belongs to another user"):
        DiskStore(folder)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_secret_of_another_size_is_refused(folder: Path, opened: Open, size: int) -> None:
    """It is none of ours."""
    opened().close()
    (folder / "secret").write_bytes(b"x" * size)
    with pytest.raises(ConfigError, match=r"secret cannot be used: .*32 bytes"):
        opened()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_secret_that_others_may_read_is_refused(folder: Path, opened: Open, mode: int) -> None:
    """It may be known by now."""
    opened().close()
    (folder / "secret").chmod(mode)
    with pytest.raises(ConfigError, match="others can read it"):
        opened()


def test_a_link_in_the_place_of_a_file_is_refused(folder: Path, outside: Path) -> None:
    """What it leads to is not touched."""
    folder.mkdir(mode=0o700)
    (folder / "cache.db").symlink_to(outside / "victim")
    with pytest.raises(ConfigError, match="not a regular file"):
        DiskStore(folder)
    (folder / "cache.db").unlink()
    (folder / "secret").unlink()
    (folder / "secret").symlink_to(outside / "victim")
    with pytest.raises(ConfigError, match="cannot be used"):
        DiskStore(folder)
    assert unharmed(outside)


# What cannot be used says so when it is made


def test_without_diskcache_it_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra, by its name."""
    monkeypatch.setitem(sys.modules, "diskcache", None)
    with pytest.raises(ConfigError, match=r'pip install "tokenguard-middleware\[cache\]"'):
        DiskStore(folder)


def test_too_little_room_is_refused(folder: Path) -> None:
    """A store that could hold nothing would be a puzzle."""
    with pytest.raises(ConfigError, match=r"max_bytes=1000"):
        DiskStore(folder, max_bytes=1000)


@pytest.mark.parametrize("below", ["", "below"])
def test_a_file_is_no_directory(folder: Path, below: str) -> None:
    """Nor can there be one below it."""
    folder.write_text("x")
    with pytest.raises(ConfigError, match=rf"{folder / below} cannot be used: it is not a directory"):
        DiskStore(folder / below)


@pytest.mark.other_platform
@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written_to_is_refused(folder: Path) -> None:
    """Now, not at the first answer."""
    folder.mkdir(mode=0o500)
    with pytest.raises(ConfigError, match="may not be written to"):
        DiskStore(folder)


@pytest.mark.parametrize("file", ["cache.db", "leases.db"])
def test_what_is_no_database_is_refused(folder: Path, file: str) -> None:
    """It is not overwritten."""
    folder.mkdir(mode=0o700)
    (folder / file).write_bytes(b"no database at all" * 1000)
    with pytest.raises(ConfigError, match=rf"{folder} cannot be used: .*not a database"):
        DiskStore(folder)
    assert (folder / file).read_bytes() == b"no database at all" * 1000


def test_the_database_of_another_application_is_refused(folder: Path) -> None:
    """Its rows are not ours to evict: it may be somebody's own diskcache."""
    diskcache = pytest.importorskip("diskcache")
    folder.mkdir(mode=0o700)
    with diskcache.Cache(str(folder)) as cache:
        cache["theirs"] = {"a": 1}
    with pytest.raises(ConfigError, match="another application"):
        DiskStore(folder)


def test_a_damaged_database_is_refused(folder: Path, opened: Open) -> None:
    """Here one of which everything but the first page is noise."""
    opened().close()
    with (folder / "cache.db").open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * ((folder / "cache.db").stat().st_size - 100))
    with pytest.raises(ConfigError, match="damaged"):
        opened()


_LIMITED = """
    import resource, signal, sys
    from tests.cache.stores import label
    from tokenguard.cache.disk import DiskStore
    from tokenguard.errors import ConfigError
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limit = lambda n: resource.setrlimit(resource.RLIMIT_FSIZE, (n, resource.RLIM_INFINITY))
"""


def test_a_full_disk_is_refused_when_it_is_made(folder: Path) -> None:
    """It says so, by name."""
    code = """
    limit(5000)
    try:
        DiskStore(sys.argv[1])
    except ConfigError as error:
        print(error)
    """
    out = said(run(_LIMITED + code, folder))
    assert str(folder) in out
    assert "cannot be used" in out


def test_a_disk_that_fills_up_loses_only_what_is_new(folder: Path) -> None:
    """What is there is still found, and all goes on once there is room again."""
    code = """
    store = DiskStore(sys.argv[1])
    store.set(label("old"), b"x", 60)
    limit(500_000)
    failed = 0
    for n in range(100):
        try:
            store.set(label(str(n)), b"x" * 20_000, 60)
        except Exception:
            failed += 1
        assert store.get("old") == b"x"
    assert failed > 50, failed
    limit(resource.RLIM_INFINITY)
    store.set(label("new"), b"y", 60)
    assert (store.get("old"), store.get("new")) == (b"x", b"y")
    print("good")
    """
    assert said(run(_LIMITED + code, folder)) == "good\n"


# What breaks while it is open


def test_a_database_damaged_while_it_is_open_never_gives_a_wrong_answer(folder: Path, opened: Open) -> None:
    """It raises or finds nothing, and the next store says what is wrong."""
    store = opened()
    for n in range(200):
        store.set(label(str(n)), b"x" * 20_000, 60)
    store.close()
    size = (folder / "cache.db").stat().st_size
    with (folder / "cache.db").open("r+b") as file:
        file.seek(16)
        file.write(os.urandom(size - 16))
    with pytest.raises((sqlite3.Error, ConfigError)):
        store.get("1")
    with pytest.raises((sqlite3.Error, ConfigError)):
        store.set(label("1"), b"x", 60)
    with pytest.raises(ConfigError):
        opened()


def test_a_database_cut_off_while_it_is_open_does_not_end_the_process(folder: Path) -> None:
    """A mapped file would: the system sends SIGBUS."""
    code = """
    import os, sys
    from tests.cache.stores import label
    from tokenguard.cache.disk import DiskStore
    store = DiskStore(sys.argv[1])
    for n in range(200):
        store.set(label(str(n)), b"x" * 20_000, 60)
    os.truncate(sys.argv[1] + "/cache.db", 8192)
    for n in range(200):
        try:
            assert store.get(str(n)) in (None, b"x" * 20_000)
        except Exception:
            pass
    print("good")
    """
    assert said(run(code, folder)) == "good\n"


def test_a_directory_removed_while_it_is_open_is_made_anew(folder: Path, opened: Open) -> None:
    """With the same secret; what was in it is gone, and memory hears of that."""
    store, other = opened(), opened()
    store.set(label("k"), b"x", 60)
    assert other.get("k") == b"x"
    before, secret = store.generation(), store.secret
    shutil.rmtree(folder)
    assert store.generation() != before
    assert store.get("k") is None
    store.set(label("k"), b"y", 60)
    assert store.acquire("k", "a", 10)
    assert other.get("k") == b"y"
    assert not other.acquire("k", "b", 10)
    assert opened().secret == secret


def test_a_directory_made_anew_by_somebody_else_is_not_shared(folder: Path, opened: Open) -> None:
    """Their secret is another one: neither could read what the other writes."""
    store = opened()
    shutil.rmtree(folder)
    opened()
    with pytest.raises(RuntimeError, match="another secret"):
        store.get("k")


def test_a_directory_that_cannot_be_made_anew_raises(tmp_path: Path, opened: Open) -> None:
    """It does not hang."""
    store = opened()
    store.close()
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("in the way")
    for use in (lambda: store.get("k"), lambda: store.set(label("k"), b"x", 60), store.generation):
        with pytest.raises((ConfigError, OSError)):
            use()


def test_damaged_invalidations_are_no_epoch_0(folder: Path, opened: Open) -> None:
    """What was given up does not come back: it raises."""
    store = opened()
    store.end_epoch("team")
    (folder / "invalidations.json").write_text("{")
    with pytest.raises(ValueError, match=r"."):
        store.epoch("team")


# Processes


def test_processes_that_open_a_new_directory_at_once_agree(folder: Path) -> None:
    """None of them fails, and all have the same secret."""
    code = """
    import sys
    from tests.cache.stores import label
    from tokenguard.cache.disk import DiskStore
    sys.stdin.readline()
    store = DiskStore(sys.argv[1])
    store.set(label(sys.argv[2]), b"x", 60)
    print(store.secret.hex())
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(folder)]
    processes = [
        subprocess.Popen([*command, str(n)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for n in range(8)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    secrets = {said(process) for process in processes}
    assert len(secrets) == 1
    assert len(secrets.pop().strip()) == 64
    store = DiskStore(folder)
    assert len(list(store.labels())) == 8
    store.close()
    assert not [path for path in folder.iterdir() if path.name.startswith(("secret.", "invalidations.json."))]


@pytest.mark.parametrize("step", range(12))
def test_another_process_may_be_first_at_any_moment(
    step: int, folder: Path, tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a process has read already when another one makes the database: it takes it for ours."""
    DiskStore(tmp_path / "other").close()
    with closing(sqlite3.connect(tmp_path / "other" / "cache.db")) as other:
        application = other.execute("PRAGMA application_id").fetchone()[0]
        _, *rest = other.iterdump()
    made = "\n".join(["BEGIN IMMEDIATE;", f"PRAGMA application_id = {application};", *rest])
    connect, steps = sqlite3.connect, itertools.count()

    def other_is_first(_: str) -> None:
        if next(steps) == step:
            with (
                closing(connect(folder / "cache.db", timeout=0)) as other,
                suppress(sqlite3.OperationalError),
            ):
                other.executescript(made)  # fails where we were first

    def traced(path: Path, **options: Any) -> sqlite3.Connection:
        connection = connect(path, **options)
        if Path(path) == folder / "cache.db":
            connection.set_trace_callback(other_is_first)
        return connection

    monkeypatch.setattr(sqlite3, "connect", traced)
    store = opened()
    store.set(label("a"), b"x", 60)
    assert store.get("a") == b"x"


def test_no_answer_is_lost_where_many_write(folder: Path, opened: Open) -> None:
    """Four processes write at once; all that they wrote is there."""
    code = """
    import sys
    from tests.cache.stores import label
    from tokenguard.cache.disk import DiskStore
    store = DiskStore(sys.argv[1])
    for n in range(100):
        store.set(label(f"{sys.argv[2]}-{n}"), f"{sys.argv[2]}-{n}".encode() * 4000, 600)
    """
    for process in [run(code, folder, n) for n in range(4)]:
        said(process)
    store = opened()
    for n in range(4):
        for i in range(100):
            assert store.get(f"{n}-{i}") == f"{n}-{i}".encode() * 4000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
def test_a_fork_may_use_it(folder: Path, opened: Open) -> None:
    """Parent and child go on with connections of their own, while a thread of the parent writes."""
    code = """
    import os, sys, threading
    from tests.cache.stores import label
    from tokenguard import faults
    from tokenguard.cache.disk import DiskStore
    store = DiskStore(sys.argv[1])
    def write(who):
        for n in range(50):
            store.set(label(f"{who}-{n}"), b"x" * 20_000, 600)
            assert store.get(f"{who}-{n}") == b"x" * 20_000
    thread = threading.Thread(target=write, args=("thread",))
    thread.start()
    children = []
    for n in range(5):
        child = os.fork()
        if not child:
            try:
                write(f"child{n}")
                store.close()
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    write("parent")
    thread.join()
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 5
    assert not faults.counts(), faults.counts()
    print(len(list(store.labels())))
    """
    assert said(run(code, folder)) == "350\n"
    with opened()._answers.mine() as cache:
        assert cache.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_reader_does_not_wait_for_a_writer(folder: Path, opened: Open) -> None:
    """It finds what was there before."""
    store = opened()
    store.set(label("k"), b"x", 60)
    with closing(sqlite3.connect(folder / "cache.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM Cache")
        assert store.get("k") == b"x"
        assert [found.key for found in store.labels()] == ["k"]
        assert store.acquire("k", "a", 10)


def test_a_lease_is_not_waited_for_without_end(folder: Path, opened: Open) -> None:
    """Where the lock is not to be had it raises."""
    store = opened()
    store.release("k", "a")
    with closing(sqlite3.connect(folder / "leases.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            store.acquire("k", "a", 10)


# Bounds, and what was removed


def used(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


@pytest.mark.parametrize("sizes", [(20_000,), (300,), (400_000,), (300, 400_000, 20_000)])
def test_it_takes_no_more_than_it_may(folder: Path, opened: Open, sizes: tuple[int, ...]) -> None:
    """After any number of sets, the log of writes included; and it stays nearly full."""
    store = opened(max_bytes=8 * MB)
    total, most, n = 0, 0, 0
    while total < 30 * MB and n < 3000:
        size = sizes[n % len(sizes)]
        store.set(label(str(n)), os.urandom(size), 600)
        total, n = total + size, n + 1
        most = max(most, used(folder))
    assert most <= 8 * MB * 1.1
    if total > 16 * MB:
        kept = sum(len(store.get(found.key) or b"") for found in store.labels())
        assert kept > 8 * MB * 0.6


def test_an_entry_that_is_too_large_is_refused(opened: Open) -> None:
    """All others would have to go for it."""
    store = opened(max_bytes=4 * MB)
    store.set(label("k"), b"x", 60)
    with pytest.raises(ValueError, match="a tenth"):
        store.set(label("large"), b"x" * MB, 60)
    assert store.get("k") == b"x"


def test_a_lower_bound_takes_effect_at_once(folder: Path, opened: Open) -> None:
    """What is too much is given back to the disk, what was used longest ago first."""
    store = opened(max_bytes=20 * MB)
    for n in range(150):
        store.set(label(str(n)), b"x" * 100_000, 600)
    store.close()
    assert used(folder) > 14 * MB
    smaller = opened(max_bytes=8 * MB)
    assert used(folder) < 8 * MB * 1.1
    assert smaller.get("0") is None
    assert smaller.get("149") == b"x" * 100_000


def test_what_is_removed_is_not_on_the_disk_any_more(folder: Path, opened: Open) -> None:
    """Its space is given back, and no page still has it."""
    store = opened()
    for n in range(100):
        store.set(label(str(n)), b"private!" * 4000, 600)
    store.remove(Which())
    assert used(folder) < MB
    store.close()
    assert b"private!private!" not in (folder / "cache.db").read_bytes()


def test_an_answer_asked_for_before_a_removal_is_not_kept_after_it(opened: Open) -> None:
    """It is of the time before, whenever it comes."""
    store, other = opened(), opened()
    asked = store.generation()
    other.remove(Which(tag="red"))
    store.set(label("k"), b"x", 60, asked)
    assert store.get("k") is None
    store.set(label("k"), b"x", 60, store.generation())
    assert store.get("k") == b"x"


def test_the_first_lookup_of_a_thread_waits_for_no_writer(folder: Path, opened: Open) -> None:
    store = opened()
    store.set(label("k"), b"ours", 60)
    with closing(sqlite3.connect(folder / "cache.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(1) as thread:
            assert thread.submit(store.get, "k").result() == b"ours"
