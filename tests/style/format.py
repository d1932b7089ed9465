#!/usr/bin/env python3
"""Every C++ file is as clang-format 14 leaves it. `--fix` puts them right."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    formatter = shutil.which("clang-format-14")
    if formatter is None:
        print("clang-format-14 is not installed: scripts/setup")
        return 1
    files = sorted(str(path) for folder in ("src", "tests", "bench") for path in (ROOT / folder).rglob("*.[hc]*")
                   if path.suffix in (".h", ".cc"))  # fmt: skip
    mode = ["-i"] if "--fix" in sys.argv[1:] else ["--dry-run", "-Werror"]
    run = subprocess.run(["xargs", "-0", "-P", str(os.cpu_count()), "-n", "16", formatter, *mode],
                         input="\0".join(files), text=True, stderr=subprocess.PIPE)  # fmt: skip
    wrong = sorted(set(re.findall(rf"^{re.escape(str(ROOT))}/([^:]+):", run.stderr, re.M)))
    for file in wrong:
        print(f"{file}: not as clang-format leaves it")
    print(f"format: {len(wrong)} of {len(files)} files" if wrong else f"format: {len(files)} files clean")
    return 1 if run.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
