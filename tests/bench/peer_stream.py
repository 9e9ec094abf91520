"""The original's --stream: its own server and worker, through the LocalCluster of the PyPI package `hyperqueue`.

Run by a Python that has the package: peer_stream.py N stream|files PROGRAM [ARGUMENT...]. Its last line says how many tasks
per second ended, with one worker of two CPUs (taken as peer_original.py does).

The package's Python API cannot ask for a stream, its server can. So the package's client talks to a relay, a process beside
it, which changes one message on its way to the server: the submit gets a stream directory, and its tasks' outputs become
pipes. All else passes as it is; a LocalCluster's connections are not encrypted.
"""
import json
import os
import socket
import struct
import sys
import tempfile
import time

from peer_original import rate_of

MARKS = ("hq-bench-stdout", "hq-bench-stderr")  # paths that the relay replaces
PIPE = struct.pack("<I", 2)
GREETINGS = 2  # messages of the client before its first request


def text(value):
    """A string as the messages carry it."""
    return struct.pack("<Q", len(value.encode())) + value.encode()


def file_output(path):
    return struct.pack("<I", 1) + text(path) + struct.pack("<I", 0)


def with_stream(message, folder, directory):
    """A submit with outputs to MARKS as one with pipes into a stream directory. It ends with the directory of the submit, no
    stream, no job to attach to and no events."""
    if not message.endswith(text(folder) + bytes(3)):
        raise OSError(f"this version submits in another way: ...{message[-200:]!r}")
    for mark in MARKS:
        if file_output(mark) not in message:
            raise OSError(f"this version describes outputs in another way: {message[:400]!r}...")
        message = message.replace(file_output(mark), PIPE)
    return message[:-3] + b"\1" + text(directory) + bytes(2)


class Frames:
    """Messages with their length in front."""

    def __init__(self, connection):
        self.connection = connection
        self.stream = connection.makefile("rb")

    def send(self, message):
        self.connection.sendall(struct.pack("<I", len(message)) + message)

    def receive(self):
        head = self.stream.read(4)
        return self.stream.read(struct.unpack("<I", head)[0]) if len(head) == 4 else None


def relay(client, server, folder, directory):
    """Until the client goes. Each of its messages has one answer, and the first ones go both ways."""
    count = 0
    while (message := client.receive()) is not None:
        if count >= GREETINGS and MARKS[0].encode() in message:
            message = with_stream(message, folder, directory)
        server.send(message)
        client.send(server.receive())
        count += 1


class Relay:
    """A process of its own, since the package's native part does not let other threads run while it waits."""

    def __init__(self, folder):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port_out, self.port_in = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            port = int(os.read(self.port_out, 20))
            client = Frames(self.listener.accept()[0])
            relay(client, Frames(socket.create_connection(("127.0.0.1", port))), folder, os.path.join(folder, "out"))
            os._exit(0)

    def access_to(self, server_folder, folder):
        """Writes an access file that leads to this relay, and from there to the server of the other one."""
        with open(os.path.join(server_folder, "hq-current", "access.json")) as file:
            access = json.load(file)
        if access["client"]["secret_key"] is not None:
            raise OSError("this version encrypts the connections of a LocalCluster")
        os.write(self.port_in, str(access["client"]["port"]).encode())
        access["client"].update(host="127.0.0.1", port=self.listener.getsockname()[1])
        os.makedirs(folder)
        with open(os.path.join(folder, "access.json"), "w") as file:
            json.dump(access, file)


def streamed_tasks(directory, line):
    """How many tasks' lines are in the stream files."""
    names = [name for name in os.listdir(directory) if name.endswith(".hqs")]
    return sum(open(os.path.join(directory, name), "rb").read().count(line) for name in names)


def main():
    from hyperqueue import Client, Job, LocalCluster
    from hyperqueue.cluster import WorkerConfig

    count, stream, command = int(sys.argv[1]), sys.argv[2] == "stream", sys.argv[3:]
    with tempfile.TemporaryDirectory(prefix="hq-bench-peer-") as folder:
        folder = os.path.realpath(folder)
        os.chdir(folder)
        between = Relay(folder) if stream else None
        with LocalCluster(os.path.join(folder, "server"), WorkerConfig(cores=2)) as cluster:
            client, outputs = cluster.client(), {}
            if stream:
                between.access_to(os.path.join(folder, "server"), os.path.join(folder, "relay"))
                client, outputs = Client(os.path.join(folder, "relay")), {"stdout": MARKS[0], "stderr": MARKS[1]}
            job = Job()
            for _ in range(count):
                job.program(command, **outputs)
            looks = []
            began = time.perf_counter()

            def look(jobs):
                looks.append((time.perf_counter() - began, sum(state["finished"] for state in jobs.values())))

            failed = client.connection.wait_for_jobs((client.submit(job).id,), look)
        if failed or looks[-1][1] != count:
            sys.exit("tasks failed")
        if stream and streamed_tasks("out", command[-1].encode()) != count:
            sys.exit("not all output was streamed")
        os.chdir("/")
    print(f"\n{rate_of(count, looks):.1f}")
    sys.stdout.flush()
    os._exit(0)  # threads of the native part may not end


if __name__ == "__main__":
    main()
