"""hq journal, and what a server that is started on its journal again still knows."""
import json
import os
import signal
import sqlite3
import time

import pytest

from hq import wait_until
from transcript import replay, sessions


@pytest.mark.parametrize("session", sessions("journal"))
def test_session(hq, session):
    replay(hq, session)


def effects(hq, name):
    path = hq.cwd / name
    return sorted(path.read_text().split()) if path.exists() else []


def test_a_killed_server_comes_back_with_jobs_results_and_workers(hq):
    server = hq.start_server("--journal", "j.bin")
    hq.start_worker("--cpus=4")
    hq.command(["submit", "--wait", "--array=1-50", "--", "bash", "-c", "echo $HQ_TASK_ID >> done"])
    hq.command(["submit", "--array=1-3", "--", "bash", "-c", "sleep 3; echo $HQ_TASK_ID >> late"])
    hq.await_tasks(2, "running", "1-3")

    server.signal(signal.SIGKILL)
    server.wait()
    hq.start_server("--journal", "j.bin")

    hq.await_job(2, "FINISHED")
    jobs = hq.command(["job", "list", "--all", "--output-mode=json"]).json
    assert [job["task_stats"]["finished"] for job in sorted(jobs, key=lambda job: job["id"])] == [50, 3]
    assert effects(hq, "late") == ["1", "2", "3"]  # each ran once, at the worker that was kept
    assert effects(hq, "done") == sorted(str(i) for i in range(1, 51))
    assert hq.workers() == {1}
    assert hq.command(["journal", "check", "j.bin", "--output-mode=json"]).json["good"]


def test_a_variable_names_the_journal_for_scripts_that_cannot_be_edited(hq):
    server = hq.start(["hq", "server", "start"], env={"HQ_JOURNAL": "j.bin"})
    hq.await_server(server)
    hq.command(["submit", "--", "true"])

    assert hq.command(["journal", "export", "j.bin"]).stdout.count("job-created") == 1


def test_a_server_that_is_killed_while_it_prunes_keeps_what_has_not_ended(hq):
    server = hq.start_server("--journal", "j.bin")
    hq.start_worker("--cpus=2")
    hq.command(["submit", "--wait", "--array=1-300", "--stdout=none", "--stderr=none", "--", "true"])
    hq.command(["submit", "--array=1-100000", "--cpus=100", "--", "true"])
    for delay in (0, 0.002, 0.005, 0.01, 0.02):
        pruning = hq.start("hq journal prune")
        time.sleep(delay)
        server.signal(signal.SIGKILL)
        server.wait()
        pruning.wait()

        assert hq.command(["journal", "check", "j.bin", "--output-mode=json"]).json["good"]
        server = hq.start_server("--journal", "j.bin")
        jobs = {job["id"]: job["task_stats"] for job in hq.command(["job", "list", "--all", "--output-mode=json"]).json}
        assert jobs[2]["waiting"] == 100000
        assert jobs.get(1, {"finished": 300})["finished"] == 300
    hq.command(["journal", "prune"])
    assert (hq.cwd / "j.bin").stat().st_size < 3000
    assert hq.command(["submit", "--output-mode=quiet", "--", "true"]).stdout == "3\n"


def test_a_second_server_on_a_journal_is_refused_with_the_name_of_the_first(hq):
    hq.start_server("--journal", "j.bin")

    refused = hq.command(["server", "start", "--journal", "j.bin", "--server-dir", "elsewhere"], expect_exit=1)

    assert "The journal 'j.bin' is in use by process" in refused.stderr


def test_damage_is_told_and_all_else_is_kept(hq):
    server = hq.start_server("--journal", "j.bin")
    hq.start_worker("--cpus=2")
    for i in range(6):
        hq.command(["submit", "--wait", f"--name=job{i}", "--", "true"])
    hq.command(["server", "stop"])
    server.wait()
    path = hq.cwd / "j.bin"
    content = bytearray(path.read_bytes())
    content[content.index(b"job3")] ^= 1
    path.write_bytes(content)

    check = hq.command(["journal", "check", "j.bin"], expect_exit=1)
    hq.start_server("--journal", "j.bin")

    assert "Damaged: " in check.stdout and "Missing: event" in check.stdout
    names = [job["name"] for job in hq.command(["job", "list", "--all", "--output-mode=json"]).json]
    assert sorted(names) == ["job0", "job1", "job2", "job4", "job5"]


