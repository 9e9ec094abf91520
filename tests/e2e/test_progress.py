"""What a terminal shows while a command waits, and that nothing of it is left or goes anywhere else."""
import re

from terminal import run_on_terminal


def on_terminal(hq, command, **variables):
    return run_on_terminal(command, hq.cwd, {**hq.variables, **variables})


def last_look(shown):
    """What stays to be seen of each line."""
    return [re.split(r"\r\x1b\[2K", line)[-1] for line in shown.split("\n")]


def test_waiting_shows_how_far_the_jobs_are_and_leaves_nothing(hq):
    hq.start_server()
    hq.start_worker("--cpus=1")

    shown, code = on_terminal(hq, "hq submit --wait --array=1-2 --colors=never -- sleep 1.2")

    assert code == 0
    assert re.search(r"\[[#.]{40}\] 0/1 jobs, [01]/2 tasks 1 RUNNING", shown)
    assert last_look(shown) == ["Job submitted successfully, job ID: 1", ""]
    hq.start("hq submit --name=long -- bash -c 'until [ -e go ]; do sleep 0.05; done'")
    hq.await_tasks(2, "running", "0")
    shown, code = on_terminal(hq, "(sleep 1.5; touch go) & hq job wait 2; wait")
    assert code == 0
    assert "0/1 jobs" in shown
    assert last_look(shown) == [""]


def test_nothing_is_shown_of_short_waits_and_elsewhere(hq):
    hq.start_server()
    hq.start_worker("--cpus=1")

    assert on_terminal(hq, "hq submit --wait --output-mode=quiet -- true") == ("1\n", 0)
    for command, expected in (("hq submit --wait -- sleep 1.3 | cat", "Job submitted successfully, job ID: 2\n"),
                              ("hq submit --wait --output-mode=quiet -- sleep 1.3", "3\n"),
                              ("TERM=dumb hq submit --wait --colors=never -- sleep 1.3",
                               "Job submitted successfully, job ID: 4\n")):
        assert on_terminal(hq, command) == (expected, 0)


def test_waiting_for_workers_counts_them(hq):
    hq.start_server()
    hq.start_worker("--cpus=1")

    shown, code = on_terminal(hq, "(sleep 3; exec hq worker start --cpus=1 --detect-resources=none >second 2>&1) & "
                                  "hq worker wait 2; echo $?; hq worker stop all 2>&1 | cat >/dev/null; wait")

    assert code == 0
    assert "1 of 2 workers" in shown
    assert last_look(shown) == ["0", ""]
