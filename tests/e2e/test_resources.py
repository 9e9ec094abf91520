"""Resources: what workers offer, what tasks ask for, and what they find of it in their environment."""
import itertools
import os
import socket

import pytest

from hq import wait_until

LABELS = itertools.count(1)


def parsed(text):
    return dict(item.split("=", 1) for item in text.split("\0") if item)


def environment_of(hq, *options, expect_exit=0):
    """The environment of a task that was submitted with these options and has ended."""
    hq.command(["submit", "--wait", "--stdout=env", *options, "--", "env", "-0"], expect_exit)
    return parsed((hq.cwd / "env").read_text())


class Held:
    """A task that runs until it is let go."""

    def __init__(self, hq, *options):
        self.hq, self.name = hq, f"held-{next(LABELS)}"
        hq.command(["submit", f"--name={self.name}", f"--stdout={self.name}", *options, "--", "bash", "-c",
                    f"env -0; echo; while [ ! -e {self.name}.end ]; do sleep 0.01; done"])

    def started(self):
        path = self.hq.cwd / self.name
        return path.exists() and path.read_text().endswith("\0\n")

    def await_start(self):
        wait_until(self.started, f"{self.name} has started")
        return self

    @property
    def env(self):
        return parsed((self.hq.cwd / self.name).read_text().rstrip("\n"))

    def end(self):
        (self.hq.cwd / f"{self.name}.end").touch()


def submit_variants(hq, ids, script, *variants, **more):
    """Through the protocol: the command line says no variants. A variant is its resources, and its weight if it has one."""
    pytest.importorskip("zmq")
    pytest.importorskip("msgpack")
    from protocol_example import Server

    def resources(of):
        return [{"name": name, "amount": amount} for name, amount in of.items() if name != "weight"]

    server = Server(str(hq.server_dir / "hq-current" / "access.json"))
    task = {"args": ["bash", "-c", script], "stdout": None, "stderr": None, **more,
            "variants": [{"resources": resources(one), "weight": one.get("weight", 1)} for one in variants]}
    try:
        return server.ask_once("submit", name="variants", submit_dir=str(hq.cwd), ids=ids, task=task)["job"]
    finally:
        server.close()


def numbers(text):
    return sorted(int(label) for label in text.split(","))


# --- what workers offer ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("worker, name, labels", [
    ("--cpus=3", "cpus", "0,1,2"),
    ("--cpus=2x4", "cpus", "0,1,2,3,4,5,6,7"),
    ("--cpus=1x3", "cpus", "0,1,2"),
    ("--cpus=[2,5,9]", "cpus", "2,5,9"),
    ("--cpus=[[1,2],[7,8]]", "cpus", "1,2,7,8"),
    ("--cpus=range(4-6)", "cpus", "4,5,6"),
    ("--resource=cpus=[[3],[4]]", "cpus", "3,4"),
    ("--resource=gpus/nvidia=range(0-3)", "gpus/nvidia", "0,1,2,3"),
    ("--resource=gpus/amd=2x2", "gpus/amd", "0,1,2,3"),
    ('--resource=foo=["a b","c,d"]', "foo", "a b,c,d"),
    ("--resource= foo = [ x , [y] ]".replace("[y]", "y"), "foo", "x,y"),
    ("--resource=foo=sum(12.5)", "foo", None),
])
def test_all_of_a_resource_is_what_the_worker_was_started_with(hq, worker, name, labels):
    hq.start_server()
    hq.start_worker(worker, *([] if "cpus=" in worker else ["--cpus=1"]))
    variable = name.replace("/", "_")

    env = environment_of(hq, "--cpus=all") if name == "cpus" else environment_of(hq, f"--resource={name}=all")

    assert env[f"HQ_RESOURCE_REQUEST_{variable}"] == "all"
    if labels is None:
        assert f"HQ_RESOURCE_VALUES_{variable}" not in env
        return
    assert sorted(env[f"HQ_RESOURCE_VALUES_{variable}"].split(",")) == sorted(labels.split(","))
    if name == "cpus":
        assert env["HQ_CPUS"] == env["HQ_RESOURCE_VALUES_cpus"]
        assert env["OMP_NUM_THREADS"] == str(len(labels.split(",")))
    mask = {"gpus/nvidia": "CUDA_VISIBLE_DEVICES", "gpus/amd": "ROCR_VISIBLE_DEVICES"}.get(name)
    assert mask is None or env[mask] == env[f"HQ_RESOURCE_VALUES_{variable}"]


