"""When something goes wrong: keys, versions, killed programs, limits, directories, full disks, missing programs."""
import json
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from hq import established_connections, wait_until

LOST = "Connection closed"


def access_copy(hq, name, change):
    """A server directory whose access file is the running server's, changed by `change`."""
    folder = hq.cwd / name / "hq-current"
    folder.mkdir(parents=True)
    text = (hq.server_dir / "hq-current" / "access.json").read_text()
    (folder / "access.json").write_text(change(text))
    return hq.cwd / name


# --- who may connect -------------------------------------------------------------------------------------------------


def other_role(text):
    """The keys of clients and workers exchanged, ports and all else as they are."""
    access = json.loads(text)
    client, worker = access["client"], access["worker"]
    client["secret_key"], worker["secret_key"] = worker["secret_key"], client["secret_key"]
    return json.dumps(access)


def test_the_key_of_one_role_does_not_open_the_door_of_the_other(hq):
    server = hq.start_server()
    folder = access_copy(hq, "swapped", other_role)

    submit = hq.command(["--server-dir", folder, "submit", "--", "true"], expect_exit=1)
    worker = hq.command(["--server-dir", folder, "worker", "start", "--cpus=1", "--detect-resources=none"], expect_exit=1)

    assert "Access token found but HQ server" in submit.stderr and "Cannot verify challenge" in submit.stderr
    assert worker.stderr.endswith("Cannot verify challenge\n")
    assert hq.command(["job", "list", "--all", "--output-mode=quiet"]).stdout == ""
    assert hq.workers() == set()
    assert server.running()


def test_the_port_of_one_role_does_not_serve_the_other(hq):
    hq.start_server()

    def other_port(text):
        access = json.loads(text)
        access["client"]["port"], access["worker"]["port"] = access["worker"]["port"], access["client"]["port"]
        return json.dumps(access)

    folder = access_copy(hq, "ports", other_port)

    client = hq.command(["--server-dir", folder, "job", "list"], expect_exit=1)
    worker = hq.command(["--server-dir", folder, "worker", "start", "--cpus=1", "--detect-resources=none"], expect_exit=1)

    assert "Access token found but HQ server" in client.stderr
    assert "Cannot verify challenge" in worker.stderr
    assert hq.workers() == set()


def test_wrong_keys_are_logged_once_and_never_shown(hq):
    server = hq.start_server()
    # Turned round, a key is another one. (Not every other first byte makes one: its lowest bits do not count in a CURVE key.)
    folder = access_copy(hq, "wrong", lambda text: re.sub(r'(?<="secret_key": ")[0-9a-f]+', lambda key: key[0][::-1], text))

    for _ in range(5):
        hq.command(["--server-dir", folder, "job", "list"], expect_exit=1)

    hq.command(["job", "list"])
    keys = re.findall(r"[0-9a-f]{64}", (folder / "hq-current" / "access.json").read_text())
    logs = server.stderr + "".join(log.read_text() for log in hq.server_dir.rglob("*.log"))
    assert keys and not any(key in logs for key in keys)
    assert server.stderr.count("Cannot verify challenge") <= 1


def test_garbage_and_half_open_connections_do_not_disturb_the_server(hq):
    server = hq.start_server()
    ports = [int(row[1]) for row in hq.command(["server", "info"]).table if row[0] in ("Client port", "Worker port")]
    assert len(ports) == 2
    held = []
    for port in ports:
        for data in (b"", b"GET / HTTP/1.0\r\n\r\n", bytes(range(256)) * 64, b"\xff\0\0\0\0\0\0\0\1\x7f\3\1CURVE"):
            peer = socket.create_connection(("localhost", port))
            peer.sendall(data)
            held.append(peer)

    hq.start_worker("--cpus=1")
    hq.command(["submit", "--wait", "--", "true"])

    assert hq.command(["job", "list", "--all", "--output-mode=quiet"]).stdout == "1 FINISHED\n"
    for peer in held:
        peer.close()
    hq.command(["server", "info"])
    assert server.running()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_the_server_is_reached_by_name_and_by_addresses_of_both_families(hq, host):
    if host == "::1" and "::1" not in Path("/proc/net/if_inet6").read_text() and \
            "00000000000000000000000000000001" not in Path("/proc/net/if_inet6").read_text():
        pytest.skip("this machine has no IPv6")
    hq.start_server("--host", host)
    hq.start_worker("--cpus=1")

    hq.command(["submit", "--wait", "--", "true"])

    assert hq.command(["server", "info"]).fields["Client host"] == host
    assert hq.command(["job", "list", "--all", "--output-mode=quiet"]).stdout == "1 FINISHED\n"


