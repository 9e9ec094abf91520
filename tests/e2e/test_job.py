"""hq job: list, info, summary, cancel, close, forget, wait, progress, task-ids."""
import datetime

import pytest

from hq import wait_until
from transcript import replay, sessions


@pytest.mark.parametrize("session", sessions("job"))
def test_session(hq, session):
    replay(hq, session)


def test_times_in_json_are_in_order(hq):
    hq.start_server()
    hq.start_worker("--cpus=1")
    hq.command(["submit", "--wait", "--array=1-3", "--", "true"])

    job = hq.command(["job", "info", "1", "--output-mode=json"]).json[0]

    def moment(text):
        return datetime.datetime.fromisoformat(text[:26].rstrip("Z") + "+00:00")

    for task in job["tasks"]:
        assert moment(job["started_at"]) <= moment(task["started_at"]) <= moment(task["finished_at"])
        assert moment(task["finished_at"]) <= moment(job["finished_at"])
    submitted = moment(job["submits"][0]["submitted_at"]) if "submitted_at" in job["submits"][0] else None
    assert submitted is None or submitted <= moment(job["started_at"])


def test_cancel_ends_the_processes_of_the_job(hq):
    hq.start_server()
    hq.start_worker("--cpus=2")
    before = set(hq.marked_processes())
    hq.command(["submit", "--array=1-4", "--", "bash", "-c", "sleep 100 & sleep 100"])
    hq.await_tasks(1, "running", "1-2")
    wait_until(lambda: len(set(hq.marked_processes()) - before) >= 6, "the tasks and their children are there")

    hq.command(["job", "cancel", "1"])

    hq.await_job(1, "CANCELED")
    wait_until(lambda: set(hq.marked_processes()) <= before, "what the tasks started is gone")
    assert hq.command(["job", "task-ids", "1", "--filter", "canceled"]).stdout == "1-4\n"


def test_a_canceled_job_makes_room_for_the_next(hq):
    hq.start_server()
    hq.start_worker("--cpus=1")
    hq.command(["submit", "--", "sleep", "100"])
    hq.await_tasks(1, "running", "0")
    hq.command(["submit", "--", "true"])

    hq.command(["job", "cancel", "1"])

    hq.await_job(2, "FINISHED")


def test_an_open_job_takes_more_tasks_until_it_is_closed(hq):
    hq.start_server()
    hq.start_worker("--cpus=1")
    hq.command(["job", "open", "--name=many"])
    for _ in range(3):
        hq.command(["submit", "--job=1", "--", "true"])
    waiting = hq.start(["hq", "job", "wait", "1"])
    wait_until(lambda: hq.command(["job", "task-ids", "1", "--filter", "finished"]).stdout == "0-2\n", "all are done")
    assert waiting.running()

    hq.command(["job", "close", "1"])

    assert waiting.wait() == 0
    hq.await_job(1, "FINISHED")


def test_jobs_wait_for_the_first_worker(hq):
    hq.start_server()
    hq.command(["submit", "--array=1-5", "--", "true"])
    assert hq.command(["job", "list", "--output-mode=quiet"]).stdout == "1 WAITING\n"

    hq.start_worker("--cpus=2")

    hq.await_job(1, "FINISHED")
