"""What holds for every command: versions, help, usage errors, global options, logs, closed and full outputs."""
import pytest

from transcript import replay, sessions


@pytest.mark.parametrize("session", sessions("global"))
def test_session(hq, session):
    replay(hq, session)


@pytest.mark.parametrize("words", ["", "server", "job", "task", "worker"])
def test_without_a_command_the_help_goes_to_stderr(hq, words):
    output = hq.command(words.split(), expect_exit=2)

    assert output.stdout == "" and f"Usage: {' '.join(['hq', *words.split()])} [OPTIONS] <COMMAND>" in output.stderr


@pytest.mark.parametrize("words", ["", "server", "server start", "job", "job submit", "submit", "task info", "worker start"])
def test_help_is_short_or_long(hq, words):
    short, long = (hq.command([*words.split(), option]) for option in ("-h", "--help"))

    assert short.stderr == long.stderr == ""
    assert "--server-dir" not in short.stdout and "--server-dir" in long.stdout
    assert all(len(line) <= 100 for line in (short.stdout + long.stdout).splitlines())
