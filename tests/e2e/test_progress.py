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


def test_a_submit_that_takes_its_time_says_what_it_does(hq):
    server = hq.start_server()

    slow = "mkfifo lines; (echo a; sleep 1.5; echo b; echo c) >lines &"
    shown, code = on_terminal(hq, f"{slow} hq submit --each-line=lines --colors=never -- true 2>/dev/null")
    assert code == 0
    assert "\x1b[?7lReading lines: 0 MiB\x1b[?7h" in shown
    assert last_look(shown) == ["Job submitted successfully, job ID: 1", ""]

    frozen = f"kill -STOP {server.process.pid}; (sleep 2; kill -CONT {server.process.pid}) &"
    shown, code = on_terminal(hq, f"{frozen} hq submit --colors=never -- true; wait")
    assert code == 0
    assert "Waiting for the server to accept the submit" in shown
    assert last_look(shown) == ["Job submitted successfully, job ID: 2", ""]


def test_deploy_ssh_says_how_many_workers_run(hq):
    ssh = hq.bin / "ssh"
    ssh.write_text("#!/bin/bash\n[ $1 = short ] || sleep 2.5\n")
    ssh.chmod(0o755)
    (hq.cwd / "hosts").write_text("h1\nh2\nshort\n")

    shown, code = on_terminal(hq, "hq worker deploy-ssh hosts --cpus=1 2>/dev/null")

    assert code == 0
    assert "\x1b[?7l2 of 3 workers running\x1b[?7h" in shown
    assert last_look(shown) == [""]
    assert on_terminal(hq, "hq worker deploy-ssh hosts 2>/dev/null | cat") == ("", 0)
