"""Allocation queues, with programs in the place of Slurm and PBS that really start what is submitted."""
import json
import re
import shutil
import signal
import sqlite3
from pathlib import Path

import pytest

from hq import wait_until
from transcript import replay, sessions

FAKE = Path(__file__).parent / "fake_batch" / "fake_batch.py"
PROGRAMS = ["sbatch", "scontrol", "scancel", "squeue", "sacct", "srun", "qsub", "qstat", "qdel", "pbsdsh", "fake-start",
            "fake-forget", "fake-end"]
FAST = {"HQ_AUTOALLOC_REFRESH_INTERVAL_MS": "300", "HQ_AUTOALLOC_MAX_SCHEDULE_DELAY_MS": "200",
        "HQ_AUTOALLOC_SCHEDULE_TICK_INTERVAL_MS": "100"}
PROBING = ("WARN No worker resources were provided for this queue. Before the first worker connects from an allocation "
           "submitted by this queue, the queue will operate in probing mode.")
TRIED = "INFO A trial allocation was submitted successfully. It was immediately canceled to avoid wasting resources."


def remove_trials(text):
    """Trials that failed leave their script: in the directories that the text names."""
    for root in set(re.findall(r"(/tmp/hq\w{6})/autoalloc", text)):
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def site(hq):
    """An environment whose PATH has our batch systems."""
    for program in PROGRAMS:
        (hq.bin / program).symlink_to(FAKE)
    (hq.home / "fake").mkdir()
    hq.variables.update(FAST)
    hq.fake = hq.home / "fake"
    yield hq
    if hq.background and any(process.running() for process in hq.background):
        hq.command(["server", "stop"], expect_exit=None)  # cancels what runs
    remove_trials((hq.fake / "calls").read_text() if (hq.fake / "calls").exists() else "")


def start(site, journal=False):
    return site.start_server(*(["--journal", site.home / "journal"] if journal else []))


def add(site, *options, manager="slurm", trial=False, args=()):
    queue = ["alloc", "add", manager, "--time-limit=1h", *([] if trial else ["--no-dry-run"]), *options]
    return site.command([*queue, *(["--", *args] if args else [])])


def calls(site, program):
    return [line for line in (site.fake / "calls").read_text().splitlines() if line.split()[0] == program]


def allocations(site, queue=1, **states):
    return site.command(["alloc", "info", queue, "--output-mode=json"]).json


def await_states(site, states, queue=1):
    wait_until(lambda: [a["status"] for a in allocations(site, queue)] == states,
               f"the allocations of queue {queue} are {states}")


def logged(text):
    """The log lines without their times."""
    return [re.sub(r"^\S+ ", "", line) for line in text.splitlines()]


@pytest.mark.parametrize("session", sessions("alloc"))
def test_session(site, session):
    replay(site, session)


def test_a_waiting_task_brings_a_worker_that_leaves_when_it_is_idle(site):
    server = start(site)
    done = add(site, "--idle-timeout=1s", "--cpus=2", "-n", "one", trial=True, args=["--partition=main", "-A", "x"])
    assert logged(done.stderr) == [TRIED, "INFO Allocation queue 1 successfully created"]

    site.command(["submit", "--wait", "--", "bash", "-c", "echo $SLURM_JOB_ID $HQ_CPUS"])

    assert site.command(["job", "cat", "1", "stdout"]).stdout.split()[0] == "102"
    assert [a["status"] for a in allocations(site)] == ["running"]
    await_states(site, ["finished"])
    script = (site.server_dir / "001" / "autoalloc" / "1-one" / "001" / "hq-submit.sh").read_text()
    assert "#SBATCH --job-name=one-1\n" in script and "#SBATCH --partition=main -A x\n\n" in script
    assert (site.server_dir / "001" / "autoalloc" / "1-one" / "001" / "jobid").read_text() == "102"
    log = logged(server.stderr)
    assert "INFO Queued 1 worker(s) into queue 1: allocation ID 102" in log
    assert "INFO Worker 1 connected from allocation 102" in log
    assert "INFO HyperQueue" in site.command(["alloc", "log", "102", "stderr"]).stdout