# --- groups ------------------------------------------------------------------------------------------------------------


def test_policies_say_how_groups_are_used(hq):
    hq.start_server()
    hq.start_worker("--cpus=3x4")

    def sizes(request):
        cpus = numbers(environment_of(hq, f"--cpus={request}")["HQ_CPUS"])
        return sorted((sum(cpu // 4 == group for cpu in cpus) for group in range(3)), reverse=True)

    assert sizes("6") == sizes("6 compact") == sizes("6 compact!") == [3, 3, 0]
    assert sizes("6 tight") == sizes("6 tight!") == [4, 2, 0]
    assert sizes("6 scatter") == [2, 2, 2]
    assert sizes("4") == sizes("4 tight!") == [4, 0, 0]
    assert sizes("9 compact") == [3, 3, 3]
    assert sizes("9 tight") == [4, 4, 1]
    assert sizes("2 scatter") == [1, 1, 0]
    assert sizes("all") == [4, 4, 4]


def test_a_strict_policy_waits_for_its_groups(hq):
    hq.start_server()
    hq.start_worker("--cpus=2x2")
    apart = Held(hq, "--cpus=2 scatter").await_start()
    assert {cpu // 2 for cpu in numbers(apart.env["HQ_CPUS"])} == {0, 1}

    strict = Held(hq, "--cpus=2 compact!")
    loose = environment_of(hq, "--cpus=2 compact")
    assert {cpu // 2 for cpu in numbers(loose["HQ_CPUS"])} == {0, 1}
    assert not strict.started()
    explained = hq.command(["task", "explain", "2", "0"]).stdout
    assert "Worker 1 does not start it now" in explained

    apart.end()
    strict.await_start()
    assert len({cpu // 2 for cpu in numbers(strict.env["HQ_CPUS"])}) == 1
    assert strict.env["HQ_RESOURCE_REQUEST_cpus"] == "2 compact!"
    strict.end()


@pytest.mark.parametrize("coupling, group", [
    ("cpus[0]:gpus/nvidia[1],cpus[1]:gpus/nvidia[0]", {0: 1, 1: 0}),
    ("cpus[0]:gpus/nvidia[0]=10,cpus[0]:gpus/nvidia[1]=300,cpus[1]:gpus/nvidia[0]=20", {0: 1}),
])
def test_coupled_groups_are_taken_together_by_the_greater_weight(hq, coupling, group):
    hq.start_server()
    hq.start_worker("--cpus=2x2", "--resource=gpus/nvidia=[[0,1],[2,3]]", f"--coupling={coupling}")

    env = environment_of(hq, "--cpus=2", "--resource=gpus/nvidia=2")

    cpus = {cpu // 2 for cpu in numbers(env["HQ_CPUS"])}
    gpus = {gpu // 2 for gpu in numbers(env["CUDA_VISIBLE_DEVICES"])}
    assert len(cpus) == len(gpus) == 1
    assert group[cpus.pop()] == gpus.pop()


# --- parts of an index -------------------------------------------------------------------------------------------------


def test_a_fraction_is_never_put_together_from_parts_of_two_indices(hq):
    hq.start_server()
    hq.start_worker("--cpus=8", "--resource=gpus/nvidia=[0,1]")
    first, second = (Held(hq, "--resource=gpus/nvidia=0.6").await_start() for _ in range(2))
    assert {first.env["CUDA_VISIBLE_DEVICES"], second.env["CUDA_VISIBLE_DEVICES"]} == {"0", "1"}

    half = Held(hq, "--resource=gpus/nvidia=0.5")  # 0.8 are free
    environment_of(hq, "--resource=gpus/nvidia=0.4")
    assert not half.started()

    second.end()
    half.await_start()
    assert half.env["CUDA_VISIBLE_DEVICES"] == second.env["CUDA_VISIBLE_DEVICES"]
    assert half.env["HQ_RESOURCE_REQUEST_gpus_nvidia"] == "0.5 compact"
    first.end()
    half.end()


def test_more_than_one_index_lists_the_shared_one_last(hq):
    hq.start_server()
    hq.start_worker("--cpus=4", "--resource=gpus/amd=[a,b,c]")
    part = Held(hq, "--resource=gpus/amd=0.25").await_start()

    mixed = Held(hq, "--resource=gpus/amd=1.75", "--cpus=1.5").await_start()

    labels = mixed.env["ROCR_VISIBLE_DEVICES"].split(",")
    assert len(labels) == 2 and labels[0] != part.env["ROCR_VISIBLE_DEVICES"]
    assert labels == mixed.env["HQ_RESOURCE_VALUES_gpus_amd"].split(",")
    assert len(mixed.env["HQ_CPUS"].split(",")) == 2 and "OMP_NUM_THREADS" not in mixed.env
    part.end()
    mixed.end()


def test_all_waits_for_the_last_part_and_sums_are_divided_freely(hq):
    hq.start_server()
    hq.start_worker("--cpus=4", "--resource=gpus/amd=[a,b]", "--resource=mem=sum(100)")
    part = Held(hq, "--resource=gpus/amd=0.5", "--resource=mem=60.75").await_start()
    whole = Held(hq, "--resource=gpus/amd=all")
    much = Held(hq, "--resource=mem=39.26")

    env = environment_of(hq, "--resource=mem=39.25")
    assert env["HQ_RESOURCE_REQUEST_mem"] == "39.25 compact" and "HQ_RESOURCE_VALUES_mem" not in env
    assert not whole.started() and not much.started()

    part.end()
    whole.await_start()
    much.await_start()
    assert sorted(whole.env["ROCR_VISIBLE_DEVICES"].split(",")) == ["a", "b"]
    whole.end()
    much.end()


# --- pinning -----------------------------------------------------------------------------------------------------------


def test_taskset_pins_to_the_cpus_of_the_task(hq):
    usable = sorted(os.sched_getaffinity(0))[:2]
    hq.start_server()
    hq.start_worker(f"--cpus=[{','.join(map(str, usable))}]")

    hq.command(["submit", "--wait", "--pin=taskset", f"--cpus={len(usable)}", "--stdout=mask", "--", "bash", "-c",
                "echo $HQ_PIN $HQ_CPUS; grep Cpus_allowed_list /proc/self/status"])

    pin, cpus, _, mask = (hq.cwd / "mask").read_text().split()
    allowed = {cpu for part in mask.split(",") for cpu in range(int(part.split("-")[0]), int(part.split("-")[-1]) + 1)}
    assert pin == "taskset" and numbers(cpus) == usable == sorted(allowed)


def test_openmp_is_told_places_unless_the_job_says_others(hq):
    hq.start_server()
    hq.start_worker("--cpus=2x4")

    env = environment_of(hq, "--pin=omp", "--cpus=4 tight")
    assert (env["HQ_PIN"], env["OMP_PROC_BIND"], env["OMP_NUM_THREADS"]) == ("omp", "close", "4")
    assert env["OMP_PLACES"] == "{" + env["HQ_CPUS"] + "}" and len(set(env["HQ_CPUS"].split(","))) == 4

    env = environment_of(hq, "--pin=omp", "--env=OMP_PROC_BIND=spread", "--env=OMP_PLACES=cores", "--env=OMP_NUM_THREADS=3")
    assert (env["OMP_PROC_BIND"], env["OMP_PLACES"], env["OMP_NUM_THREADS"]) == ("spread", "cores", "3")

    env = environment_of(hq)
    assert not {"HQ_PIN", "OMP_PROC_BIND", "OMP_PLACES"} & set(env) and env["OMP_NUM_THREADS"] == "1"


def test_nothing_can_be_pinned_without_cpus(hq):
    hq.start_server()
    hq.start_worker("--cpus=2", "--resource=foo=[a]")
    submit_variants(hq, "1", "true", {"foo": 1}, pin="omp")

    hq.await_job(1, "FAILED")

    error = hq.command(["task", "info", "1", "1", "-v", "--output-mode=json"]).json[0]["error"]
    assert "Pinning failed, no CPU ids allocated for task" in error


def test_what_the_worker_was_started_under_counts_less(hq):
    hq.start_server()
    before = hq.workers()
    worker = hq.start(["hq", "worker", "start", "--detect-resources=none", "--cpus=4", "--resource=gpus/nvidia=[0,1]"],
                      env={"OMP_NUM_THREADS": "64", "OF_THE_WORKER": "x", "CUDA_DEVICE_ORDER": "FASTEST_FIRST"})
    hq.await_worker(worker, before)

    env = environment_of(hq, "--cpus=3", "--resource=gpus/nvidia=1", "--env=CUDA_VISIBLE_DEVICES=7", "--env=HQ_CPUS=x")

    assert env["OMP_NUM_THREADS"] == "3" and env["OF_THE_WORKER"] == "x" and len(env["HQ_CPUS"].split(",")) == 3
    assert env["CUDA_VISIBLE_DEVICES"] in ("0", "1") and env["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    env = environment_of(hq, "--cpus=0.5")
    assert env["OMP_NUM_THREADS"] == "64" and "HQ_RESOURCE_VALUES_gpus_nvidia" not in env


# --- masks of GPUs -----------------------------------------------------------------------------------------------------


def start_under(hq, masks, *options):
    before = hq.workers()
    worker = hq.start(["hq", "worker", "start", "--cpus=4", *options], env=masks)
    hq.await_worker(worker, before)


@pytest.mark.parametrize("mask, labels, seen", [
    ("GPU-8a1f,MIG-GPU-77/3/0", None, {"GPU-8a1f", "MIG-GPU-77/3/0"}),  # as detected
    ("2,GPU-8a1", "[0,1]", {"2", "GPU-8a1"}),                           # numbers within the mask
    ("5,7", "[5,7]", {"5", "7"}),                                       # the mask's own entries
    ("0,1", "[GPU-aa,GPU-bb]", {"GPU-aa", "GPU-bb"}),
])
def test_labels_of_gpus_mean_devices_of_the_mask_that_the_worker_was_started_under(hq, mask, labels, seen):
    hq.start_server()
    given = ["--detect-resources=gpus/nvidia"] if labels is None else \
        ["--detect-resources=none", f"--resource=gpus/nvidia={labels}"]
    start_under(hq, {"CUDA_VISIBLE_DEVICES": mask}, *given)

    tasks = [Held(hq, "--resource=gpus/nvidia=1").await_start() for _ in range(2)]

    assert {task.env["CUDA_VISIBLE_DEVICES"] for task in tasks} == seen
    for task in tasks:
        task.end()


def test_masks_within_the_mask_of_amd_gpus_count_from_0(hq):
    hq.start_server()
    start_under(hq, {"ROCR_VISIBLE_DEVICES": "4,6,7", "HIP_VISIBLE_DEVICES": "0,1,2"}, "--detect-resources=gpus/amd")

    env = environment_of(hq, "--resource=gpus/amd=2")

    assert len(set(env["ROCR_VISIBLE_DEVICES"].split(",")) & {"4", "6", "7"}) == 2
    assert env["HIP_VISIBLE_DEVICES"] == "0,1"


def test_gpus_that_a_task_did_not_ask_for_can_be_hidden(hq):
    hq.start_server()
    start_under(hq, {"CUDA_VISIBLE_DEVICES": "0,1"}, "--detect-resources=gpus/nvidia")
    assert environment_of(hq)["CUDA_VISIBLE_DEVICES"] == "0,1"
    hq.command(["worker", "stop", "all"])

    start_under(hq, {"CUDA_VISIBLE_DEVICES": "0,1"}, "--detect-resources=gpus/nvidia", "--hide-unrequested-gpus")

    assert environment_of(hq)["CUDA_VISIBLE_DEVICES"] == ""
    assert environment_of(hq, "--resource=gpus/nvidia=1")["CUDA_VISIBLE_DEVICES"] in ("0", "1")
    assert environment_of(hq, "--env=CUDA_VISIBLE_DEVICES=1")["CUDA_VISIBLE_DEVICES"] == "1"


# --- variants and weights ----------------------------------------------------------------------------------------------

def variants_of(hq, ids, *variants):
    """What the tasks that start at once have taken: {"variant, request of cpus": number of them}."""
    (hq.cwd / "end").unlink(missing_ok=True)
    for old in hq.cwd.glob("variant-*"):
        old.unlink()
    job = submit_variants(hq, ids, "echo $HQ_RESOURCE_VARIANT $HQ_RESOURCE_REQUEST_cpus > variant-$HQ_TASK_ID; "
                          "while [ ! -e end ]; do sleep 0.01; done", *variants)

    def started():
        running = hq.command(["job", "list", "--all", "--output-mode=json"]).json[job - 1]["task_stats"]["running"]
        texts = [path.read_text().strip() for path in hq.cwd.glob("variant-*")]
        return texts if running > 0 and len(texts) == running and all(texts) else None

    texts = wait_until(started, "what can start has started")
    (hq.cwd / "end").touch()
    hq.command(["job", "wait", job])
    return {text: texts.count(text) for text in texts}


def test_variants_are_chosen_by_what_they_use(hq):
    hq.start_server()
    hq.start_worker("--cpus=4")
    one, two = {"cpus": 1}, {"cpus": 2}

    assert variants_of(hq, "1", one, two) == {"1 2 compact": 1}
    assert variants_of(hq, "1-8", one, two) == {"0 1 compact": 4}
    assert variants_of(hq, "1", one, {**two, "weight": 0.1}) == {"0 1 compact": 1}
    assert variants_of(hq, "1", {"cpus": 4}, one) == {"0 4 compact": 1}


def test_tasks_of_one_array_take_different_variants(hq):
    hq.start_server()
    hq.start_worker("--cpus=16", "--resource=gpus/nvidia=range(0-3)")

    taken = variants_of(hq, "1-20", {"cpus": 1, "gpus/nvidia": 1}, {"cpus": 4})

    assert taken == {"0 1 compact": 4, "1 4 compact": 3}


def test_heavier_tasks_go_first(hq):
    hq.start_server()
    hq.start_worker("--cpus=1")
    first = Held(hq, "--cpus=1").await_start()
    for name, weight in (("light", 1.0), ("heavy", 3.0)):
        submit_variants(hq, "1", f"echo {name} >> order", {"cpus": 1, "weight": weight}, cwd="%{SUBMIT_DIR}")

    first.end()
    hq.await_job(2, "FINISHED")

    assert (hq.cwd / "order").read_text().split() == ["heavy", "light"]


# --- workers as a whole ------------------------------------------------------------------------------------------------


def test_a_least_utilisation_keeps_a_worker_for_enough_work(hq):
    hq.start_server()
    hq.start_worker("--cpus=4", "--min-utilization=0.6")
    tasks = [Held(hq, "--cpus=1") for _ in range(2)]
    wait_until(lambda: "least utilisation" in hq.command(["task", "explain", "1", "0"]).stdout, "explain names it")
    assert not any(task.started() for task in tasks)

    tasks.append(Held(hq, "--cpus=1"))

    for task in tasks:
        task.await_start().end()


def test_several_nodes_are_of_one_group_and_named_in_files(hq):
    hq.start_server()
    for host, group in (("a1.site.org", "a"), ("b1.site.org", "b"), ("10.0.0.7", "a")):
        hq.start_worker("--cpus=2", f"--group={group}", f"--hostname={host}")
    hq.command(["submit", "--nodes=3", "--", "true"])  # no group has so many

    hq.command(["submit", "--wait", "--nodes=2", "--stdout=nodes", "--", "bash", "-c",
                "env -0 > seen; cat $HQ_HOST_FILE; echo; cat $HQ_NODE_FILE"])

    hosts, nodes = ((hq.cwd / "nodes").read_text().split("\n\n"))
    assert sorted(hosts.split()) == ["10.0.0.7", "a1.site.org"]
    assert nodes.split() == [host if host[0] == "1" else "a1" for host in hosts.split()]
    env = parsed((hq.cwd / "seen").read_text())
    assert env["HQ_NUM_NODES"] == "2" and env["HQ_HOST_FILE"] == env["HQ_TASK_DIR"] + "/hq-hostfile"
    assert env["HQ_ERROR_FILENAME"] == env["HQ_TASK_DIR"] + "/hq-error"
    assert not [name for name in env if name.startswith(("HQ_CPUS", "HQ_RESOURCE", "OMP_"))]
    explained = hq.command(["task", "explain", "1", "0"]).stdout
    assert hq.command(["job", "list", "--output-mode=quiet"]).stdout == "1 WAITING\n"
    assert "There is no worker where the task can run." in explained
    assert socket.gethostname() not in hosts


def test_explain_says_how_many_nodes_are_missing(hq):
    hq.start_server()
    for _ in range(2):
        hq.start_worker("--cpus=1")
    busy = Held(hq, "--cpus=1").await_start()
    hq.command(["submit", "--nodes=2", "--", "true"])

    def explained():
        text = hq.command(["task", "explain", "2", "0"]).stdout
        return "only 1 of the 2 workers that it needs are idle in this group" in text and "it has other tasks" in text

    wait_until(explained, "explain says it")
    busy.end()
    hq.await_job(2, "FINISHED")
