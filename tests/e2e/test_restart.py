"""Servers that go away and come back with their journal; workers, tasks and waiting commands that outlive that."""
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from hq import ROOT, wait_until

COUNTED = ["sh", "-c", 'echo "$HQ_TASK_ID $HQ_INSTANCE_ID" >> ran']


def start(hq, *options):
    return hq.start_server("--journal", hq.home / "journal", *options)


def lines(hq):
    ran = hq.cwd / "ran"
    return ran.read_text().splitlines() if ran.exists() else []


def worker_states(hq):
    return hq.command(["worker", "list", "--all", "--output-mode=quiet"]).stdout.splitlines()


def kill(process, number=signal.SIGKILL):
    process.signal(number)
    process.wait()


def test_a_killed_server_comes_back_to_its_workers_and_every_task_runs_once(hq):
    server = start(hq)
    for _ in range(2):
        hq.start_worker("--cpus=2")
    hq.command(["submit", "--array=1-2000", "--stdout=none", "--stderr=none", "--", *COUNTED])
    wait_until(lambda: len(lines(hq)) >= 300, "some tasks have run")

    kill(server)
    start(hq)

    wait_until(lambda: "1 FINISHED" in hq.command(["job", "list", "--all", "--output-mode=quiet"]).stdout,
               "the job has finished", timeout=120)
    assert sorted(lines(hq), key=lambda line: int(line.split()[0])) == [f"{task} 0" for task in range(1, 2001)]
    assert worker_states(hq) == ["1 RUNNING", "2 RUNNING"]


@pytest.mark.parametrize("way", ["SIGTERM", "SIGHUP", "keep-workers"])
def test_a_server_that_leaves_to_come_back_leaves_tasks_running(hq, way):
    server = start(hq)
    worker = hq.start_worker("--cpus=1")
    hq.command(["submit", "--", "bash", "-c", "echo $HQ_INSTANCE_ID >> ran; until test -e go; do sleep 0.05; done"])
    wait_until(lambda: lines(hq) == ["0"], "the task runs")

    if way == "keep-workers":
        hq.command(["server", "stop", "--keep-workers"])
        assert server.wait() == 0
    else:
        number = getattr(signal, way)
        server.signal(number)
        assert server.wait() == -number
    assert (hq.server_dir / "hq-current").exists()
    start(hq)

    hq.await_tasks(1, "running", "0")
    (hq.cwd / "go").touch()
    hq.await_job(1, "FINISHED")
    assert lines(hq) == ["0"]
    assert worker.running()


def test_a_server_that_comes_back_waits_for_its_port(hq):
    server = start(hq)
    worker = hq.start_worker("--cpus=1")
    port = int(hq.command(["server", "info"]).fields["Client port"])
    kill(server)
    other = socket.create_server(("", port))
    server = hq.start(["hq", "server", "start", "--journal", str(hq.home / "journal")])
    wait_until(lambda: f"Port {port} of the last server is in use" in server.stderr, "it is told")

    other.close()

    hq.await_server(server)
    hq.command(["submit", "--wait", "--", "true"])
    assert worker.running()


def test_an_orderly_stop_is_final_and_tasks_start_again_after_it(hq):
    server = start(hq)
    worker = hq.start_worker("--cpus=1")
    hq.command(["submit", "--", "bash", "-c", "echo $HQ_INSTANCE_ID >> ran; test $HQ_INSTANCE_ID = 1 || sleep 100"])
    wait_until(lambda: lines(hq) == ["0"], "the task runs")

    hq.command(["server", "stop"])

    assert server.wait() == 0
    assert worker.wait() == 1
    assert not (hq.server_dir / "hq-current").exists()
    start(hq)
    hq.start_worker("--cpus=1")
    hq.await_job(1, "FINISHED")
    assert lines(hq) == ["0", "1"]


def test_waiting_commands_follow_the_server(hq):
    server = start(hq)
    hq.start_worker("--cpus=1")
    waiting = hq.start(["hq", "submit", "--wait", "--", "bash", "-c", "until test -e go; do sleep 0.05; done"])
    hq.await_tasks(1, "running", "0")
    progress = hq.start(["hq", "job", "progress", "1"])
    wait_until(lambda: "jobs" in progress.stdout, "the progress is shown")

    kill(server)
    start(hq)
    (hq.cwd / "go").touch()

    assert waiting.wait() == 0
    assert progress.wait() == 0


def test_workers_end_with_their_tasks_when_the_server_is_gone_for_too_long(hq):
    server = start(hq, "--worker-resume-window=2s")
    worker = hq.start_worker("--cpus=1", "--heartbeat=500ms")
    hq.command(["submit", "--", "sleep", "1234"])
    hq.await_tasks(1, "running", "0")

    kill(server)

    assert worker.wait() == 1
    assert worker.stderr.rstrip().endswith("Server connection closed")
    wait_until(lambda: not hq.marked_processes(), "the task is gone")


def test_a_stopped_and_continued_server_loses_nobody(hq):
    server = start(hq)
    hq.start_worker("--cpus=2", "--heartbeat=500ms")
    hq.command(["submit", "--array=1-300", "--stdout=none", "--stderr=none", "--", *COUNTED])
    wait_until(lambda: len(lines(hq)) >= 20, "some tasks have run")

    server.signal(signal.SIGSTOP)
    time.sleep(5)
    server.signal(signal.SIGCONT)

    hq.await_job(1, "FINISHED")
    assert sorted(lines(hq), key=lambda line: int(line.split()[0])) == [f"{task} 0" for task in range(1, 301)]
    assert hq.workers() == {1} or worker_states(hq)[-1].endswith("RUNNING")


def test_a_frozen_worker_that_goes_on_in_time_keeps_its_task(hq):
    start(hq)
    worker = hq.start_worker("--cpus=1", "--heartbeat=500ms")
    hq.command(["submit", "--", "bash", "-c", "echo $HQ_INSTANCE_ID >> ran; until test -e go; do sleep 0.05; done"])
    hq.await_tasks(1, "running", "0")

    worker.signal(signal.SIGSTOP)
    wait_until(lambda: worker_states(hq) == ["1 HEARTBEAT LOST"], "the worker is given up")
    assert hq.command(["job", "task-ids", 1, "--filter", "waiting"]).stdout == "0\n"
    hq.start_worker("--cpus=1")
    worker.signal(signal.SIGCONT)

    wait_until(lambda: len(worker_states(hq)) == 3, "the worker is back under a new number")
    hq.await_tasks(1, "running", "0")
    (hq.cwd / "go").touch()
    hq.await_job(1, "FINISHED")
    assert lines(hq) == ["0"]


def test_nothing_is_lost_while_server_and_workers_are_killed(hq):
    done = subprocess.run([sys.executable, ROOT / "tools" / "chaos", "--tasks=400", "--kills=6", "--workers=2"],
                          capture_output=True, timeout=300, env=os.environ)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
