"""`gatehouse backup` and `gatehouse restore`: the commands over the store that the configuration names."""

import os
import sqlite3
import stat

import pytest

from gateway import run

FILE = """
version: 1
data_dir: {folder}/data
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
"""


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "gatehouse.yaml"
    file.write_text(FILE.format(folder=tmp_path))
    (tmp_path / "data").mkdir(mode=0o700)
    return file


def make_store(config):
    """A store with one product's table, as the migrations leave it."""
    path = config.parent / "data/gatehouse.db"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE schema_versions (product TEXT PRIMARY KEY, version INT, oldest_reader INT) STRICT")
        database.execute("CREATE TABLE notes (id INT PRIMARY KEY, text TEXT) STRICT")
        database.execute("INSERT INTO notes VALUES (1, 'kept')")
    database.close()
    return path


def notes(path):
    database = sqlite3.connect(path)
    rows = database.execute("SELECT text FROM notes ORDER BY id").fetchall()
    database.close()
    return [text for (text,) in rows]


def test_a_backup_comes_back_and_the_old_file_stays(config, tmp_path):
    store, target = make_store(config), tmp_path / "backup.db"
    saved = run("backup", "-c", config, target)
    assert saved.returncode == 0, saved.stderr
    assert "root key" in saved.stdout
    assert stat.S_IMODE(os.stat(target).st_mode) == 0o600
    with sqlite3.connect(store) as database:
        database.execute("DELETE FROM notes")
    database.close()
    restored = run("restore", "-c", config, target)
    assert restored.returncode == 0, restored.stderr
    assert notes(store) == ["kept"]
    aside = restored.stdout.split()[-1]
    assert notes(aside) == []


def test_what_cannot_be_done_is_said_and_changes_nothing(config, tmp_path):
    missing = run("backup", "-c", config, tmp_path / "backup.db")
    assert missing.returncode == 1 and "gatehouse.db" in missing.stderr
    assert not (tmp_path / "backup.db").exists()
    store = make_store(config)
    (tmp_path / "noise").write_bytes(b"x" * 9000)
    refused = run("restore", "-c", config, tmp_path / "noise")
    assert refused.returncode == 1 and "no SQLite database" in refused.stderr
    assert notes(store) == ["kept"]
    config.write_text("version: 1\nnonsense: true\n")
    assert run("backup", "-c", config, tmp_path / "backup.db").returncode == 2
