"""What a task gets and what becomes of its files: environment, directories, resources, limits; and older spellings."""
import os
from pathlib import Path

import pytest

from hq import wait_until


@pytest.fixture
def cluster(hq):
    """A server, and a worker with cpus 0 to 3."""
    hq.start_server()
    hq.start_worker("--cpus=4", "--resource=gpus/nvidia=[0,1,2]", "--resource=gpus/amd=[a,b]", "--resource=mem=sum(100.5)")
    return hq


def environment_of(hq, *options, extra=None):
    """The environment of a task submitted with these options."""
    hq.command(["submit", "--wait", "--stdout=env", *options, "--", "env", "-0"], env=extra)
    return dict(item.split("=", 1) for item in (hq.cwd / "env").read_text().split("\0") if item)


def error_of(hq, job):
    return hq.command(["task", "info", job, "0", "-v", "--output-mode=json"]).json[0]["error"]


# --- environment -----------------------------------------------------------------------------------------------------


def test_the_environment_names_job_task_and_place(cluster):
    env = environment_of(cluster, "--env=A=1=2", "--env=B", "--env=HQ_JOB_ID=99", extra={"OF_THE_CLIENT": "x"})

    assert env["HQ_JOB_ID"] == "1" and env["HQ_TASK_ID"] == "0" and env["HQ_INSTANCE_ID"] == "0"
    assert env["HQ_SUBMIT_DIR"] == str(cluster.cwd)
    assert Path(env["HQ"]).exists()
    assert env["A"] == "1=2" and env["B"] == ""
    assert "OF_THE_CLIENT" not in env and "HQ_ENTRY" not in env and "HQ_TASK_DIR" not in env and "HQ_PIN" not in env


