"""hq worker: start with many options, lists, tables, how workers end, what the hardware is."""
import json
import shutil
import signal

import pytest

from hq import binary, free_port, wait_until
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


def test_a_worker_may_finish_what_runs_when_the_server_is_lost(hq):
    server = hq.start_server()
    worker = hq.start_worker("--cpus=1", "--on-server-lost=finish-running")
    hq.command(["submit", "--array=1-2", "--", "bash", "-c", "until test -e go; do sleep 0.05; done; touch done-$HQ_TASK_ID"])
    hq.await_tasks(1, "running", "1")

    server.signal(signal.SIGKILL)
    server.wait()
    wait_until(lambda: "Waiting for finishing running tasks" in worker.stderr, "the worker has noticed")
    (hq.cwd / "go").touch()

    assert worker.wait() == 1
    assert "All running tasks were finished" in worker.stderr
    assert worker.stderr.endswith("Server connection closed\n")
    assert (hq.cwd / "done-1").exists() and not (hq.cwd / "done-2").exists()


def test_a_worker_that_is_started_before_its_server_waits_for_it(hq):
    client_port, worker_port = free_port(), free_port()
    hq.command(["server", "generate-access", "a.json", "--host=localhost", f"--client-port={client_port}",
                f"--worker-port={worker_port}"])
    (hq.server_dir / "hq-current").mkdir(parents=True)
    shutil.copy(hq.cwd / "a.json", hq.server_dir / "hq-current" / "access.json")
    worker = hq.start(["hq", "worker", "start", "--cpus=1", "--detect-resources=none"])
    refused = "ERROR Could not connect to server, error: Connection refused (os error 111)"
    wait_until(lambda: refused in worker.stderr, "the worker has tried")

    server = hq.start(["hq", "server", "start", "--server-dir=other", "--access-file=a.json"])
    hq.await_server(server, hq.cwd / "other")

    wait_until(lambda: hq.workers() == {1}, "the worker is there")


def test_what_a_stopped_worker_said_last_is_shown(hq):
    hq.start_server()
    worker = hq.start_worker("--cpus=1")
    hq.command(["worker", "stop", "1"])
    worker.wait()

    lines = hq.command(["worker", "info", "1"]).fields["Last log lines"].splitlines()

    assert lines[-1].endswith("INFO Received stop command"), lines
    assert any("Connecting to: " in line for line in lines)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_worker_with_its_tasks(hq, number):
    hq.start_server()
    worker = hq.start_worker("--cpus=1")
    hq.command(["submit", "--", "bash", "-c", "setsid sleep 1000 & sleep 1000"])
    hq.await_tasks(1, "running", "0")
    own = {worker.process.pid, hq.background[0].process.pid}

    worker.signal(number)

    assert worker.wait() == 0
    wait_until(lambda: set(hq.marked_processes()) <= own, "what the task started is gone")
    assert hq.command(["job", "list", "--output-mode=quiet"]).stdout == "1 WAITING\n"
    assert hq.command(["worker", "list", "--all", "--output-mode=quiet"]).stdout == "1 CONNECTION LOST\n"


def put_fake_ssh(hq):
    """An ssh that runs the command on this machine, except that the host `bad` ends with code 42."""
    ssh = hq.bin / "ssh"
    ssh.write_text('#!/bin/bash\necho "$@" >> "$HOME/ssh-calls"\nhost=$1\nwhile [ "$1" != -- ]; do shift; done; shift\n'
                   '[ "$host" != bad ] || exit 42\nexec "$@"\n')
    ssh.chmod(0o755)


def test_deploy_ssh_starts_a_worker_on_each_host_and_waits_for_their_ends(hq):
    put_fake_ssh(hq)
    hq.start_server()
    (hq.cwd / "hosts").write_text("  h1 \nh2:2222\nbad\n")

    deploy = hq.start(["hq", "worker", "deploy-ssh", "hosts", "--cpus=3", "--detect-resources=none"])
    wait_until(lambda: len(hq.workers()) == 2, "both workers are there")
    wait_until(lambda: "Worker exited with code 42" in deploy.stderr, "the third has failed")
    hq.command(["worker", "stop", "all"])

    assert deploy.wait() == 1
    assert deploy.stderr.endswith("Some workers have ended with an error\n")
    assert "Worker at `h2:2222` has ended successfully" in deploy.stderr
    calls = sorted((hq.home / "ssh-calls").read_text().splitlines())
    words = f"-- {binary()} worker start --cpus=3 --detect-resources=none"
    assert calls == [f"bad -t -t {words}", f"h1 -t -t {words}", f"h2 -t -t -p 2222 {words}"]


def test_deploy_ssh_looks_at_the_options_of_the_workers_first(hq):
    (hq.cwd / "hosts").write_text("h1\n")
    (hq.cwd / "empty").write_text("")

    bad = hq.command(["worker", "deploy-ssh", "hosts", "--cpus=x"], expect_exit=2)
    help = hq.command(["worker", "deploy-ssh", "hosts", "--", "--help"])
    empty = hq.command(["worker", "deploy-ssh", "empty"], expect_exit=1)

    assert "invalid value 'x' for '--cpus <CPUS>'" in bad.stderr
    assert "--on-server-lost" in help.stdout
    assert "The provided hostname is empty" in empty.stderr


def test_a_worker_tells_how_busy_its_machine_is(hq):
    hq.start_server("--journal=journal")
    hq.start_worker("--cpus=1", "--overview-interval=100ms")
    hq.start_worker("--cpus=1")

    def overviews():
        events = [json.loads(line)["event"] for line in hq.command(["journal", "replay"]).stdout.splitlines()]
        return [event for event in events if event["type"] == "worker-overview"]

    event = wait_until(lambda: overviews()[1:], "the worker has told twice")[0]
    assert event["id"] == 1
    state = event["hw-state"]["state"]
    assert sorted(state) == ["amd_gpus", "cpu_usage", "memory_usage", "network_usage", "nvidia_gpus", "timestamp"]
    assert all(0 <= percent <= 100 for percent in state["cpu_usage"]["cpu_per_core_percent_usage"])
    assert state["memory_usage"]["total"] >= state["memory_usage"]["free"] > 0
    assert state["nvidia_gpus"] is None
    assert all(event["id"] == 1 for event in overviews())


def test_before_the_walltime_is_over_tasks_are_stopped_and_wait_again(hq):
    hq.start_server()
    scontrol = hq.bin / "scontrol"
    scontrol.write_text("#!/bin/sh\necho 'JobId=77 JobName=x RunTime=00:00:00 TimeLimit=00:00:04'\n")
    scontrol.chmod(0o755)
    before = hq.workers()
    worker = hq.start("hq worker start --cpus=1 --detect-resources=none --time-limit=1h", env={"SLURM_JOB_ID": "77"})
    hq.await_worker(worker, before)
    hq.start("hq submit --stdout=out -- bash -c 'trap \"echo warned; exit 1\" INT; for i in $(seq 1000); do sleep 0.05; done'")

    assert worker.wait() == 0
    assert (hq.cwd / "out").read_text() == "warned\n"
    assert hq.command(["job", "list", "--all", "--output-mode=quiet"]).stdout == "1 WAITING\n"
    assert hq.command(["worker", "info", "1"]).fields["State"] == "TIME LIMIT REACHED"
