"""Workers on bad nodes: they are found out, shown with the reason, and in quarantine eat no array."""
import json
import re

import pytest

from hq import wait_until

TASK = '[ -z "$BAD_MOUNT" ] || { echo "cannot read input" >&2; exit 3; }; sleep 1000'


def start_worker(hq, host, cpus, env=None):
    before = hq.workers()
    worker = hq.start(["hq", "worker", "start", "--detect-resources=none", f"--cpus={cpus}", f"--hostname={host}"], env=env)
    hq.await_worker(worker, before)
    return worker


def suspects(hq):
    return hq.command(["worker", "list", "--filter=suspect", "--output-mode=quiet"]).stdout


def failed(hq, job=1):
    jobs = hq.command(["job", "list", "--all", "--output-mode=json"]).json
    return next(entry["task_stats"]["failed"] for entry in jobs if entry["id"] == job)


def start_cluster(hq, tasks, *options):
    """A good node whose tasks take their time, and then a bad one."""
    server = hq.start_server(*options)
    start_worker(hq, "node1", 30)
    hq.command(["submit", f"--array=1-{tasks}", "--stdout=none", "--stderr=none", "--", "bash", "-c", TASK])
    hq.await_tasks(1, "running", "1-30")
    assert suspects(hq) == ""
    start_worker(hq, "node2", 2, {"BAD_MOUNT": "1"})
    return server


def test_a_worker_that_fails_what_others_run_is_shown_with_the_reason_everywhere(hq):
    server = start_cluster(hq, 2000)
    wait_until(lambda: suspects(hq) == "2 RUNNING\n", "the bad worker is suspect")

    [header, row] = hq.command(["worker", "list", "--filter=suspect"]).table
    assert header == ["ID", "State", "Hostname", "Suspect since", "Reason"]
    assert row[:3] == ["2", "RUNNING", "node2"]
    # How many of the 30 count depends on how long the failing ones took: only those that have outlasted them do.
    assert re.search(r"tasks of job 1 failed, 0 of [0-9]+ on other workers", row[4])
    assert "Program terminated with exit code 3." in row[4]

    document = {worker["id"]: worker for worker in hq.command(["worker", "list", "--output-mode=json"]).json}
    assert "suspect" not in document[1]
    found = document[2]["suspect"]
    assert found["job_id"] == 1 and found["failed_here"] >= 10 and found["log10_chance"] < -6
    assert found["quarantined"] is False and found["reason"].startswith(f"{found['failed_here']} of its ")

    listed = hq.command(["worker", "list"])
    assert [line[1:3] for line in listed.table] == [["State", "Hostname"], ["RUNNING", "node1"], ["RUNNING", "node2"]]
    assert listed.stderr.endswith("WARN 1 of them is suspect (see `hq worker list --filter=suspect`)\n")
    assert hq.command(["worker", "list", "--output-mode=quiet"]).stderr == ""
    assert "tasks of job 1 failed" in hq.command(["worker", "info", "2"]).fields["Suspect"]
    assert "Suspect" not in hq.command(["worker", "info", "1"]).fields
    assert "Worker 2 (node2) is suspect: " in server.stderr

    # All of the array but what runs on the good node is eaten: that is what reporting means.
    wait_until(lambda: failed(hq) == 1970, "the rest has failed")
    explained = hq.command(["task", "explain", "1", "1"]).stdout
    assert "\nWorker 2 is suspect: " in explained and "Worker 1 is suspect" not in explained

    # Where one looks at the job, the node stands out.
    groups = hq.command(["job", "info", "1"]).stdout.split("1970 tasks failed. (5 shown)\n")[1]
    [job] = hq.command(["job", "info", "1", "--output-mode=json"]).json
    first = job["task_failures"][0]["first_task"]  # the good node may have got some of the first
    assert f"| 1970   | 2 (node2), suspect | 3         | Program terminated with exit code 3. | {first:<10} |" in groups
    assert job["task_failures"] == [{
        "cause": "Program terminated with exit code 3.", "count": 1970, "exit_code": 3, "first_task": first, "hostname": "node2",
        "kind": "exit", "suspect": True, "worker": 2}]


