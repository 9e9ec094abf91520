"""Runs the test suites for tools/test: builds, starts each program, counts test cases, sums up.

Every suite runs whatever happens to the others. A suite that does not build, crashes, hangs or contains no test case
counts as a failure. Builds run one after the other in the main thread, at low priority; programs run beside them in as
many threads as there are cores. New test programs are found by asking Meson. The environment variable NINJA names
another program to build with.
"""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORES = os.cpu_count() or 1
NINJA = ["nice", "-n", "10", os.environ.get("NINJA", "ninja")]
SHOWN_LINES = 40
# Test programs of the layers that start threads; these also run under the thread sanitizer, with these arguments. The
# launcher can't: the sanitizer makes a fork of each vfork and has a thread of its own.
THREADED = {"base": [], "transport": [], "journal": [], "os": ["--source-file-exclude=*launcher*,*conformance*"],
            "stream": []}
DOCTEST = re.compile(r"^\[doctest\] test cases:\s*\d+\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed", re.M)
PLAIN = re.compile(r"^(\d+) passed, (\d+) failed$", re.M)

# Build folder → options beside the common ones, environment of its programs, factor on their time limits.
# Layers are compiled as few large units: their headers cost more than their code. Debug information would take optimised
# builds two thirds longer.
COMMON = ["-Dbuildtype=debugoptimized", "-Doptimization=1", "-Ddebug=false", "-Db_ndebug=false", "-Dunity=on",
          "-Dunity_size=10"]
SANITIZED = {
    # Unoptimised: the checks make optimising several times as slow as it makes the tests faster. Without the checks that
    # cost a third of the compile time and find least beside the others (a null pointer stops the program anyway).
    "asan": ("build-asan", ["-Db_sanitize=address,undefined", "-Doptimization=0", "-Dlibzmq=system",
                            "-Dcpp_args=-fno-sanitize=null,alignment,object-size,vptr"], 5, {
        "ASAN_OPTIONS": "detect_stack_use_after_return=1",
        "HQ_THIN_TESTS": "1",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    }),
    "tsan": ("build-tsan", ["-Db_sanitize=thread", "-Doptimization=0", "-Ddebug=true"], 10, {
        "TSAN_OPTIONS": f"die_after_fork=0:suppressions={ROOT}/tests/support/tsan.supp",
    }),
}


class Report:
    """Prints one line per suite as it ends and keeps the sums. Used from several threads."""

    def __init__(self, wanted):
        self.wanted = wanted
        self.matched = set()
        self.passed = self.failed = 0
        self.lock = threading.Lock()

    def wants(self, name):
        """Whether this suite was asked for: `unit` asks for unit/core too, and unit/core for a part of unit."""
        hits = {w for w in self.wanted if w == name or name.startswith(w + "/") or w.startswith(name + "/")}
        self.matched |= hits
        return not self.wanted or bool(hits)

    def add(self, name, passed, failed, seconds, output=""):
        with self.lock:
            self.passed += passed
            self.failed += failed
            word = "FAIL" if failed else "ok"
            print(f"{word:<5} {name:<28} {passed:>5} passed, {failed} failed {seconds:>7.1f} s", flush=True)
            if failed:
                lines = output.rstrip().splitlines()
                for line in lines[-SHOWN_LINES:]:
                    print(f"      | {line}", flush=True)
                if len(lines) > SHOWN_LINES:
                    whole = ROOT / "build-test" / "failed" / (name.replace("/", "-") + ".txt")
                    whole.parent.mkdir(parents=True, exist_ok=True)
                    whole.write_text(output)
                    print(f"      | (the whole output: {whole.relative_to(ROOT)})", flush=True)


def run(command, timeout=None, env=None, cwd=ROOT):
    """Runs to the end; returns (exit code, output). At the time limit the whole process group is killed."""
    try:
        process = subprocess.Popen([str(part) for part in command], cwd=cwd, env={**os.environ, **(env or {})},
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True, errors="replace", start_new_session=True)
    except OSError as error:
        return 127, f"cannot start {command[0]}: {error.strerror}\n"
    running.add(process)
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        output += f"\nkilled after {timeout:.0f} s\n"
    finally:
        running.discard(process)
    if process.returncode < 0:
        output += f"\nended by {signal.Signals(-process.returncode).name}\n"
    return process.returncode, output


running = set()


