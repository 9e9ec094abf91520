"""Runs a command line on a terminal of its own, and makes its colours comparable."""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

PATIENCE = 20.0
SGR = re.compile(r"\x1b\[([0-9;]*)m")


def run_on_terminal(command, cwd, variables, columns=120):
    """What stood on the terminal (ends of lines as plain newlines) and the exit code."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    variables = {"TERM": "xterm-256color", **{k: v for k, v in variables.items() if k != "TERM"}}
    process = subprocess.Popen(["bash", "-c", command], cwd=cwd, env=variables, stdin=slave, stdout=slave, stderr=slave,
                               start_new_session=True)
    os.close(slave)
    output, end = b"", time.monotonic() + PATIENCE
    try:
        while True:
            if not select.select([master], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"no end after {PATIENCE:.0f} s: {command}\n{output.decode(errors='replace')}")
            try:
                piece = os.read(master, 65536)
            except OSError:  # the last process that had it open has ended
                break
            if not piece:
                break
            output += piece
    finally:
        os.close(master)
        if process.poll() is None and time.monotonic() > end:
            process.kill()
        code = process.wait()
    return output.decode(errors="replace").replace("\r\n", "\n"), code


def styled(text):
    """Each run of letters in one style as {style}letters{}: two ways to switch to the same look become the same text.

    The style of blanks is left out, as nobody sees it.
    """
    result, style, shown = [], (), ()
    last = 0
    for match in [*SGR.finditer(text), None]:
        for part in re.split(r"(\s+)", text[last:match.start() if match else len(text)]):
            if not part:
                continue
            wanted = shown if part.isspace() and "\n" not in part else () if part.isspace() else style
            if wanted != shown:
                # Blanks between two styles belong to neither.
                blanks = ""
                while shown and result and result[-1].isspace():
                    blanks = result.pop() + blanks
                result += ["{}"] * bool(shown) + [blanks] * bool(blanks)
                result += ["{" + ";".join(wanted) + "}"] * bool(wanted)
                shown = wanted
            result.append(part)
        if match:
            last = match.end()
            for code in (match.group(1) or "0").split(";"):
                style = () if code in ("0", "") else tuple(sorted({*style, code}))
    return "".join(result) + "{}" * bool(shown)
