"""A small Slurm of our own: munged, slurmctld and some slurmd on the loopback address, all files in one directory.

Needs the programs of Debian's slurmctld, slurmd, slurm-client and munge: installed, or unpacked (dpkg -x) into a folder
that HQ_SLURM_ROOT names.
"""
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess

from hq import wait_until

PROGRAMS = ["munged", "slurmctld", "slurmd", "slurmstepd", "sbatch", "scancel", "scontrol", "squeue", "sinfo", "srun"]
ROOT = os.environ.get("HQ_SLURM_ROOT", "")
LIBRARIES = f"{ROOT}/usr/lib/x86_64-linux-gnu"
FOLDERS = ":".join(f"{ROOT}/{folder}" for folder in ("usr/bin", "usr/sbin", "sbin")) if ROOT else \
    os.environ["PATH"] + ":/usr/sbin:/sbin"


def program(name):
    """Where it is; Debian chooses among several flavours by links that an unpacked package does not have."""
    return shutil.which(name, path=FOLDERS) or shutil.which(f"{name}-wlm", path=FOLDERS)


def missing():
    return [name for name in PROGRAMS if not program(name)]


def free_ports(count):
    """A run of free ports."""
    while True:
        sockets, base = [], 20000 + secrets.randbelow(20000)
        try:
            for port in range(base, base + count):
                sockets.append(socket.socket())
                sockets[-1].bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()


class Slurm:
    def __init__(self, folder, nodes, cpus=2):
        self.folder, self.nodes, self.processes = folder, nodes, []
        for name in ("ctld", "log", "munge", *(f"spool-n{i + 1}" for i in range(nodes))):
            (folder / name).mkdir(parents=True)
        (folder / "ctld").chmod(0o700)
        (folder / "munge").chmod(0o755)
        self.variables = {"SLURM_CONF": str(folder / "slurm.conf")}
        if ROOT:
            self.variables["LD_LIBRARY_PATH"] = f"{LIBRARIES}:{LIBRARIES}/slurm-wlm"
            self.variables["PATH"] = f"{FOLDERS}:{os.environ['PATH']}"
        self.port = free_ports(nodes + 1)
        (folder / "slurm.conf").write_text(self.configuration(cpus))
        key = folder / "munge" / "key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)

    def configuration(self, cpus):
        folder, user, host = self.folder, pwd.getpwuid(os.geteuid()).pw_name, socket.gethostname().split(".")[0]
        settings = {
            "ClusterName": "small", "SlurmctldHost": f"{host}(127.0.0.1)", "SlurmctldPort": self.port, "SlurmUser": user,
            "SlurmdUser": user, "AuthType": "auth/munge", "AuthInfo": f"socket={folder}/munge/sock",
            "CredType": "cred/munge", "CommunicationParameters": "NoCtldInAddrAny,NoInAddrAny",
            "StateSaveLocation": f"{folder}/ctld", "SlurmctldPidFile": f"{folder}/ctld/pid",
            "SlurmctldLogFile": f"{folder}/log/slurmctld.log", "SlurmdSpoolDir": f"{folder}/spool-%n",
            "SlurmdPidFile": f"{folder}/pid-%n", "SlurmdLogFile": f"{folder}/log/slurmd-%n.log",
            "SlurmdParameters": "config_overrides", "ProctrackType": "proctrack/linuxproc", "TaskPlugin": "task/none",
            "SwitchType": "switch/none", "MpiDefault": "none", "JobAcctGatherType": "jobacct_gather/none",
            "AccountingStorageType": "accounting_storage/none", "JobCompType": "jobcomp/none",
            "SelectType": "select/cons_tres", "SelectTypeParameters": "CR_Core", "SchedulerType": "sched/backfill",
            "SchedulerParameters": "batch_sched_delay=0,sched_interval=2,bf_interval=2", "ReturnToService": 2,
            "KillWait": 2, "MailProg": "/bin/true", "SlurmdTimeout": 60}
        if ROOT:
            settings["PluginDir"] = f"{LIBRARIES}/slurm-wlm"
        lines = [f"{key}={value}" for key, value in settings.items()]
        lines += [f"NodeName=n{i} NodeHostname={host} NodeAddr=127.0.0.1 Port={self.port + i} CPUs={cpus} State=UNKNOWN"
                  for i in range(1, self.nodes + 1)]
        lines.append("PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=10 State=UP")
        return "\n".join(lines) + "\n"

    def launch(self, name, *arguments):
        with (self.folder / "log" / f"{name}-{len(self.processes)}.out").open("wb") as log:
            self.processes.append(subprocess.Popen(
                [program(name), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **self.variables}, start_new_session=True))

    def start(self):
        munge = self.folder / "munge"
        self.launch("munged", "--foreground", "--force", "--num-threads=2", f"--key-file={munge}/key", f"--socket={munge}/sock",
                    f"--pid-file={munge}/pid", f"--seed-file={munge}/seed", f"--log-file={munge}/log")
        wait_until(lambda: (munge / "sock").exists(), "munged listens")
        self.launch("slurmctld", "-D", "-f", self.folder / "slurm.conf")
        for i in range(1, self.nodes + 1):
            self.launch("slurmd", "-D", "-N", f"n{i}", "-f", self.folder / "slurm.conf", "-d", program("slurmstepd"))
        wait_until(lambda: self.run("sinfo", "-h", "-N", "-o", "%T").split() == ["idle"] * self.nodes,
                   "all nodes are idle", timeout=60)

    def run(self, name, *arguments):
        done = subprocess.run([program(name), *arguments], capture_output=True, text=True, timeout=60, check=False,
                              env={**os.environ, **self.variables})
        return done.stdout

    def stop(self):
        """Ends what it started: jobs first, or their step daemons would outlive it."""
        self.run("scancel", "--full", "--state=PENDING,RUNNING", "-u", pwd.getpwuid(os.geteuid()).pw_name)
        try:
            wait_until(lambda: not self.run("squeue", "-h").strip(), "no job is left")
        finally:
            for process in reversed(self.processes):
                process.send_signal(signal.SIGTERM)
            for process in self.processes:
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
