"""Replays sessions: text files of commands with what they must print. See sessions/README for the format."""
import re
import signal
import socket
from pathlib import Path

from hq import free_port, version, wait_until
from terminal import run_on_terminal, styled

SESSIONS = Path(__file__).parent / "sessions"
UNIT = r"(?:months?|days?|years?|h|m|s|ms|us|ns|d|w|y)"
# What may stand where a run differs from the next. With a label (<PORT:a>) it must be the same text each time.
PLACEHOLDERS = {
    "TIME": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "FINE_TIME": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.(?:\d{3}|\d{6}|\d{9})Z",
    "DATE": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC",
    "DAY": r"\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d",
    "DURATION": rf"\d+{UNIT}(?: \d+{UNIT})*",
    "PORT": r"\d{1,5}",
    "PID": r"[1-9]\d*",
    "UID": r"[A-Za-z0-9]{6}",
    "KEY": r"[0-9a-f]{64}",
    "TMP": r"[A-Za-z0-9]{6}",
    "INT": r"\d+",
    "FLOAT": r"\d+\.\d+",
    "ANY": r".*",
}
# What is said only on machines with few cpus.
OF_THE_MACHINE = re.compile(r"^\S+ WARN The worker is given \d+ cpus, but only \d+ (?:is|are) usable .*\n", re.MULTILINE)
PLACEHOLDER = re.compile(r"<(" + "|".join(PLACEHOLDERS) + r")(?::(\w+))?>")
NO_NEWLINE = "[no newline at the end]"
STDOUT_LEFT_OUT = "(stdout left out)"
LINES_LEFT_OUT = "(other lines left out)"


class Step:
    """One command, or one look at a background process, with what is expected of it."""

    def __init__(self, line, kind, text):
        self.line, self.kind, self.text = line, kind, text  # kind: command, background, look, file, directive
        self.number = None
        self.stdin = None
        self.expected = {"stdout": "", "stderr": ""}
        self.compares_stdout = True
        self.on_terminal = False
        self.lines_left_out = False
        self.end = None  # "exit 0", "killed by signal 15", "still running"


class Parser:
    def __init__(self, text):
        self.lines = text.splitlines()
        self.at = 0

    def steps(self):
        found = []
        while self.at < len(self.lines):
            line, number = self.lines[self.at], self.at + 1
            self.at += 1
            if line.startswith("$ "):
                found.append(self.command(line[2:], number))
            elif line.startswith("% "):
                found.append(Step(number, "directive", line[2:]))
            elif match := re.match(r"# file (\S+):$", line):
                found.append(self.file(match.group(1), number))
            elif match := re.fullmatch(r"# background (\d+), its whole output so far:", line):
                step = Step(number, "look", line)
                step.number = int(match.group(1))
                found.append(self.sections(step))
            elif line and not line.startswith("#"):
                raise ValueError(f"line {number}: not understood: {line}")
        return found

    def command(self, text, number):
        if match := re.fullmatch(r"(.*\S)\s+&\s*(?:\(background (\d+)\))?", text):
            step = Step(number, "background", match.group(1))
            step.number = int(match.group(2)) if match.group(2) else None
            return step
        return self.sections(Step(number, "command", text))

    def file(self, name, number):
        """Its content goes on to the blank line before the next command."""
        step, content = Step(number, "file", name), []
        while self.at < len(self.lines):
            rest = self.lines[self.at:self.at + 2]
            if rest[0] == "" and (len(rest) < 2 or rest[1][:2] in ("$ ", "% ", "# ")):
                break
            content.append(rest[0])
            self.at += 1
        step.stdin = "".join(line + "\n" for line in content)
        return step

    def sections(self, step):
        current = None
        while self.at < len(self.lines):
            line = self.lines[self.at]
            self.at += 1
            if line == "[terminal]":
                step.on_terminal, current = True, "stdout"
            elif line in ("[stdout]", "[stderr]", "[stdin]"):
                current = line[1:-1]
            elif line == NO_NEWLINE:
                step.expected[current] = step.expected[current].removesuffix("\n")
            elif line == STDOUT_LEFT_OUT:
                step.compares_stdout = False
            elif line == LINES_LEFT_OUT:
                step.lines_left_out = True
            elif match := re.fullmatch(r"\[(exit \d+|killed by signal \d+|still running)\]", line):
                step.end = match.group(1)
                return step
            elif current == "stdin":
                step.stdin = (step.stdin or "") + line + "\n"
            elif current:
                step.expected[current] += line + "\n"
            else:
                raise ValueError(f"line {self.at}: not understood: {line}")
        raise ValueError(f"line {step.line}: the end of this step is missing")


