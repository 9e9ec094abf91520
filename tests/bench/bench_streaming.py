"""Section streaming: output of tasks into few files, by the workers (--stream) and by the server (--log)."""
import os
import shutil
import statistics
import subprocess
import time
from pathlib import Path

from bench_cluster import BenchError, Cluster, Row, cpu_seconds, memory_bytes, ratios, say, until
from bench_spawn import has_original

HERE = Path(__file__).resolve().parent
MIB = 1 << 20


def disk_rate(folder, size):
    """What dd writes there, in MB/s."""
    target = folder / "dd.out"
    began = time.perf_counter()
    subprocess.run(["dd", "if=/dev/zero", f"of={target}", "bs=1M", f"count={size // MIB}"], check=True, stderr=subprocess.DEVNULL)
    rate = size / (time.perf_counter() - began) / 1e6
    target.unlink()
    return rate


def raw_rate(tools):
    """MB/s of frames as large as ours that the same sockets carry to a server, with CURVE and nothing else."""
    return float(tools.output("transport_bench", 2, 1, 64 * 1024).split(" MB/s")[0].split()[-1])


def written_bytes(tasks, size):
    """What they write together: about `size`, and of each the same number of MiB."""
    return size // tasks // MIB * tasks * MIB


def producing_rate(cluster, option, tasks, size):
    """MB/s of so many tasks that write `size` bytes together, as fast as they can, into a file or directory that is new."""
    each = written_bytes(tasks, size) // tasks
    command = ["submit", "--wait", option, f"--array=1-{tasks}", "--cpus=0.01", "--",
               "dd", "if=/dev/zero", "bs=64k", f"count={each // 65536}", "status=none"]
    began = time.perf_counter()
    cluster.hq(*command)
    return each * tasks / (time.perf_counter() - began) / 1e6


def forget_output(cluster):
    """What was written before must not keep the disk busy while the next is measured."""
    shutil.rmtree(cluster.folder / "out", ignore_errors=True)
    (cluster.folder / "out.log").unlink(missing_ok=True)


def throughput(options, tools, size):
    rows = []
    with Cluster(tools) as cluster:
        worker = cluster.start_worker("--cpus=2", "--detect-resources=none")
        disk, raw, rates, costs = [], [], {}, {}
        for run in range(options.runs):
            say(f"  throughput: run {run + 1} of {options.runs}")
            disk.append(disk_rate(cluster.folder, size))
            raw.append(raw_rate(tools))
            for way, option in (("--stream", "--stream=out"), ("--log", "--log=out.log")):
                for tasks in (1, 8, 64):
                    used = cpu_seconds(cluster.pid) + cpu_seconds(worker.pid)
                    rates.setdefault((way, tasks), []).append(producing_rate(cluster, option, tasks, size))
                    used = cpu_seconds(cluster.pid) + cpu_seconds(worker.pid) - used
                    costs.setdefault((way, tasks), []).append(used / written_bytes(tasks, size) * 1e9)
                    say(f"    {way}, {tasks} tasks: {rates[way, tasks][-1]:,.0f} MB/s, {costs[way, tasks][-1]:.2f} CPU s per GB")
                    forget_output(cluster)
        peaks = [("server", memory_bytes(cluster.pid, "VmHWM")), ("worker", memory_bytes(worker.pid, "VmHWM"))]
    rows += [Row("what dd writes there", disk, "MB/s"), Row("what the sockets carry, CURVE", raw, "MB/s")]
    goals = {"--stream": min(400, 0.8 * statistics.median(disk)), "--log": min(200, 0.5 * statistics.median(raw))}
    for (way, tasks), values in rates.items():
        goal = goals[way]
        name = f"{way}, {tasks} producing task{'s' if tasks > 1 else ''}"
        rows += [Row(name, values, "MB/s", least=goal), Row("  server and worker", costs[way, tasks], "CPU s/GB")]
    rows += [Row(f"peak memory of the {who}", [peak / MIB], "MiB", most=64) for who, peak in peaks]
    return rows


def original_rate(python, count, mode, command):
    done = subprocess.run([python, str(HERE / "peer_stream.py"), str(count), mode, *command], capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"the original failed: {done.stderr[-1000:]}")
    return float(done.stdout.strip().splitlines()[-1])


def task_rate(cluster, count, outputs, program):
    began = time.perf_counter()
    cluster.hq("submit", "--wait", f"--array=1-{count}", *outputs, "--", *program)
    rate = count / (time.perf_counter() - began)
    for kept in ("out", "files"):
        shutil.rmtree(cluster.folder / kept, ignore_errors=True)
    return rate