def test_a_refused_trial_is_explained_and_makes_no_queue(site):
    start(site)
    (site.fake / "fail").touch()

    refused = site.command(["alloc", "add", "slurm", "-t", "1h"], expect_exit=1)
    tried = site.command(["alloc", "dry-run", "pbs", "-t", "1h", "--output-mode=json"], expect_exit=1)

    lines = refused.stderr.splitlines()
    assert logged("\n".join(lines[:2])) == [PROBING, "ERROR Dry-run (test allocation submission) has failed"]
    assert re.fullmatch(r"""Could not submit allocation: sbatch execution failed

Caused by:
    Exit code: 3
    Stderr: no partition
    Stdout: out
You can find the submitted script at /tmp/hq\w{6}/autoalloc/0/001/hq-submit.sh""", "\n".join(lines[2:]))
    assert tried.json["error"].startswith("Error: Could not submit allocation: qsub execution failed\n\nCaused by:\n")
    assert site.command(["alloc", "list", "--output-mode=json"]).json == []


def test_a_program_that_is_not_there_is_named(site):
    for program in ("sbatch",):
        (site.bin / program).unlink()
    site.variables["PATH"] = f"{site.bin}:/usr/bin:/bin" if not Path("/usr/bin/sbatch").exists() else str(site.bin)
    start(site)

    refused = site.command(["alloc", "add", "slurm", "-t", "1h", "--cpus=1"], expect_exit=1)

    remove_trials(refused.stderr)
    assert "Could not submit allocation: sbatch start failed\n\nCaused by:\n    No such file or directory" in refused.stderr


def test_queues_are_listed_with_what_they_were_given(site):
    start(site)
    add(site)
    add(site, "-b", "3", "-m", "2", "--max-worker-count", "10", "-n", "foo", "--cpus=2x4", "--resource",
        "gpus/nvidia=[0,1]", "--group", "g", "--idle-timeout=11m", "--worker-time-limit=30m", "--overview-interval=10s",
        "--min-utilization=0.5", "--no-hyper-threading", "--detect-resources=cpus", "--on-server-lost=stop",
        manager="pbs", args=["-A", "proj", "--qos=q"])
    site.command(["alloc", "pause", "2"])

    assert site.command(["alloc", "list"]).stdout == """\
+----+--------+--------------+-----------------------+------------------+-----------+---------+------------------+------+-----------------+
| ID | State  | Backlog size | Max workers per alloc | Max worker count | Timelimit | Manager | Worker resources | Name | Args            |
+----+--------+--------------+-----------------------+------------------+-----------+---------+------------------+------+-----------------+
| 1  | ACTIVE | 1            | 1                     | 0                | 1h        | SLURM   | <unknown>        |      |                 |
| 2  | PAUSED | 3            | 2                     | 10               | 1h        | PBS     | <unknown>        | foo  | -A,proj,--qos=q |
+----+--------+--------------+-----------------------+------------------+-----------+---------+------------------+------+-----------------+
"""
    assert site.command(["alloc", "list", "--output-mode=json"]).json[1] == {
        "additional_args": ["-A", "proj", "--qos=q"], "backlog": 3, "id": 2, "known_worker_resources": None,
        "manager": "PBS", "max_worker_count": 10, "max_workers_per_alloc": 2, "name": "foo", "state": "Paused",
        "timelimit": 3600.0, "worker_args": [
            "--cpus", '"2x4"', "--resource", '"gpus/nvidia=[0,1]"', "--group", "g", "--no-hyper-threading",
            "--detect-resources", "cpus", "--overview-interval", '"10s"', "--min-utilization", "0.5", "--on-server-lost",
            '"stop"', "--time-limit", '"30m"']}


def test_what_does_not_exist_is_said_so(site):
    start(site)
    for command, text in ((["info", "1"], "Queue 1 not found"), (["log", "9", "stdout"], "Allocation 9 not found"),
                          (["pause", "9"], "Queue 9 that should have been paused was not found"),
                          (["resume", "9"], "Queue 9 that should have been resumed was not found"),
                          (["remove", "9"], "Allocation queue not found")):
        assert site.command(["alloc", *command], expect_exit=1).stderr == f"Error: {text}\n"


