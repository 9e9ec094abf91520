#!/usr/bin/env python3
"""Slurm and PBS as far as allocations need them: sbatch, scontrol, scancel, squeue, sacct, srun, qsub, qstat, qdel, pbsdsh.

Which one it is, is said by the name it is called by. All state is below $HOME/fake: `calls` has every command line,
`jobs/ID.json` one job. A file `fail` there makes submissions fail, `hold` keeps jobs waiting (`fake-start ID` starts
one then), `deaf` makes questions fail. The forms of what is printed were recorded from the real programs.
"""
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

HOME = Path(os.environ["HOME"]) / "fake"
JOBS = HOME / "jobs"
ME, WORDS = Path(sys.argv[0]).name, sys.argv[1:]


def load(job):
    path = JOBS / f"{job}.json"
    return json.loads(path.read_text()) if path.exists() else None


def store(job):
    path = JOBS / f"{job['id']}.json"
    path.with_suffix(".new").write_text(json.dumps(job))
    path.with_suffix(".new").rename(path)


def alive(job):
    try:
        os.killpg(job["pid"], 0)
        return "zombie" not in Path(f"/proc/{job['pid']}/status").read_text()
    except (OSError, KeyError):
        return False


def look(job):
    """The job as it is now: the end of its script is noticed here."""
    if job["state"] == "RUNNING" and not alive(job):
        code = Path(job["directory"]) / "fake-exit"
        job["exit"] = int(code.read_text() or 1) if code.exists() else 1
        job.update(state="COMPLETED" if job["exit"] == 0 else "FAILED", ended=time.time())
        store(job)
    return job


def start(job):
    directory, number = Path(job["directory"]), job["id"]
    names = {"slurm": {"SLURM_JOB_ID": number, "SLURM_JOBID": number, "SLURM_NNODES": str(job["nodes"])},
             "pbs": {"PBS_JOBID": number, "PBS_ENVIRONMENT": "PBS_BATCH"}}[job["kind"]]
    with (directory / "stdout").open("wb") as out, (directory / "stderr").open("wb") as err:
        process = subprocess.Popen(
            ["bash", "-c", 'bash "$0"; echo $? > "$1"', job["script"], str(directory / "fake-exit")], stdout=out,
            stderr=err, stdin=subprocess.DEVNULL, start_new_session=True, cwd=job["directory"],
            env={**os.environ, **names, "FAKE_NODES": str(job["nodes"])})
    job.update(state="RUNNING", pid=process.pid, started=time.time())
    store(job)


def submit(kind, script):
    if (HOME / "fail").exists():
        print("no partition", file=sys.stderr)
        print("out")
        return 3
    text = Path(script).read_text()
    counter = HOME / "last"
    number = int(counter.read_text()) + 1 if counter.exists() else 101
    counter.write_text(str(number))
    (HOME / f"script.{number}").write_text(text)
    nodes = re.search(r"#SBATCH --nodes=(\d+)|select=(\d+)", text)
    job = {"id": str(number) if kind == "slurm" else f"{number}.srv", "kind": kind, "state": "PENDING", "script": script,
           "nodes": int(nodes.group(1) or nodes.group(2)), "directory": str(Path(script).parent), "queued": time.time()}
    store(job)
    if not (HOME / "hold").exists() and "#PBS -h" not in text and "/autoalloc/0/001/" not in script:
        start(job)
    print(f"Submitted batch job {number}" if kind == "slurm" else job["id"])
    return 0


def cancel(number):
    job = load(number)
    if job is None:
        return 0 if ME == "scancel" else 153
    look(job)
    if job["state"] in ("PENDING", "RUNNING"):
        if job["state"] == "RUNNING":
            os.killpg(job["pid"], signal.SIGTERM)
        job.update(state="CANCELLED", exit=271, ended=time.time())
        store(job)
    return 0


