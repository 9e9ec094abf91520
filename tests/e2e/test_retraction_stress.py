"""Very many tasks taken back and handed out anew, on a wide worker, with few descriptors: each runs just once."""
from collections import Counter

from hq import wait_until

FEW_FILES = "ulimit -n 512; exec "


def start_limited(hq, command, name):
    """Runs as a user who may open 512 files would have it: the hard limit, too."""
    return hq.start(["bash", "-c", FEW_FILES + command], name)


def start_worker(hq, name, *options):
    before = hq.workers()
    worker = start_limited(hq, f"hq worker start --detect-resources=none {' '.join(options)}", name)
    hq.await_worker(worker, before)
    return worker


def submit(hq, job, tasks, work, *options):
    """An array whose tasks write their number to a file of the job when they begin and when they end."""
    program = f'echo b $HQ_TASK_ID >> {job}.txt; {work}; echo e $HQ_TASK_ID >> {job}.txt'
    submitted = hq.command(["submit", f"--array=1-{tasks}", "--stdout=none", "--stderr=none", "--output-mode=quiet", *options,
                            "--", "sh", "-c", program]).stdout
    assert submitted == f"{job}\n"


def check_once(hq, job, tasks):
    lines = Counter((hq.cwd / f"{job}.txt").read_text().splitlines())
    assert {line: n for line, n in lines.items() if n != 1} == {}, f"job {job}"
    assert len(lines) == 2 * tasks


def test_each_task_runs_once_whatever_is_taken_back(hq):
    server = start_limited(hq, "hq server start", "server")
    hq.await_server(server)
    workers = [start_worker(hq, "wide", "--cpus=400"), start_worker(hq, "narrow-1", "--cpus=2")]

    # Short tasks fill the backlogs; every fiftieth takes its time, with others behind it that idle workers could have.
    submit(hq, 1, 1500, "[ $((HQ_TASK_ID % 50)) != 0 ] || sleep 0.5")
    # Each asks for half of the wide worker: it drains for them.
    submit(hq, 2, 6, "sleep 0.1", "--cpus=200")
    workers.append(start_worker(hq, "narrow-2", "--cpus=3"))
    # What comes later goes first, again and again.
    submit(hq, 3, 300, ":", "--priority=5")
    submit(hq, 4, 100, "sleep 0.05", "--priority=10", "--cpus=2")
    submit(hq, 5, 200, ":", "--priority=20")
    # Its rest of life is longer than the request of these for two seconds after it has started; what it has of them then
    # is for others. It lives much longer than the test.
    workers.append(start_worker(hq, "mortal", "--cpus=4", "--time-limit=200s", "--retract-check-interval=300ms"))
    submit(hq, 6, 600, "[ $((HQ_TASK_ID % 20)) != 0 ] || sleep 0.3", "--time-request=197s", "--priority=3")
    workers.append(start_worker(hq, "late", "--cpus=2"))
    submit(hq, 7, 300, "[ $((HQ_TASK_ID % 30)) != 0 ] || sleep 0.2")
    # Many share a cpu.
    submit(hq, 8, 400, "sleep 0.02", "--cpus=0.1")

    tasks = {1: 1500, 2: 6, 3: 300, 4: 100, 5: 200, 6: 600, 7: 300, 8: 400}
    wait_until(lambda: hq.command(["job", "list", "--output-mode=quiet"]).stdout == "", "all have ended", timeout=60)
    listed = hq.command(["job", "list", "--all", "--output-mode=json"]).json
    assert {job["id"]: job["task_stats"]["finished"] for job in listed} == tasks
    for job, count in tasks.items():
        check_once(hq, job, count)
    assert hq.command(["worker", "list", "--output-mode=quiet"]).stdout == "".join(f"{i} RUNNING\n" for i in range(1, 6))
    for process in (server, *workers):
        assert "ERROR" not in process.stderr, process.stderr
    # On a busy machine somebody tries a second address before the first has answered.
    warnings = [line for line in server.stderr.splitlines() if "WARN" in line and "ended before its handshake" not in line]
    assert not warnings, warnings
    # Nothing is held by anybody: all of the wide worker is free for one task.
    hq.command(["submit", "--wait", "--cpus=400", "--stdout=none", "--stderr=none", "--", "true"])


def test_long_tasks_behind_short_ones_are_taken_back_by_thousands(hq):
    server = start_limited(hq, "hq server start", "server")
    hq.await_server(server)
    workers = [start_worker(hq, f"w{i}", "--cpus=1") for i in range(4)]

    # The mean of a hundred short ones makes deep backlogs; then each worker meets long ones at different times.
    submit(hq, 1, 800, "[ $((HQ_TASK_ID % 97)) != 0 ] || sleep 1")
    for job in range(2, 12):
        submit(hq, job, 60, ":", f"--priority={job % 4}")

    wait_until(lambda: hq.command(["job", "list", "--output-mode=quiet"]).stdout == "", "all have ended", timeout=60)
    check_once(hq, 1, 800)
    for job in range(2, 12):
        check_once(hq, job, 60)
    for process in (server, *workers):
        assert "ERROR" not in process.stderr, process.stderr