# --- what is killed --------------------------------------------------------------------------------------------------


def test_a_killed_server_ends_its_worker_and_the_tasks_and_another_can_start(hq):
    server = hq.start_server()
    worker = hq.start_worker("--cpus=1")
    hq.command(["submit", "--", "bash", "-c", "setsid sleep 1000 & sleep 1000"])
    hq.await_tasks(1, "running", "0")
    waiting = hq.start(["hq", "job", "wait", "1"])
    wait_until(lambda: established_connections(waiting.process.pid) > 0, "the client is connected")
    wait_until(lambda: len(hq.marked_processes()) >= 5, "the task has children")

    server.signal(signal.SIGKILL)

    assert server.wait() == -signal.SIGKILL
    assert worker.wait() == 1
    assert worker.stderr.endswith("Server connection closed\n")
    assert waiting.wait() == 1 and LOST in waiting.stderr
    wait_until(lambda: not hq.marked_processes(), "the task and its children are gone")
    assert "is unreachable" in hq.command(["job", "list"], expect_exit=1).stderr
    hq.start_server()
    assert hq.command(["job", "list", "--all", "--output-mode=quiet"]).stdout == ""
    assert (hq.server_dir / "hq-current").resolve().name == "002"


def test_a_killed_worker_leaves_no_process_of_its_tasks(hq):
    server = hq.start_server()
    worker = hq.start_worker("--cpus=2")
    hq.command(["submit", "--array=1-2", "--", "bash", "-c", "(setsid sleep 1000 &); trap '' TERM INT; sleep 1000 & wait"])
    hq.await_tasks(1, "running", "1-2")
    wait_until(lambda: len(hq.marked_processes()) >= 8, "the tasks have children")

    worker.signal(signal.SIGKILL)

    wait_until(lambda: hq.marked_processes() == [server.process.pid], "only the server is left")
    assert hq.command(["job", "list", "--output-mode=quiet"]).stdout == "1 WAITING\n"
    assert hq.command(["worker", "list", "--all", "--output-mode=quiet"]).stdout == "1 CONNECTION LOST\n"


def test_a_task_whose_workers_are_killed_again_and_again_fails_at_its_crash_limit(hq):
    hq.start_server()
    hq.command(["submit", "--crash-limit=2", "--", "sleep", "1000"])
    for _ in range(2):
        worker = hq.start_worker("--cpus=1")
        hq.await_tasks(1, "running", "0")
        worker.signal(signal.SIGKILL)
        worker.wait()

    hq.await_job(1, "FAILED")

    assert hq.command(["task", "info", "1", "0", "-v"]).fields["Error"].startswith(
        "Task was running on a worker that was lost; the task has occurred 2 times in this situation")


# --- limits of the system --------------------------------------------------------------------------------------------


def test_limits_of_a_task_are_those_of_the_shell_that_started_the_worker(hq):
    hq.start_server()
    limits = hq.run("ulimit -S -n 700; ulimit -S -c 0; ulimit -a").stdout
    hard = hq.run("ulimit -H -a").stdout
    before = hq.workers()
    worker = hq.start("ulimit -S -n 700; ulimit -S -c 0; exec hq worker start --cpus=1 --detect-resources=none")
    hq.await_worker(worker, before)

    hq.command(["submit", "--wait", "--stdout=soft", "--", "bash", "-c", "ulimit -a"])
    hq.command(["submit", "--wait", "--stdout=hard", "--", "bash", "-c", "ulimit -H -a"])

    assert (hq.cwd / "soft").read_text() == limits
    assert (hq.cwd / "hard").read_text() == hard


def test_512_open_files_are_enough_for_many_tasks_and_clients(hq):
    """The hard limit too, so that nothing can raise it."""
    server = hq.start("ulimit -n 512; exec hq server start")
    hq.await_server(server)
    before = hq.workers()
    worker = hq.start("ulimit -n 512; exec hq worker start --cpus=600 --detect-resources=none")
    hq.await_worker(worker, before)

    hq.command(["submit", "--array=1-600", "--", "bash", "-c", "until test -e go; do sleep 0.2; done; echo $HQ_TASK_ID"])
    clients = [hq.start(["hq", "job", "wait", "1"]) for _ in range(20)]
    wait_until(lambda: hq.command(["job", "task-ids", "1", "--filter=running"]).stdout == "1-600\n", "all run",
               timeout=120)
    (hq.cwd / "go").touch()

    assert [client.wait() for client in clients] == [0] * 20
    hq.await_job(1, "FINISHED")
    assert sorted(int((hq.cwd / f"job-1/{i}.stdout").read_text()) for i in range(1, 601)) == list(range(1, 601))


