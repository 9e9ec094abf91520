"""Section journal: what it costs to keep one, its size, and how soon a server is back."""
import shutil
import tempfile
import time
from pathlib import Path

from bench_cluster import BenchError, Cluster, Row, ratios, say, until

JOURNAL = "j.bin"


def fleet(tools, server, count):
    """Tasks per second of simulated workers; the journal's size, and a copy of it, if there is one."""
    with Cluster(tools, server=server) as cluster:
        fakes = cluster.start_fakes(workers=16, cpus=16, expect=count)
        fakes.line("registered")
        submit = (f"--array=1-{count}", "--stdout=none", "--stderr=none", "--", "nothing")
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


def restart(tools, count):
    """Seconds from the start of a server to its first answer, with so many finished and so many waiting tasks."""
    with tempfile.TemporaryDirectory(prefix="hq-bench-journal-") as kept:
        copy = Path(kept) / JOURNAL
        with Cluster(tools, server=("--journal", JOURNAL)) as cluster:
            fakes = cluster.start_fakes(workers=16, cpus=16, expect=count)
            fakes.line("registered")
            cluster.submit(f"--array=1-{count}", "--stdout=none", "--stderr=none", "--", "nothing")
            fakes.line("done")
            fakes.stop()
            cluster.submit(f"--array=1-{count}", "--cpus=1000", "--stdout=none", "--stderr=none", "--", "nothing")
            cluster.hq("journal", "flush")
            shutil.copy(cluster.folder / JOURNAL, copy)
        begin = time.monotonic()
        with Cluster(tools, server=("--journal", str(copy))) as cluster:
            until(lambda: "WAITING" in cluster.hq("job", "list", "--all"), "the restored jobs", 60)
            return time.monotonic() - begin


def run(options, tools):
    count = max(20_000, int(1_000_000 * options.scale))
    without, with_it, sizes, restarts = [], [], [], []
    for number in range(options.runs):
        say(f"  journal: run {number + 1} of {options.runs}")
        without.append(fleet(tools, ("--journal", "none"), count)[0])
        rate, size = fleet(tools, ("--journal", JOURNAL), count)
        with_it.append(rate)
        sizes.append(size)
        restarts.append(restart(tools, count))
    off = Row("16 workers of 16 CPUs, no journal", without, "tasks/s")
    on = Row("  with a journal", with_it, "tasks/s", least=300_000)
    return [off, on, ratios(on, off, "  of the rate without one"),
            Row("  size per task", sizes, "bytes", most=40),
            Row(f"restart with {count:,} finished and {count:,} waiting tasks", restarts, "s", most=1)]
