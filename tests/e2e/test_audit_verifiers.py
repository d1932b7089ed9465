"""`gatehouse audit verify` and tools/gatehouse-audit-verify judge every log alike, whole or spoilt."""

import importlib.machinery
import importlib.util
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys

import audit_logs

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools/gatehouse-audit-verify"
GATEHOUSE = os.environ.get("GATEHOUSE_BIN", str(ROOT / "build/release/gatehouse"))
LOGS = int(os.environ.get("AUDIT_LOGS", "2000"))


def load_tool():
    loader = importlib.machinery.SourceFileLoader("gatehouse_audit_verify", str(TOOL))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def ours(path, key, since=None):
    command = [GATEHOUSE, "audit", "verify", str(path), "--key", key, "--json"]
    if since:
        command += ["--since", str(since)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    report = json.loads(done.stdout)
    assert {"verified": 0, "tampered": 1, "unusable": 2}[report["verdict"]] == done.returncode, done
    return report


def theirs(tool, path, key, since=None):
    try:
        return tool.judge(str(path), key, str(since) if since else None)
    except tool.Tampered as error:
        return {"verdict": "tampered", "reason": str(error)}
    except tool.Unusable as error:
        return {"verdict": "unusable", "reason": str(error)}


def make_log(chance, folder, seed):
    size = chance.choice([0, 1, 2, 3, 255, 256, 257, chance.randrange(40), chance.randrange(600)])
    behind = [chance.randrange(1, 5) for _ in range(chance.randrange(4))]
    return audit_logs.Log(folder, audit_logs.Signer(seed % 3), chance, size, behind)


def test_both_verifiers_agree_on_generated_logs(tmp_path):
    tool = load_tool()
    seen = {}
    for seed in range(LOGS):
        chance = random.Random(seed)
        folder = tmp_path / "log"
        log = make_log(chance, folder, seed)
        since = None
        if chance.random() < 0.3:
            since = tmp_path / "since"
            older = chance.randrange(len(log.hashes) + 1)
            note = log.note(older)
            if chance.random() < 0.3:  # of another log
                note = log.signer.note([bytes(32)] * chance.randrange(len(log.hashes) + 2))
            since.write_bytes(note)
        change = chance.choice(audit_logs.TAMPERINGS)
        change(chance, log)
        mine, other = ours(folder, log.signer.vkey, since), theirs(tool, folder, log.signer.vkey, since)
        what = "seed %d, %s: %s against %s" % (seed, change.__name__, mine, other)
        assert mine["verdict"] == other["verdict"], what
        if mine["verdict"] == "verified":
            assert {k: v for k, v in mine.items() if k != "since"} == other, what
        if change is audit_logs.nothing and since is None:
            assert mine["verdict"] == "verified", what
        seen.setdefault(change.__name__, set()).add(mine["verdict"])
        shutil.rmtree(folder)
    for change in ("flip", "cut", "change_entry", "other_key", "other_size", "bad_form", "journal_unsigned"):
        assert "tampered" in seen[change], seen


def test_a_proof_is_judged_alike(tmp_path):
    tool = load_tool()
    chance = random.Random(7)
    log = audit_logs.Log(tmp_path / "log", audit_logs.Signer(7), chance, 700)
    proof = tmp_path / "entry.tlog-proof"
    for index in (0, 1, 255, 256, 600, 699):
        command = [GATEHOUSE, "audit", "export", str(log.folder), str(index), "--key", log.signer.vkey, "--to", str(proof)]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
        assert ours(proof, log.signer.vkey)["leaf"] == log.entries[index].decode()
        assert theirs(tool, proof, log.signer.vkey)["leaf"] == log.entries[index].decode()
        good = proof.read_bytes()
        for _ in range(60):
            data = bytearray(good)
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            proof.write_bytes(data)
            mine, other = ours(proof, log.signer.vkey), theirs(tool, proof, log.signer.vkey)
            assert mine["verdict"] == other["verdict"] != "verified", (bytes(data), mine, other)


def test_the_tool_says_it_in_words_and_by_its_exit_code(tmp_path):
    log = audit_logs.Log(tmp_path / "log", audit_logs.Signer(1), random.Random(1), 300, [2])
    key = tmp_path / "key"
    key.write_text(log.signer.vkey + "\n")

    def run(*arguments):
        return subprocess.run([sys.executable, str(TOOL), *arguments], capture_output=True, text=True, timeout=30)

    good = run(str(log.folder), "--key", str(key))
    assert (good.returncode, good.stdout[:22]) == (0, "verified: 302 entries,")
    (log.folder / "tile/entries/000").write_bytes(b"")
    bad = run(str(log.folder), "--key", str(key))
    assert (bad.returncode, bad.stderr) == (1, "tampered: a bundle has 0 entries instead of 256\n")
    assert run(str(tmp_path / "none"), "--key", str(key)).returncode == 2
    assert run(str(log.folder), "--key", "a+b+c").returncode == 2
