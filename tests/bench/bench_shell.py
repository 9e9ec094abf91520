"""Section shell: what a user feels: single commands, and how soon a task runs."""
from bench_cluster import Cluster, Row

MS = 1e3  # seconds to milliseconds


def shell(options, tools):
    rounds = max(10, int(100 * options.scale)) * options.runs
    with Cluster(tools) as cluster:
        cluster.start_worker("--cpus=2")
        quiet = ("--stdout=none", "--stderr=none", "--", "/bin/true")
        bare = [row[0] * MS for row in tools.measure(rounds, ["/bin/true"])]
        info = [row[0] * MS for row in cluster.measure(rounds, "server", "info")]
        submit = [row[0] * MS for row in cluster.measure(rounds, "submit", *quiet)]
        cluster.hq("job", "wait", "all")
        wait = [row[0] * MS for row in cluster.measure(rounds, "submit", "--wait", *quiet)]
        lines = tools.output("client_bench", cluster.access, "latency", rounds, tools.path("stamp"),
                             cluster.folder / "stamps").splitlines()
    pairs = [tuple(map(float, line.split())) for line in lines]
    over = [(through - spawn) / 1e3 for through, spawn in pairs]
    return [Row("bare /bin/true from a small parent", bare, "ms"),
            Row("hq server info", info, "ms", most=5),
            Row("hq submit /bin/true", submit, "ms", most=5),
            Row("hq submit --wait /bin/true, idle worker", wait, "ms", most=10),
            Row("bare spawn to running", [spawn / 1e3 for _, spawn in pairs], "ms"),
            Row("submit to running, over the bare spawn", over, "ms", most=2)]