def test_in_quarantine_a_bad_worker_leaves_an_array_alone_until_it_is_resumed(hq):
    server = start_cluster(hq, 50_000, "--suspect=quarantine")
    wait_until(lambda: suspects(hq) == "2 RUNNING\n", "the bad worker is suspect")

    def quiet():
        return hq.command(["worker", "info", "2", "--output-mode=json"]).json[0]["runtime_info"] == {
            "SingleNodeTasks": {"assigned_tasks": 0, "is_reserved": False, "running_tasks": 0}}

    wait_until(quiet, "it has nothing any more")
    eaten = failed(hq)
    assert 10 <= eaten < 5000
    assert "It gets one probe task a minute until `hq worker resume 2`." in server.stderr
    assert "in quarantine since" in hq.command(["worker", "info", "2"]).fields["Suspect"]
    assert hq.command(["worker", "info", "2", "--output-mode=json"]).json[0]["suspect"]["quarantined"] is True
    explained = hq.command(["task", "explain", "1", "49999"])
    assert "Worker 2 does not start it now: it is suspect, and gets one probe task a minute.\n" in explained.stdout
    document = hq.command(["task", "explain", "1", "49999", "--output-mode=json"]).json["explanation"]["workers"]
    assert "suspect" not in document[0] and "tasks of job 1 failed" in document[1]["suspect"]

    resumed = hq.command(["worker", "resume", "1-2,7"])
    assert resumed.stdout == ""
    assert [line.split(" ", 1)[1] for line in resumed.stderr.splitlines()] == [
        "WARN Resuming worker 1 failed; worker is not suspect", "INFO Worker 2 resumed",
        "ERROR Resuming worker 7 failed; worker not found"]
    # It is trusted anew, eats anew, and is found out anew.
    wait_until(lambda: failed(hq) >= eaten + 10, "it has got tasks again")
    wait_until(lambda: suspects(hq) == "2 RUNNING\n", "the bad worker is suspect again")
    assert failed(hq) < 10_000
    assert hq.command(["worker", "resume", "all", "--output-mode=json"]).stdout == "{}\n"
    assert hq.command(["worker", "resume", "1", "--output-mode=quiet"]).stdout == ""


def test_with_the_policy_off_nobody_is_suspect(hq):
    server = start_cluster(hq, 300, "--suspect=off")
    wait_until(lambda: failed(hq) == 270, "the rest has failed")
    assert suspects(hq) == "" and "suspect" not in server.stderr


def test_where_tasks_fail_on_all_workers_nobody_is_suspect(hq):
    server = hq.start_server("--suspect=quarantine")
    for host in ("node1", "node2", "node3"):
        start_worker(hq, host, 2)
    hq.command(["submit", "--array=1-1000", "--wait", "--stdout=none", "--stderr=none", "--", "false"], expect_exit=None)
    assert failed(hq) == 1000
    assert suspects(hq) == "" and "suspect" not in server.stderr


@pytest.mark.parametrize("name", ["", "x"])
def test_the_values_of_the_policy_are_named_when_another_is_given(hq, name):
    error = hq.command(["server", "start", f"--suspect={name}"], expect_exit=2).stderr
    assert "[possible values: off, report, quarantine]" in error


def test_help_tells_of_suspect_workers(hq):
    assert "[possible values: running, offline, suspect]" in hq.command(["worker", "list", "--help"]).stdout
    assert "--suspect <SUSPECT>" in hq.command(["server", "start", "--help"]).stdout
    assert "resume" in hq.command(["worker", "--help"]).stdout


def test_a_job_that_fails_in_many_ways_is_grouped(hq):
    hq.start_server()
    start_worker(hq, "n1", 4)
    program = 'case $((HQ_TASK_ID % 4)) in 0) exit 0;; 1) exit 7;; 2) kill -9 $$;; 3) exit $((HQ_TASK_ID + 50));; esac'
    hq.command(["submit", "--array=1-39", "--wait", "--stdout=none", "--stderr=none", "--", "bash", "-c", program],
               expect_exit=None)

    table = hq.command(["job", "info", "1"]).table
    groups = table[table.index(["Failed", "Worker", "Exit code", "Cause", "First task"]) + 1:]
    assert [row[:4] for row in groups[:3]] == [
        ["10", "1 (n1)", "", "Program terminated with exit code -1. Received signal 9 (SIGKILL)."],
        ["10", "1 (n1)", "7", "Program terminated with exit code 7."],
        ["1", "1 (n1)", "53", "Program terminated with exit code 53."]]
    assert len(groups) == 10
    assert hq.command(["job", "info", "1"]).stdout.endswith("2 tasks failed otherwise.\n")
    document = hq.command(["job", "info", "1", "--output-mode=json"]).json[0]["task_failures"]
    assert sum(group["count"] for group in document) == 30 and len(document) == 12
    assert json.dumps(document[0]["exit_code"]) == "null"
