"""What all sections of tools/bench use: rows of results, and a server with its workers in a temporary directory."""
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 600.0  # seconds until something that should come is given up


class BenchError(Exception):
    pass


@dataclass
class Row:
    """One line of a table. `least` or `most` is the target; a row without one is there to be compared with."""
    what: str
    values: list
    unit: str
    least: float = None
    most: float = None
    note: str = ""

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def target(self):
        if self.least is not None:
            return f">= {shown(self.least)}"
        return f"<= {shown(self.most)}" if self.most is not None else ""

    @property
    def ratio(self):
        """Median over target; None without one."""
        bound = self.least if self.least is not None else self.most
        return self.median / bound if bound else None

    @property
    def met(self):
        if self.least is not None:
            return self.median >= self.least
        return self.median <= self.most if self.most is not None else None

    @property
    def verdict(self):
        return {True: "met", False: "MISSED", None: ""}[self.met]

    def as_json(self):
        return {"what": self.what, "unit": self.unit, "values": self.values, "median": self.median,
                "min": min(self.values), "max": max(self.values), "least": self.least, "most": self.most,
                "ratio": self.ratio, "met": self.met, "note": self.note}


def shown(value):
    """A number with three digits that matter, thousands set apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def ratios(row, base, what, **target):
    """`row` over `base`, run by run: both were measured in turns, so that what disturbs one disturbs the other."""
    return Row(what, [ours / theirs for ours, theirs in zip(row.values, base.values)], "x", **target)


def until(condition, what, patience=PATIENCE, pause=0.01):
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"waited {patience:.0f} s in vain for {what}")
        time.sleep(pause)


def cpu_seconds(pid):
    """Of all threads that live, in nanosecond steps (those of /proc/PID/stat are 10 ms)."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9


def memory_bytes(pid, what="VmRSS"):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1]) * 1024
    raise BenchError(f"no {what} of process {pid}")


def children(pid):
    return [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]


class Tools:
    """The programs: hq itself and what Meson builds of tests/bench."""

    def __init__(self, build):
        self.build = Path(build).resolve()
        self.hq = self.build / "hq"
        if not self.hq.exists():
            raise BenchError(f"'{self.hq}' is missing: build first, or name the build folder with --build")

    def path(self, name):
        return str(self.build / "tests" / "bench" / name)

    def output(self, name, *args):
        return subprocess.run([self.path(name), *map(str, args)], stdin=subprocess.DEVNULL, check=True,
                              stdout=subprocess.PIPE, text=True, timeout=PATIENCE).stdout

    def bare_rate(self, count, concurrent, mode, program):
        with tempfile.TemporaryDirectory(prefix="hq-bench-bare-") as folder:
            return float(self.output("bare_loop", count, concurrent, mode, folder, program))

    def measure(self, runs, command, cwd=None, env=None):
        """[(seconds, user + system seconds, peak bytes)] of a command run several times by a small parent."""
        done = subprocess.run([self.path("measure"), str(runs), *map(str, command)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE, cwd=cwd, env=env)
        if done.returncode != 0:
            raise BenchError(done.stderr[-2000:])
        rows = [line.split() for line in done.stdout.splitlines()]
        return [(float(took), float(user) + float(system), int(peak) * 1024) for took, user, system, peak in rows]


class FakeWorkers:
    """fake_workers as a background process."""

    def __init__(self, tools, access, **options):
        words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        self.process = subprocess.Popen([tools.path("fake_workers"), "--access", str(access), *words],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def line(self, kind):
        """The numbers of the next line, which must be of this kind."""
        words = self.process.stdout.readline().split()
        if not words or words[0] != kind:
            raise BenchError(f"simulated workers said {words} where '{kind}' was expected")
        return [float(word) for word in words[1:]]

    def stop(self):
        """How many of them were lost on the way."""
        self.process.stdin.close()
        lost = self.line("lost")[0]
        self.process.wait(PATIENCE)
        return int(lost)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Cluster:
    """A server in a directory of its own, ended and removed with the `with` block; so are its workers."""

    def __init__(self, tools, prefix=(), server=()):
        self.tools = tools
        self.folder = Path(tempfile.mkdtemp(prefix="hq-bench-"))
        self.env = {**os.environ, "HQ_SERVER_DIR": str(self.folder / "server"), "HOME": str(self.folder)}
        self.processes = []
        self.fakes = []
        self.server = self._start([*prefix, str(tools.hq), "server", "start", *server], "server")
        until(lambda: self._alive(self.server) and self.access.exists(), "the server's access file", 30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for fake in self.fakes:
            fake.kill()
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, command, name):
        log = open(self.folder / f"{name}.log", "wb")
        with log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                                       env=self.env)
        self.processes.append(process)
        return process

    def _alive(self, process):
        if process.poll() is not None:
            raise BenchError(f"a process ended with {process.returncode}; see its output:\n{self.log('server')}")
        return True

    def log(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")[-2000:]

    @property
    def access(self):
        return self.folder / "server" / "hq-current" / "access.json"

    @property
    def pid(self):
        return self.server.pid

    def hq(self, *args):
        """What a command printed; an error if it fails."""
        done = subprocess.run([str(self.tools.hq), *map(str, args)], cwd=self.folder, env=self.env,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode != 0:
            raise BenchError(f"'hq {' '.join(map(str, args))}' ended with {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def measure(self, runs, *args):
        return self.tools.measure(runs, [self.tools.hq, *args], cwd=self.folder, env=self.env)

    def start_worker(self, *args):
        worker = self._start([str(self.tools.hq), "worker", "start", *args], f"worker{len(self.processes)}")
        count = len(self.processes) - 1
        until(lambda: self._alive(worker) and self.workers() == count, "the worker to register", 30)
        return worker

    def start_fakes(self, **options):
        fake = FakeWorkers(self.tools, self.access, **options)
        self.fakes.append(fake)
        return fake

    def workers(self):
        """How many the server has now."""
        return len(json.loads(self.hq("worker", "list", "--output-mode", "json")))

    def submit(self, *args):
        """The number of the new job."""
        return int(self.hq("submit", "--output-mode", "quiet", *args))

    def settle(self):
        """Waits until the server has nothing to do but keep its connections, or for ten seconds at most."""
        for _ in range(30):
            before = cpu_seconds(self.pid)
            time.sleep(0.3)
            if cpu_seconds(self.pid) - before < 0.005:
                return


def say(text):
    print(text, file=sys.stderr, flush=True)