LAST_LINES = re.compile(r"\n\| Last log lines .*\n(\|  .*\n)*")  # of a worker that has ended, also beyond the original
# What we say beyond the original: further keys of tasks in JSON, further rows at the end of task tables.
ADDED = re.compile(r' *"(peak_memory|system_time|user_time)": [0-9.e-]+,|\| (User time|System time|Peak memory) +\|.*\|')


class Comparer:
    """Compares texts with expectations; remembers what labelled placeholders stood for."""

    def __init__(self, names):
        self.names = names
        self.bound = {}

    def named(self, text):
        for name, value in self.names.items():
            text = text.replace(f"<{name}>", value)
        return text

    def differences(self, what, expected, actual):
        """Lines that say where `actual` isn't what was expected."""
        actual = OF_THE_MACHINE.sub("", actual.replace("\x1b", "\\e").replace("\r", "\\r"))
        actual = LAST_LINES.sub("\n", actual)
        expected = self.named(expected)
        wanted = expected.split("\n")
        got = [line for line in actual.split("\n") if not ADDED.fullmatch(line)]
        if len(wanted) == len(got) and all(map(self.line_fits, wanted, got)):
            return [] if what == "terminal" else ragged_tables(what, got)
        found = [f"{what} differs:"]
        for i in range(max(len(wanted), len(got))):
            left = wanted[i] if i < len(wanted) else None
            right = got[i] if i < len(got) else None
            if left is not None and right is not None and self.line_fits(left, right):
                found.append(f"    {right}")
            else:
                found += [f"  - {left}"] * (left is not None) + [f"  + {right}"] * (right is not None)
        return found

    def terminal_differences(self, step, actual):
        """As differences(), for what stood on a terminal: colours count, how they are switched does not."""
        expected = styled(step.expected["stdout"].replace("\\e", "\x1b")).replace("\x1b", "\\e")
        actual = styled(actual)
        if not step.lines_left_out:
            return self.differences("terminal", expected.rstrip("\n"), actual.rstrip("\n"))
        rest, missing = iter(OF_THE_MACHINE.sub("", actual).splitlines()), []
        for line in self.named(expected).splitlines():
            if not any(self.line_fits(line, got) for got in rest):
                missing = ["terminal: this line is missing, or not where it should be:", f"  - {line}",
                           *(f"    {got}" for got in actual.splitlines())]
                break
        return missing

    def line_fits(self, wanted, got):
        if wanted == got:
            return True
        if wanted.startswith("+-"):  # widths follow from the cells; ragged_tables looks at them
            return re.fullmatch(r"\+(-+\+)+", got) is not None and wanted.count("+") == got.count("+")
        if wanted.startswith("|") and wanted.endswith("|") and got.startswith("|") and got.endswith("|"):
            left, right = wanted[1:-1].split("|"), got[1:-1].split("|")
            return len(left) == len(right) and all(map(self.cell_fits, left, right))
        return self.text_fits(wanted, got)

    def cell_fits(self, wanted, got):
        to_the_right = wanted.startswith("  ") and wanted.strip() and not wanted.endswith("  ")
        edge = got.endswith(" ") and not got.endswith("  ") if to_the_right else got.startswith(" ")
        kept = str.strip if to_the_right else str.rstrip
        return edge and self.text_fits(kept(wanted), kept(got))

    def text_fits(self, wanted, got):
        pattern, last, labels = "", 0, []
        for match in PLACEHOLDER.finditer(wanted):
            kind, label = match.groups()
            pattern += re.escape(wanted[last:match.start()])
            last = match.end()
            if label and (kind, label) in self.bound:
                pattern += re.escape(self.bound[kind, label])
            elif label and (kind, label) in labels:
                pattern += f"(?P=g{labels.index((kind, label))})"
            elif label:
                pattern += f"(?P<g{len(labels)}>{PLACEHOLDERS[kind]})"
                labels.append((kind, label))
            else:
                pattern += PLACEHOLDERS[kind]
        match = re.fullmatch(pattern + re.escape(wanted[last:]), got)
        if match:
            for i, key in enumerate(labels):
                self.bound[key] = match.group(f"g{i}")
        return match is not None


def ragged_tables(what, lines):
    """Each row of a table must have its bars below the border's corners and its columns no wider than needed.

    Parts of tables (the output of grep, head, ...) are looked at as far as they can be.
    """
    found, block = [], []
    for line in [*lines, ""]:
        is_border = re.fullmatch(r"\+(-+\+)+", line) is not None
        starts_next = is_border and block and block[-1].startswith("+-")
        if block and (starts_next or not (is_border or line.startswith("|"))):
            found += ragged_table(what, block)
            block = []
        if is_border or line.startswith("|"):
            block.append(line)
    return found


