"""Fixtures of the end-to-end tests: gateways and back ends that end with the test, keys and tokens.

The program under test is build/release/gatehouse, or what GATEHOUSE_BIN names. Every port is chosen by the kernel.
"""

import pathlib
import resource
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import gateway  # noqa: E402
import keys  # noqa: E402
import people  # noqa: E402
import upstream  # noqa: E402


def pytest_configure(config):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    config.addinivalue_line("markers", "long: the full length of a test that also runs short; needs GATEHOUSE_LONG=1")


@pytest.fixture
def backend():
    """backend(behaviour) starts a back end."""
    started = []

    def start(behaviour=upstream.mirror, **options):
        started.append(upstream.Upstream(behaviour, **options))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def gatehouse():
    """gatehouse(upstreams, **keys) starts a gateway; `gatehouse.prepare` gives one that is not started yet."""
    made = []

    def prepare(upstreams=(), **config):
        made.append(gateway.Gateway(upstreams or ["http://127.0.0.1:9"], **config))
        return made[-1]

    def start(upstreams=(), **config):
        return prepare(upstreams, **config).start()

    start.prepare = prepare
    yield start
    for one in made:
        one.discard()


@pytest.fixture(scope="session")
def certificates():
    """An authority and certificates for the listeners, the clients and the upstreams. Not in pytest's own folder: each
    session takes away from others what it allowed there, and the program gives up root."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-e2e-keys-") as folder:
        yield keys.Certificates(pathlib.Path(folder))


@pytest.fixture(scope="session")
def issuer():
    """Signs tokens; `issuer.jwks()` is what the gateway gets."""
    return keys.Issuer()


@pytest.fixture
def mailbox():
    """Where mail arrives."""
    box = people.Mailbox()
    yield box
    box.stop()


@pytest.fixture
def center():
    """Where short messages arrive."""
    messages = people.SmsCenter()
    yield messages
    messages.stop()
