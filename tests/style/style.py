#!/usr/bin/env python3
"""The house style that a machine can check: lengths, names, `#pragma once`.

Longer files and functions are listed with their size in tests/style/ratchet.txt. A size there may only shrink: when
something on the list became shorter, the check asks for the new number, so that it cannot grow back. `--accept`
rewrites the list with what is there now; the difference is for the reviewer.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
RATCHET = pathlib.Path(__file__).with_name("ratchet.txt")
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70  # not in tests: a table of cases may be long

FORBIDDEN_NAMES = re.compile(r"(^|_)(utils?|common|helpers?|manager|impl|misc)(_|\.|$)", re.IGNORECASE)
FORBIDDEN_TYPES = re.compile(r"\b(?:class|struct)\s+\w*(Manager|Helper|Impl|Util|Utils)\b")
FORBIDDEN_WORDS = re.compile(r"\b(TODO|FIXME|XXX)\b")
SNAKE_CASE = re.compile(r"[a-z0-9_]+(\.[a-z0-9]+)?")
NOT_A_FUNCTION = re.compile(r"^\s*(?:(?:else|do|try)\b|(?:if|for|while|switch|catch|namespace|class|struct|enum|union)\b)")


def blank(text):
    """The text with comments and literals blanked out, newlines kept."""
    token = re.compile(
        r"//[^\n]*|/\*.*?\*/|R\"([^(\s\"]*)\(.*?\)\1\"|\"(?:\\.|[^\"\\\n])*\"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.DOTALL
    )
    return token.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def is_assignment(header):
    """`int table[] = `, `inline constexpr std::array<int, size_t(n)> kTable = `: braces of a value follow. An operator's
    own sign and default arguments don't count."""
    header = re.sub(r"operator[^\w\s(]+", "", header)
    while (inner := re.sub(r"\([^()]*\)", "", header)) != header:
        header = inner
    return "=" in header


def functions(text):
    """(name, first line, number of lines) of every outermost function body. A scan by braces: what stands before one
    since the last statement, and holds parentheses but no control keyword, is a function's header."""
    code = blank(text)
    code = re.sub(r"^\s*#(?:[^\n\\]|\\.)*(?:\\\n[^\n]*)*", lambda match: re.sub(r"[^\n]", " ", match[0]), code, flags=re.M)
    code = re.sub(r"\{[ ]*\}", lambda match: " " * len(match[0]), code)  # nothing inside: a default, an empty body
    stack = []  # of (is_function, header_start)
    start = 0
    inside = 0
    for match in re.finditer(r"[{};]", code):
        at, mark = match.start(), match[0]
        if mark == "{":
            header = code[start:at]
            is_function = inside == 0 and "(" in header and not NOT_A_FUNCTION.match(header) and not is_assignment(header)
            stack.append((is_function, start + len(header) - len(header.lstrip())))
            inside += is_function
        elif mark == "}" and stack:
            is_function, begin = stack.pop()
            if is_function:
                inside -= 1
                first = code.count("\n", 0, begin) + 1
                name = re.search(r"((?:\w+::)*operator[^\w\s(]+|[\w:~]+)\s*\(", code[begin:at])
                yield (name[1] if name else "?"), first, code.count("\n", begin, at) + 1
        if inside == 0:
            start = at + 1


def sizes_of(path, text):
    """(ratchet key, where, size, limit) of everything in this file that is too long."""
    relative = path.relative_to(ROOT)
    lines = text.count("\n")
    if lines > FILE_LINES_MAX:
        yield str(relative), f"{relative}", lines, FILE_LINES_MAX
    if path.suffix in (".cc", ".h") and not path.name.endswith("_test.cc"):
        for name, first, length in functions(text):
            if length > FUNCTION_LINES_MAX:
                yield f"{relative}:{name}", f"{relative}:{first}", length, FUNCTION_LINES_MAX


def check_file(path, text):
    relative = path.relative_to(ROOT)
    if not SNAKE_CASE.fullmatch(path.name) and path.name not in ("CMakeLists.txt", "__init__.py"):
        yield f"{relative}: file names are snake_case"
    if FORBIDDEN_NAMES.search(path.name):
        yield f"{relative}: a name that says nothing; name the file after what it does"
    if path.suffix == ".h" and not re.match(r"#pragma once\n", text):
        yield f"{relative}:1: a header begins with `#pragma once`"
    if path.suffix in (".h", ".cc"):
        for number, line in enumerate(text.splitlines(), 1):
            if match := FORBIDDEN_TYPES.search(line):
                yield f"{relative}:{number}: no {match[1]}s: name the type after its one job"
            if match := FORBIDDEN_WORDS.search(line):
                yield f"{relative}:{number}: no {match[1]} in the tree: do it or file it"
    for number, line in enumerate(text.splitlines(), 1):
        if line != line.rstrip():
            yield f"{relative}:{number}: trailing white space"
            break


def read_ratchet():
    entries = (line.split() for line in RATCHET.read_text().splitlines() if line and not line.startswith("#"))
    return {key: int(size) for key, size in entries}


def write_ratchet(sizes):
    head = "# What is longer than the house style allows, with its size in lines. Sizes only shrink; see style.py.\n"
    RATCHET.write_text(head + "".join(f"{key} {size}\n" for key, size in sorted(sizes.items())))


def own_files():
    for folder, suffixes in (("src", (".h", ".cc")), ("tests", (".py", ".cc")), ("demo", (".py",)), ("bench", (".py", ".cc"))):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix in suffixes:
                yield path


def main():
    problems, sizes = [], {}
    known = read_ratchet()
    for path in own_files():
        text = path.read_text()
        problems += check_file(path, text)
        for key, where, size, limit in sizes_of(path, text):
            sizes[key] = max(size, sizes.get(key, 0))
            if key not in known:
                problems.append(f"{where}: {size} lines, {limit} at most")
            elif size > known[key]:
                problems.append(f"{where}: {size} lines, and the ratchet holds it at {known[key]}")
    if "--accept" in sys.argv[1:]:
        write_ratchet(sizes)
        return 0
    for key, size in known.items():
        if sizes.get(key, 0) < size:
            now = f"{sizes[key]} lines now" if key in sizes else "within the limit now"
            problems.append(f"tests/style/ratchet.txt: {key}: {now}, lower or remove its line ({size})")
    print("\n".join(problems) or "style: clean")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
