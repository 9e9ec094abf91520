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
