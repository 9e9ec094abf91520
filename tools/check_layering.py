#!/usr/bin/env python3
"""Checks who includes whom, in src/, include/ and tests/unit/ (docs/architecture.md has the picture).

A layer may include its own headers and the public ones (include/hq/<layer>/) of the layers in its row of USES. Of the
layers in PORTS it may include only the named headers. Private headers (src/<layer>/) are for their own layer and its
unit tests. An outside library is seen by its adapter alone. Prints `file:line: protocol may not use server`.
"""
import re
import sys
import tempfile
from pathlib import Path

USES = {
    "base": "",
    "core": "base",
    "protocol": "core base",
    "transport": "protocol core base",
    "journal": "protocol core base",
    "os": "core base",
    "batch": "os core base",
    "stream": "protocol core base",
    "server": "protocol core base",
    "worker": "protocol core base",
    "client": "protocol core base",
    "dashboard": "client core base",
    "cli": "base core protocol transport journal os batch stream server worker client dashboard",
}
PORTS = {
    "server": "transport/channel.h journal/journal.h batch/batch_system.h stream/log_store.h stream/output_peek.h stream/format.h stream/batch.h",
    "worker": "transport/channel.h os/process.h os/local_notices.h os/hardware_meter.h os/hardware.h stream/task_output.h stream/output_peek.h stream/format.h",
    "client": "transport/channel.h",
}
# Library headers, and where they may be included: a folder (ends in /) or the beginning of a file name.
LIBRARIES = {
    r"zmq(\.h|\.hpp|_addon\.hpp)$": ["src/transport/", "tests/unit/transport/"],
    r"sodium(\.h|/)": ["src/transport/", "tests/unit/transport/"],
    r"msgpack(\.h|\.hpp|/)": ["src/protocol/", "tests/unit/protocol/"],
    r"zstd": ["src/stream/block.cc"],
    r"sqlite3\.h$": ["src/journal/sqlite_export.cc"],
    r"CLI/": ["src/cli/args"],
    r"nlohmann/": ["src/transport/access.cc", "src/client/", "src/cli/", "tests/unit/client/", "tests/unit/cli/"],
    r"fmt/": ["src/"],
    r"doctest/": ["tests/"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def layer_of(path):
    """The layer a file belongs to: src/core/x.cc, include/hq/core/x.h and tests/unit/core/x.cc are core's."""
    for prefix in ("src/", "include/hq/", "tests/unit/"):
        if path.startswith(prefix):
            layer = path[len(prefix):].split("/")[0]
            return layer if layer in USES else None
    return None


def fault(path, layer, bracket, target):
    """What is wrong with this include line, or None."""
    if bracket == "<":
        for pattern, places in LIBRARIES.items():
            if re.match(pattern, target) and not any(path.startswith(place) for place in places):
                return f"{layer} may not use <{target}>"
        return None
    public = target.startswith("hq/")
    header = target[3:] if public else target
    other = header.split("/")[0]
    if ".." in header.split("/"):
        return f"{target} leaves its folder: name the layer instead"
    if other not in USES or "/" not in header:
        return f"no layer is called {other}" if public else None
    if other == layer:
        in_public = path.startswith("include/")
        return f"a public header may not use {layer}'s private {header}" if in_public and not public else None
    if other not in USES[layer].split() and header not in PORTS.get(layer, "").split():
        ported = any(port.startswith(other + "/") for port in PORTS.get(layer, "").split())
        return f"{layer} may not use {other}" + (f" beyond its ports ({header})" if ported else "")
    return None if public else f"{layer} may not use {other}'s private {header}"


def check(root):
    faults, lines = [], 0
    for folder in ("src", "include", "tests/unit"):
        for file in sorted(Path(root, folder).rglob("*")):
            path = file.relative_to(root).as_posix()
            if file.suffix not in (".cc", ".h") or (layer := layer_of(path)) is None:
                continue
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                if match := INCLUDE.match(line):
                    lines += 1
                    if message := fault(path, layer, *match.groups()):
                        faults.append(f"{path}:{number}: {message}")
    return faults, lines


def self_test():
    cases = [
        ("src/protocol/a.cc", '#include "hq/server/server.h"', "protocol may not use server"),
        ("src/core/a.cc", '#include "hq/base/result.h"', None),
        ("src/core/a.cc", '#include "core/b.h"', None),
        ("include/hq/core/a.h", '#include "core/b.h"', "a public header may not use core's private core/b.h"),
        ("src/server/a.cc", '#include "hq/transport/channel.h"', None),
        ("src/server/a.cc", '#include "hq/transport/keys.h"', "server may not use transport beyond its ports"),
        ("src/server/a.cc", '#include "core/private.h"', "server may not use core's private core/private.h"),
        ("src/cli/a.cc", '#include "hq/transport/keys.h"', None),
        ("src/cli/a.cc", '#include "transport/zmq_router.h"', "cli may not use transport's private"),
        ("src/worker/a.cc", "#include <zmq.h>", "worker may not use <zmq.h>"),
        ("src/transport/a.cc", "#include <zmq.hpp>", None),
        ("src/server/a.cc", "#  include <msgpack.hpp>", "server may not use <msgpack.hpp>"),
        ("src/core/a.cc", '#include "../server/b.h"', "leaves its folder"),
        ("src/core/a.cc", '#include "hq/sever/b.h"', "no layer is called sever"),
        ("tests/unit/base/a.cc", '#include "hq/core/ids.h"', "base may not use core"),
        ("tests/unit/base/a.cc", "#include <doctest/doctest.h>", None),
    ]
    wrong = 0
    for path, line, expected in cases:
        with tempfile.TemporaryDirectory() as root:
            Path(root, path).parent.mkdir(parents=True)
            Path(root, path).write_text("// first\n" + line + "\n")
            faults, _ = check(root)
        good = not faults if expected is None else len(faults) == 1 and faults[0].startswith(f"{path}:2: ")
        if not good or (expected and expected not in faults[0]):
            wrong += 1
            print(f"{path}: {line}: expected {expected}, got {faults}")
    print(f"{len(cases) - wrong} passed, {wrong} failed")
    return wrong


def main():
    if sys.argv[1:] == ["--self-test"]:
        return 1 if self_test() else 0
    faults, _ = check(Path(__file__).resolve().parent.parent)
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