def ragged_table(what, block):
    borders = [line for line in block if line.startswith("+-")]
    if not borders:
        return []
    corners = [i for i, c in enumerate(borders[0]) if c == "+"]
    spans = list(zip(corners, corners[1:]))
    found, widths = [], [0] * len(spans)
    for line in block:
        if line.startswith("+-") and line != borders[0] or len(line) != len(borders[0]) or \
                line.startswith("|") and any(line[i] != "|" for i in corners):
            found.append(f"{what}: ragged table row: {line}")
        elif line.startswith("|"):
            cells = [len(line[left + 1:right].strip()) for left, right in spans]
            widths = list(map(max, widths, cells))
    columns = [right - left - 3 for left, right in spans]
    whole = len(block) > 2 and block[0] == block[-1] == borders[0]
    if whole and not found and columns != widths:
        found.append(f"{what}: a table's columns are {columns} wide, {widths} would do")
    return found


class Replay:
    """Runs the steps of one session in an environment; goes on after a difference, to report them all."""

    def __init__(self, env, session):
        self.env = env
        self.session = session
        ports = {f"PORT{i}": str(free_port()) for i in range(1, 5)}
        env.variables.update(ports)
        host = socket.gethostname()
        self.comparer = Comparer({"VERSION": version(), "HOME": str(env.home), "HOST": host, **ports})
        self.numbered = {}
        self.faults = []

    def run(self):
        for step in Parser((SESSIONS / self.session).read_text()).steps():
            self.where = f"{self.session}:{step.line}: {step.text}"
            try:
                getattr(self, step.kind)(step)
            except AssertionError as error:
                # Without its server or worker the rest of a session means nothing.
                self.fault([str(error)])
                break
        assert not self.faults, "\n".join(self.faults)

    def fault(self, lines):
        if lines:
            self.faults += ["", self.where, *lines]

    def file(self, step):
        path = self.env.cwd / step.text
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(step.stdin)
        path.chmod(0o755)

    def command(self, step):
        if step.on_terminal:
            output, code = run_on_terminal(step.text, self.env.cwd, self.env.variables)
            found = self.comparer.terminal_differences(step, output)
            self.fault(found + ([] if f"exit {code}" == step.end else [f"ended by 'exit {code}', expected '{step.end}'"]))
            return
        output = self.env.run(step.text, step.stdin)
        self.compare(step, output.stdout, output.stderr, output.exit)

    def background(self, step):
        is_worker = re.search(r"\bhq .*worker start", step.text)
        before = self.env.workers() if is_worker else None
        started = self.env.start(step.text)
        self.numbered[step.number] = started
        if re.search(r"\bhq .*server start", step.text):
            self.env.await_server(started)
        elif is_worker:
            self.env.await_worker(started, before)

    def look(self, step):
        background = self.numbered[step.number]
        code = None
        if step.end == "still running":
            wait_until(lambda: self.fits(step, background) or not background.running(), "output is there")
            code = background.process.poll()
        else:
            code = background.wait()
        self.compare(step, background.stdout, background.stderr, code)

    def fits(self, step, background):
        stdout_fits = not step.compares_stdout or \
            not self.comparer.differences("", step.expected["stdout"], background.stdout)
        return stdout_fits and not self.comparer.differences("", step.expected["stderr"], background.stderr)

    def compare(self, step, stdout, stderr, code):
        found = []
        if step.compares_stdout:
            found += self.comparer.differences("stdout", step.expected["stdout"], stdout)
        found += self.comparer.differences("stderr", step.expected["stderr"], stderr)
        if code is None:
            end = "still running"
        else:
            # bash reports a command that a signal ended as 128 + signal.
            end = f"killed by signal {-code}" if code < 0 else f"exit {code}"
        if end != step.end:
            found.append(f"ended by '{end}', expected '{step.end}'")
        self.fault(found)

    def directive(self, step):
        verb, _, rest = step.text.partition(" ")
        if verb == "until":
            wait_until(lambda: self.env.run(rest).exit == 0, rest)
        elif verb == "signal":
            number, name = rest.split()
            self.numbered[int(number)].signal(signal.Signals["SIG" + name])
        elif verb == "run":
            output = self.env.run(rest)
            assert output.exit == 0, f"{output}"
        elif verb == "wait":
            self.numbered[int(rest)].wait()
        else:
            raise ValueError(f"{self.where}: no such directive")


def sessions(prefix):
    """Names of the sessions of a test file, for parametrize."""
    return sorted(path.name for path in SESSIONS.glob(f"{prefix}-*.txt"))


def replay(env, session):
    Replay(env, session).run()
