"""Section journal: what it costs to keep one, its size, and how soon a server is back."""
import json
import shutil
import statistics
import tempfile
import threading
import time
from pathlib import Path

from bench_cluster import BenchError, Cluster, Row, memory_bytes, ratios, say, until

JOURNAL = "j.bin"
MIB = 1 << 20
OFF, ON = ("--journal", "none"), ("--journal", JOURNAL)
NO_OUTPUT = ("--stdout=none", "--stderr=none")


def fleet(tools, server, count):
    """Tasks per second of simulated workers; the journal's size, and a copy of it, if there is one."""
    with Cluster(tools, server=server) as cluster:
        fakes = cluster.start_fakes(workers=16, cpus=16, expect=count)
        fakes.line("registered")
        submit = (f"--array=1-{count}", *NO_OUTPUT, "--", "nothing")
        cluster.submit(*submit)
        fakes.line("done")
        cluster.settle()
        path = cluster.folder / JOURNAL
        before = path.stat().st_size if path.exists() else 0
        cluster.submit(*submit)
        done, seconds, _ = fakes.line("done")
        cluster.settle()
        size = path.stat().st_size - before if path.exists() else 0
        if fakes.stop() > 0:
            raise BenchError("simulated workers were lost")
        return done / seconds, size / done


def real(tools, server, count):
    """Tasks per second of real processes; bytes of the journal per task, if there is one."""
    with Cluster(tools, server=server) as cluster:
        cluster.start_worker("--cpus=2", "--detect-resources=none")
        began = time.perf_counter()
        cluster.hq("submit", "--wait", f"--array=1-{count}", *NO_OUTPUT, "--", "/bin/true")
        rate = count / (time.perf_counter() - began)
        path = cluster.folder / JOURNAL
        return rate, path.stat().st_size / count if path.exists() else 0


def commit_latency(tools, server, count):
    """Milliseconds of a command whose answer rests on a commit, less those of one that only asks."""
    with Cluster(tools, server=server) as cluster:
        def took(*command):
            return statistics.median(seconds * 1000 for seconds, _, _ in cluster.measure(count, *command))
        return took("job", "open") - took("server", "info")


def while_pruning(tools, count):
    """The slowest command, in milliseconds, while a journal with so many finished tasks is made shorter."""
    with Cluster(tools, server=ON) as cluster:
        fakes = cluster.start_fakes(workers=16, cpus=16, expect=count)
        fakes.line("registered")
        cluster.submit(f"--array=1-{count}", *NO_OUTPUT, "--", "nothing")
        fakes.line("done")
        cluster.submit(f"--array=1-{count}", "--cpus=1000", *NO_OUTPUT, "--", "nothing")
        cluster.settle()
        pruning = threading.Thread(target=cluster.hq, args=("journal", "prune"))
        pruning.start()
        took = [0]
        while pruning.is_alive():
            took += [seconds * 1000 for seconds, _, _ in cluster.measure(1, "job", "open")]
        pruning.join()
        return max(took)


def restart(tools, count):
    """Of a server that comes back to so many finished and so many waiting tasks: seconds from its start to its first answer,
    bytes of memory then."""
    with tempfile.TemporaryDirectory(prefix="hq-bench-journal-") as kept:
        copy = Path(kept) / JOURNAL
        with Cluster(tools, server=ON) as cluster:
            fakes = cluster.start_fakes(workers=16, cpus=16, expect=count)
            fakes.line("registered")
            cluster.submit(f"--array=1-{count}", *NO_OUTPUT, "--", "nothing")
            fakes.line("done")
            fakes.stop()
            cluster.submit(f"--array=1-{count}", "--cpus=1000", *NO_OUTPUT, "--", "nothing")
            cluster.hq("journal", "flush")
            shutil.copy(cluster.folder / JOURNAL, copy)
        begin = time.monotonic()
        with Cluster(tools, server=("--journal", str(copy))) as cluster:
            until(lambda: "WAITING" in cluster.hq("job", "list", "--all"), "the restored jobs", 60)
            took = time.monotonic() - begin
            counts = [job["task_stats"] for job in json.loads(cluster.hq("job", "list", "--all", "--output-mode=json"))]
            if sorted((c["finished"], c["waiting"]) for c in counts) != [(0, count), (count, 0)]:
                raise BenchError(f"not all was restored: {counts}")
            return took, memory_bytes(cluster.pid) / MIB


def run(options, tools):
    count, few = max(20_000, int(1_000_000 * options.scale)), max(500, int(5000 * options.scale))
    without, with_it, sizes, real_off, real_on, real_sizes, commits, pruning, restarts, memory = ([] for _ in range(10))
    for number in range(options.runs):
        say(f"  journal: run {number + 1} of {options.runs}")
        without.append(fleet(tools, OFF, count)[0])
        rate, size = fleet(tools, ON, count)
        with_it.append(rate)
        sizes.append(size)
        real_off.append(real(tools, OFF, few)[0])
        rate, size = real(tools, ON, few)
        real_on.append(rate)
        real_sizes.append(size)
        commits.append(commit_latency(tools, ON, 50))
        pruning.append(while_pruning(tools, count))
        took, held = restart(tools, count)
        restarts.append(took)
        memory.append(held)
    off = Row("16 simulated workers of 16 CPUs, no journal", without, "tasks/s")
    on = Row("  with a journal", with_it, "tasks/s", least=300_000)
    true_off, true_on = Row("/bin/true, no journal", real_off, "tasks/s"), Row("  with a journal", real_on, "tasks/s")
    return [off, on, ratios(on, off, "  of the rate without one"),
            Row("  size per task", sizes, "bytes", most=40),
            true_off, true_on, ratios(true_on, true_off, "  of the rate without one", least=0.97),
            Row("  size per task", real_sizes, "bytes", most=40),
            Row("a commit, as a client waits for it", commits, "ms"),
            Row("the slowest command while a journal is made shorter", pruning, "ms", most=50),
            Row(f"restart with {count:,} finished and {count:,} waiting tasks", restarts, "s", most=1),
            Row("  memory then", memory, "MiB")]
