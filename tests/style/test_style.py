"""The style checks themselves: what they find, and what they leave alone."""

import pytest

import include_direction
import style

FUNCTION_CASES = {
    "a free function": ("int add(int a, int b) {\n  return a + b;\n}\n", [("add", 3)]),
    "a member out of line": ("void Loop::run() {\n  while (true) {\n  }\n}\n", [("Loop::run", 4)]),
    "in a class in a namespace": ("namespace a {\nclass B {\n  int c() {\n    return 1;\n  }\n};\n}\n", [("c", 3)]),
    "a constructor with initialisers": ("A::A(int b)\n    : b_(b) {\n}\n", [("A::A", 3)]),
    "a lambda counts for its function": ("void a() {\n  auto b = [](int c) {\n  };\n}\n", [("a", 4)]),
    "braces in strings and comments": ('void a() {\n  f("}", \'{\');  // }\n}\n', [("a", 3)]),
    "digit separators": ("int a() {\n  return 1'000'000;\n}\n", [("a", 3)]),
    "raw strings": ('void a() {\n  f(R"(}}})");\n}\n', [("a", 3)]),
    "a table is no function": ("const int kTable[] = {\n  1,\n};\n", []),
    "a table with parentheses is no function": ("constexpr std::array<int, f(a)> kTable = {{\n  1,\n}};\n", []),
    "an operator": ("bool operator==(A a, A b = {}) {\n  return true;\n}\n", [("operator==", 3)]),
    "an enum is no function": ("enum class A : int {\n  b,\n};\n", []),
    "a macro is no function": ("#define A(b) \\\n  do {   \\\n  } while (0)\n", []),
}


@pytest.mark.parametrize("name", FUNCTION_CASES)
def test_functions(name):
    text, expected = FUNCTION_CASES[name]
    assert [(function, length) for function, _, length in style.functions(text)] == expected


def test_table_closure():
    table = include_direction.read_table(
        "| module | what | may use |\n| --- | --- | --- |\n| `a` | x | – |\n| `b` | x | a |\n| `c` | x | b |\n"
        "| `d` | x | everything |\n\n| module | another | may use |\n| `z` | x | a |\n"
    )
    assert table == {"a": set(), "b": {"a"}, "c": {"b"}, "d": None}
    assert include_direction.closure(table) == {"a": {"a"}, "b": {"a", "b"}, "c": {"a", "b", "c"}, "d": set("abcd")}


INCLUDE_CASES = {
    "own module": ("http/message.h", "http", '"', None),
    "allowed module": ("base/clock.h", "http", '"', None),
    "upwards": ("http/message.h", "base", '"', "may not include"),
    "ours in angle brackets is a stranger": ("fmt/format.h", "base", '"', "no module of ours"),
    "OpenSSL outside its room": ("openssl/ssl.h", "http", "<", "crypto only"),
    "OpenSSL in its room": ("openssl/ssl.h", "crypto", "<", None),
    "the standard library": ("vector", "base", "<", None),
}


@pytest.mark.parametrize("name", INCLUDE_CASES)
def test_include(name):
    target, module, quote, complaint = INCLUDE_CASES[name]
    allowed = {"base": {"base"}, "crypto": {"base", "crypto"}, "http": {"base", "http"}}
    path = include_direction.SOURCE / module / "x.cc"
    found = include_direction.check_include(path, module, allowed, quote, target, allowed)
    assert (found is None) if complaint is None else (complaint in found)
