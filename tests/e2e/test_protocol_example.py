"""The worked example of docs/protocol.md is this folder's protocol_example.py, and it works."""
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
SCRIPT = HERE / "protocol_example.py"
DOCUMENT = HERE.parent.parent / "docs" / "protocol.md"


def test_the_document_shows_the_script_as_it_is():
    assert f"```python\n{SCRIPT.read_text()}```\n" in DOCUMENT.read_text()


def test_the_script_submits_waits_lists_and_cancels(hq):
    pytest.importorskip("zmq")
    pytest.importorskip("msgpack")
    hq.start_server()
    hq.start_worker("--cpus=2")

    output = hq.run([sys.executable, str(SCRIPT), str(hq.server_dir / "hq-current" / "access.json")])

    assert output.exit == 0, output
    lines = output.stdout.splitlines()
    assert lines[:2] == ["job 1 submitted", "job 1: 4 of 4 finished"]
    assert lines[2:6] == [f"task {i}: finished, worker 1" for i in range(1, 5)]
    assert lines[6:] == ["job 2: ok, 1 task canceled"]
