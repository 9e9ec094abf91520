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


# Both kinds of few files: how tasks are told to write there, and the command that prints one job's.
FEW_FILES = pytest.mark.parametrize("option, printed", [
    ("--stream=log", "hq output-log log cat {job}"),
    ("--log=%{JOB_ID}.log", "hq log {job}.log cat"),
], ids=["stream", "log"])


def test_output_of_many_tasks_is_in_one_file_and_in_the_order_of_their_ids(hq):
    hq.start_server()
    hq.start_worker("--cpus=4")
    hq.command(["submit", "--wait", "--stream=log", "--array=1-300", "--", "bash", "-c", "echo $HQ_TASK_ID"])

    assert len(list((hq.cwd / "log").iterdir())) == 1
    assert cat(hq, 1) == "".join(f"{i}\n" for i in range(1, 301))
    assert not (hq.cwd / "job-1").exists()


@FEW_FILES
def test_a_gigabyte_arrives_whole(hq, option, printed):
    hq.start_server()
    hq.start_worker("--cpus=2")
    hq.command(["submit", "--wait", option, "--", "bash", "-c", "yes | head -c 1G"])

    total = hq.run(f"{printed.format(job=1)} stdout | md5sum; yes | head -c 1G | md5sum", timeout=120).stdout.split("\n")
    assert total[0] == total[1]


@pytest.mark.parametrize("way", ["option", "variable"])
def test_a_worker_compresses_streams_where_it_is_told_to(hq, way):
    hq.start_server()
    if way == "option":
        hq.start_worker("--cpus=2", "--stream-compression=3")
    else:
        worker = hq.start(["hq", "worker", "start", "--detect-resources=none", "--cpus=2"], env={"HQ_STREAM_ZSTD": "3"})
        hq.await_worker(worker, set())

    hq.command(["submit", "--wait", "--stream=log", "--", "bash", "-c", "yes | head -c 10M"])

    assert sum(file.stat().st_size for file in (hq.cwd / "log").iterdir()) < 1 << 20
    assert cat(hq, 1) == "y\n" * (5 << 20)


@FEW_FILES
def test_output_is_byte_for_byte_what_the_task_wrote(hq, option, printed):
    data = bytes(range(256)) * 3000
    (hq.cwd / "data").write_bytes(data)
    hq.start_server()
    hq.start_worker("--cpus=1")
    hq.command(["submit", "--wait", option, "--", "bash", "-c", "cat data; cat data >&2"])

    hq.run(f"{printed.format(job=1)} stdout > out; {printed.format(job=1)} stderr > err")
    assert (hq.cwd / "out").read_bytes() == data
    assert (hq.cwd / "err").read_bytes() == data


@FEW_FILES
def test_a_task_may_close_its_output_early_or_leave_a_child_that_holds_it(hq, option, printed):
    hq.start_server()
    hq.start_worker("--cpus=2")
    hq.command(["submit", "--wait", option, "--", "bash", "-c", "echo early; exec >&-; sleep 0.2; echo late >&2"])
    hq.command(["submit", "--wait", option, "--", "bash", "-c", "sleep 60 & echo $! > child; echo parent"])

    assert hq.run(f"{printed.format(job=1)} stdout").stdout == "early\n"
    assert hq.run(f"{printed.format(job=1)} stderr").stdout == "late\n"
    assert hq.run(f"{printed.format(job=2)} stdout").stdout == "parent\n"
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


def test_jobs_that_run_at_once_on_several_workers_share_a_directory(hq):
    hq.start_server()
    for _ in range(2):
        hq.start_worker("--cpus=2")
    for job in (1, 2):
        hq.command(["submit", "--stream=log", "--array=1-40", "--", "bash", "-c", "seq $HQ_JOB_ID 2 20000"])
    for job in (1, 2):
        hq.await_job(job, "FINISHED")

    assert len(list((hq.cwd / "log").iterdir())) <= 2
    for job in (1, 2):
        assert hq.run(f"hq output-log log cat {job} stdout | md5sum").stdout == hq.run(
            f"for i in $(seq 40); do seq {job} 2 20000; done | md5sum").stdout


