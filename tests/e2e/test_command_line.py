"""The command line as its users meet it: what --help names is what the manual page and the completions name, mistakes
are told so that they can be mended, and commands say what they did."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

import gateway
from upstream import well

PACKAGING = gateway.ROOT / "packaging"
# These are explained once for all commands; see the manual page's "Options".
SHARED = {"--config", "--json", "--address", "--token", "--file", "--help"}


def help_of(path):
    done = gateway.run(*path, "--help")
    assert done.returncode == 0 and not done.stderr, path
    return done.stdout


def commands():
    """{path: its options} of every command that can be run, from --help; a path is a tuple of words."""
    found = {}

    def look(path):
        text = help_of(path)
        usage = next(line for line in text.splitlines() if line.startswith("Usage:"))
        _, _, options = text.partition("\nOptions:\n")
        options, _, below = options.partition("\nSubcommands:\n")
        if path and not usage.endswith(" SUBCOMMAND"):
            found[path] = set(re.findall(r"^  (?:-\w,)?(--[a-z-]+)", options, re.M))
        for name in re.findall(r"^  ([\w-]+)", below, re.M):
            look((*path, name))

    look(())
    return found


@pytest.fixture(scope="module")
def tree():
    found = commands()
    assert len(found) > 20 and all("--help" in options for options in found.values())
    return found


def mdoc_options(text):
    """The long options in mdoc(7) source; `c` stands for --config, whose long name is told once."""
    names = {"--" + name[1:] if name.startswith("-") else name for name in re.findall(r"\bFl (-?[a-z-]+)", text)}
    return {"--config" if name == "c" else "--help" if name == "h" else name for name in names}


def mdoc_section(begin, end):
    text = (PACKAGING / "gatehouse.1").read_text()
    return text[text.index(begin) + len(begin) : text.index(end)]


def test_the_manual_page_has_every_command_with_its_options(tree):
    synopsis = {}
    for entry in mdoc_section(".Sh SYNOPSIS\n", ".Sh DESCRIPTION\n").split(".Nm\n")[1:]:
        path = re.match(r"\.Cm ([a-z -]+)\n", entry)[1]
        synopsis[tuple(path.split())] = mdoc_options(entry) | {"--help"}
    assert synopsis == tree


def test_the_manual_page_explains_every_command_and_option(tree):
    explained = {}
    for item in mdoc_section(".Ss Commands\n", ".Ss Options\n").split("\n.It Cm ")[1:]:
        head, _, body = item.partition("\n")
        for path in re.split(r" , ", head.partition(" Ar ")[0]):
            explained[tuple(path.split())] = mdoc_options("\n".join(re.findall(r"^\.It .*", body, re.M)))
    assert explained == {path: options - SHARED for path, options in tree.items()}
    assert mdoc_options(mdoc_section(".Ss Options\n", ".Sh SIGNALS\n")) == SHARED | {"--version"}


@pytest.mark.parametrize("name, shell", [("gatehouse.bash", "bash"), ("_gatehouse", "zsh"), ("gatehouse.fish", "fish")])
def test_the_packaged_completions_are_current(name, shell):
    assert (PACKAGING / "completions" / name).read_text() == gateway.run("completions", shell).stdout, "run: gatehouse completions"


def offered_by_bash(words):
    quoted = " ".join(f"'{word}'" for word in words)
    script = f"source {PACKAGING}/completions/gatehouse.bash; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _gatehouse; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    return set(subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.split())


def offered_by_zsh(words):
    """What the functions hand to _arguments and _describe, without a terminal to complete in."""
    script = f"""
        _arguments() {{ local one; for one in "$@"; do [[ $one == (#b)(-[^\\[]#)\\[* ]] && print -r -- $match[1]; done
            state=command; return 0 }}
        _describe() {{ local one; for one in "${{(@P)2}}"; do print -r -- ${{one%%:*}}; done }}
        setopt extended_glob
        {(PACKAGING / "completions" / "_gatehouse").read_text().replace('_gatehouse "$@"', "")}
        _{"_".join(words[:-1])}
    """
    return set(subprocess.run(["zsh", "-fc", script], capture_output=True, text=True, check=True).stdout.split())


def offered_by_fish(words):
    file = PACKAGING / "completions" / "gatehouse.fish"
    line = " ".join(words[:-1])
    script = f"source {file}; complete -C '{line} '; complete -C '{line} -'"
    done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, check=True)
    return {row.partition("\t")[0] for row in done.stdout.splitlines()}


@pytest.mark.parametrize("shell, offered", [("bash", offered_by_bash), ("zsh", offered_by_zsh), ("fish", offered_by_fish)])
def test_the_completions_offer_exactly_what_help_names(tree, shell, offered):
    if not shutil.which(shell):
        pytest.skip(f"no {shell}")
    groups = {path[:length] for path in tree for length in range(len(path))}
    for path in {*tree, *groups}:
        below = {other[len(path)] for other in tree if len(other) > len(path) and other[: len(path)] == path}
        options = tree.get(path, {"--help", "--version"} if not path else {"--help"})
        got = {word for word in offered(["gatehouse", *path, ""]) if word.startswith("--") or not word.startswith("-")}
        assert got == below | options, (shell, path)


@pytest.mark.parametrize(
    "words, told",
    [
        ([], "gatehouse: a command is missing: run, check,"),
        (["chek"], 'gatehouse: there is no command "chek"; did you mean "check"?'),
        (["config"], "gatehouse config: a command is missing: schema, default, show, reference"),
        (["config", "sow"], 'gatehouse config: there is no command "sow"; did you mean "show"?'),
        (["bans", "remov", "192.0.2.1"], 'gatehouse bans: there is no command "remov"; did you mean "remove"?'),
        (["apikey", "revoke"], "gatehouse apikey revoke: KEY_ID is required"),
        (["status", "--jsn"], 'gatehouse status: there is no option "--jsn"; did you mean "--json"?'),
        (["check", "x.yaml"], 'gatehouse check: "x.yaml" is one word too many; a configuration is named with -c FILE'),
        (["keys", "rotate", "--finish"], "gatehouse keys rotate: --finish requires --root"),
        (["user", "add"], "gatehouse user add: USER is required"),
        (["client", "rotate-secrets", "x"], 'gatehouse client: there is no command "rotate-secrets"; did you mean "rotate-secret"?'),
        (["dev", "--port", "70000"], "gatehouse dev: --port: Value 70000 not in range 0 to 65535"),
    ],
)
def test_a_command_line_that_makes_no_sense(words, told):
    done = gateway.run(*words)
    assert done.returncode == 64 and not done.stdout
    assert done.stderr.startswith(told)
    assert re.search(r"\n  see gatehouse.* --help\n$", done.stderr)


@pytest.mark.parametrize(
    "words, code, told",
    [
        (["run"], 2, "gatehouse.yaml: No such file or directory"),
        (["status", "--address", "localhost"], 2, "--address takes 127.0.0.1:9900 or unix:"),
        (["bans", "add", "192.0.2.1/24", "--address", "127.0.0.1:1"], 2, "a network has no bits set behind its prefix"),
        (["bans", "add", "192.0.2.1", "--for", "5", "--address", "127.0.0.1:1"], 2, "--for takes a time such as 10m"),
        (["explain", "01JD6Y4T9V0M3K8C2Q5R7W1XZA", "--log", "/dev/null"], 2, "26 characters of 0-9 and a-z"),
        (["apikey", "list"], 2, "name the configuration with -c FILE, or the key file with --file"),
    ],
)
def test_what_cannot_be_done_is_told(tmp_path, words, code, told):
    done = gateway.run(*words, cwd=tmp_path)
    assert done.returncode == code and told in done.stderr, done.stderr


def test_the_manual_pages_request_id_is_one():
    shown = re.search(r"\.Dl gatehouse explain (\w+)", (PACKAGING / "gatehouse.1").read_text())[1]
    assert "is no request id" not in gateway.run("explain", shown, "--address", "127.0.0.1:1").stderr


def test_check_prints_json_by_either_name(tmp_path):
    (tmp_path / "gatehouse.yaml").write_text("version: 1\n")
    short, long = (gateway.run("check", *words, cwd=tmp_path) for words in (["--json"], ["--format", "json"]))
    assert short.stdout == long.stdout and json.loads(short.stdout)["valid"] is False


def test_api_keys(tmp_path):
    file = tmp_path / "keys.yaml"
    none = gateway.run("apikey", "list", "--file", file, "--json")
    assert none.returncode == 0 and json.loads(none.stdout) == [] and "isn't there yet" in none.stderr
    made = gateway.run("apikey", "create", "--user", "ci", "--scope", "orders:read", "--file", file, "--json")
    key = json.loads(made.stdout)
    listed = gateway.run("apikey", "list", "--file", file)
    assert re.search(rf"^{key['id']} +ci +never +orders:read$", listed.stdout, re.M)
    revoked = gateway.run("apikey", "revoke", key["id"], "--file", file, "--json")
    assert json.loads(revoked.stdout) == {"id": key["id"], "revoked": True}


def test_reload_and_rollback_say_what_they_did(gatehouse, backend):
    gate = gatehouse(backend(well()))
    again = gate.reload()
    assert again.stdout == "applied: generation 2, with no setting changed; its files were read again\n"
    assert gate.command("rollback").returncode == 2, "reading the same again is no earlier configuration"

    other = gate.dir / "other.yaml"
    shutil.copy(gate.config_path, other)
    named = gateway.run("reload", "-c", other)
    assert named.returncode == 0
    assert named.stderr == f"gatehouse: the running gateway reads {gate.config_path}, not {other}\n"
    assert gate.reload().stderr == "", "by its own name"

    gate.config["routes"][0]["timeout"] = "7s"
    assert "routes.all.timeout" in gate.reload().stdout
    back = gate.command("rollback")
    assert back.returncode == 0 and f"the next reload or start takes what {gate.config_path} says" in back.stdout


def test_a_relative_configuration_is_shown_whole(gatehouse, backend):
    gate = gatehouse.prepare(backend(well()))
    whole, gate.config_path = gate.config_path, pathlib.Path(os.path.relpath(gate.config_path))
    gate.start()
    assert json.loads(gate.command("status", "--json").stdout)["config_file"] == str(whole)


def test_the_doctor_knows_the_running_gateway(gatehouse, backend):
    """Its ports are in use, by itself: nothing is wrong. With another file they are somebody else's."""
    gate = gatehouse(backend(well()))
    gate.config["listeners"][0]["address"] = gate.ready["listeners"]["public"]
    gate.write()
    found = gate.command("doctor")
    assert found.returncode == 0 and f"{gate.ready['listeners']['public']} is the running gateway's" in found.stdout
    other = gate.dir / "other.yaml"
    shutil.copy(gate.config_path, other)
    found = gateway.run("doctor", "-c", other)
    assert found.returncode == 1 and "Address already in use" in found.stdout