def test_running_allocations_are_removed_only_by_force(site):
    start(site)
    add(site, "--cpus=1")
    site.command(["submit", "--", "sleep", "100"])
    await_states(site, ["running"])

    refused = site.command(["alloc", "remove", "1"], expect_exit=1)
    removed = site.command(["alloc", "remove", "1", "--force", "--output-mode=json"])

    assert refused.stderr == ("Error: Allocation queue has running jobs, so it will not be removed. Use `--force` if you "
                              "want to remove the queue anyway\n")
    assert removed.json == {} and logged(removed.stderr) == ["INFO Allocation queue 1 successfully removed"]
    wait_until(lambda: calls(site, "scancel") == ["scancel 101"], "the allocation is canceled")


def test_the_end_of_the_server_cancels_what_waits_and_runs(site):
    server = start(site)
    add(site, "--cpus=1", "-b", "2")
    site.command(["submit", "--", "sleep", "100"])
    await_states(site, ["running"])
    (site.fake / "hold").touch()
    site.command(["submit", "--", "sleep", "100"])
    await_states(site, ["running", "queued"])

    site.command(["server", "stop"])

    assert server.wait() == 0
    assert sorted(calls(site, "scancel")) == ["scancel 101", "scancel 102"]


def test_an_allocation_that_is_needed_no_more_is_canceled(site):
    site.variables["HQ_AUTOALLOC_PATIENCE_MS"] = "500"
    start(site)
    (site.fake / "hold").touch()
    add(site, "--cpus=1")
    site.command(["submit", "--", "sleep", "100"])
    await_states(site, ["queued"])

    site.command(["job", "cancel", "1"])

    await_states(site, ["finished"])
    wait_until(lambda: calls(site, "scancel") == ["scancel 101"], "the allocation is canceled")


def test_nodes_of_one_allocation_all_run_what_comes_before_and_after_the_worker(site):
    start(site)
    add(site, "--cpus=1", "-m", "2", "--idle-timeout=1s", "--worker-start-cmd", "echo 'be gun' >> $HOME/w/log",
        "--worker-stop-cmd", "echo ended >> $HOME/w/log", "--worker-wrap-cmd", "env X=1")

    site.command(["submit", "--wait", "--nodes=2", "--", "bash", "-c", "wc -l < $HQ_NODE_FILE"])

    assert site.command(["job", "cat", "1", "stdout"]).stdout == "2\n"
    assert [a["target_worker_count"] for a in allocations(site)] == [2]
    await_states(site, ["finished"])
    wait_until(lambda: sorted((site.cwd / "log").read_text().splitlines()) == ["be gun", "be gun", "ended", "ended"],
               "both nodes have ended")


def test_pbs_does_the_same(site):
    start(site)
    add(site, "--cpus=1", "-m", "2", "--idle-timeout=1s", manager="pbs")

    site.command(["submit", "--wait", "--array=1-2", "--", "sleep", "0.2"])

    assert [a["id"] for a in allocations(site)] == ["101.srv"]
    await_states(site, ["finished"])
    assert calls(site, "qsub") == [f"qsub {site.server_dir}/001/autoalloc/1/001/hq-submit.sh"]


def test_failed_submissions_are_shown_and_not_repeated_at_once(site):
    server = start(site)
    (site.fake / "fail").touch()
    add(site, "--cpus=1")
    site.command(["submit", "--", "sleep", "100"])
    wait_until(lambda: "Could not submit" in server.stderr, "the submission fails")

    shown = site.command(["alloc", "info", "1"])

    assert re.search(r"WARN Queue 1 submits nothing before \S+ \S+: 1 submission failed, the last one so: sbatch execution "
                     r"failed: Exit code: 3; Stderr: no partition; Stdout: out", shown.stderr)
    assert site.command(["alloc", "list", "--output-mode=json"]).json[0]["back_off"]["failed_submissions"] == 1
    assert len(calls(site, "sbatch")) == 1
    (site.fake / "fail").unlink()
    site.command(["alloc", "resume", "1"])
    await_states(site, ["running"])
    assert site.command(["alloc", "info", "1"]).stderr == ""


def test_an_allocation_that_fails_is_found_out_by_asking(site):
    start(site)
    add(site, "--worker-start-cmd", "false", "--cpus=1")
    site.command(["submit", "--", "true"])

    await_states(site, ["failed"])

    [allocation] = allocations(site)
    assert allocation["started_at"] is None and allocation["ended_at"] is None
    row = site.command(["alloc", "info", "1"]).table[1]
    assert row[1] == "FAILED" and row[5] and row[6]
    assert site.command(["alloc", "info", "1", "--filter=failed", "--output-mode=json"]).json == []
    assert "the last one so: Slurm says FAILED" in site.command(["alloc", "info", "1"]).stderr


