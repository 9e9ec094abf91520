"""Sections workers, crowded and idle: very many connections, and what the system costs while nothing happens."""
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_cluster import BenchError, Cluster, Row, children, cpu_seconds, memory_bytes, say

IN_NAMESPACE = "HQ_BENCH_IN_NAMESPACE"
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def connect_fleet(options, tools, workers, prefix, processes, seconds_allowed):
    registered, memory, lost, served = [], [], [], []
    for run in range(options.runs):
        say(f"  {workers:,} workers: run {run + 1} of {options.runs}")
        with Cluster(tools, prefix) as cluster:
            cluster.hq("server", "info")
            before = memory_bytes(cluster.pid)
            fakes = cluster.start_fakes(workers=workers, cpus=1, processes=processes, expect=2 * workers, task_ms=500)
            registered.append(fakes.line("registered")[1])
            cluster.settle()
            memory.append((memory_bytes(cluster.pid) - before) / workers / 1024)
            cluster.submit(f"--array=1-{2 * workers}", "--stdout=none", "--stderr=none", "--", "nothing")
            served.append(fakes.line("done")[2])
            lost.append(workers - cluster.workers() + fakes.stop())
    return [Row(f"{workers:,} workers at once: all registered", registered, "s", most=seconds_allowed),
            Row("  workers that got tasks", served, "workers", least=workers),
            Row("  lost", lost, "workers", most=0),
            Row("  server memory each", memory, "KiB", most=60)]


def workers(options, tools):
    return [*connect_fleet(options, tools, max(10, int(1000 * options.scale)), (), 2, 5),
            *connect_fleet(options, tools, max(10, int(10000 * options.scale)), (), 10, 60)]


def crowded(options, tools):
    """Where connections are scarce: a short queue for new ones and few descriptors, in a network of our own."""
    if os.environ.get(IN_NAMESPACE) is None:
        return in_namespace(options)
    raise_loopback()
    Path("/proc/sys/net/core/somaxconn").write_text("128")
    few_files = ("sh", "-c", 'ulimit -n 4096; exec "$@"', "sh")
    rows = connect_fleet(options, tools, max(10, int(2000 * options.scale)), few_files, 4, 15)
    for row in rows:
        row.note = "somaxconn 128, ulimit -n 4096"
    return rows


def in_namespace(options):
    with tempfile.TemporaryDirectory(prefix="hq-bench-") as folder:
        answer = Path(folder) / "rows"
        command = ["unshare", "--map-root-user", "--net", sys.executable, os.path.abspath(sys.argv[0]), "crowded",
                   "--build", options.build, "--runs", str(options.runs), "--scale", str(options.scale), "--json", str(answer)]
        done = subprocess.run(command, env={**os.environ, IN_NAMESPACE: "1"}, stdout=subprocess.DEVNULL)
        if not answer.exists():
            raise BenchError(f"the network namespace ended with {done.returncode}")
        rows = json.loads(answer.read_text())["crowded"]
    fields = ("what", "values", "unit", "least", "most", "note")
    return [Row(**{field: row[field] for field in fields}) for row in rows]


def raise_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def idle(options, tools):
    count = max(10, int(1000 * options.scale))
    seconds = max(2.0, 20 * options.scale)
    server, worker = [], []
    with Cluster(tools) as cluster:
        fakes = cluster.start_fakes(workers=count, cpus=1)
        fakes.line("registered")
        cluster.settle()
        for _ in range(options.runs):
            server.append(share_of_core([cluster.pid], seconds))
        fakes.stop()
    with Cluster(tools) as cluster:
        busy = cluster.start_worker("--cpus=2")
        cluster.submit("--array=1-2", "--stdout=none", "--stderr=none", "--", "sleep", "1000")
        cluster.settle()
        launchers = children(busy.pid)
        for _ in range(options.runs):
            worker.append(share_of_core([busy.pid, *launchers], seconds))
        cluster.hq("job", "cancel", "all")
    return [Row(f"server with {count:,} idle workers", server, "% of a core", most=0.5),
            Row("worker and launcher with two long tasks", worker, "% of a core", most=0.2)]


def share_of_core(pids, seconds):
    before, began = sum(map(cpu_seconds, pids)), time.monotonic()
    time.sleep(seconds)
    return (sum(map(cpu_seconds, pids)) - before) / (time.monotonic() - began) * 100
