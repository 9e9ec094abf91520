"""hq task: list, info, explain; hq job cat."""
import pytest

from transcript import replay, sessions


@pytest.mark.parametrize("session", sessions("task"))
def test_session(hq, session):
    replay(hq, session)


def test_output_of_many_tasks_comes_in_the_order_of_their_ids(hq):
    hq.start_server()
    hq.start_worker("--cpus=4")
    hq.command(["submit", "--wait", "--array=1-30", "--", "bash", "-c", "echo $HQ_TASK_ID"])

    assert hq.command(["job", "cat", "1", "stdout"]).stdout == "".join(f"{i}\n" for i in range(1, 31))


def test_output_is_byte_for_byte_what_the_task_wrote(hq):
    data = bytes(range(256)) * 300
    (hq.cwd / "data").write_bytes(data)
    hq.start_server()
    hq.start_worker("--cpus=1")

    hq.command(["submit", "--wait", "--", "cat", "data"])
    hq.run("hq job cat 1 stdout > copy")

    assert (hq.cwd / "copy").read_bytes() == data
    assert (hq.cwd / "job-1" / "0.stdout").read_bytes() == data


def test_tasks_run_after_what_they_depend_on(hq):
    (hq.cwd / "job.toml").write_text("""
[[task]]
id = 2
deps = [1, 3]
command = ["bash", "-c", "echo 2 >> order"]
[[task]]
id = 1
command = ["bash", "-c", "echo 1 >> order"]
[[task]]
id = 3
deps = [1]
command = ["bash", "-c", "echo 3 >> order"]
""")
    hq.start_server()
    hq.start_worker("--cpus=4")

    hq.command(["job", "submit-file", "job.toml"])

    hq.await_job(1, "FINISHED")
    assert (hq.cwd / "order").read_text() == "1\n3\n2\n"
