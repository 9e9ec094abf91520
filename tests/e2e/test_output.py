"""hq output-log, --stream: output of many tasks in few files."""
import json
import os
import re
import signal

import pytest

from hq import wait_until
from transcript import replay, sessions


@pytest.mark.parametrize("session", sessions("output"))
def test_session(hq, session):
    replay(hq, session)


def cat(hq, job, channel="stdout", *more):
    return hq.command(["output-log", "log", "cat", job, channel, *more]).stdout


def test_output_of_many_tasks_is_in_one_file_and_in_the_order_of_their_ids(hq):
    hq.start_server()
    hq.start_worker("--cpus=4")
    hq.command(["submit", "--wait", "--stream=log", "--array=1-300", "--", "bash", "-c", "echo $HQ_TASK_ID"])

    assert len(list((hq.cwd / "log").iterdir())) == 1
    assert cat(hq, 1) == "".join(f"{i}\n" for i in range(1, 301))
    assert not (hq.cwd / "job-1").exists()


def test_a_gigabyte_arrives_whole(hq):
    hq.start_server()
    hq.start_worker("--cpus=2")
    hq.command(["submit", "--wait", "--stream=log", "--", "bash", "-c", "yes | head -c 1G"])

    total = hq.run("hq output-log log cat 1 stdout | md5sum; yes | head -c 1G | md5sum", timeout=120).stdout.split("\n")
    assert total[0] == total[1]


def test_output_is_byte_for_byte_what_the_task_wrote(hq):
    data = bytes(range(256)) * 3000
    (hq.cwd / "data").write_bytes(data)
    hq.start_server()
    hq.start_worker("--cpus=1")
    hq.command(["submit", "--wait", "--stream=log", "--", "bash", "-c", "cat data; cat data >&2"])

    hq.run("hq output-log log cat 1 stdout > out; hq output-log log cat 1 stderr > err")
    assert (hq.cwd / "out").read_bytes() == data
    assert (hq.cwd / "err").read_bytes() == data


def test_a_task_may_close_its_output_early_or_leave_a_child_that_holds_it(hq):
    hq.start_server()
    hq.start_worker("--cpus=2")
    hq.command(["submit", "--wait", "--stream=log", "--", "bash", "-c", "echo early; exec >&-; sleep 0.2; echo late >&2"])
    hq.command(["submit", "--wait", "--stream=log", "--", "bash", "-c", "sleep 60 & echo $! > child; echo parent"])

    assert cat(hq, 1) == "early\n"
    assert cat(hq, 1, "stderr") == "late\n"
    assert cat(hq, 2) == "parent\n"
    os.kill(int((hq.cwd / "child").read_text()), signal.SIGKILL)


def test_the_streams_of_a_killed_worker_can_be_read_and_are_superseded(hq):
    hq.start_server()
    worker = hq.start_worker("--cpus=1")
    script = "echo instance $HQ_INSTANCE_ID; test $HQ_INSTANCE_ID != 0 || sleep 100"
    hq.command(["submit", "--stream=log", "--", "bash", "-c", script])
    wait_until(lambda: "instance 0" in hq.run("hq output-log log cat 1 stdout --allow-unfinished").stdout, "it is written")
    worker.signal(signal.SIGKILL)
    hq.start_worker("--cpus=1")
    hq.await_job(1, "FINISHED")

    assert cat(hq, 1) == "instance 1\n"
    summary = json.loads(hq.command(["output-log", "log", "summary", "--output-mode=json"]).stdout)["summary"]
    assert summary["n_files"] == 2
    assert summary["n_superseded"] == 1
    assert summary["superseded_stdout_size"] == len("instance 0\n")


def test_a_directory_that_cannot_be_made_fails_the_task(hq):
    (hq.cwd / "file").write_text("")
    hq.start_server()
    hq.start_worker("--cpus=1")
    hq.command(["submit", "--wait", "--stream=file/log", "--", "sleep", "100"], None)

    info = hq.command(["task", "info", "1", "0"]).fields["Error"]
    assert re.sub(r"\s", "", info) == re.sub(
        r"\s", "", f"Error: Cannot create stream directory `{hq.cwd}/file/log`: Not a directory (os error 20)")


def test_a_full_disk_fails_the_task_and_later_ones_run(hq):
    hq.start_server()
    # A limit on the size of files stands for a full disk.
    before = hq.workers()
    worker = hq.start("ulimit -S -f 200; exec hq worker start --cpus=1 --detect-resources=none")
    hq.await_worker(worker, before)
    hq.command(["submit", "--wait", "--stream=log", "--", "echo", "small"])
    hq.command(["submit", "--wait", "--stream=log", "--", "head", "-c", "1000000", "/dev/zero"], None)
    assert "Streaming: Cannot write stream file" in hq.command(["task", "info", "2", "0"]).stdout
    hq.command(["submit", "--wait", "--stream=log", "--", "echo", "small again"])

    assert cat(hq, 1) == "small\n"
    assert cat(hq, 3) == "small again\n"


def test_jobs_share_a_directory_and_explicit_files_stay_files(hq):
    hq.start_server()
    hq.start_worker("--cpus=2")
    for job in (1, 2):
        hq.command(["submit", "--wait", "--stream=log", "--stderr=err-%{JOB_ID}", "--", "bash", "-c",
                    "echo $HQ_JOB_ID; echo error >&2"])
    hq.command(["submit", "--wait", "--stream=other/%{JOB_ID}", "--", "echo", "3"])

    assert [cat(hq, job) for job in (1, 2)] == ["1\n", "2\n"]
    assert (hq.cwd / "err-2").read_text() == "error\n"
    assert cat(hq, 1, "stderr") == ""
    assert hq.command(["output-log", "other/3", "cat", "3", "stdout"]).stdout == "3\n"


def test_job_info_shows_where_output_goes(hq):
    hq.start_server()
    hq.command(["submit", "--stream=log", "--", "true"])

    fields = hq.command(["job", "info", "1"]).fields
    assert fields["Stdout"] == "<Stream>"
    assert '"<pipe>"' in hq.command(["job", "info", "1", "--output-mode=json"]).stdout
