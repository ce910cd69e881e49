"""Child processes that are known to be ready, and that never outlive us."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

PATIENCE = 30.0  # seconds until a process is ready, or has ended
PR_SET_PDEATHSIG = 1  # prctl(2)
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class ProcessError(Exception):
    """Something did not start; the text says what, and what its log says."""


class Process:
    """One child in a process group of its own, so that Ctrl-C reaches only us."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        ready: Callable[[], bool],
        *,
        cwd: Path,
        log: Path,
        environment: Mapping[str, str] | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self.name, self.log = name, log
        self.environment = dict(environment or {})  # beside our own; for the next start
        self.stdout: Path | None = None  # instead of the log; for the next start
        self._command = [str(part) for part in command]
        self._ready, self._cwd = ready, cwd
        self._patience = patience
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, ready: Callable[[], bool] | None = None) -> None:
        """Starts the process and waits until it is ready, or what is `ready` this time."""
        parent = os.getpid()

        def die_with_parent() -> None:
            if _LIBC is not None:
                _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != parent:  # it died before the line above
                    os._exit(1)

        with self.log.open("ab") as log, (self.stdout or self.log).open("ab") as stdout:
            try:
                self._child = subprocess.Popen(
                    self._command,
                    cwd=self._cwd,
                    env={**os.environ, **self.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=stdout,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=die_with_parent,
                )
            except OSError as error:
                raise ProcessError(f"{self.name} did not start: {error}") from None
        self.wait_until(ready or self._ready, "did not become ready")

    def wait_until(self, reached: Callable[[], bool], complaint: str) -> None:
        """Waits until `reached`, while the process runs."""
        deadline = time.monotonic() + self._patience
        while not reached():
            if self._child is None or self._child.poll() is not None:
                status = self._child.returncode if self._child else None
                raise ProcessError(f"{self.name} ended with status {status}\n{self.tail()}")
            if time.monotonic() > deadline:
                raise ProcessError(f"{self.name} {complaint} in {self._patience:.0f} s\n{self.tail()}")
            time.sleep(0.02)

    def wait(self) -> int | None:
        """Waits until the process has ended by itself; its exit status."""
        child, self._child = self._child, None
        return child.wait(PATIENCE) if child is not None else None

    def stop(self) -> int | None:
        """Asks the process to end, and makes it if it does not; its exit status."""
        child, self._child = self._child, None
        if child is None:
            return None
        self._signal(child, signal.SIGCONT)  # a paused one could not answer
        self._signal(child, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            child.wait(PATIENCE / 3)
        self._signal(child, signal.SIGKILL)  # what is left of its group
        return child.wait()

    def tell(self, number: int) -> None:
        """Sends a signal, and waits for nothing."""
        if self._child is not None:
            self._signal(self._child, number)

    def kill(self) -> None:
        """Ends the process at once, without a chance to tidy up."""
        child, self._child = self._child, None
        if child is not None:
            self._signal(child, signal.SIGKILL)
            child.wait()

    def pause(self) -> None:
        if self._child is not None:
            self._signal(self._child, signal.SIGSTOP)

    def resume(self) -> None:
        if self._child is not None:
            self._signal(self._child, signal.SIGCONT)

    @property
    def pid(self) -> int:
        if self._child is None:
            raise ProcessError(f"{self.name} does not run")
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def tail(self, lines: int = 15) -> str:
        """The end of the log, with the file's name."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        last = "\n".join(f"  | {line}" for line in text.splitlines()[-lines:])
        return f"{self.log}:\n{last or '  | (empty)'}"

    @staticmethod
    def _signal(child: subprocess.Popen[bytes], number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, number)