def test_the_environment_names_the_resources(cluster):
    env = environment_of(cluster, "--cpus=2 compact", "--resource=gpus/nvidia=1", "--resource=gpus/amd=all",
                         "--resource=mem=50.25")

    assert env["HQ_RESOURCE_REQUEST_cpus"] == "2 compact"
    assert env["HQ_CPUS"] == env["HQ_RESOURCE_VALUES_cpus"] and len(set(env["HQ_CPUS"].split(","))) == 2
    assert env["OMP_NUM_THREADS"] == "2"
    assert env["HQ_RESOURCE_REQUEST_mem"] == "50.25 compact" and "HQ_RESOURCE_VALUES_mem" not in env
    assert env["HQ_RESOURCE_REQUEST_gpus_nvidia"] == "1 compact"
    assert env["CUDA_VISIBLE_DEVICES"] == env["HQ_RESOURCE_VALUES_gpus_nvidia"] in ("0", "1", "2")
    assert env["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert env["HQ_RESOURCE_REQUEST_gpus_amd"] == "all"
    assert sorted(env["ROCR_VISIBLE_DEVICES"].split(",")) == ["a", "b"]
    assert "HQ_RESOURCE_VARIANT" not in env


def test_a_part_of_a_gpu_is_shared_and_its_index_stands_last(cluster):
    env = environment_of(cluster, "--resource=gpus/nvidia=1.5", "--cpus=0.5")

    assert len(env["CUDA_VISIBLE_DEVICES"].split(",")) == 2
    assert len(env["HQ_CPUS"].split(",")) == 1
    assert "OMP_NUM_THREADS" not in env
    assert environment_of(cluster, "--env=OMP_NUM_THREADS=7")["OMP_NUM_THREADS"] == "7"


def test_pinning_binds_the_task_to_its_cpus(cluster):
    usable = sorted(os.sched_getaffinity(0))
    omp = environment_of(cluster, "--pin=omp", "--cpus=2")

    assert omp["HQ_PIN"] == "omp" and omp["OMP_PROC_BIND"] == "close"
    assert omp["OMP_PLACES"] == "{" + omp["HQ_CPUS"] + "}"
    if usable[:1] != [0]:
        pytest.skip("cpu 0 may not be used here")
    cluster.command(["worker", "stop", "all"])
    cluster.start_worker("--cpus=[0]")
    cluster.command(["submit", "--wait", "--pin=taskset", "--stdout=mask", "--", "bash", "-c",
                     "echo $HQ_PIN; grep Cpus_allowed_list /proc/self/status"])
    assert (cluster.cwd / "mask").read_text().split() == ["taskset", "Cpus_allowed_list:", "0"]


def test_umask_niceness_and_directory_are_as_where_the_worker_was_started(hq):
    hq.start_server()
    before = hq.workers()
    worker = hq.start("umask 0027; exec nice -n 3 hq worker start --cpus=1 --detect-resources=none")
    hq.await_worker(worker, before)

    hq.command(["submit", "--wait", "--stdout=o/facts", "--", "bash", "-c", "umask; nice; touch made"])

    assert (hq.cwd / "o/facts").read_text() == f"0027\n{min(os.nice(0) + 3, 19)}\n"
    assert (hq.cwd / "made").stat().st_mode & 0o777 == 0o640


def test_a_task_sees_only_its_three_descriptors_and_default_signals(cluster):
    cluster.command(["submit", "--wait", "--stdout=facts", "--", "python3", "-c",
                     "import os, signal\n"
                     "print(sorted(int(f) for f in os.listdir('/proc/self/fd')))\n"
                     "print([l for l in open('/proc/self/status') if l.startswith(('SigBlk', 'SigIgn'))])\n"
                     "print(os.getsid(0) == os.getpgid(0))"])
    fds, masks, session = (cluster.cwd / "facts").read_text().splitlines()

    assert fds == "[0, 1, 2, 3]"  # 3 is the directory being listed
    assert masks.count("0000000000000000") == 1  # nothing blocked; python itself ignores SIGPIPE and SIGXFSZ
    assert session == "True"


# --- files -----------------------------------------------------------------------------------------------------------


def test_output_files_stand_where_placeholders_say(cluster):
    uid = cluster.command(["server", "info", "--output-mode=json"]).json["server_uid"]
    cluster.command(["submit", "--wait", "--array=3", "--cwd=sub/%{TASK_ID}",
                     "--stdout=out-%{JOB_ID}-%{TASK_ID}-%{INSTANCE_ID}-%{SERVER_UID}",
                     "--stderr=%{SUBMIT_DIR}/e/%{CWD}/x", "--", "bash", "-c", "pwd; echo err >&2"])
    folder = cluster.cwd / "sub" / "3"

    assert (folder / f"out-1-3-0-{uid}").read_text() == f"{folder}\n"
    assert Path(f"{cluster.cwd}/e/{folder}/x").read_text() == "err\n"


def test_files_are_removed_only_after_success(cluster):
    for program in ("true", "false"):
        cluster.command(["submit", "--wait", "--stdout=:rm-if-finished", "--stderr=e-%{JOB_ID}:rm-if-finished", "--", program])

    wait_until(lambda: not (cluster.cwd / "job-1" / "0.stdout").exists(), "the file is removed")
    wait_until(lambda: not (cluster.cwd / "e-1").exists(), "the other one too")
    assert (cluster.cwd / "job-2" / "0.stdout").exists() and (cluster.cwd / "e-2").exists()


def test_stdout_and_stderr_may_be_one_file(cluster):
    cluster.command(["submit", "--wait", "--stdout=both", "--stderr=both", "--", "bash", "-c", "echo 1; echo 2 >&2; echo 3"])

    assert sorted((cluster.cwd / "both").read_text().split())[0] in "123"


def test_a_task_directory_is_fresh_and_gone_afterwards(cluster):
    cluster.command(["submit", "--wait", "--task-dir", "--array=1-3", "--stdout=d%{TASK_ID}", "--", "bash", "-c",
                     "echo $HQ_TASK_DIR; ls -A $HQ_TASK_DIR | wc -l; mkdir -p $HQ_TASK_DIR/a/b; chmod 0 $HQ_TASK_DIR/a"])
    said = [(cluster.cwd / f"d{i}").read_text().split() for i in (1, 2, 3)]

    assert len({folder for folder, _ in said}) == 3
    assert [count for _, count in said] == ["0"] * 3
    for folder, _ in said:
        wait_until(lambda: not Path(folder).exists(), f"{folder} is removed")


@pytest.mark.parametrize("script, message", [
    ("echo my reason > $HQ_ERROR_FILENAME; exit 3", "my reason\n"),
    ("touch $HQ_ERROR_FILENAME; exit 3", "Task created an error file, but it is empty"),
    ("printf 'x%.0s' $(seq 3000) > $HQ_ERROR_FILENAME; exit 3", "x" * 2048 + "\n[The message was truncated]"),
    ("exit 3", "Program terminated with exit code 3."),
    ("kill -9 $$", "Program terminated with exit code -1. Received signal 9 (SIGKILL)."),
])
def test_a_failed_task_says_why(cluster, script, message):
    cluster.command(["submit", "--wait", "--task-dir", "--stdout=none", "--stderr=none", "--", "bash", "-c", script])

    assert error_of(cluster, 1) == message


def test_an_error_file_counts_for_nothing_after_success(cluster):
    cluster.command(["submit", "--wait", "--task-dir", "--", "bash", "-c", "echo x > $HQ_ERROR_FILENAME"])

    assert cluster.command(["job", "list", "--all", "--output-mode=quiet"]).stdout == "1 FINISHED\n"


def test_used_time_and_memory_are_of_the_task(cluster):
    cluster.command(["submit", "--wait", "--", "python3", "-c",
                     "import time\nx = bytearray(100 << 20)\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass"])

    task = cluster.command(["task", "info", "1", "0", "--output-mode=json"]).json[0]

    assert 0.15 < task["user_time"] + task["system_time"] < 5
    assert 100 << 20 <= task["peak_memory"] < 200 << 20


# --- scheduling as users see it ----------------------------------------------------------------------------------------


def test_higher_priorities_start_first(hq):
    hq.start_server()
    for priority in ("-1", "0", "5", "0"):
        hq.command(["submit", f"--priority={priority}", "--stdout=none", "--stderr=none", "--", "bash", "-c",
                    f"echo {priority} $HQ_JOB_ID >> order"])
    hq.start_worker("--cpus=1")
    hq.command(["job", "wait", "all"])

    assert (hq.cwd / "order").read_text().splitlines() == ["5 3", "0 2", "0 4", "-1 1"]


def test_a_time_request_waits_for_a_worker_that_lives_long_enough(hq):
    hq.start_server()
    hq.start_worker("--cpus=1", "--time-limit=60s")
    hq.command(["submit", "--time-request=2m", "--", "true"])
    hq.command(["submit", "--wait", "--time-request=10s", "--", "true"])
    assert hq.command(["job", "list", "--all", "--output-mode=quiet"]).stdout == "1 WAITING\n2 FINISHED\n"

    hq.start_worker("--cpus=1")

    hq.await_job(1, "FINISHED")


def test_no_more_runs_at_once_than_resources_allow(cluster):
    cluster.command(["submit", "--wait", "--array=1-12", "--cpus=1", "--resource=mem=50", "--stdout=none", "--stderr=none", "--",
                     "bash", "-c", "mkdir running-$HQ_TASK_ID; ls -d running-* | wc -l >> seen; sleep 0.02; rmdir running-$HQ_TASK_ID"])

    assert max(int(line) for line in (cluster.cwd / "seen").read_text().split()) <= 2


def test_max_fails_aborts_the_rest(cluster):
    cluster.command(["submit", "--wait", "--max-fails=1", "--array=1-10", "--cpus=4", "--stdout=none", "--stderr=none", "--", "false"])

    stats = cluster.command(["job", "list", "--all", "--output-mode=json"]).json[0]["task_stats"]
    assert (stats["failed"], stats["aborted"]) == (2, 8)


def test_what_task_ids_prints_can_be_submitted_again(cluster):
    cluster.command(["submit", "--wait", "--array=1-9", "--", "bash", "-c", "exit $((HQ_TASK_ID % 3 == 0))"])

    output = cluster.run("hq submit --wait --array=$(hq job task-ids 1 --filter=failed) -- true")

    assert output.exit == 0
    assert cluster.command(["job", "task-ids", "2"]).stdout == "3,6,9\n"


# --- older spellings ---------------------------------------------------------------------------------------------------


def test_older_spellings_still_work(hq):
    server = hq.start(["hq", "server", "start", "--port", "0"])
    hq.await_server(server)
    before = hq.workers()
    worker = hq.start(["hq", "worker", "start", "--no-detect-resources"])
    hq.await_worker(worker, before)

    resources = hq.command(["worker", "info", "1", "--output-mode=json"]).json[0]["configuration"]["resources"]["resources"]
    hq.command(["submit", "--cpus=100", "--", "true"])
    hq.command(["submit", "--wait", "--", "true"])

    assert [resource["name"] for resource in resources] == ["cpus"]
    assert [row[2] for row in hq.command(["jobs"]).table[1:]] == ["WAITING", "FINISHED"]
    assert [row[0] for row in hq.command(["jobs", "finished"]).table[1:]] == ["2"]
    assert [row[0] for row in hq.command(["jobs", "waiting", "finished"]).table[1:]] == ["1", "2"]
    assert hq.command(["job", "2"]).stdout == hq.command(["job", "info", "2"]).stdout
    assert hq.command(["job", "last", "--tasks"]).fields["ID"] == "2"


@pytest.mark.parametrize("text, amount", [("4GiB", 40960000), ("500MiB", 5000000), ("2G", 20480000), ("512K", 5000), ("64MB", 640000)])
def test_sizes_of_memory_may_have_a_unit(hq, text, amount):
    hq.start_server()
    hq.command(["submit", f"--resource=mem={text}", "--", "true"])

    variants = hq.command(["job", "info", "1", "--output-mode=json"]).json[0]["submits"][0]["array"]["resources"]

    assert [r["request"] for r in variants[0]["resources"] if r["resource"] == "mem"] == [{"Compact": amount}]