def kill_running():
    for process in list(running):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def count(code, output):
    """Test cases passed and failed, from what a test program printed and how it ended."""
    matches = DOCTEST.findall(output) or PLAIN.findall(output)
    passed, failed = (sum(int(match[i]) for match in matches) for i in (0, 1))
    if not matches:
        passed = 1 if code == 0 else 0
    if code != 0 and failed == 0:
        failed = 1
    return passed, failed


def guarded(report, name, suite, *arguments):
    """Runs a suite in a thread of the pool, where an exception of ours would otherwise go unseen."""
    try:
        suite(report, name, *arguments)
    except Exception as error:  # whatever it is, the suite has not passed
        report.add(name, 0, 1, 0, f"tools/run_suites.py: {type(error).__name__}: {error}")


def run_program(report, name, command, timeout, env=None, cwd=ROOT):
    started = time.monotonic()
    code, output = run(command, timeout, env, cwd)
    passed, failed = count(code, output)
    if passed + failed == 0:
        failed, output = 1, output + "\nno test case in it\n"
    report.add(name, passed, failed, time.monotonic() - started, output)


def configure(folder, options, compiler=os.environ.get("CXX", "ccache g++")):
    """Sets the build folder up, or again from the start if it was set up with other options."""
    stamp = ROOT / folder / "tools-test-options"
    key = " ".join([str(ROOT), *options])
    if (ROOT / folder / "build.ninja").exists():
        if stamp.exists() and stamp.read_text() == key:
            return 0, ""
        wipe = ["--wipe"]
    else:
        wipe = []
    env = {"CXX": compiler, "CXX_LD": os.environ.get("CXX_LD", "mold")}
    code, output = run(["meson", "setup", *wipe, folder, *options], env=env)
    if code == 0:
        stamp.write_text(key)
    return code, output


def introspect(folder, what):
    code, output = run(["meson", "introspect", folder, f"--{what}"])
    return json.loads(output) if code == 0 else []


def test_programs(folder):
    """(suite/name, relative path, arguments, test) of each test program Meson knows."""
    found = []
    for test in introspect(folder, "tests"):
        suite = test["suite"][0].split(":")[-1] if test["suite"] else "unit"
        path = os.path.relpath(test["cmd"][0], ROOT / folder)
        found.append((f"{suite}/{test['name']}", path, test["cmd"][1:], test))
    return found


def build(report, name, folder, options, choose=None):
    """Builds everything (or the test programs that `choose` takes); returns those programs."""
    started = time.monotonic()
    code, output = configure(folder, COMMON + options)
    programs = []
    if code == 0:
        # Brings build.ninja up to date first, so that the list of programs is today's.
        code, output = run([*NINJA, "-C", folder, "-j", CORES, "build.ninja"])
        programs = [p for p in test_programs(folder) if choose is None or choose(p[0])]
        targets = [p[1] for p in programs] if choose else []
        if choose:  # what the test programs start, too
            needed = {target for *_, test in programs for target in test.get("depends", [])}
            targets += [os.path.relpath(t["filename"][0], ROOT / folder)
                        for t in introspect(folder, "targets") if t["id"] in needed]
        if code == 0 and (targets or not choose):
            code, output = run([*NINJA, "-C", folder, "-j", CORES, "-k", "0", *targets])
    if code != 0:
        for _, path, *_ in programs:  # a program from an earlier build must not speak for today's source
            if "no work to do" not in run([*NINJA, "-C", folder, "-n", path])[1]:
                (ROOT / folder / path).unlink(missing_ok=True)
    report.add(f"{name}build", 0, 0 if code == 0 else 1, time.monotonic() - started, output)
    return programs


def build_with_clang(report):
    """The program must build with the other compiler, too; its tests say nothing new then."""
    started = time.monotonic()
    code, output = configure("build-clang", [*COMMON, "-Doptimization=0", "-Dwerror=true"], "ccache clang++")
    if code == 0:
        code, output = run([*NINJA, "-C", "build-clang", "-j", CORES, "-k", "0", "hq"])
    report.add("clang/build", int(code == 0), int(code != 0), time.monotonic() - started, output)


def submit_programs(pool, report, prefix, folder, programs, factor=1, env=None, wrapper=()):
    for name, path, arguments, test in programs:
        if report.wants(prefix + name):
            limit = test["timeout"] * factor if test["timeout"] > 0 else None
            command = [*wrapper, ROOT / folder / path, *arguments]
            pool.submit(guarded, report, prefix + name, run_program, command, limit,
                        {**test["env"], **(env or {})}, test["workdir"] or ROOT / folder)


