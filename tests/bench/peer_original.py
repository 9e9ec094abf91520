"""The original's own server and worker, through the LocalCluster of the PyPI package `hyperqueue`.

Run by a Python that has the package: peer_original.py N null|files PROGRAM. Its last line says how many tasks per second
ended, with one worker of two CPUs. The package looks for the end of a job once a second only, so the rate is taken at the
last look before the end.
"""
import os
import sys
import tempfile
import time


def rate_of(count, looks):
    """`looks` are (seconds since the submit, tasks finished)."""
    before_end = [look for look in looks if count / 2 < look[1] < count]
    seconds, finished = before_end[-1] if before_end else looks[-1]
    return finished / seconds


def main():
    from hyperqueue import Job, LocalCluster
    from hyperqueue.cluster import WorkerConfig

    count, files, program = int(sys.argv[1]), sys.argv[2] == "files", sys.argv[3]
    with tempfile.TemporaryDirectory(prefix="hq-bench-peer-") as folder:
        os.chdir(folder)
        with LocalCluster(os.path.join(folder, "server"), WorkerConfig(cores=2)) as cluster:
            client = cluster.client()
            job = Job()
            outputs = {} if files else {"stdout": None, "stderr": None}
            for _ in range(count):
                job.program([program], **outputs)
            looks = []
            began = time.perf_counter()

            def look(jobs):
                finished = sum(state["finished"] for state in jobs.values())
                looks.append((time.perf_counter() - began, finished))

            failed = client.connection.wait_for_jobs((client.submit(job).id,), look)
        os.chdir("/")
    if failed or looks[-1][1] != count:
        sys.exit("tasks failed")
    print(f"\n{rate_of(count, looks):.1f}")
    sys.stdout.flush()
    os._exit(0)  # threads of the native part may not end


if __name__ == "__main__":
    main()