def test_keys_ports_and_uid_outlive_the_server(hq):
    server = hq.start_server("--journal", "j.bin")
    before = json.loads((hq.server_dir / "hq-current" / "access.json").read_text())
    server.signal(signal.SIGKILL)
    server.wait()

    hq.start_server("--journal", "j.bin")

    after = json.loads((hq.server_dir / "hq-current" / "access.json").read_text())
    assert before == after
    assert os.stat(hq.cwd / "j.bin.access").st_mode & 0o777 == 0o400


def test_a_stream_of_events_tells_what_happens(hq):
    hq.start_server("--journal", "j.bin")
    stream = hq.start("hq journal stream")
    wait_until(lambda: "server-start" in stream.stdout, "the first event")

    hq.command(["job", "open"])

    wait_until(lambda: "job-open" in stream.stdout, "the new event")


def test_a_stream_of_events_follows_its_server_and_tells_each_event_once(hq):
    server = hq.start_server("--journal", "j.bin")
    hq.start_worker("--cpus=2")
    stream = hq.start("hq journal stream")
    hq.command(["submit", "--wait", "--array=1-20", "--", "true"])
    wait_until(lambda: stream.stdout.count("task-finished") == 20, "the first events")
    server.signal(signal.SIGKILL)
    server.wait()

    server = hq.start_server("--journal", "j.bin")
    hq.command(["submit", "--wait", "--array=1-10", "--", "true"])
    wait_until(lambda: stream.stdout.count("task-finished") == 30, "the events after the restart")
    hq.command(["server", "stop"])
    server.wait()

    assert stream.wait() == 0
    exported = hq.command(["journal", "export", "j.bin"]).stdout
    assert stream.stdout == exported
    assert exported.count("server-start") == 2 and exported.splitlines()[-1].count("server-stop") == 1


def test_without_a_journal_an_unclean_end_is_told_and_can_be_resumed(hq):
    server = hq.start_server()
    hq.command(["submit", "--array=1-5", "--", "true"])
    hq.command(["journal", "flush"])
    wait_until(lambda: (hq.server_dir / "001" / "journal").stat().st_size > 200, "the submit to be written")
    server.signal(signal.SIGKILL)
    server.wait()

    fresh = hq.start_server()
    assert "left 5 unfinished tasks" in fresh.stderr
    assert hq.command(["job", "list", "--all", "--output-mode=json"]).json == []
    hq.command(["server", "stop"])
    fresh.wait()
    assert not (hq.server_dir / "002" / "journal").exists()

    hq.start_server("--resume")
    hq.start_worker("--cpus=2")
    hq.await_job(1, "FINISHED")


def test_a_journal_becomes_a_database(hq):
    hq.start_server("--journal", "j.bin")
    hq.start_worker("--cpus=2")
    hq.command(["submit", "--wait", "--array=1-3", "--name=three", "--", "bash", "-c", "exit $((HQ_TASK_ID == 2))"])

    hq.command(["journal", "export", "j.bin", "--format", "sqlite", "j.db"])
    again = hq.command(["journal", "export", "j.bin", "--format", "sqlite", "j.db"], expect_exit=1)

    db = sqlite3.connect(hq.cwd / "j.db")
    assert db.execute("SELECT name, tasks, finished, failed FROM jobs").fetchall() == [("three", 3, 2, 1)]
    states = "SELECT id, state, error FROM tasks WHERE ended >= started AND worker = 1 ORDER BY id"
    assert db.execute(states).fetchall() == [
        (1, "finished", None), (2, "failed", "Program terminated with exit code 1."), (3, "finished", None)]
    assert db.execute("SELECT id, lost FROM workers").fetchall() == [(1, None)]
    assert "File exists" in again.stderr
