"""What documents name is there."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_tests_of_the_threat_model():
    """`file.py::test` in docs/threat-model.md: in tests/oidc, or by its path."""
    text = (ROOT / "docs" / "threat-model.md").read_text()
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", text)
    assert len(named) > 50
    for file, test in named:
        path = ROOT / file if file.startswith("tests/") else ROOT / "tests" / "oidc" / file
        assert path.exists(), file
        assert re.search(rf"^def {test}\(", path.read_text(), re.MULTILINE), f"{file} has no {test}"
