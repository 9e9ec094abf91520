"""Allocation queues on a real Slurm."""
from pathlib import Path

import pytest

import slurm
from hq import wait_until
from test_alloc import remove_trials

FAST = {"HQ_AUTOALLOC_REFRESH_INTERVAL_MS": "1000", "HQ_AUTOALLOC_MAX_SCHEDULE_DELAY_MS": "500",
        "HQ_AUTOALLOC_SCHEDULE_TICK_INTERVAL_MS": "200"}
pytestmark = pytest.mark.skipif(bool(slurm.missing()), reason=f"not installed: {', '.join(slurm.missing())}")


@pytest.fixture
def site(hq, tmp_path):
    cluster = slurm.Slurm(tmp_path, nodes=2)
    try:
        cluster.start()
        for name in ("sbatch", "scancel", "scontrol", "squeue", "srun", "sinfo"):
            (hq.bin / name).symlink_to(Path(slurm.program(name)))
        hq.variables.update({key: value for key, value in cluster.variables.items() if key != "PATH"})
        hq.variables.update(FAST)
        hq.slurm = cluster
        yield hq
        if any(process.running() for process in hq.background):
            hq.command(["server", "stop"], expect_exit=None)
    finally:
        cluster.stop()


def states(site, queue):
    return [(a["id"], a["status"]) for a in site.command(["alloc", "info", queue, "--output-mode=json"]).json]


def await_states(site, queue, expected):
    wait_until(lambda: states(site, queue) == expected, f"the allocations of queue {queue} are {expected}", timeout=60)


def jobs(site):
    lines = site.slurm.run("squeue", "-h", "-t", "all", "-o", "%i %j %T").splitlines()
    return {line.split()[0]: tuple(line.split()[1:]) for line in lines}


def test_workers_come_and_go_with_the_tasks(site):
    site.start_server()
    refused = site.command(["alloc", "add", "slurm", "-t", "5m", "--cpus=1", "--", "--partition=nope"], expect_exit=1)
    remove_trials(refused.stderr)
    assert "invalid partition specified: nope" in refused.stderr
    site.command(["alloc", "add", "slurm", "-t", "5m", "--idle-timeout=2s", "-n", "one", "--cpus=1", "--", "--partition=main"])
    assert list(jobs(site).values()) == [("one-1", "CANCELLED")]

    site.command(["submit", "--wait", "--", "bash", "-c", "echo $SLURM_JOB_ID $SLURM_JOB_NAME"])

    assert site.command(["job", "cat", "last", "stdout"]).stdout == "2 one-1\n"
    assert states(site, 1) == [("2", "running")]
    [worker] = site.command(["worker", "list", "--output-mode=json"]).json
    assert worker["allocation"] == {"id": "2", "manager": "Slurm"}
    await_states(site, 1, [("2", "finished")])
    wait_until(lambda: jobs(site)["2"] == ("one-1", "COMPLETED"), "Slurm has the job as completed")
    assert "INFO HyperQueue" in site.command(["alloc", "log", "2", "stderr"]).stdout


def test_two_nodes_run_one_multi_node_task_and_the_start_command_on_each(site):
    site.start_server()
    site.command(["alloc", "add", "slurm", "-t", "5m", "-m", "2", "--cpus=2", "--no-dry-run", "--worker-start-cmd",
                  f"echo node >> {site.cwd}/nodes"])

    site.command(["submit", "--wait", "--nodes=2", "--", "bash", "-c", "wc -l < $HQ_NODE_FILE"])

    assert site.command(["job", "cat", "last", "stdout"]).stdout == "2\n"
    assert (site.cwd / "nodes").read_text() == "node\nnode\n"
    assert states(site, 1) == [("1", "running")]
    site.command(["alloc", "remove", "1", "--force"])
    wait_until(lambda: jobs(site)["1"][1] == "CANCELLED", "the job is canceled", timeout=60)


def test_what_waits_or_is_canceled_in_slurm_is_known_after_one_question(site):
    server = site.start_server()
    site.command(["alloc", "add", "slurm", "-t", "5m", "-b", "3", "--cpus=2", "--no-dry-run", "--", "--exclusive"])
    site.command(["submit", "--array=1-4", "--cpus=2", "--", "sleep", "300"])
    await_states(site, 1, [("1", "running"), ("2", "running"), ("3", "queued"), ("4", "queued")])
    site.command(["alloc", "pause", "1"])  # else others come
    site.command(["alloc", "add", "slurm", "-t", "5m", "--cpus=99", "--no-dry-run"])  # asks on

    site.slurm.run("scancel", "3")

    await_states(site, 1, [("1", "running"), ("2", "running"), ("3", "failed"), ("4", "queued")])
    site.command(["server", "stop"])
    assert server.wait(60) == 0
    wait_until(lambda: {state for _, state in jobs(site).values()} == {"CANCELLED"}, "all jobs are canceled", timeout=60)


def test_a_killed_server_finds_its_allocations_again(site):
    journal = ["--journal", site.home / "journal"]
    server = site.start_server(*journal)
    site.command(["alloc", "add", "slurm", "-t", "5m", "--idle-timeout=2s", "--cpus=1", "--no-dry-run"])
    site.command(["submit", "--", "bash", "-c", "until test -e go; do sleep 0.1; done"])
    await_states(site, 1, [("1", "running")])
    # Slurm may say that it runs before its worker has found the server.
    wait_until(lambda: "Worker 1 connected from allocation" in server.stderr, "the worker is there")

    server.process.kill()
    server.wait()
    server = site.start_server(*journal)

    wait_until(lambda: "Worker 1 is back" in server.stderr, "the worker is back")
    assert states(site, 1) == [("1", "running")]
    (site.cwd / "go").touch()
    site.await_job(1, "FINISHED")
    await_states(site, 1, [("1", "finished")])
    assert len(jobs(site)) == 1
