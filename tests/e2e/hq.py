"""Drives the real program: an Environment is a user with a home, a server directory and started processes.

Everything waits for conditions, never for time. The program is named by HQ_BINARY (default: build/hq in this tree).
"""
import json
import os
import random
import re
import shutil
import signal
import socket
import string
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 20.0  # seconds until a condition that should come is given up
MARK = "HQ_E2E_MARK"  # in the environment of every process that an Environment starts, and of their children
TROUBLE = re.compile(r"internal error|AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|terminate called")


def binary():
    return Path(os.environ.get("HQ_BINARY", ROOT / "build" / "hq")).resolve()


def runner():
    """A program that hq is started through (tests/support/old_kernel); the empty text for none."""
    return os.environ.get("HQ_E2E_RUNNER", "")


def version():
    return re.search(r"version: '([^']+)'", (ROOT / "meson.build").read_text()).group(1)


def free_port():
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def make_home():
    """A new directory whose path is as long as /home/u, so that tables and wrapped lines keep their recorded widths."""
    letters = string.ascii_lowercase + string.digits
    for _ in range(10000):
        home = Path("/tmp") / "".join(random.choices(letters, k=2))
        try:
            home.mkdir(mode=0o700)
            return home
        except FileExistsError:
            continue
    raise RuntimeError("no free home directory in /tmp")


def table(text):
    """The rows of the tables in `text`, as lists of cells; borders are left out."""
    lines = (line.strip() for line in text.splitlines())
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines if line.startswith("|")]


def fields(text):
    """A table of two columns as a dictionary; lines that continue a cell are joined by newlines."""
    result, last = {}, None
    for key, value in table(text):
        if key:
            last = key
            result[key] = value
        else:
            result[last] += "\n" + value
    return result


class Output:
    """What a command printed and how it ended; the exit code is negative if a signal ended it."""

    def __init__(self, stdout, stderr, exit):
        self.stdout, self.stderr, self.exit = stdout, stderr, exit

    @property
    def json(self):
        return json.loads(self.stdout)

    @property
    def table(self):
        return table(self.stdout)

    @property
    def fields(self):
        return fields(self.stdout)

    def __repr__(self):
        return f"[stdout]\n{self.stdout}[stderr]\n{self.stderr}[exit {self.exit}]"


NOBODY = 65534


class Background:
    """A process that goes on; its output is kept in files."""

    def __init__(self, env, name, command, extra_env):
        self.name = name
        self.out, self.err = (env.logs / f"{name}.{part}" for part in ("stdout", "stderr"))
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(command, cwd=env.cwd, env={**env.variables, **extra_env},
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=err, **env.identity)

    @property
    def stdout(self):
        return self.out.read_bytes().decode(errors="replace")

    @property
    def stderr(self):
        return self.err.read_bytes().decode(errors="replace")

    def signal(self, number):
        self.process.send_signal(number)

    def running(self):
        return self.process.poll() is None

    def wait(self, timeout=PATIENCE):
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} does not end:\n{self.stdout}{self.stderr}") from None


