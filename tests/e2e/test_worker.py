"""hq worker: start with many options, lists, tables, how workers end, what the hardware is."""
import signal

import pytest

from hq import wait_until
from transcript import replay, sessions


@pytest.mark.parametrize("session", sessions("worker"))
def test_session(hq, session):
    replay(hq, session)


def test_running_tasks_are_counted_where_they_run(hq):
    hq.start_server()
    hq.start_worker("--cpus=2")
    hq.start_worker("--cpus=4")
    hq.command(["submit", "--array=1-3", "--cpus=2", "--", "sleep", "100"])
    hq.await_tasks(1, "running", "1-3")

    infos = [hq.command(["worker", "info", i, "--output-mode=json"]).json[0]["runtime_info"] for i in (1, 2)]
    counts = [info["SingleNodeTasks"]["running_tasks"] for info in infos]

    assert counts == [1, 2]
    assert hq.command(["worker", "info", 2]).fields["Runtime Info"] == "assigned tasks: 2; running tasks: 2"


def test_a_killed_worker_takes_its_tasks_along_and_they_run_again_elsewhere(hq):
    hq.start_server()
    first = hq.start_worker("--cpus=1")
    hq.command(["submit", "--", "bash", "-c", "echo $HQ_INSTANCE_ID >> ran; test $HQ_INSTANCE_ID = 1 || sleep 100"])
    hq.await_tasks(1, "running", "0")
    wait_until(lambda: (hq.cwd / "ran").exists(), "the task has begun")

    first.signal(signal.SIGKILL)
    first.wait()
    hq.start_worker("--cpus=1")

    hq.await_job(1, "FINISHED")
    assert (hq.cwd / "ran").read_text() == "0\n1\n"
    assert hq.command(["worker", "list", "--all", "--output-mode=quiet"]).stdout == "1 CONNECTION LOST\n2 RUNNING\n"


def test_a_stopped_worker_leaves_no_process_of_its_tasks(hq):
    hq.start_server()
    worker = hq.start_worker("--cpus=1")
    hq.command(["submit", "--", "bash", "-c", "setsid sleep 1234 & sleep 1235"])
    hq.await_tasks(1, "running", "0")
    own = {worker.process.pid, hq.background[0].process.pid}
    wait_until(lambda: len(hq.marked_processes()) >= 4, "the task and its children are there")

    hq.command(["worker", "stop", "1"])

    assert worker.wait() == 0
    wait_until(lambda: set(hq.marked_processes()) <= own, "what the task started is gone")


def test_detected_hardware_in_json_describes_cpus_and_memory(hq):
    resources = hq.command(["worker", "hwdetect", "--output-mode=json"]).json["resources"]
    kinds = {resource["name"]: resource["kind"] for resource in resources}

    assert kinds["cpus"] in ("list", "groups")
    assert kinds["mem"] == "sum"


def test_wait_returns_once_enough_workers_are_there(hq):
    hq.start_server()
    waiting = hq.start(["hq", "worker", "wait", "2"])

    hq.start_worker("--cpus=1")
    assert waiting.running()
    hq.start_worker("--cpus=1")

    assert waiting.wait() == 0
