"""Sections nospawn, arrays and jobs: what the server itself costs, in time and memory."""
from bench_cluster import BenchError, Cluster, Row, cpu_seconds, memory_bytes, say

MIB = 1 << 20
MS = 1e3  # seconds to milliseconds


def nospawn_fleet(options, tools, workers, cpus, count):
    name = f"{workers} worker{'s' if workers > 1 else ''} of {cpus} CPUs"
    rates, costs, memory = [], [], []
    for run in range(options.runs):
        say(f"  {name}: run {run + 1} of {options.runs}")
        with Cluster(tools) as cluster:
            fakes = cluster.start_fakes(workers=workers, cpus=cpus, expect=count)
            fakes.line("registered")
            # A first job makes buffers grow and tells how long tasks are; the second is measured.
            submit = (f"--array=1-{count}", "--stdout=none", "--stderr=none", "--", "nothing")
            cluster.submit(*submit)
            fakes.line("done")
            cluster.settle()
            cpu, resident = cpu_seconds(cluster.pid), memory_bytes(cluster.pid)
            cluster.submit(*submit)
            done, seconds, _ = fakes.line("done")
            cluster.settle()
            rates.append(done / seconds)
            costs.append((cpu_seconds(cluster.pid) - cpu) / done * 1e6)
            memory.append((memory_bytes(cluster.pid) - resident) / done)
            if fakes.stop() > 0:
                raise BenchError("simulated workers were lost")
    return [Row(f"{name}: server CPU per task", costs, "us", most=1.5),
            Row(f"{name}: tasks per second", rates, "tasks/s", least=500_000),
            Row(f"{name}: memory per finished task", memory, "bytes", most=32)]


def nospawn(options, tools):
    count = max(20_000, int(2_000_000 * options.scale))
    return nospawn_fleet(options, tools, 1, 2, count) + nospawn_fleet(options, tools, 64, 128, count)


def growth(cluster, before):
    """Of the server's peak: what a moment needed counts too."""
    return (memory_bytes(cluster.pid, "VmHWM") - before) / MIB


def arrays(options, tools):
    huge, million = int(10_000_000 * options.scale), int(1_000_000 * options.scale)
    submit, submit_memory, cancel = [], [], []
    lists, list_memory, infos, info_memory = [], [], [], []
    for run in range(options.runs):
        say(f"  arrays: run {run + 1} of {options.runs}")
        with Cluster(tools) as cluster:
            cluster.hq("server", "info")
            before = memory_bytes(cluster.pid, "VmHWM")
            submit += [row[0] * MS for row in cluster.measure(
                1, "submit", f"--array=1-{huge}", "--stdout=none", "--stderr=none", "--", "true")]
            submit_memory.append(growth(cluster, before))
            cancel += [row[0] * MS for row in cluster.measure(1, "job", "cancel", "1")]
        with Cluster(tools) as cluster:
            fakes = cluster.start_fakes(workers=1, cpus=2, expect=million)
            fakes.line("registered")
            cluster.submit(f"--array=1-{million}", "--", "nothing")
            fakes.line("done")
            cluster.settle()
            for took, memory, command in ((lists, list_memory, ("job", "list", "--all")),
                                          (infos, info_memory, ("job", "info", "1"))):
                for row in cluster.measure(3, *command):
                    took.append(row[0] * MS)
                    memory.append(row[2] / MIB)
    return [Row(f"submit of an array of {huge:,}", submit, "ms", most=50),
            Row("  growth of the server's peak", submit_memory, "MiB", most=5),
            Row("  cancelling it", cancel, "ms", most=50),
            Row(f"job list with a job of {million:,} finished tasks", lists, "ms", most=50),
            Row("  memory of the client", list_memory, "MiB", most=20),
            Row(f"job info of a job of {million:,} finished tasks", infos, "ms", most=50),
            Row("  memory of the client", info_memory, "MiB", most=20)]


def one_task_jobs(options, tools, count):
    seconds, memory, lists = [], [], []
    for run in range(options.runs):
        say(f"  {count:,} jobs: run {run + 1} of {options.runs}")
        with Cluster(tools) as cluster:
            cluster.hq("server", "info")
            before = memory_bytes(cluster.pid)
            seconds.append(float(tools.output("client_bench", cluster.access, "jobs", count)))
            memory.append((memory_bytes(cluster.pid) - before) / count)
            lists += [row[0] * MS for row in cluster.measure(3, "job", "list", "--all", "--output-mode", "quiet")]
    return [Row(f"{count:,} jobs of one task: submits through one connection", [count / s for s in seconds], "jobs/s"),
            Row("  server memory per job", memory, "bytes", most=1024),
            Row("  quiet job list --all", lists, "ms", most=100)]


def each_line(options, tools, lines):
    seconds, memory, peak = [], [], []
    for run in range(options.runs):
        say(f"  --each-line of {lines:,} lines: run {run + 1} of {options.runs}")
        with Cluster(tools) as cluster:
            path = cluster.folder / "lines"
            with path.open("w") as file:
                file.writelines(f"{number:0199d}\n" for number in range(lines))
            size = path.stat().st_size
            cluster.hq("server", "info")
            before = memory_bytes(cluster.pid)
            seconds += [row[0] for row in cluster.measure(
                1, "submit", "--each-line", path, "--stdout=none", "--stderr=none", "--", "true")]
            peak.append((memory_bytes(cluster.pid, "VmHWM") - before) / size)
            cluster.settle()
            memory.append((memory_bytes(cluster.pid) - before) / size)
    return [Row(f"--each-line of {lines:,} lines of 200 bytes", seconds, "s", most=1.0),
            Row("  server memory / file", memory, "x", most=1.3),
            Row("  server's peak / file", peak, "x")]


def jobs(options, tools):
    return (one_task_jobs(options, tools, max(1000, int(100_000 * options.scale))) +
            each_line(options, tools, max(1000, int(1_000_000 * options.scale))))