def test_job_info_shows_where_output_goes(hq):
    hq.start_server()
    hq.command(["submit", "--stream=log", "--", "true"])

    fields = hq.command(["job", "info", "1"]).fields
    assert fields["Stdout"] == "<Stream>"
    assert '"<pipe>"' in hq.command(["job", "info", "1", "--output-mode=json"]).stdout


# --- output that the server keeps -----------------------------------------------------------------------------------


def log_cat(hq, channel="stdout", *more):
    return hq.command(["log", "out.log", "cat", channel, *more]).stdout


def test_the_server_keeps_the_output_of_a_job_in_one_file(hq):
    hq.start_server()
    hq.start_worker("--cpus=2")
    hq.start_worker("--cpus=2", "--hostname=n2")
    hq.command(["submit", "--wait", "--log=out.log", "--array=1-200", "--", "bash", "-c", "echo $HQ_TASK_ID; echo e >&2"])

    assert log_cat(hq) == "".join(f"{i}\n" for i in range(1, 201))
    assert log_cat(hq, "stderr", "--task", "7,5") == "e\ne\n"
    assert hq.command(["log", "out.log", "summary", "--output-mode=json"]).json["summary"]["n_tasks"] == 200
    exported = hq.command(["log", "out.log", "export", "--task", "3"]).json
    assert exported == [{"finished": True, "id": 3, "stdout": "3\n"}]
    assert "003:0> 3" in hq.command(["log", "out.log", "show", "--channel=stdout"]).stdout.splitlines()
    assert not (hq.cwd / "job-1").exists()


def test_much_output_arrives_at_the_server_whole(hq):
    hq.start_server()
    hq.start_worker("--cpus=2")
    hq.command(["submit", "--wait", "--log=out.log", "--array=1-2", "--", "bash", "-c", "yes $HQ_TASK_ID | head -c 20M"])

    for task in (1, 2):
        sums = hq.run(f"hq log out.log cat stdout --task {task} | md5sum; yes {task} | head -c 20M | md5sum").stdout
        assert len(set(sums.split("\n")[:2])) == 1


def test_a_second_job_with_the_same_log_replaces_it(hq):
    hq.start_server()
    hq.start_worker("--cpus=1")
    hq.command(["submit", "--wait", "--log=out.log", "--", "echo", "first"])
    hq.command(["submit", "--wait", "--log=out.log", "--stderr=err", "--", "bash", "-c", "echo second; echo e >&2"])

    assert log_cat(hq) == "second\n"
    assert log_cat(hq, "stderr") == ""
    assert (hq.cwd / "err").read_text() == "e\n"


def test_a_log_that_cannot_be_written_fails_the_task(hq):
    (hq.cwd / "file").write_text("")
    hq.start_server()
    hq.start_worker("--cpus=1")
    hq.command(["submit", "--wait", "--log=file/log", "--", "echo", "x"], None)

    assert "Cannot create stream directory" in hq.command(["task", "info", "1", "0"]).stdout


def test_a_full_disk_of_the_server_fails_the_task_and_later_ones_run(hq):
    server = hq.start("ulimit -S -f 200; exec hq server start")
    hq.await_server(server)
    hq.start_worker("--cpus=1")
    hq.command(["submit", "--wait", "--log=out.log", "--", "head", "-c", "1000000", "/dev/zero"], None)
    assert "Streaming: Cannot write log file" in hq.command(["task", "info", "1", "0"]).stdout
    hq.command(["submit", "--wait", "--log=small.log", "--", "echo", "small"])

    assert hq.command(["log", "small.log", "cat", "stdout"]).stdout == "small\n"