def run_end_to_end(report, name, file, binary, env=None):
    results = ROOT / "build-test" / f"{name.replace('/', '-')}.xml"
    results.unlink(missing_ok=True)
    started = time.monotonic()
    code, output = run(["/usr/bin/python3", "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider",
                        f"--junitxml={results}", file],
                       timeout=900, env={"HQ_BINARY": str(binary), "PYTHONDONTWRITEBYTECODE": "1", **(env or {})})
    passed = failed = 0
    if results.exists():
        for suite in ElementTree.parse(results).iter("testsuite"):
            bad = int(suite.get("failures")) + int(suite.get("errors"))
            failed += bad
            # A test whose tear-down fails is counted by pytest as a test and as an error: never below 0.
            passed += max(0, int(suite.get("tests")) - bad - int(suite.get("skipped")))
    if code != 0 and failed == 0 or passed + failed == 0:
        failed += 1
    report.add(name, passed, failed, time.monotonic() - started, output)


def submit_end_to_end(pool, report):
    targets = introspect("build-test", "targets")
    programs = [t for t in targets if t["name"] == "hq" and t["type"] == "executable"]
    old_kernel = [t for t in targets if t["name"] == "old_kernel"]
    if not programs:
        print("      e2e: left out, this tree has no program hq yet (0 test cases)", flush=True)
        return
    for file in sorted((ROOT / "tests" / "e2e").glob("test_*.py")):
        name = "e2e/" + file.stem.removeprefix("test_")
        if report.wants(name):
            pool.submit(guarded, report, name, run_end_to_end, file, programs[0]["filename"][0])
        # Again as on Linux 4.18, the oldest kernel that hq must run on.
        name = "old-kernel/" + file.stem.removeprefix("test_")
        if report.wants(name):
            pool.submit(guarded, report, name, run_end_to_end, file, programs[0]["filename"][0],
                        {"HQ_E2E_RUNNER": old_kernel[0]["filename"][0]})


def run_all(report, quick):
    with ThreadPoolExecutor(CORES) as pool:
        if report.wants("format"):
            pool.submit(guarded, report, "format", run_program, ["tools/format", "--check"], 300)
        if report.wants("layering"):
            pool.submit(guarded, report, "layering", run_program, ["tools/check_layering.py"], 60)
            pool.submit(guarded, report, "layering/self-test", run_program,
                        ["tools/check_layering.py", "--self-test"], 60)

        # The plain build is needed by whatever is not lint or a sanitizer.
        others = {"format", "layering", "clang", *SANITIZED}
        if not report.wanted or any(w.split("/")[0] not in others for w in report.wanted):
            programs = build(report, "", "build-test", ["-Dwerror=true"])
            for name, *_ in programs:
                report.wants(name)
            submit_programs(pool, report, "", "build-test", programs)
            if not quick and (report.wants("e2e") or report.wants("old-kernel")):
                submit_end_to_end(pool, report)

        if not quick and report.wants("clang"):
            build_with_clang(report)
        for prefix, (folder, options, factor, env) in SANITIZED.items():
            # The thread sanitizer is asked for by name: it takes two thirds of the time of the rest, and libzmq is not built with
            # it, so that its word may need a reader.
            if quick or not report.wants(prefix) or (prefix == "tsan" and not report.wanted):
                continue
            suites = {"unit", "protocol", "sim"} if prefix == "asan" else {"unit"}
            names = None if prefix == "asan" else THREADED

            def choose(name):
                return name.split("/")[0] in suites and (names is None or name.split("/")[1] in names)

            programs = build(report, f"{prefix}/", folder, options, choose)
            # The thread sanitizer of g++ 12 needs a memory layout without randomness on newer kernels.
            fixed = ["setarch", "-R"] if prefix == "tsan" and run(["setarch", "-R", "true"])[0] == 0 else []
            if prefix == "tsan":
                programs = [(name, path, [*arguments, *THREADED[name.split("/")[1]]], test)
                            for name, path, arguments, test in programs]
            submit_programs(pool, report, f"{prefix}/", folder, programs, factor, env, fixed)


def main():
    parser = argparse.ArgumentParser(prog="tools/test", description="Builds and runs the test suites.")
    parser.add_argument("--quick", action="store_true", help="one build, no end-to-end tests")
    parser.add_argument("suite", nargs="*", help="run only these, such as: format unit unit/core e2e asan")
    arguments = parser.parse_args()
    report = Report(arguments.suite)
    try:
        run_all(report, arguments.quick)
    except KeyboardInterrupt:
        kill_running()
        os._exit(130)
    for name in sorted(set(arguments.suite) - report.matched):
        report.add(name, 0, 1, 0, "no such suite")
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