class Environment:
    def __init__(self, unprivileged=False):
        """An unprivileged one is never root, for whom no file is closed."""
        self.home = make_home()
        self.cwd = self.home / "w"
        self.logs = self.home / "logs"
        self.bin = self.home / "bin"
        self.server_dir = self.home / ".hq-server"
        for folder in (self.cwd, self.logs, self.bin):
            folder.mkdir()
        self.put_program(binary())
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HQ_", "SLURM_", "PBS_"))}
        self.mark = f"{self.home.name}-{os.getpid()}-{time.monotonic_ns()}"
        self.variables = {**kept, "HOME": str(self.home), "PATH": f"{self.bin}:{os.environ['PATH']}",
                          "LC_ALL": "C.UTF-8", MARK: self.mark}
        for gone in ("NO_COLOR", "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"):
            self.variables.pop(gone, None)
        self.background = []
        self.identity = {}
        if unprivileged and os.geteuid() == 0:
            self.identity = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            shutil.copy(binary(), self.home / "hq-copy")  # the way to the built one may be closed to others
            self.put_program(self.home / "hq-copy")
            for path in (self.home, self.cwd, self.logs, self.bin):
                os.chown(path, NOBODY, NOBODY)

    def put_program(self, program):
        hq = self.bin / "hq"
        hq.unlink(missing_ok=True)
        if runner():
            shutil.copy(runner(), self.home / "runner")
            hq.write_text(f'#!/bin/sh\nexec {self.home}/runner {program} "$@"\n')
            hq.chmod(0o755)
        else:
            hq.symlink_to(program)

    # --- commands that end ------------------------------------------------------------------------------------------

    def run(self, command, stdin=None, env=None, timeout=60):
        """Runs a command line (a list, or a string for bash) to its end."""
        if isinstance(command, str):
            command = ["bash", "-c", command]
        given = {"input": stdin.encode()} if stdin is not None else {"stdin": subprocess.DEVNULL}
        try:
            done = subprocess.run(command, cwd=self.cwd, env={**self.variables, **(env or {})}, capture_output=True,
                                  timeout=timeout, **given, **self.identity)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"no end after {timeout} s: {command}\n{error.stdout}\n{error.stderr}") from None
        return Output(done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"), done.returncode)

    def command(self, arguments, expect_exit=0, stdin=None, env=None):
        """Runs `hq ARGUMENTS`, insists on the exit code (None: any)."""
        output = self.run([str(self.bin / "hq"), *map(str, arguments)], stdin, env)
        assert expect_exit is None or output.exit == expect_exit, f"hq {' '.join(map(str, arguments))}\n{output}"
        return output

    # --- processes that go on ---------------------------------------------------------------------------------------

    def start(self, command, name=None, env=None):
        """Starts a command line that goes on (a list, or a string for bash)."""
        if isinstance(command, str):
            command = ["bash", "-c", "exec " + command if command.startswith("hq ") else command]
        background = Background(self, name or f"background-{len(self.background) + 1}", command, env or {})
        self.background.append(background)
        return background

    def start_server(self, *arguments):
        server = self.start(["hq", "server", "start", *map(str, arguments)])
        self.await_server(server)
        return server

    def await_server(self, server, server_dir=None):
        access = (server_dir or self.server_dir) / "hq-current" / "access.json"

        def online():
            if not server.running():
                raise AssertionError(f"the server has ended:\n{server.stdout}{server.stderr}")
            return access.exists() and bool(server.stdout) and \
                self.command(["server", "info", "--server-dir", server_dir or self.server_dir], None).exit == 0

        wait_until(online, "the server answers")

    def start_worker(self, *arguments):
        before = self.workers()
        worker = self.start(["hq", "worker", "start", "--detect-resources=none", *map(str, arguments)])
        self.await_worker(worker, before)
        return worker

    def await_worker(self, worker, before):
        def registered():
            if not worker.running():
                raise AssertionError(f"the worker has ended:\n{worker.stdout}{worker.stderr}")
            return self.workers() - before

        wait_until(registered, "the worker is in the list")

    def workers(self):
        """The ids of all workers that the server has ever seen."""
        lines = self.command(["worker", "list", "--all", "--output-mode=quiet"]).stdout.splitlines()
        return {int(line.split()[0]) for line in lines}

    def await_job(self, job, state):
        def reached():
            jobs = self.command(["job", "list", "--all", "--output-mode=quiet"]).stdout.splitlines()
            return f"{job} {state}" in jobs

        wait_until(reached, f"job {job} is {state}")

    def await_tasks(self, job, state, tasks):
        """Waits until exactly these tasks ("0-3,7") of the job are in that state."""
        def reached():  # the job may be on its way still
            return self.command(["job", "task-ids", job, "--filter", state], expect_exit=None).stdout == tasks + "\n"

        wait_until(reached, f"tasks {tasks} of job {job} are {state}")

    # --- the end ----------------------------------------------------------------------------------------------------

    def marked_processes(self):
        """Ids of living processes that descend from us, whoever their parent is by now."""
        found, needle = [], f"{MARK}={self.mark}".encode()
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and needle in (entry / "environ").read_bytes().split(b"\0") and \
                        (entry / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def close(self):
        """Ends everything; returns what should not have been: processes left over, internal errors."""
        faults = []
        for background in reversed(self.background):
            if background.running():
                background.signal(signal.SIGTERM)
                try:
                    background.process.wait(PATIENCE)
                except subprocess.TimeoutExpired:
                    faults.append(f"{background.name} does not end on SIGTERM")
                    background.process.kill()
                    background.process.wait()
        try:
            wait_until(lambda: not self.marked_processes(), "no process is left")
        except AssertionError:
            for pid in self.marked_processes():
                try:
                    words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    os.kill(pid, signal.SIGKILL)
                    faults.append(f"process left over: {pid} {words}")
                except (OSError, ProcessLookupError):
                    continue
        for log in [*self.logs.iterdir(), *self.server_dir.rglob("*.log")]:
            for line in log.read_text(errors="replace").splitlines():
                if TROUBLE.search(line):
                    faults.append(f"{log.name}: {line}")
        return faults

    def save(self, name):
        """Keeps the logs of a failed test; returns where."""
        kept = ROOT / "build-test" / "e2e-logs" / re.sub(r"[^\w.-]+", "_", name)
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        for log in [*self.logs.iterdir(), *self.server_dir.rglob("*.log")]:
            shutil.copy(log, kept / log.name)
        return kept

    def remove(self):
        shutil.rmtree(self.home, ignore_errors=True)


def wait_until(condition, what, timeout=PATIENCE):
    """Asks again and again until the condition holds; returns what it gave."""
    end, pause = time.monotonic() + timeout, 0.005
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout:.0f} s in vain until {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)
    return value


def established_connections(pid):
    """How many sockets of a process are established TCP connections, as the kernel's tables say."""
    sockets = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            sockets.add(target[8:-1])
    rows = [row.split() for name in ("tcp", "tcp6") if (table := Path(f"/proc/net/{name}")).exists()
            for row in table.read_text().splitlines()[1:]]
    return sum(1 for row in rows if row[3] == "01" and row[9] in sockets)
