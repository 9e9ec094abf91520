"""hq task notify: from a task through worker and server to who listens."""
import json
import re
import stat
from pathlib import Path

from hq import wait_until


def test_each_execution_has_a_key_of_its_own(hq):
    hq.start_server()
    hq.start_worker("--cpus=2")

    hq.command(["submit", "--wait", "--array=0-3", "--", "bash", "-c", "echo $HQ_ACCESS_KEY"])

    keys = [(hq.cwd / f"job-1/{task}.stdout").read_text().strip() for task in range(4)]
    assert len(set(keys)) == 4
    sockets = {Path(re.fullmatch(r"(.*/hq-lc-\w{8}):hq\d+-\w{8}", key).group(1)) for key in keys}
    assert len(sockets) == 1
    (path,) = sockets
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    hq.command(["worker", "stop", "all"])
    wait_until(lambda: not path.exists(), "the socket is gone with its worker")


def test_the_callback_knows_the_task_and_gets_the_bytes_as_they_are(hq):
    hq.start_server()
    hq.start_worker("--cpus=4")
    callback = hq.cwd / "callback"
    callback.write_text('#!/bin/sh\nprintf "%s %s %s %s %s\\n" "$HQ_JOB_ID" "$HQ_TASK_ID" "$HQ_WORKER_ID" "$1" "$2" >>heard\n')
    callback.chmod(0o755)

    hq.command(["submit", "--wait", "--array=5-7", "--on-notify", f"{callback} 'my word'", "--", "bash", "-c",
                "hq task notify $'task '$HQ_TASK_ID$' \\xff'"])

    heard = sorted((hq.cwd / "heard").read_bytes().splitlines())
    assert heard == [b"1 %d 1 my word task %d \xff" % (task, task) for task in (5, 6, 7)]


def test_a_stream_of_events_shows_what_tasks_say_and_a_replay_does_not(hq):
    hq.start_server("--journal=journal")
    hq.start_worker("--cpus=1")
    stream = hq.start("hq journal stream", "stream")
    wait_until(lambda: "worker-connected" in stream.stdout, "the stream is on")

    hq.command(["submit", "--wait", "--", "bash", "-c", "hq task notify hi"])

    def told():
        return [event for line in stream.stdout.splitlines() if "type" not in (event := json.loads(line))["event"]]

    (line,) = wait_until(told, "the stream tells of it")
    assert line["event"] == {"message": [104, 105], "task_id": {"job_id": 1, "job_task_id": 0}, "worker_id": 1}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert "message" not in hq.command(["journal", "replay"]).stdout


def test_a_task_that_never_stops_talking_hurts_nobody(hq):
    """The callback is slow and the task is not: what is not taken waits in the task, and all is heard."""
    hq.start_server()
    worker = hq.start_worker("--cpus=2", "--heartbeat=500ms")
    hq.start("hq submit --wait --name=slow --on-notify=\"sh -c 'sleep 0.01; echo \\$1 >>heard' -\" -- "
             "bash -c 'for i in $(seq 60); do hq task notify $i; done; echo said >said'", "waiting")
    hq.command(["submit", "--wait", "--array=1-200", "--", "true"])

    wait_until(lambda: (hq.cwd / "said").exists(), "all was said")
    waiting = next(b for b in hq.background if b.name == "waiting")
    assert waiting.wait() == 0
    assert (hq.cwd / "heard").read_text().split() == [str(i) for i in range(1, 61)]
    assert worker.running()


def test_talking_goes_on_after_the_server_was_away(hq):
    hq.start_server("--journal=journal")
    worker = hq.start_worker("--cpus=1")
    hq.start("hq submit --wait --on-notify=\"sh -c 'echo \\$1 >>heard' -\" -- bash -c 'hq task notify before; "
             "until [ -e go ]; do sleep 0.02; done; until grep -q after heard; do hq task notify after; sleep 0.05; done'", "waiting")
    wait_until(lambda: (hq.cwd / "heard").exists(), "the first is heard")

    hq.background[0].signal(9)
    hq.background[0].wait()
    hq.start_server("--journal=journal")
    (hq.cwd / "go").touch()

    waiting = next(b for b in hq.background if b.name == "waiting")
    assert waiting.wait() == 0
    assert worker.running()
