"""hq server: start, info, wait, stop, access files, and what happens when it can't be reached."""
import json
import signal
import stat
from pathlib import Path

import pytest

from hq import established_connections, free_port, wait_until
from transcript import replay, sessions


@pytest.mark.parametrize("session", sessions("server"))
def test_session(hq, session):
    replay(hq, session)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_access_file_is_private_and_says_what_info_says(hq):
    hq.start_server()

    folder = hq.server_dir / "001"
    access = json.loads((folder / "access.json").read_text())
    info = hq.command(["server", "info", "--output-mode=json"]).json

    assert (hq.server_dir / "hq-current").resolve() == folder
    assert mode(folder / "access.json") == 0o400
    assert access["version"] == info["version"]
    assert access["server_uid"] == info["server_uid"]
    for role in ("client", "worker"):
        assert access[role]["host"] == info[f"{role}_host"]
        assert access[role]["port"] == info[f"{role}_port"]
        assert len(access[role]["secret_key"]) == 64
    assert access["client"]["secret_key"] != access["worker"]["secret_key"]


def test_the_server_directory_is_open_to_its_owner_alone(hq):
    hq.start_server()

    assert mode(hq.server_dir / "001") & 0o077 == 0 or mode(hq.server_dir) & 0o077 == 0


def test_without_authentication_the_access_file_has_no_keys(hq):
    hq.start_server("--disable-client-authentication-and-encryption", "--disable-worker-authentication-and-encryption")

    access = json.loads((hq.server_dir / "hq-current" / "access.json").read_text())

    assert access["client"]["secret_key"] is None
    assert access["worker"]["secret_key"] is None


def test_generated_access_files_hold_the_part_of_their_role(hq):
    hq.command(["server", "generate-access", "all.json", "--client-file", "client.json", "--worker-file", "worker.json",
                "--host", "h0", "--client-host", "h1", "--client-port", 5001, "--worker-port", 5002])
    whole, client, worker = (json.loads((hq.cwd / f"{name}.json").read_text()) for name in ("all", "client", "worker"))

    assert all(mode(hq.cwd / f"{name}.json") == 0o400 for name in ("all", "client", "worker"))
    assert whole["client"]["host"] == "h1" and whole["client"]["port"] == 5001
    assert whole["worker"]["host"] == "h0" and whole["worker"]["port"] == 5002
    assert "worker" not in client and client["client"]["secret_key"] == whole["client"]["secret_key"]
    assert "client" not in worker and worker["worker"]["secret_key"] == whole["worker"]["secret_key"]


def test_host_and_port_override_the_access_file(hq):
    given, other, worker_port = free_port(), free_port(), free_port()
    hq.command(["server", "generate-access", "a.json", "--host", "h0", "--client-port", given,
                "--worker-port", worker_port])
    generated = json.loads((hq.cwd / "a.json").read_text())

    hq.start_server("--access-file", "a.json", "--host", "localhost", "--client-port", other)

    used = json.loads((hq.server_dir / "hq-current" / "access.json").read_text())
    assert used["server_uid"] == generated["server_uid"]
    assert (used["client"]["host"], used["client"]["port"]) == ("localhost", other)
    assert (used["worker"]["host"], used["worker"]["port"]) == ("localhost", worker_port)
    assert used["client"]["secret_key"] == generated["client"]["secret_key"]


def test_a_client_that_waits_notices_that_its_server_was_killed(hq):
    server = hq.start_server()
    client = hq.start(["hq", "worker", "wait", "3"])
    wait_until(lambda: established_connections(client.process.pid) > 0, "the client is connected")

    server.signal(signal.SIGKILL)

    assert client.wait() == 1
    assert client.stderr == "Tako error: Connection closed\n\nCaused by:\n    Connection closed\n"


def test_stop_ends_the_server_and_its_workers(hq):
    server = hq.start_server()
    worker = hq.start_worker("--cpus=1")

    hq.command(["server", "stop"])

    assert server.wait() == 0
    assert worker.wait() == 1
    assert worker.stderr.endswith("Server connection closed\n")


def test_an_interrupt_ends_the_server_in_order(hq):
    server = hq.start_server()
    worker = hq.start_worker("--cpus=1")

    server.signal(signal.SIGINT)

    assert server.wait() == 0
    assert worker.wait() == 1
    assert "Received SIGINT" in server.stderr and server.stderr.endswith("INFO Stopping server\n")
    assert [path.name for path in hq.server_dir.iterdir()] == ["001"]


def test_an_idle_timeout_of_the_server_holds_for_workers_without_their_own(hq):
    hq.start_server("--idle-timeout=500ms")
    patient = hq.start_worker("--cpus=1", "--idle-timeout=1h")
    hasty = hq.start_worker("--cpus=1")

    assert hasty.wait() == 0
    assert patient.running()
    assert hq.command(["worker", "list", "--all", "--output-mode=quiet"]).stdout == "1 RUNNING\n2 IDLE TIMEOUT\n"
