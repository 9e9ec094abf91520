"""What happens on a real file system that is full: output of tasks in its three forms, and the journal."""
import shutil
import signal
import subprocess

import pytest

from hq import binary, runner, wait_until

MIB = 1 << 20


class SmallDisk:
    """A tmpfs in a mount namespace of its own, which needs no rights; `hq` is run in there."""

    def __init__(self, hq, size):
        self.path = hq.cwd / "small"
        self.path.mkdir()
        self.holder = subprocess.Popen(
            ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o "size=$1" none "$0" && echo ready && exec sleep infinity',
             str(self.path), size], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={"PATH": hq.variables["PATH"]})
        said = self.holder.stdout.readline().strip()
        if said != "ready":
            self.close()
            pytest.skip(f"no file system can be mounted here: {said}")
        self.enter = ["nsenter", "--user", "--preserve-credentials", "--mount", f"--target={self.holder.pid}"]
        program = hq.bin / "hq"
        program.unlink()
        program.write_text(f"#!/bin/sh\nexec {' '.join(self.enter)} "
                           f"sh -c 'cd \"$0\" && exec \"$@\"' \"$PWD\" {runner()} {binary()} \"$@\"\n")
        program.chmod(0o755)

    def run(self, script):
        subprocess.run([*self.enter, "sh", "-c", script, str(self.path)], check=True)

    def fill(self):
        self.run('dd if=/dev/zero of="$0/filler" bs=64k 2>/dev/null; dd if=/dev/zero of="$0/filler2" bs=1k 2>/dev/null; true')

    def empty(self):
        self.run('rm -f "$0"/filler*')

    def resize(self, size):
        self.run(f'mount -o remount,size={size} "$0"')

    def close(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()


@pytest.fixture
def disk(hq):
    made = []

    def make(size):
        if not shutil.which("unshare") or not shutil.which("nsenter"):
            pytest.skip("there is no unshare or no nsenter")
        made.append(SmallDisk(hq, size))
        return made[0]

    yield make
    # Whoever is in there has to have ended first.
    for background in reversed(hq.background):
        if background.running():
            background.signal(signal.SIGTERM)
            background.wait()
    for small in made:
        small.close()


def state(hq, job):
    jobs = hq.command(["job", "list", "--all", "--output-mode=quiet"]).stdout.splitlines()
    return next(line.split()[1] for line in jobs if line.startswith(f"{job} "))


def error(hq, job):
    return hq.command(["task", "info", job, "0", "-v", "--output-mode=json"]).json[0]["error"]


PRINT_4_MIB = ["bash", "-c", "head -c 4194304 /dev/zero"]


def test_a_program_that_fills_the_disk_with_its_own_files_fails_and_others_go_on(hq, disk):
    disk("1m")
    hq.start_server()
    hq.start_worker("--cpus=2")

    hq.command(["submit", "--wait", "--stdout=small/out", "--stderr=err", "--", *PRINT_4_MIB])
    hq.command(["submit", "--wait", "--", "true"])

    assert (state(hq, 1), state(hq, 2)) == ("FAILED", "FINISHED")
    assert "No space left on device" in (hq.cwd / "err").read_text()


def test_a_stream_that_finds_no_room_fails_its_task_and_what_was_kept_can_be_read(hq, disk):
    small = disk("1m")
    hq.start_server()
    hq.start_worker("--cpus=2")

    hq.command(["submit", "--wait", "--stream=small/out", "--", "echo", "before"])
    hq.command(["submit", "--wait", "--stream=small/out", "--", *PRINT_4_MIB])
    small.resize("20m")
    hq.command(["submit", "--wait", "--stream=small/out", "--", "echo", "after"])

    assert [state(hq, job) for job in (1, 2, 3)] == ["FINISHED", "FAILED", "FINISHED"]
    assert "No space left on device" in error(hq, 2)
    assert hq.command(["output-log", "small/out", "cat", "1", "stdout"]).stdout == "before\n"
    assert hq.command(["output-log", "small/out", "cat", "3", "stdout"]).stdout == "after\n"


def test_a_log_that_finds_no_room_fails_its_task_and_others_are_written(hq, disk):
    small = disk("1m")
    hq.start_server()
    hq.start_worker("--cpus=2")

    hq.command(["submit", "--wait", "--log=small/1", "--", "echo", "before"])
    hq.command(["submit", "--wait", "--log=small/2", "--", *PRINT_4_MIB])
    small.resize("20m")
    hq.command(["submit", "--wait", "--log=small/3", "--", "echo", "after"])

    assert [state(hq, job) for job in (1, 2, 3)] == ["FINISHED", "FAILED", "FINISHED"]
    assert "No space left on device" in error(hq, 2)
    assert hq.command(["log", "small/1", "cat", "stdout"]).stdout == "before\n"
    assert hq.command(["log", "small/3", "cat", "stdout"]).stdout == "after\n"


def test_a_journal_without_room_takes_no_new_work_and_says_why(hq, disk):
    small = disk("8m")
    hq.start_server("--journal", "small/j.bin")

    refused = hq.command(["submit", "--", "true"], expect_exit=1)
    small.resize("200m")

    assert "'small/j.bin': No space left on device (os error 28)" in refused.stderr
    wait_until(lambda: hq.command(["submit", "--", "true"], expect_exit=None).exit == 0, "there is room")
    assert hq.command(["job", "list", "--all", "--output-mode=quiet"]).stdout == "1 WAITING\n"


def test_a_disk_that_fills_up_behind_a_journal_costs_nothing_that_was_accepted(hq, disk):
    small = disk("100m")
    server = hq.start_server("--journal", "small/j.bin")
    hq.start_worker("--cpus=4")
    hq.command(["submit", "--array=1-200", "--stdout=none", "--stderr=none", "--", "bash", "-c",
                "until test -e go; do sleep 0.1; done; echo $HQ_TASK_ID >> ran"])
    small.fill()

    (hq.cwd / "go").touch()
    hq.await_job(1, "FINISHED")
    server.signal(signal.SIGKILL)
    server.wait()
    small.fill()
    hq.start_server("--journal", "small/j.bin")

    assert state(hq, 1) == "FINISHED"
    assert sorted(map(int, (hq.cwd / "ran").read_text().split())) == list(range(1, 201))
    assert hq.command(["journal", "check", "small/j.bin", "--output-mode=json"]).json["good"]
