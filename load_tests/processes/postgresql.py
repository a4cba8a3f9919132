"""A PostgreSQL of one's own, for tests and measurements: a fresh cluster in a folder, on loopback."""

from __future__ import annotations

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

USER = "postgres"
"""PostgreSQL refuses to run as root, so root starts it as the package's own user."""

START_SECONDS = 60.0


def binaries() -> Path | None:
    """The folder of the newest installed server's programs, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres")
    return Path(on_path).resolve().parent if on_path else None


def settled_port() -> int:
    """A free port that no outgoing connection is ever given.

    From the range of outgoing ones, a client that tries a closed port again and again is some day given that
    very port, is connected to itself, and the server cannot have it back.
    """
    while True:
        port = random.randint(15_000, 31_000)
        with socket.socket() as held, suppress(OSError):
            held.bind(("127.0.0.1", port))
            return port


class PostgreSQL:
    """One server. `stop` and `start` may follow each other; the data stays."""

    def __init__(self, folder: Path, port: int) -> None:
        programs = binaries()
        if programs is None:
            raise FileNotFoundError(
                "PostgreSQL's server is not installed (Debian: apt-get install postgresql)"
            )
        self._programs = programs
        self._folder = folder
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._as_user = ["setpriv", "--reuid", USER, "--regid", USER, "--init-groups"]
        if os.geteuid():
            self._as_user = []
        else:
            user = pwd.getpwnam(USER)
            folder.mkdir(parents=True, exist_ok=True)
            os.chown(folder, user.pw_uid, user.pw_gid)
            for parent in list(folder.parents)[:-2]:  # pytest's folders are closed to others
                if parent.stat().st_uid == 0:
                    parent.chmod(parent.stat().st_mode | 0o011)
        self._run("initdb", "--pgdata", str(folder / "data"), "--auth", "trust", "--username", "rekindle")

    @property
    def url(self) -> str:
        """Of the database `postgres`."""
        return f"postgresql://rekindle@127.0.0.1:{self._port}/postgres"

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_user, str(self._programs / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd="/")

    def start(self) -> PostgreSQL:
        """Start, and wait until it takes connections."""
        options = {"listen_addresses": "127.0.0.1", "port": self._port, "fsync": "off"}
        options |= {"unix_socket_directories": "", "shared_buffers": "32MB"}
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        command = [*self._as_user, str(self._programs / "postgres"), "-D", str(self._folder / "data"), *flags]
        log = self._folder / "postgresql.log"
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process is None or self._process.poll() is not None:  # or its port was still taken
                with log.open("w") as file:
                    self._process = subprocess.Popen(command, stdout=file, stderr=file, cwd="/")
            if time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text()[-2000:]}")
            time.sleep(0.1)
        return self

    def _answers(self) -> bool:
        command = [str(self._programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(self._port)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def stop(self) -> None:
        """Stop at once: connections break."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # "fast": PostgreSQL ends its sessions first
            self._process.wait()
            self._process = None
