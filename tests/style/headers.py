#!/usr/bin/env python3
"""Every header compiles alone.

A header that passed is not compiled again until it, or one of ours that it includes, changes: build/headers.json
remembers a digest of those texts. The system's headers change only with the machine, which starts without that file.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
MEMORY = ROOT / "build" / "headers.json"
COMPILER = os.environ.get("CXX", "g++")
COMMAND = [COMPILER, "-std=c++20", "-fsyntax-only", "-Isrc", '-DGATEHOUSE_VERSION=""', '-DGATEHOUSE_SOURCE_DIR=""', "-x", "c++", "/dev/null", "-include"]


def digest(header):
    """Of the header and of everything of ours that it reaches."""
    seen, queue = {}, [header]
    while queue:
        path = queue.pop()
        if path in seen or not path.is_file():
            continue
        seen[path] = path.read_text()
        queue += [SOURCE / name for name in re.findall(r'^\s*#\s*include\s*"([^"]+)"', seen[path], re.M)]
    text = "\0".join(f"{path.relative_to(ROOT)}\0{seen[path]}" for path in sorted(seen))
    return hashlib.sha256((" ".join(COMMAND) + text).encode()).hexdigest()


def compile_alone(header):
    run = subprocess.run(COMMAND + [str(header.relative_to(ROOT))], cwd=ROOT, capture_output=True, text=True)
    return header, run.returncode == 0, run.stderr


def main():
    remembered = json.loads(MEMORY.read_text()) if MEMORY.exists() else {}
    digests = {header: digest(header) for header in sorted(SOURCE.rglob("*.h"))}
    stale = [header for header, value in digests.items() if remembered.get(str(header.relative_to(ROOT))) != value]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        failed = {header: error for header, good, error in pool.map(compile_alone, stale) if not good}
    for header, error in failed.items():
        print(f"{header.relative_to(ROOT)} does not compile alone:\n{error}")
    MEMORY.parent.mkdir(exist_ok=True)
    good = {str(header.relative_to(ROOT)): value for header, value in digests.items() if header not in failed}
    MEMORY.write_text(json.dumps(good, indent=1))
    print(f"{len(digests)} headers, {len(stale)} compiled, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