# --- directories -----------------------------------------------------------------------------------------------------


def test_an_unreadable_directory_fails_the_task_with_its_name(user):
    user.start_server()
    user.start_worker("--cpus=1")
    closed = user.cwd / "closed"
    closed.mkdir()
    closed.chmod(0)

    user.command(["submit", "--wait", "--stdout=none", "--stderr=none", "--cwd=closed", "--", "true"])
    user.command(["submit", "--wait", "--stdout=none", "--stderr=none", "--cwd=closed/inner", "--", "true"])
    user.command(["submit", "--wait", "--stdout=closed/out", "--stderr=none", "--", "true"])
    user.command(["submit", "--wait", "--stdout=closed/deep/out", "--stderr=none", "--", "true"])
    user.command(["submit", "--wait", "--", "true"])
    closed.chmod(0o700)

    errors = [user.command(["task", "info", job, "0", "-v", "--output-mode=json"]).json[0]["error"] for job in range(1, 5)]
    assert [("Permission denied" in e or "PermissionDenied" in e) for e in errors] == [True] * 4, errors
    assert errors[1].startswith("Could not create working directory")
    assert str(closed / "deep") in errors[3]
    assert user.command(["job", "list", "--all", "--output-mode=quiet"]).stdout.splitlines() == [
        *(f"{job} FAILED" for job in range(1, 5)), "5 FINISHED"]


def test_submit_from_a_directory_that_is_gone_is_an_error(hq):
    hq.start_server()

    output = hq.run("mkdir gone; cd gone; rmdir ../gone; hq submit -- true")

    assert output.exit == 1 and "No such file or directory (os error 2)" in output.stderr


def test_foreign_and_unwritable_server_directories_are_named(user):
    closed = user.home / "closed"
    (closed / "srv").mkdir(parents=True)
    closed.chmod(0)
    afile = user.cwd / "afile"
    afile.touch()

    starts = [user.command(["server", "start", "--server-dir", path], expect_exit=1).stderr
              for path in (closed / "srv", afile, "/proc/x")]
    lists = user.command(["job", "list", "--server-dir", closed / "srv"], expect_exit=1).stderr
    closed.chmod(0o700)

    assert starts[0].endswith("Permission denied (os error 13)\n")
    assert starts[1].endswith("Not a directory (os error 20)\n")
    assert starts[2].endswith("(os error 2)\n")
    assert "Invalid server directory" in lists and str(closed / "srv") in lists


def test_an_unreadable_access_file_is_an_error_that_names_the_directory(user):
    user.start_server()
    access = user.server_dir / "hq-current" / "access.json"
    access.chmod(0)

    client = user.command(["job", "list"], expect_exit=1).stderr
    worker = user.command(["worker", "start", "--cpus=1", "--detect-resources=none"], expect_exit=1).stderr
    access.chmod(0o400)

    assert f'No running instance of HQ found at "{user.server_dir / "001"}' in client.replace("hq-current", "001")
    assert "Permission denied (os error 13)" in client
    assert "Cannot load access record from" in worker and "Permission denied (os error 13)" in worker


def test_two_servers_do_not_share_a_directory(hq):
    first = hq.start_server()

    second = hq.command(["server", "start"], expect_exit=1)

    assert f"Server at {hq.server_dir} is already online" in second.stderr
    assert first.running() and hq.command(["server", "info"]).fields["Pid"] == str(first.process.pid)
    assert [path.name for path in sorted(hq.server_dir.iterdir())] == ["001", "hq-current"]


# --- output and programs ---------------------------------------------------------------------------------------------


def test_a_full_disk_fails_the_program_that_writes_and_nothing_else(hq):
    hq.start_server()
    hq.start_worker("--cpus=2")

    hq.command(["submit", "--wait", "--stdout=/dev/full", "--", "bash", "-c", "echo x"])
    hq.command(["submit", "--wait", "--", "bash", "-c", "echo x > /dev/full; echo $?"])

    assert hq.command(["job", "list", "--all", "--output-mode=quiet"]).stdout == "1 FAILED\n2 FINISHED\n"
    assert "No space left on device" in (hq.cwd / "job-1/0.stderr").read_text()


