"""Section spawn: tasks that end at once, beside the bare loop, xargs, GNU parallel and the original."""
import shutil
import subprocess
import time
from pathlib import Path

from bench_cluster import BenchError, Cluster, Row, ratios, say

HERE = Path(__file__).resolve().parent
PARALLEL_SHARE = 20  # GNU parallel is so much slower that a twentieth of the tasks tells its rate


def timed(count, command, **options):
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    return count / (time.perf_counter() - began)


def xargs_rate(count, program):
    numbers = "\n".join(map(str, range(count)))
    return timed(count, ["xargs", "-P2", "-n1", program], input=numbers.encode())


def parallel_rate(count, program):
    numbers = "\n".join(map(str, range(count)))
    return timed(count, ["parallel", "-j2", program, "{}"], input=numbers.encode())


def original_rate(python, count, mode, program):
    done = subprocess.run([python, str(HERE / "peer_original.py"), str(count), mode, program], capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"the original fails: {done.stderr[-500:]}")
    return float(done.stdout.splitlines()[-1])


def our_rate(cluster, count, mode, program):
    folder = cluster.folder / "out"
    folder.mkdir()
    outputs = ["--stdout=none", "--stderr=none"] if mode == "null" else []
    command = [str(cluster.tools.hq), "submit", "--wait", f"--array=1-{count}", *outputs, "--", program]
    rate = timed(count, command, cwd=folder, env=cluster.env, stdin=subprocess.DEVNULL)
    if mode == "files" and sum(1 for _ in folder.rglob("*.stdout")) != count:
        raise BenchError("output files are missing")
    shutil.rmtree(folder)
    return rate


def has_original(python):
    if not python:
        return False
    return subprocess.run([python, "-c", "import hyperqueue"], capture_output=True).returncode == 0


def compare(options, tools, name, count, mode, program, targets):
    """Rates of everybody, in turns, and the ratios that matter."""
    peers = {"bare loop, 1 child": lambda _: tools.bare_rate(count, 1, mode, program),
             "bare loop, 2 children": lambda _: tools.bare_rate(count, 2, mode, program)}
    if mode == "null":
        if shutil.which("xargs"):
            peers["xargs -P2 -n1"] = lambda _: xargs_rate(count, program)
        if shutil.which("parallel"):
            peers["GNU parallel -j2"] = lambda _: parallel_rate(max(50, count // PARALLEL_SHARE), program)
    if has_original(options.peer_python):
        peers["the original"] = lambda _: original_rate(options.peer_python, max(500, count // 4), mode, program)
    peers["hq"] = lambda cluster: our_rate(cluster, count, mode, program)
    values = {peer: [] for peer in peers}
    with Cluster(tools) as cluster:
        cluster.start_worker("--cpus=2")
        for run in range(options.runs):
            say(f"  {name}: run {run + 1} of {options.runs}")
            for peer, rate in peers.items():
                values[peer].append(rate(cluster))
                say(f"    {peer}: {values[peer][-1]:,.0f} tasks/s")
    rows = {peer: Row(f"{name}: {peer}", rates, "tasks/s") for peer, rates in values.items()}
    best = [max(pair) for pair in zip(values["bare loop, 1 child"], values["bare loop, 2 children"])]
    rows["bare loop"] = Row(f"{name}: the better bare loop", best, "tasks/s")
    shown = [row for peer, row in rows.items() if peer != "bare loop"]
    for peer, least in targets.items():
        if peer in rows:
            shown.append(ratios(rows["hq"], rows[peer], f"{name}: hq / {rows[peer].what.split(': ')[1]}", least=least))
    return shown


def run(options, tools):
    scale = options.scale
    minimal = tools.path("minimal")
    many, more = max(100, int(5000 * scale)), max(200, int(20000 * scale))
    rows = compare(options, tools, "/bin/true", many, "null", "/bin/true",
                   {"bare loop": 0.9, "xargs -P2 -n1": 1.3, "the original": 4.0})
    rows += compare(options, tools, "minimal", more, "null", minimal, {"bare loop": 0.75, "the original": 10.0})
    rows += compare(options, tools, "/bin/true, files", many, "files", "/bin/true", {"bare loop": 0.8})
    rows += compare(options, tools, "minimal, files", more, "files", minimal, {"bare loop": 0.8})
    return rows
