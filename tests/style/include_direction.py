#!/usr/bin/env python3
"""Holds the module table of ARCHITECTURE.md against the code's includes.

A module may include itself, the modules its row allows, and what those may include. A third-party library may be
included only by the modules listed for it below, so that it can be replaced in one room. `--list` prints the closure.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
EVERYTHING = "everything"

# prefix of the include -> modules that may use it. Heavy ones are allowed in .cc files only.
THIRD_PARTY = {
    "openssl/": {"crypto"},
    "sodium": {"crypto"},
    "yaml-cpp/": {"codec", "app"},
    "nghttp2/": {"http"},
    "ares": {"net"},
    "curl/": {"app"},
    "seccomp": {"app"},
    "sys/capability": {"app"},
    "CLI/": {"app"},
    "zlib": {"gateway", "waf"},
    "brotli/": {"gateway", "waf", "admin"},
    "zstd": {"gateway", "events"},
    "hs": {"waf"},
    "pcre2": {"waf"},
    "libxml/": {"waf"},
    "maxminddb": {"waf"},
    "sqlite3": {"store"},
    "libpq": {"store"},
    "hiredis": {"store"},
    "qrencode": {"identity"},
}
ONLY_IN_SOURCES = ("nlohmann/json.hpp", "yaml-cpp/", "CLI/")
# Tests may check us against a second opinion, wherever it comes from.
FREE_IN_TESTS = ("_test.cc", "_bench.cc", "_fuzz.cc")

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def read_table(text):
    """{module: set of allowed modules, or None for everything} from the first table with a `may use` column."""
    table = {}
    inside = False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.lstrip().startswith("| module") and "may use" in cells[-1]:
            inside = True
        elif inside and not line.lstrip().startswith("|"):
            break
        elif inside and (name := re.fullmatch(r"`(\w+)`", cells[0])):
            allowed = cells[-1].replace("`", "")
            table[name[1]] = None if allowed == EVERYTHING else set(re.findall(r"\w+", allowed))
    return table


def closure(table):
    """What each module may include, itself and what follows from its row's modules."""

    def reach(module, seen):
        if module not in seen:
            seen.add(module)
            for used in table[module] if table[module] is not None else table:
                reach(used, seen)
        return seen

    return {module: reach(module, set()) for module in table}


def check_table(table):
    for module, allowed in table.items():
        for unknown in sorted((allowed or set()) - set(table)):
            yield f"ARCHITECTURE.md: `{module}` may use `{unknown}`, which is no module of the table"
        if allowed is not None and not (allowed - set(table)) and any(module in closure(table)[a] for a in allowed):
            yield f"ARCHITECTURE.md: `{module}` is part of a circle"
    for folder in sorted(path.name for path in SOURCE.iterdir() if path.is_dir()):
        if folder not in table:
            yield f"src/{folder}: not in the table of ARCHITECTURE.md"
    for module in table:
        if not (SOURCE / module).is_dir():
            yield f"ARCHITECTURE.md: `{module}` has no code yet"


def check_include(path, module, allowed, quote, target, modules):
    first = target.split("/")[0]
    if quote == '"':
        if first not in modules:
            return f'"{target}" is no module of ours: third-party headers go in <>'
        if first not in allowed[module]:
            return f"`{module}` may not include `{first}` (ARCHITECTURE.md)"
        if not (SOURCE / target).is_file():
            return f'"{target}" does not exist'
        return None
    if path.name.endswith(FREE_IN_TESTS):
        return None
    for prefix, rooms in THIRD_PARTY.items():
        if target.startswith(prefix) and module not in rooms:
            return f"<{target}> belongs to {' and '.join(sorted(rooms))} only"
    if path.suffix == ".h" and target.startswith(ONLY_IN_SOURCES):
        return f"<{target}> is heavy: include it in .cc files only"
    return None


def main():
    table = read_table((ROOT / "ARCHITECTURE.md").read_text())
    if not table:
        print("ARCHITECTURE.md: no table with the columns `module` and `may use`")
        return 1
    problems = list(check_table(table))
    if not problems:
        allowed = closure(table)
        if "--list" in sys.argv[1:]:
            for module, reach in allowed.items():
                print(f"{module}: {' '.join(sorted(reach - {module})) or '-'}")
            return 0
        for path in sorted(SOURCE.rglob("*.[hc]*")):
            module = path.relative_to(SOURCE).parts[0]
            if path.suffix not in (".h", ".cc") or module not in table:
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                match = INCLUDE.match(line)
                if match and (wrong := check_include(path, module, allowed, *match.groups(), modules=table)):
                    problems.append(f"{path.relative_to(ROOT)}:{number}: {wrong}")
    print("\n".join(problems) or "include direction: clean")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
