"""hq submit: forms of the command, entries, stdin, directives, warnings, refusals; and what the task then sees."""
import os

import pytest

from hq import wait_until
from transcript import replay, sessions


@pytest.mark.parametrize("session", sessions("submit"))
def test_session(hq, session):
    replay(hq, session)


def test_a_task_knows_who_it_is(hq):
    hq.start_server()
    hq.start_worker("--cpus=2")

    hq.command(["submit", "--wait", "--array=3-4", "--cpus=2", "--", "bash", "-c",
                "echo $HQ_JOB_ID $HQ_TASK_ID $HQ_INSTANCE_ID $HQ_RESOURCE_REQUEST_cpus $HQ_CPUS $PWD $HQ_SUBMIT_DIR"])

    for task in (3, 4):
        words = (hq.cwd / f"job-1/{task}.stdout").read_text().split()
        assert words[:5] == ["1", str(task), "0", "2", "compact"]
        assert sorted(words[5].split(",")) == ["0", "1"]
        assert words[6:] == [str(hq.cwd), str(hq.cwd)]


def test_every_task_of_an_array_runs_once(hq):
    hq.start_server()
    hq.start_worker("--cpus=4")

    hq.command(["submit", "--wait", "--array=0-999", "--stdout=none", "--stderr=none", "--",
                "bash", "-c", "echo $HQ_TASK_ID >> ran-$((HQ_TASK_ID % 7))"])

    ran = sorted(int(line) for part in range(7) for line in (hq.cwd / f"ran-{part}").read_text().split())
    assert ran == list(range(1000))
    assert hq.command(["job", "list", "--all", "--output-mode=quiet"]).stdout == "1 FINISHED\n"


def test_each_line_of_a_real_directory_becomes_a_task(hq):
    names = sorted(os.listdir("/usr/bin"))[:200]
    (hq.cwd / "names").write_text("\n".join(names))
    hq.start_server()
    hq.start_worker("--cpus=4")

    hq.command(["submit", "--wait", "--each-line=names", "--stdout=out/%{TASK_ID}", "--stderr=none", "--",
                "bash", "-c", 'printf %s "$HQ_ENTRY"'])

    assert [(hq.cwd / f"out/{i}").read_text() for i in range(len(names))] == names


def test_the_lines_of_a_large_file_reach_their_tasks(hq):
    lines = [f"{i} " + chr(97 + i % 26) * 60_000 for i in range(60)]
    (hq.cwd / "lines").write_text("\n".join(lines))
    hq.start_server()
    hq.start_worker("--cpus=4")

    hq.command(["submit", "--wait", "--each-line=lines", "--stdout=out/%{TASK_ID}", "--stderr=none", "--",
                "bash", "-c", 'printf %s "$HQ_ENTRY"'])

    assert [(hq.cwd / f"out/{i}").read_text() for i in range(len(lines))] == lines


def test_a_task_that_fails_makes_the_job_fail(hq):
    hq.start_server()
    hq.start_worker("--cpus=1")

    hq.command(["submit", "--wait", "--", "false"])

    assert hq.command(["job", "list", "--all", "--output-mode=quiet"]).stdout == "1 FAILED\n"


def test_a_time_limit_ends_the_task_and_its_children(hq):
    hq.start_server()
    hq.start_worker("--cpus=1")
    before = set(hq.marked_processes())

    hq.command(["submit", "--wait", "--time-limit=300ms", "--", "bash", "-c", "sleep 100 & sleep 100"])

    assert hq.command(["task", "info", "1", "0"]).fields["Error"] == "Time limit reached"
    # What ignored the interrupt is killed at the end of the grace.
    wait_until(lambda: set(hq.marked_processes()) <= before, "children of the task are gone")
