"""Every command in each output mode: one well-formed document in json, the one value in quiet."""
import json

import pytest

# What each command prints in quiet mode (None: looked at elsewhere); all of them run on the jobs of `filled`.
COMMANDS = {
    "server info": "",
    "server wait": "",
    "server debug-dump dump.json": "",
    "worker list": "1 RUNNING\n",
    "worker list --all": "1 RUNNING\n",
    "worker list --filter offline": "",
    "worker list --filter suspect": "",
    "worker resume 1": "",
    "worker info 1": "",
    "worker info all": "",
    "worker wait 1": "",
    "worker hwdetect": "",
    "job list": "4 WAITING\n5 OPENED\n",
    "job list --all": "1 FINISHED\n2 FAILED\n3 CANCELED\n4 WAITING\n5 OPENED\n",
    "job list --all --verbose": "1 FINISHED\n2 FAILED\n3 CANCELED\n4 WAITING\n5 OPENED\n",
    "job list --filter failed,canceled": "2 FAILED\n3 CANCELED\n",
    "jobs failed": "2 FAILED\n",
    "job summary": "RUNNING 0\nWAITING 1\nFINISHED 1\nFAILED 1\nABORTED 0\nCANCELED 1\n",
    "job info all": "",
    "job info 1-3,5": "",
    "job 2": "",
    "job task-ids all": "",
    "job task-ids 2 --filter failed": "",
    "job wait 1-3": "",
    "task list 1-5": "",
    "task list 2 --tasks 1 -v": "",
    "task info 2 0-1": "",
    "job cancel 1": "",
    "job cancel 4 --reason done": "",
    "job close 5": "",
    "job forget 1": "",
    "worker stop 1": "",
}
TEXT_IN_CLI = {"server info", "worker list", "worker list --all", "worker info 1", "worker info all", "worker hwdetect", "job list",
               "job list --all", "job list --all --verbose", "job list --filter failed,canceled", "jobs failed", "job summary",
               "job info all", "job info 1-3,5", "job 2", "job task-ids all", "job task-ids 2 --filter failed",
               "task list 1-5", "task list 2 --tasks 1 -v", "task info 2 0-1", "worker list --filter offline",
               "worker list --filter suspect"}


@pytest.fixture
def filled(hq):
    hq.start_server()
    hq.start_worker("--cpus=2", "--resource=gpus/amd=[a,b]", "--resource=mem=sum(100.5)")
    hq.command(["submit", "--wait", "--", "true"])
    hq.command(["submit", "--wait", "--array=0-2", "--env=K=ä\"\\", "--", "bash", "-c", "exit $HQ_TASK_ID"])
    hq.command(["submit", "--cpus=64", "--name=ü", "--", "true"])
    hq.command(["job", "cancel", "3", "--reason", "not \"needed\""])
    hq.command(["submit", "--array=1-9:2", "--cpus=64", "--resource=gpus/amd=all", "--", "true"])
    hq.command(["job", "open", "--max-fails=3"])
    return hq


def canonical(value):
    """As documents are printed: keys in order, two blanks, one newline at the end."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def test_json_is_one_document_with_its_keys_in_order(filled):
    for words in COMMANDS:
        output = filled.command(["--output-mode=json", *words.split()])
        assert output.stdout == canonical(output.json), words


def test_quiet_prints_the_one_thing(filled):
    for words, expected in COMMANDS.items():
        assert filled.command(["--output-mode=quiet", *words.split()]).stdout == expected, words


def test_cli_prints_tables_or_nothing_on_stdout(filled):
    for words in COMMANDS:
        output = filled.command(words.split())
        assert bool(output.stdout) == (words in TEXT_IN_CLI), f"{words}: {output}"


@pytest.mark.parametrize("words", ["job info x", "job cancel", "task info 1", "submit", "worker stop", "job cat 1", "job list --filter x"])
@pytest.mark.parametrize("mode", ["cli", "json", "quiet"])
def test_usage_errors_look_the_same_in_every_mode(hq, words, mode):
    output = hq.command([f"--output-mode={mode}", *words.split()], expect_exit=2)

    assert output.stdout == "" and output.stderr.startswith("error: ")


@pytest.mark.parametrize("mode", ["cli", "json", "quiet"])
def test_refused_submits_are_errors_in_every_mode(filled, mode):
    output = filled.command([f"--output-mode={mode}", "submit", "--job=1", "--", "true"], expect_exit=1)

    if mode == "json":
        assert output.stdout == canonical({"error": "Job 1 is not opened."}) and output.stderr == ""
    else:
        assert output.stdout == "" and output.stderr == "Job 1 is not opened.\n"