def test_a_killed_worker_loses_only_what_it_had_not_sent(hq):
    hq.start_server()
    worker = hq.start_worker("--cpus=1")
    script = "echo instance $HQ_INSTANCE_ID; test $HQ_INSTANCE_ID != 0 || sleep 100"
    hq.command(["submit", "--log=out.log", "--", "bash", "-c", script])
    wait_until(lambda: "instance 0" in hq.run("hq log out.log cat stdout --allow-unfinished").stdout, "it is written")
    worker.signal(signal.SIGKILL)
    hq.start_worker("--cpus=1")
    hq.await_job(1, "FINISHED")

    assert log_cat(hq) == "instance 1\n"
    assert hq.command(["log", "out.log", "summary", "--output-mode=json"]).json["summary"]["n_superseded"] == 1


def test_a_stopped_server_slows_the_task_and_loses_nothing(hq):
    server = hq.start_server()
    hq.start_worker("--cpus=1")
    hq.command(["submit", "--log=out.log", "--", "bash", "-c", "yes | head -c 20M"])
    wait_until(lambda: (hq.cwd / "out.log").exists(), "the log is there")
    server.signal(signal.SIGSTOP)
    try:
        hq.run("sleep 0.5")
    finally:
        server.signal(signal.SIGCONT)
    hq.await_job(1, "FINISHED")

    assert len(log_cat(hq)) == 20 << 20


# --- live ------------------------------------------------------------------------------------------------------------


SLOWLY = "echo one; until test -e go; do sleep 0.02; done; echo two"


@pytest.mark.parametrize("way", ["--stdout=out-%{TASK_ID}", "--stream=log", "--log=out.log"])
def test_output_is_followed_while_the_task_runs(hq, way):
    hq.start_server()
    hq.command(["submit", way, "--", "bash", "-c", SLOWLY])
    follower = hq.start(["hq", "job", "cat", "--follow", "1", "stdout"])
    tail = hq.start(["hq", "task", "tail", "1", "0", "-f"])
    hq.start_worker("--cpus=1")

    wait_until(lambda: follower.stdout == "one\n" and tail.stdout == "one\n", "the first line is shown")
    assert follower.running() and tail.running()
    (hq.cwd / "go").write_text("")
    assert (follower.wait(), tail.wait()) == (0, 0)
    assert (follower.stdout, tail.stdout) == ("one\ntwo\n", "one\ntwo\n")


@pytest.mark.parametrize("way", ["--stdout=out-%{TASK_ID}", "--stream=log", "--log=out.log"])
def test_the_end_of_much_output_is_shown(hq, way):
    hq.start_server()
    hq.start_worker("--cpus=1")
    hq.command(["submit", "--wait", way, "--", "seq", "1000000"])

    def lines(first):
        return "".join(f"{i}\n" for i in range(first, 1000001))

    assert hq.command(["task", "tail", "1", "0"]).stdout == lines(999991)
    assert hq.command(["task", "tail", "last", "0", "-n", "30000"]).stdout == lines(970001)
    assert hq.command(["task", "tail", "1", "0", "-n", "0"]).stdout == ""
    assert hq.command(["task", "tail", "1", "0", "--lines=3", "--stream=stderr"]).stdout == ""
    assert hq.run("hq job cat --follow 1 stdout | md5sum").stdout == hq.run("seq 1000000 | md5sum").stdout


@pytest.mark.parametrize("way", ["--stdout=out-%{TASK_ID}", "--stream=log", "--log=out.log"])
def test_chosen_tasks_are_followed_all_at_once(hq, way):
    hq.start_server()
    hq.command(["submit", way, "--array=1-4", "--", "bash", "-c",
                "echo begin $HQ_TASK_ID; until test -e go; do sleep 0.02; done; echo end $HQ_TASK_ID"])
    follower = hq.start(["hq", "job", "cat", "--follow", "--tasks=2,4", "last", "stdout"])
    tail = hq.start(["hq", "task", "tail", "-f", "-n", "1", "last", "3"])
    hq.start_worker("--cpus=4")

    def lines():
        return sorted(follower.stdout.splitlines())

    wait_until(lambda: lines() == ["begin 2", "begin 4"] and tail.stdout == "begin 3\n", "the first lines are shown")
    (hq.cwd / "go").write_text("")
    assert (follower.wait(), tail.wait()) == (0, 0)
    assert lines() == ["begin 2", "begin 4", "end 2", "end 4"]
    assert tail.stdout == "begin 3\nend 3\n"