def moment(seconds, form="%Y-%m-%dT%H:%M:%S"):
    return time.strftime(form, time.localtime(seconds)) if seconds else "Unknown"


def deaf():
    if not (HOME / "deaf").exists():
        return False
    print("slurm_load_jobs error: Unable to contact slurm controller (connect failure)", file=sys.stderr)
    return True


def show_job(number):
    job = load(number)
    if deaf():
        return 1
    if job is None:
        print("slurm_load_jobs error: Invalid job id specified", file=sys.stderr)
        return 1
    look(job)
    ran = int(time.time() - job["started"]) if "started" in job else 0
    print(f"JobId={number} JobName=hq\n   UserId=u(1000) GroupId=u(1000) MCS_label=N/A\n"
          f"   JobState={job['state']} Reason=None Dependency=(null)\n"
          f"   RunTime=00:00:{ran % 60:02} TimeLimit=01:00:00 TimeMin=N/A\n"
          f"   StartTime={moment(job.get('started'))} EndTime={moment(job.get('ended'))} Deadline=N/A\n"
          f"   NumNodes={job['nodes']} NumCPUs={job['nodes']}\n")
    return 0


def squeue():
    if deaf():
        return 1
    for number in WORDS[WORDS.index("-j") + 1].split(","):
        if (job := load(number)) is not None:
            look(job)
            print(f"{number}|{job['state']}|{moment(job.get('started'))}|{moment(job.get('ended'))}")
    return 0


def qstat():
    ids = [word for word in WORDS if not word.startswith("-") and word != "json"]
    answer, code = {"timestamp": int(time.time()), "pbs_version": "23.06.06", "pbs_server": "srv"}, 0
    for number in ids:
        if (job := load(number)) is None:
            print(f"qstat: Unknown Job Id {number}", file=sys.stderr)
            code = 153
            continue
        look(job)
        entry = {"Job_Name": "hq", "job_state": {"PENDING": "Q", "RUNNING": "R"}.get(job["state"], "F"),
                 "Resource_List": {"walltime": "01:00:00"}}
        for key, name in (("stime", "started"), ("mtime", "ended")):
            if name in job:
                entry[key] = moment(job[name], "%a %b %d %H:%M:%S %Y")
        if entry["job_state"] == "F":
            entry["Exit_status"] = job["exit"]
        answer.setdefault("Jobs", {})[number] = entry
    print(json.dumps(answer, indent="\t"))
    return code


def on_all_nodes(command):
    """What srun and pbsdsh do: the command once per node, ended together."""
    processes = [subprocess.Popen(command) for _ in range(int(os.environ["FAKE_NODES"]))]
    return max(process.wait() for process in processes)


def main():
    JOBS.mkdir(parents=True, exist_ok=True)
    if ME in ("srun", "pbsdsh"):
        first = WORDS.index("--") + 1 if "--" in WORDS else next(i for i, w in enumerate(WORDS) if not w.startswith("-"))
        return on_all_nodes(WORDS[first:])
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with (HOME / "calls").open("a") as calls:
            print(ME, *WORDS, file=calls)
        if ME in ("sbatch", "qsub"):
            return submit("slurm" if ME == "sbatch" else "pbs", WORDS[-1])
        if ME in ("scancel", "qdel"):
            return cancel(WORDS[-1])
        if ME == "fake-start":
            start(load(WORDS[0]))
            return 0
        if ME == "fake-end":  # ID STATE
            store({**load(WORDS[0]), "state": WORDS[1], "exit": 1, "started": time.time(), "ended": time.time()})
            return 0
        if ME == "fake-forget":
            (JOBS / f"{WORDS[0]}.json").unlink()
            return 0
        if ME == "scontrol":
            return show_job(WORDS[-1])
        if ME == "squeue":
            return squeue()
        if ME == "qstat":
            return qstat()
        print("Slurm accounting storage is disabled", file=sys.stderr)  # sacct
        return 1


sys.exit(main())
