"""Programs that use a ledger, to be started, killed and forked by the tests.

``python -m tests.ledger.program NAME PATH [ARGUMENT]``
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from pathlib import Path

from tests.ledger.attempts import answered, attempt, states
from tokenguard import faults
from tokenguard.ledger import SqliteLedger

kept: list[SqliteLedger] = []
"""Ledgers that are open until the program ends."""


def say(text: object) -> None:
    """Print a line whole, at once, whichever thread it is from."""
    os.write(1, f"{text}\n".encode())


def use(ledger: SqliteLedger, calls: int) -> None:
    """Make some calls."""
    for _ in range(calls):
        made = attempt(tags={"user": str(os.getpid())})
        ledger.begin(made)
        ledger.settle(answered(made))


def write(path: str, calls: str) -> None:
    """Wait for the word, open the ledger, make calls, and leave without closing it."""
    say("ready")
    sys.stdin.readline()
    ledger = SqliteLedger(path)
    kept.append(ledger)
    use(ledger, int(calls))


def load(path: str, threads: str) -> None:
    """Make calls until killed; say the id of each one that was begun, and leave every third open."""
    ledger = SqliteLedger(path)

    def work() -> None:
        n = 0
        while True:
            made = attempt()
            ledger.begin(made)
            say(made.id)
            if n % 3:
                ledger.settle(answered(made))
            n += 1

    for _ in range(int(threads)):
        threading.Thread(target=work).start()


def hold(path: str) -> None:
    """Begin a call, and settle it when told to."""
    ledger = SqliteLedger(path)
    made = attempt()
    ledger.begin(made)
    say(made.id)
    if sys.stdin.readline():
        ledger.settle(answered(made))
        ledger.close()


def restart(path: str) -> None:
    """Begin a call, then become another program with the same process id, which opens the ledger."""
    SqliteLedger(path).begin(attempt())
    os.execv(sys.executable, [sys.executable, "-m", "tests.ledger.program", "look", path])


def look(path: str) -> None:
    """Open the ledger, and say what state the calls are in."""
    SqliteLedger(path).close()
    say(" ".join(states(path).values()))


def fork(path: str) -> None:
    """Fork with rows queued and threads at work; parent and children go on making calls."""
    ledger = SqliteLedger(path)
    parent = os.getpid()
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            use(ledger, 1)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    children = []
    for _ in range(8):
        use(ledger, 1)
        child = os.fork()
        if not child:
            break
        children.append(child)
    if os.getpid() == parent:
        stop.set()
        for thread in threads:
            thread.join()
        say(all(os.waitpid(child, 0)[1] == 0 for child in children))
    else:
        use(ledger, 11)
    ledger.close()
    say(f"faults {sum(faults.counts().values())}")


def processes(path: str, method: str) -> None:
    """Make calls in a process of multiprocessing, which leaves without closing the ledger."""
    ledger = SqliteLedger(path)
    use(ledger, 1)
    argument = ledger if method == "fork" else None
    child = multiprocessing.get_context(method).Process(target=in_a_process, args=(argument, path))
    child.start()
    child.join()
    say(child.exitcode)


def in_a_process(inherited: SqliteLedger | None, path: str) -> None:
    """What that process does."""
    use(inherited or SqliteLedger(path), 5)


def at_exit(path: str) -> None:
    """Leave with rows queued, with an error."""
    ledger = SqliteLedger(Path(path))
    for _ in range(500):
        ledger.settle(answered(attempt()))
    raise SystemExit(3)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