def test_a_batch_system_that_does_not_answer_changes_nothing(site):
    server = start(site)
    (site.fake / "hold").touch()
    add(site, "--cpus=1")
    site.command(["submit", "--", "true"])
    await_states(site, ["queued"])
    (site.fake / "deaf").touch()
    text = "WARN Could not get status of allocation 101: slurm_load_jobs error: Unable to contact slurm controller"
    wait_until(lambda: text in server.stderr, "a question was not answered")

    assert [a["status"] for a in allocations(site)] == ["queued"]
    (site.fake / "deaf").unlink()
    site.run(["fake-start", "101"])
    site.await_job(1, "FINISHED")


def test_a_killed_server_comes_back_to_its_queues_and_allocations(site):
    server = start(site, journal=True)
    add(site, "--cpus=1", "-b", "2", "-n", "q")
    add(site, "--cpus=3")
    site.command(["alloc", "pause", "2"])
    site.command(["submit", "--", "bash", "-c", "until test -e go; do sleep 0.05; done"])
    await_states(site, ["running"])
    site.await_job(1, "RUNNING")
    (site.fake / "hold").touch()
    site.command(["submit", "--", "true"])
    await_states(site, ["running", "queued"])
    before = [site.command(["alloc", "list"]).stdout, site.command(["alloc", "info", "1"]).stdout]

    server.signal(signal.SIGKILL)
    server.wait()
    site.command(["journal", "export", site.home / "journal", "--format=sqlite", site.home / "db"])
    rows = sqlite3.connect(site.home / "db").execute(
        "SELECT name, q.state, a.id, a.state, a.workers FROM allocation_queue q JOIN allocation a ON a.queue = q.id")
    assert rows.fetchall() == [("q", "active", "101", "running", 1), ("q", "active", "102", "queued", 1)]
    (site.server_dir / "001" / "access.json").unlink()
    server = start(site, journal=True)

    assert [site.command(["alloc", "list"]).stdout, site.command(["alloc", "info", "1"]).stdout] == before
    wait_until(lambda: "Worker 1 is back" in server.stderr, "the worker of the allocation is back")
    site.run(["fake-start", "102"])
    site.command(["worker", "wait", "2"])
    (site.cwd / "go").touch()
    site.await_job(1, "FINISHED")
    site.await_job(2, "FINISHED")
    assert len(calls(site, "sbatch")) == 2
    (site.fake / "hold").unlink()
    site.command(["job", "cancel", "all"])
    site.command(["worker", "stop", "all"])
    site.command(["submit", "--wait", "--", "true"])
    assert allocations(site)[2]["workdir"] == f"{site.server_dir}/002/autoalloc/1-q/003"


def test_the_journal_tells_of_queues_and_allocations(site):
    server = start(site, journal=True)
    add(site, "--cpus=1", "--idle-timeout=1s")
    site.command(["submit", "--wait", "--", "true"])
    await_states(site, ["finished"])
    site.command(["alloc", "remove", "1"])
    site.command(["server", "stop"])
    server.wait()

    site.command(["journal", "export", site.home / "journal", "--format=sqlite", site.home / "db"])
    database = sqlite3.connect(site.home / "db")
    assert database.execute("SELECT count(*) FROM allocation_queue").fetchall() == [(0,)]  # it was removed
    lines = site.command(["journal", "export", site.home / "journal"]).stdout.splitlines()

    events = [json.loads(line)["event"] for line in lines]
    ours = [event for event in events if event["type"].startswith("autoalloc-")]
    params = ours[0].pop("params")
    assert params["timelimit"] == {"nanos": 0, "secs": 3600} and params["manager"] == "Slurm"
    assert params["cli_resource_descriptor"]["resources"][0]["name"] == "cpus"
    assert ours == [{"queue-id": 1, "type": "autoalloc-queue-created"},
                    {"allocation-id": "101", "queue-id": 1, "type": "autoalloc-allocation-queued", "worker-count": 1},
                    {"allocation-id": "101", "queue-id": 1, "type": "autoalloc-allocation-started"},
                    {"allocation-id": "101", "queue-id": 1, "type": "autoalloc-allocation-finished"},
                    {"queue-id": 1, "type": "autoalloc-queue-removed"}]