def test_what_a_task_prints_after_a_restart_is_shown_anew(hq):
    hq.start_server()
    worker = hq.start_worker("--cpus=1")
    hq.command(["submit", "--stream=log", "--", "bash", "-c", "echo $HQ_INSTANCE_ID; test $HQ_INSTANCE_ID != 0 || sleep 100"])
    follower = hq.start(["hq", "job", "cat", "--follow", "1", "stdout"])
    wait_until(lambda: follower.stdout == "0\n", "the first instance is shown")
    worker.signal(signal.SIGKILL)
    hq.start_worker("--cpus=1")

    assert follower.wait() == 0
    assert follower.stdout == "0\n1\n"


def test_output_that_is_kept_nowhere_is_an_error_of_tail(hq):
    hq.start_server()
    hq.start_worker("--cpus=1")
    hq.command(["submit", "--wait", "--stdout=none", "--", "true"])

    assert "no `stdout` stream" in hq.command(["task", "tail", "1", "0"], 1).stderr
    assert "not found" in hq.command(["task", "tail", "1", "5"], 1).stderr
    assert "not found" in hq.command(["task", "tail", "7", "0"], 1).stderr


# --- a server that comes back ----------------------------------------------------------------------------------------


def test_streams_go_on_while_the_server_is_away(hq):
    server = hq.start_server("--journal=journal")
    hq.start_worker("--cpus=2")
    script = "seq 1 20000; until test -e go; do sleep 0.02; done; seq 20001 40000"
    hq.command(["submit", "--stream=log", "--array=1-2", "--", "bash", "-c", script])
    wait_until(lambda: hq.run("hq output-log log cat 1 stdout --allow-unfinished | wc -l").stdout.strip() == "40000",
               "half of it is there")
    server.signal(signal.SIGKILL)
    server.wait()
    (hq.cwd / "go").write_text("")
    hq.start_server("--journal=journal")
    hq.await_job(1, "FINISHED")

    assert cat(hq, 1) == 2 * "".join(f"{i}\n" for i in range(1, 40001))


def test_a_server_that_was_killed_goes_on_with_the_log(hq):
    server = hq.start_server("--journal=journal")
    hq.start_worker("--cpus=2")
    script = "seq 1 20000; until test -e go; do sleep 0.02; done; seq 20001 40000"
    hq.command(["submit", "--log=out.log", "--array=1-2", "--", "bash", "-c", script])
    wait_until(lambda: hq.run("hq log out.log cat stdout --allow-unfinished | wc -l").stdout.strip() == "40000", "half of it is there")
    server.signal(signal.SIGKILL)
    server.wait()
    (hq.cwd / "go").write_text("")
    hq.start_server("--journal=journal")
    hq.await_job(1, "FINISHED")

    expected = "".join(f"{i}\n" for i in range(1, 40001))
    for task in (1, 2):
        assert log_cat(hq, "stdout", "--task", task) == expected


def test_servers_that_are_killed_while_output_flows_lose_nothing_of_it(hq):
    server = hq.start_server("--journal=journal")
    hq.start_worker("--cpus=3")
    hq.command(["submit", "--log=out.log", "--array=1-3", "--", "bash", "-c", "seq 1000000 | sed s/^/$HQ_TASK_ID:/"])
    for least in (1, 4, 8):
        wait_until(lambda: (hq.cwd / "out.log").exists() and (hq.cwd / "out.log").stat().st_size > least << 20, "output flows")
        server.signal(signal.SIGKILL)
        server.wait()
        server = hq.start_server("--journal=journal")
    hq.await_job(1, "FINISHED")

    for task in (1, 2, 3):
        sums = hq.run(f"hq log out.log cat stdout --task {task} | md5sum; seq 1000000 | sed s/^/{task}:/ | md5sum").stdout
        assert len(set(sums.split())) == 2