@pytest.fixture
def small_disk(hq):
    """A file system of 64 KiB, filled up."""
    folder = hq.cwd / "small"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], stderr=subprocess.DEVNULL, check=False)
    if made.returncode != 0:
        pytest.skip("only root can mount a small file system")
    with (folder / "filler").open("wb", buffering=0) as filler:
        try:
            while filler.write(b"x" * 4096):
                pass
        except OSError:
            pass
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_on_a_full_file_system_tasks_say_why_they_failed(hq, small_disk):
    hq.start_server()
    hq.start_worker("--cpus=2")

    hq.command(["submit", "--wait", f"--stdout={small_disk}/out/x", "--stderr=none", "--", "echo", "hello"])
    hq.command(["submit", "--wait", f"--cwd={small_disk}/a/b", "--stdout=none", "--stderr=none", "--", "true"])
    hq.command(["submit", "--wait", "--", "true"])

    states = hq.command(["job", "list", "--all", "--output-mode=quiet"]).stdout.splitlines()
    assert states[2] == "3 FINISHED"
    for job in (1, 2):
        if states[job - 1] == f"{job} FAILED":
            error = hq.command(["task", "info", job, "0", "-v", "--output-mode=json"]).json[0]["error"]
            assert "StorageFull" in error or "No space left on device" in error or "exit code" in error


def test_a_missing_program_is_named_with_a_hint(hq):
    hq.start_server()
    hq.start_worker("--cpus=1")
    (hq.cwd / "here").write_text("#!/bin/sh\n")
    (hq.cwd / "here").chmod(0o755)
    (hq.cwd / "plain.sh").write_text("echo x\n")
    (hq.cwd / "plain").write_text("echo x\n")

    def error(*words):
        job = hq.command(["submit", "--wait", "--directives=off", "--output-mode=quiet", "--", *words]).stdout.strip()
        return hq.command(["task", "info", job, "0", "-v", "--output-mode=json"]).json[0]["error"]

    missing = error("no-such-program", "a", "b c")
    here = error("here")
    script = error("./plain.sh")
    plain = error("./plain")

    assert missing.startswith('Cannot execute "no-such-program a b c": No such file or directory (os error 2)')
    assert "The program that you have tried to execute (`no-such-program`) was not found." in missing
    assert "`here`) was not found." in here and f"{hq.cwd}/here" in here and "./here" in here
    assert "Permission denied (os error 13)" in script and "add a shebang" in script
    assert plain == 'Cannot execute "./plain": Permission denied (os error 13)'


@pytest.mark.parametrize("mode", ["cli", "json", "quiet"])
def test_ids_that_do_not_exist_are_named(hq, mode):
    hq.start_server()
    hq.command(["submit", "--", "true"])

    def says(words, error, exit=0, stdout=None):
        output = hq.command([f"--output-mode={mode}", *words.split()], expect_exit=exit)
        where = output.stdout if exit == 1 and mode == "json" else output.stderr
        assert error in where, f"{words}: {output}"
        if stdout is not None and exit == 0:
            assert output.stdout == stdout[mode], f"{words}: {output}"

    nothing = {"cli": "", "json": "{}\n", "quiet": ""}
    none = {"cli": "", "json": "[]\n", "quiet": ""}
    says("job info 7", "ERROR Job 7 not found", stdout=none)
    says("job cancel 7", "ERROR Canceling job 7 failed; job not found", stdout=nothing)
    says("job close 7", "ERROR Closing job 7 failed; job not found", stdout=nothing)
    says("job forget 7", "INFO 0 jobs were forgotten, 1 were ignored due to wrong state or invalid ID", stdout=nothing)
    says("job cat 7 stdout", "ERROR Job 7 was not found", stdout=nothing)
    says("job wait 7", "", stdout=nothing)
    says("job progress 7", "WARN There are no jobs to wait for", stdout=nothing)
    says("job task-ids 7", "Job Id not found", exit=1)
    says("task list 7", "WARN Job 7 not found")
    says("task info 7 0", "ERROR Cannot find job 7", stdout=nothing)
    says("task info 1 7", "WARN Task 7 not found", stdout=none)
    says("submit --job 7 -- true", "Job 7 not found.", exit=1)
    says("worker info 7", "ERROR Worker 7 not found", stdout=none)
    says("worker stop 7", "ERROR Stopping worker 7 failed; worker not found", stdout=nothing)
    says("worker address 7", "Worker 7 not found", exit=1)
