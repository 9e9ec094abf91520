"""Submits an array, waits for it, lists its tasks, and cancels another job: python3 protocol_example.py ACCESS_JSON"""
import json
import os
import sys

import msgpack
import zmq
from zmq.utils import z85


class Server:
    """A connection as a client."""

    def __init__(self, access_file):
        with open(access_file, encoding="utf-8") as file:
            access = json.load(file)["client"]
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        if access["secret_key"] is not None:
            secret = z85.encode(bytes.fromhex(access["secret_key"]))
            self.socket.curve_secretkey = secret
            self.socket.curve_publickey = zmq.curve_public(secret)
            self.socket.curve_serverkey = z85.encode(bytes.fromhex(access["server_public_key"]))
        self.socket.connect(f"tcp://{access['host']}:{access['port']}")
        self.requests = 0

    def close(self):
        self.socket.close()
        self.context.term()

    def ask(self, type, **fields):
        """Sends a request and returns its answers one after the other; a refusal is raised."""
        self.requests += 1
        self.socket.send(msgpack.packb({"id": self.requests, "type": type, **fields}))
        while True:
            if not self.socket.poll(60_000):
                raise RuntimeError("no answer for a minute")
            reply = msgpack.unpackb(self.socket.recv())
            if reply["id"] != self.requests:
                continue  # the rest of an earlier request that nobody waits for
            if reply["type"] == "failed":
                raise RuntimeError(reply["message"])
            yield reply

    def ask_once(self, type, **fields):
        return next(self.ask(type, **fields))

    def ask_all(self, type, **fields):
        """All answers of a request whose sequence is closed by "end"."""
        for reply in self.ask(type, **fields):
            if reply["type"] == "end":
                return
            yield reply


def print_tasks(table):
    """A task table has one list per column; columns in which all is usual are left out."""
    for row, first in enumerate(table["id"]):
        last = table["last"][row] if "last" in table else first
        span = str(first) if last == first else f"{first}-{last}"
        worker = table["workers"][row] if "workers" in table else None
        print(f"task {span}: {table['state'][row]}, worker {worker}")


def main():
    server = Server(sys.argv[1])
    here = os.getcwd()

    job = server.ask_once(
        "submit",
        name="example",
        submit_dir=here,
        ids="1-4",
        task={
            "args": ["sh", "-c", "echo task $HQ_TASK_ID"],
            "stdout": None,
            "stderr": None,
            "resources": [{"name": "cpus", "amount": 1}],
            "time_limit": 60,
        },
    )["job"]
    print(f"job {job} submitted")

    server.ask_once("wait_jobs", jobs=[job])
    for reply in server.ask_all("get_jobs", jobs=[job], tasks="all"):
        if reply["type"] == "job_detail":
            print(f"job {job}: {reply['info']['counts']['finished']} of {reply['info']['task_count']} finished")
        print_tasks(reply["tasks"])

    other = server.ask_once(
        "submit", name="too long", submit_dir=here, task={"args": ["sleep", "1000"], "stdout": None, "stderr": None}
    )["job"]
    result = server.ask_once("cancel_jobs", jobs=[other], reason="only an example")["items"][0]
    print(f"job {other}: {result['outcome']}, {result['canceled']} task canceled")
    server.close()


if __name__ == "__main__":
    main()
