"""Very many of something: submits, jobs, tasks."""
import time

import pytest

from hq import wait_until


@pytest.fixture
def connection(hq):
    """A client of the socket protocol, to a server with a worker."""
    pytest.importorskip("zmq")
    pytest.importorskip("msgpack")
    from protocol_example import Server
    hq.start_server()
    hq.start_worker("--cpus=2")
    server = Server(hq.server_dir / "hq-current" / "access.json")
    yield server
    server.close()


def test_12000_submits_in_a_row_are_all_taken_and_run(hq, connection):
    task = {"args": ["true"], "stdout": None, "stderr": None}
    jobs = [connection.ask_once("submit", name=f"job {i}", submit_dir=str(hq.cwd), task=task)["job"] for i in range(12_000)]

    assert jobs == list(range(1, 12_001))
    ids = hq.command(["job", "list", "--all", "--output-mode=quiet"]).stdout.splitlines()
    assert [int(line.split()[0]) for line in ids] == jobs
    wait_until(lambda: hq.command(["job", "list", "--output-mode=quiet"]).stdout == "", "all have run", timeout=120)
    assert hq.command(["job", "summary", "--output-mode=quiet"]).stdout.splitlines()[2] == "FINISHED 12000"
    assert hq.command(["job", "forget", "all"]).stderr.endswith("INFO 12000 jobs were forgotten\n")
    assert hq.command(["job", "list", "--all", "--output-mode=quiet"]).stdout == ""


def test_300_submits_from_the_shell_are_300_jobs(hq):
    hq.start_server()
    hq.start_worker("--cpus=2")

    output = hq.run("for i in $(seq 300); do hq submit --output-mode=quiet --stdout=none --stderr=none -- true || exit; done")

    assert output.exit == 0 and output.stderr == ""
    assert [int(line) for line in output.stdout.splitlines()] == list(range(1, 301))
    hq.command(["job", "wait", "all"])
    assert hq.command(["job", "summary", "--output-mode=quiet"]).stdout.splitlines()[2] == "FINISHED 300"


def test_100000_tasks_are_canceled_at_once_while_some_run(hq):
    hq.start_server()
    hq.start_worker("--cpus=2")
    hq.command(["submit", "--array=1-100000", "--stdout=none", "--stderr=none", "--", "sleep", "1000"])
    hq.await_tasks(1, "running", "1-2")

    began = time.monotonic()
    output = hq.command(["job", "cancel", "1"])
    took = time.monotonic() - began

    assert "Job 1 canceled (100000 tasks canceled, 0 tasks already finished)" in output.stderr
    assert took < 5
    assert hq.command(["job", "task-ids", "1", "--filter=canceled"]).stdout == "1-100000\n"
    hq.command(["submit", "--wait", "--", "true"])
    assert hq.command(["job", "list", "--all", "--output-mode=quiet"]).stdout == "1 CANCELED\n2 FINISHED\n"


def test_100000_tasks_that_are_canceled_while_they_run_by_thousands_end_as_one_or_the_other(hq):
    hq.start_server()
    hq.start_worker("--cpus=2")
    hq.command(["submit", "--array=1-100000", "--stdout=none", "--stderr=none", "--", "true"])
    wait_until(lambda: hq.command(["job", "task-ids", "1", "--filter=finished"]).stdout != "\n", "some have ended")

    hq.command(["job", "cancel", "1"])

    info = hq.command(["job", "list", "--all", "--output-mode=json"]).json[0]
    assert info["task_stats"]["finished"] + info["task_stats"]["canceled"] == 100_000
    assert info["task_stats"]["finished"] > 0 and info["task_stats"]["canceled"] > 0
    hq.command(["submit", "--wait", "--", "true"])
    assert hq.command(["job", "list", "--all", "--output-mode=json"]).json[0]["task_stats"] == info["task_stats"]


def test_a_graph_of_40000_tasks_is_shown_as_a_whole(hq, connection):
    graph = [{"id": i, "task": {"args": ["x" * 200, "y" * 200], "env": {"K": "v" * 100}}, "deps": [i - 1] if i else []}
             for i in range(40_000)]
    job = connection.ask_once("submit", name="graph", submit_dir=str(hq.cwd), graph=graph)["job"]
    hq.command(["job", "wait", job])

    assert ["Tasks", "40000; Ids: 0-39999"] in hq.command(["job", "info", job]).table
    shown = hq.command(["job", "info", job, "--output-mode=json"]).json[0]
    assert len(shown["submits"][0]["graph"]) == len(shown["tasks"]) == 40_000
    assert hq.command(["task", "info", job, "39999"]).fields["Dependencies"] == "39998"


def test_each_of_very_many_failed_tasks_has_an_error(hq):
    hq.start_server()
    hq.start_worker("--cpus=2")
    hq.command(["submit", "--wait", "--array=1-1200", "--stdout=none", "--stderr=none", "--", "no-such-program"])

    errors = [task["error"] for task in hq.command(["task", "list", "1", "--output-mode=json"]).json["1"]]

    missing = "No such file or directory (os error 2)"
    assert len(errors) == 1200 and all(missing in error for error in errors)
    assert sum("`no-such-program`" in error for error in errors) == 1000  # only so many messages are kept
    assert "1200 tasks failed. (5 shown)\n" in hq.command(["job", "info", "1"]).stdout
