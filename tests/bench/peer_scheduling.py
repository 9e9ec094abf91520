"""One workload of bench_scheduling.py on the original, through the LocalCluster of the PyPI package `hyperqueue`.

Run by a Python that has the package: peer_scheduling.py FOLDER < WORKLOAD.json. The tasks leave their traces in FOLDER; the
last line says when the submit began, in seconds since 1970.
"""
import json
import os
import sys
import tempfile
import time


def main():
    from hyperqueue import Job, LocalCluster
    from hyperqueue.cluster import WorkerConfig
    from hyperqueue.ffi.protocol import ResourceRequest

    traces, workload = sys.argv[1], json.load(sys.stdin)
    with tempfile.TemporaryDirectory(prefix="hq-bench-peer-") as folder:
        os.chdir(folder)
        with LocalCluster(os.path.join(folder, "server")) as cluster:
            for cpus in workload["workers"]:
                cluster.start_worker(WorkerConfig(cores=cpus))
            time.sleep(1)  # until all of them are known; nothing says so
            client = cluster.client()
            job = Job()
            for number, task in enumerate(workload["tasks"]):
                variants = [ResourceRequest(cpus=variant["cpus"]) for variant in task["variants"]]
                job.program(["sh", "-c", task["script"], "sh", f"{traces}/{number}"], stdout=None, stderr=None,
                            priority=task["priority"], resources=variants)
            began = time.time()
            failed = client.connection.wait_for_jobs((client.submit(job).id,), lambda _: None)
        os.chdir("/")
    if failed:
        sys.exit("tasks failed")
    print(f"\n{began:.6f}")
    sys.stdout.flush()
    os._exit(0)  # threads of the native part may not end


if __name__ == "__main__":
    main()
