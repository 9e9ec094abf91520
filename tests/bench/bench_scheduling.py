"""Section scheduling: how well and how fast tasks are placed, without processes and sockets."""
import json
import subprocess
import sys

import bench_placement
from bench_cluster import Row, say
from bench_spawn import has_original

PLANS = ("random", "alike", "apart", "full", "odd", "priorities", "short", "variants", "gangs")
KINDS = ("plain", "fractions", "variants")
# Finds the shortest schedule by time slots of one second; run by a Python that has scipy.
OPTIMUM = r"""
import json, sys
import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import lil_matrix

def possible(instance, slots):
    columns = []  # (job, worker, start, cpus, gpus)
    for j, job in enumerate(instance["jobs"]):
        ways = [(job["cpus"], job["gpus"])] + ([(job["other_cpus"], 0)] if job["other_cpus"] else [])
        for w, worker in enumerate(instance["workers"]):
            for cpus, gpus in ways:
                if cpus <= worker["cpus"] and gpus <= worker["gpus"]:
                    columns += [(j, w, t, cpus, gpus) for t in range(slots - job["seconds"] + 1)]
    if not columns:
        return False
    jobs, workers = len(instance["jobs"]), len(instance["workers"])
    matrix = lil_matrix((jobs + 2 * workers * slots, len(columns)))
    low = np.full(matrix.shape[0], -np.inf)
    high = np.empty(matrix.shape[0])
    for j, job in enumerate(instance["jobs"]):
        low[j] = high[j] = job["tasks"]
    for w, worker in enumerate(instance["workers"]):
        for t in range(slots):
            row = jobs + 2 * (w * slots + t)
            high[row], high[row + 1] = worker["cpus"], worker["gpus"]
    for c, (j, w, start, cpus, gpus) in enumerate(columns):
        matrix[j, c] = 1
        for t in range(start, start + instance["jobs"][j]["seconds"]):
            row = jobs + 2 * (w * slots + t)
            matrix[row, c], matrix[row + 1, c] = cpus, gpus
    found = milp(np.zeros(len(columns)), constraints=LinearConstraint(matrix.tocsr(), low, high),
                 integrality=np.ones(len(columns)), bounds=Bounds(0, np.inf), options={"time_limit": 20})
    return None if found.status == 1 else found.status == 0  # 1: not found out in time

for line in sys.stdin:
    instance = json.loads(line)
    slots = max(1, int(instance["bound"] - 1e-9) + 1)
    answer = slots >= instance["makespan"] or possible(instance, slots)
    while answer is False:
        slots += 1
        answer = slots >= instance["makespan"] or possible(instance, slots)
    print(slots if answer else 0, flush=True)
"""


def optima(python, instances):
    """The best makespan of each, 0 where it was not found in time; None without a Python that has scipy."""
    try:
        done = subprocess.run([python, "-c", OPTIMUM], input="".join(json.dumps(i) + "\n" for i in instances),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=1800)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return [int(line) for line in done.stdout.split()] if done.returncode == 0 else None


def plans(options, tools):
    rows = []
    workers, classes = max(100, int(10_000 * options.scale)), max(10, int(1_000 * options.scale))
    for kind in PLANS:
        seen = [json.loads(tools.output("scheduler_bench", "plan", workers, classes, kind, seed))
                for seed in range(1, options.runs + 1)]
        rows.append(Row(f"{workers:,} workers x {classes:,} classes, {kind}: whole pass", [p["pass_ms"] for p in seen], "ms",
                        most=50))
        rows.append(Row(f"  its longest step, of {seen[0]['steps']}", [p["longest_step_ms"] for p in seen], "ms", most=5))
    return rows


def makespans(options, tools, knowledge):
    rows = []
    count = max(10, int(100 * options.scale))
    for kind in KINDS:
        seen = [json.loads(tools.output("scheduler_bench", "makespan", kind, seed, knowledge)) for seed in range(1, count + 1)]
        # Some requests fit no worker of their instance; what runs for ever is no measure.
        seen = [instance for instance in seen if instance["waiting"] == 0]
        name = f"small, {kind}, durations {knowledge}"
        best = optima(getattr(options, "milp_python", None) or sys.executable, seen)
        if best is None:
            say("no Python with scipy (--milp-python): small instances are not compared with their optimum")
            rows.append(Row(f"{name}: makespan / lower bound", [i["makespan"] / i["bound"] for i in seen], "x"))
            continue
        if 0 in best:
            say(f"  {name}: of {best.count(0)} instances the optimum was not found in time; they are left out")
        ratios = [i["makespan"] / b for i, b in zip(seen, best) if b > 0]
        # Whoever does not know durations cannot come near the optimum always: that is no target then.
        known = knowledge == "known"
        rows.append(Row(f"{name}: makespan / optimum, of {len(ratios)}", ratios, "x", most=1.03))
        rows.append(Row("  the worst of them", [max(ratios)], "x", most=1.15 if known else None))
    return rows


def scheduling(options, tools):
    rows = plans(options, tools) if options.only in (None, "plans") else []
    if options.only in (None, "small"):
        rows += makespans(options, tools, "known") + makespans(options, tools, "unknown")
    with_original = has_original(options.peer_python)
    if not with_original:
        say("no Python with the original (--peer-python): workloads are not compared with it")
    return rows + bench_placement.compare(options, tools, with_original)