def short_tasks(options, tools, count):
    ways = {"default files": ["--stdout=files/%{TASK_ID}.out", "--stderr=files/%{TASK_ID}.err"],
            "--stream": ["--stream=out"], "--log": ["--log=out.log"], "no output": ["--stdout=none", "--stderr=none"]}
    command = ["/bin/echo", "one line"]
    original = {"the original, default files": "files", "the original, --stream": "stream"} if has_original(options.peer_python) else {}
    values = {way: [] for way in [*ways, *original]}
    with Cluster(tools) as cluster:
        cluster.start_worker("--cpus=2", "--detect-resources=none")
        for run in range(options.runs):
            say(f"  short tasks: run {run + 1} of {options.runs}")
            for way, outputs in ways.items():
                values[way].append(task_rate(cluster, count, outputs, command))
                say(f"    {way}: {values[way][-1]:,.0f} tasks/s")
            for way, mode in original.items():
                values[way].append(original_rate(options.peer_python, max(500, count // 4), mode, command))
                say(f"    {way}: {values[way][-1]:,.0f} tasks/s")
    rows = {way: Row(f"echo, {way}", rates, "tasks/s") for way, rates in values.items()}
    shown = [*rows.values(),
             ratios(rows["--stream"], rows["default files"], "echo, --stream / default files", least=0.9),
             ratios(rows["--log"], rows["default files"], "echo, --log / default files")]
    if original:
        shown.append(ratios(rows["--stream"], rows["the original, --stream"], "echo, hq / the original, --stream", least=1))
    return shown


def commands(cluster, count):
    """Milliseconds of so many commands, one after the other."""
    took = []
    for _ in range(count):
        began = time.perf_counter()
        cluster.hq("server", "info")
        took.append((time.perf_counter() - began) * 1000)
    return took


def dispatches(cluster, count):
    """Milliseconds of so many tasks for the simulated worker, each from its submit until the client hears of its end."""
    lines = cluster.tools.output("client_bench", cluster.access, "dispatch", count, 2)
    return [float(line) / 1000 for line in lines.splitlines()]


def p99(values):
    return sorted(values)[int(len(values) * 0.99)]


def while_output_comes(cluster, measure):
    """What `measure` gives while two tasks write into a log file as fast as they can."""
    job = cluster.submit("--log=out.log", "--array=1-2", "--cpus=0.01", "--resource=pipe=1", "--",
                         "dd", "if=/dev/zero", "bs=64k", "status=none")
    log = cluster.folder / "out.log"
    until(lambda: log.exists() and log.stat().st_size > 16 * MIB, "output to flow")
    size = log.stat().st_size
    took = measure()
    if log.stat().st_size <= size:
        raise BenchError("no output came meanwhile")
    cluster.hq("job", "cancel", job)
    cluster.hq("job", "wait", job)
    forget_output(cluster)
    return took


def latency(options, tools):
    """What clients and tasks wait for while output saturates the broker."""
    kinds = {"server info": lambda cluster: commands(cluster, 60), "dispatch of a task": lambda cluster: dispatches(cluster, 300)}
    idle, busy = {kind: [] for kind in kinds}, {kind: [] for kind in kinds}
    with Cluster(tools) as cluster:
        cluster.start_worker("--cpus=1", "--resource=pipe=sum(2)", "--detect-resources=none")
        cluster.start_fakes(workers=1, cpus=2, expect=1 << 40).line("registered")
        for run in range(options.runs):
            say(f"  latency: run {run + 1} of {options.runs}")
            for kind, measure in kinds.items():
                idle[kind].append(p99(measure(cluster)))
                busy[kind].append(p99(while_output_comes(cluster, lambda: measure(cluster))))
    rows = []
    for kind in kinds:
        idle_row, busy_row = Row(f"{kind}, idle, p99", idle[kind], "ms"), Row(f"{kind} while output comes, p99", busy[kind], "ms")
        rows += [idle_row, busy_row, ratios(busy_row, idle_row, "  while output comes / idle", most=2)]
    return rows


def look_up(options, tools, count):
    files = 4
    with Cluster(tools) as cluster:
        subprocess.run([tools.path("stream_files"), cluster.folder / "out", str(count), str(files)], check=True)
        word = ("output-log", "out", "cat", "1", "stdout", "--task", count // 2)
        if cluster.hq(*word) != f"this is the output of task {count // 2}\n":
            raise BenchError("the wrong output was found")
        runs = cluster.measure(max(5, options.runs), *word)
    return [Row(f"cat of one of {count:,} tasks in {files} files", [seconds * 1000 for seconds, _, _ in runs], "ms", most=50)]


def run(options, tools):
    size = max(64, int(1024 * options.scale)) * MIB
    if os.statvfs("/tmp").f_bavail * os.statvfs("/tmp").f_frsize < 4 * size:
        raise BenchError("not enough room in the temporary directory")
    return [*throughput(options, tools, size), *short_tasks(options, tools, max(200, int(5000 * options.scale))),
            *latency(options, tools), *look_up(options, tools, max(1000, int(1_000_000 * options.scale)))]
