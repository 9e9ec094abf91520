"""Whole workloads of waiting tasks on real workers: how long they take beside the shortest time possible and beside the
original. The tasks sleep, so that the processors of this machine do not matter."""
import json
import subprocess
import tempfile
from pathlib import Path

from bench_cluster import PATIENCE, BenchError, Cluster, Row, ratios, say

HERE = Path(__file__).resolve().parent


def task(seconds, *variants, priority=0):
    # What is left behind says when the task ended.
    return {"seconds": seconds, "priority": priority, "variants": list(variants), "script": f'sleep {seconds}; : > "$1"'}


def alternatives():
    """Tasks that can take one cpu or, rather, two, among some that cannot."""
    return {"workers": [4, 4], "tasks": [task(0.3, {"cpus": 1}) for _ in range(12)] +
            [task(0.4, {"cpus": 2}, {"cpus": 1}) for _ in range(20)] + [task(0.5, {"cpus": 4}, {"cpus": 3}) for _ in range(4)]}


def fractions():
    """Tasks that share a cpu, of three sizes."""
    sizes = [0.25, 0.5, 0.75]
    return {"workers": [4], "tasks": [task(0.2 + 0.1 * (i % 3), {"cpus": sizes[i % 3]}) for i in range(48)]}


def priorities():
    """Many short tasks, some long ones of the same priority behind them, and a few that are more urgent and need much."""
    return {"workers": [4, 4], "tasks": [task(0.1, {"cpus": 1}) for _ in range(60)] +
            [task(1.0, {"cpus": 2}) for _ in range(6)] + [task(0.3, {"cpus": 3}, priority=1) for _ in range(4)]}


def gpus():
    """Thirds and halves of GPUs, whole ones, and tasks that take a GPU or four cpus; the original's package offers no GPUs."""
    kinds = [({"cpus": 1, "gpus": 0.5},), ({"cpus": 1, "gpus": 0.25},), ({"cpus": 1, "gpus": 1}, {"cpus": 4}), ({"cpus": 2},)]
    return {"workers": [8, 8], "options": ["--resource", "gpus=[0,1,2]"],
            "tasks": [task(0.2 + 0.1 * (i % 2), *kinds[i % 4]) for i in range(80)]}


def numa():
    """Tasks that insist on one of two groups of cpus, and small ones between them; the original's package has no groups."""
    return {"workers": ["[[0,1],[2,3]]", "[[0,1],[2,3]]"],
            "tasks": [task(0.3, {"cpus": "2 compact!"}) for _ in range(16)] + [task(0.2, {"cpus": 1}) for _ in range(24)]}


def amount(value):
    return float(value.split()[0]) if isinstance(value, str) else float(value)


def bound(workload):
    """Seconds that nobody can beat: the longest task, and all that is asked for over all there is."""
    cpus = sum(w if isinstance(w, int) else 4 for w in workload["workers"])
    least = [min(amount(v["cpus"]) for v in t["variants"]) * t["seconds"] for t in workload["tasks"]]
    return max(max(t["seconds"] for t in workload["tasks"]), sum(least) / cpus)


def lines(workload, traces):
    """The tasks as client_bench reads them."""
    for number, one in enumerate(workload["tasks"]):
        variants = "|".join(";".join(f"{name}={value}" for name, value in variant.items()) for variant in one["variants"])
        yield "\t".join([str(one["priority"]), variants, "sh", "-c", one["script"], "sh", f"{traces}/{number}"]) + "\n"


def last_end(workload, traces):
    ends = [path.stat().st_mtime for path in Path(traces).iterdir()]
    if len(ends) != len(workload["tasks"]):
        raise BenchError(f"{len(ends)} of {len(workload['tasks'])} tasks left a trace")
    return max(ends)


def our_seconds(tools, workload):
    with tempfile.TemporaryDirectory(prefix="hq-bench-traces-") as traces, Cluster(tools) as cluster:
        for cpus in workload["workers"]:
            cluster.start_worker(f"--cpus={cpus}", "--detect-resources=none", *workload.get("options", []))
        done = subprocess.run([tools.path("client_bench"), str(cluster.access), "workload"], capture_output=True, text=True,
                              input="".join(lines(workload, traces)), timeout=PATIENCE)
        if done.returncode != 0:
            raise BenchError(f"the workload fails: {done.stderr[-500:]}")
        return last_end(workload, traces) - float(done.stdout)


def original_seconds(python, workload):
    with tempfile.TemporaryDirectory(prefix="hq-bench-traces-") as traces:
        done = subprocess.run([python, str(HERE / "peer_scheduling.py"), traces], input=json.dumps(workload),
                              capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode != 0:
            raise BenchError(f"the original fails: {done.stderr[-500:]}")
        return last_end(workload, traces) - float(done.stdout.splitlines()[-1])


def compare(options, tools, with_original):
    rows = []
    for make in (alternatives, fractions, priorities, gpus, numa):
        workload, name = make(), make.__name__
        if options.only not in (None, name):
            continue
        ours, original = [], []
        beside = with_original and make not in (gpus, numa)
        for _ in range(options.runs if options.only else min(options.runs, 3)):
            ours.append(our_seconds(tools, workload))
            if beside:
                original.append(original_seconds(options.peer_python, workload))
        say(f"  {name}: hq {ours}, the original {original}")
        row = Row(f"{name}, {len(workload['tasks'])} tasks: hq", ours, "s")
        rows += [row, Row("  over the shortest time possible", [o / bound(workload) for o in ours], "x")]
        if beside:
            peer = Row(f"{name}: the original", original, "s")
            rows += [peer, ratios(row, peer, "  hq / the original", most=1.0)]
    return rows
