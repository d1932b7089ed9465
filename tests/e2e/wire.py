"""A client that sends exactly the bytes it is told to, and reads HTTP/1 answers."""

import dataclasses
import socket
import ssl
import time

TIMEOUT = 10


@dataclasses.dataclass
class Answer:
    status: int
    fields: list  # of (lower-case name, value)
    body: bytes
    closed: bool = False  # the peer closed after it
    version: str = "HTTP/1.1"
    informational: list = dataclasses.field(default_factory=list)  # statuses before the final one
    trailers: list = dataclasses.field(default_factory=list)

    def get(self, name, default=None):
        return next((value for field, value in self.fields if field == name), default)

    def all(self, name):
        return [value for field, value in self.fields if field == name]


class Closed(Exception):
    """The peer closed before a complete answer; `args[0]` is what came."""


class Connection:
    """One connection to a listener: ("127.0.0.1", port) or the path of a Unix socket."""

    def __init__(self, address, tls=None, server_name=None, timeout=TIMEOUT, source=None, receive_buffer=None):
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
        else:
            self.socket = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
            if source:
                self.socket.bind((source, 0))
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname=server_name)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def reset(self):
        """Closes with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def more(self):
        try:
            data = self.socket.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError):
            data = b""
        self.buffer += data
        return bool(data)

    def until(self, marker):
        while marker not in self.buffer:
            if not self.more():
                raise Closed(self.buffer)
        head, _, self.buffer = self.buffer.partition(marker)
        return head

    def exactly(self, size):
        while len(self.buffer) < size:
            if not self.more():
                raise Closed(self.buffer)
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def rest(self):
        while self.more():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def head(self):
        lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, *_ = lines[0].split(" ", 2)
        fields = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]
        return Answer(int(status), fields, b"", version=version)

    def answer(self, method="GET"):
        """The next final answer with its whole body."""
        informational = []
        answer = self.head()
        while answer.status < 200 and answer.status != 101:
            informational.append(answer.status)
            answer = self.head()
        answer.informational = informational
        if method == "HEAD" or answer.status in (101, 204, 304):
            return answer
        if (answer.get("transfer-encoding") or "").lower() == "chunked":
            while size := int(self.until(b"\r\n").split(b";")[0], 16):
                answer.body += self.exactly(size)
                assert self.exactly(2) == b"\r\n"
            while line := self.until(b"\r\n"):
                name, _, value = line.decode("latin-1").partition(":")
                answer.trailers.append((name.lower(), value.strip()))
        elif answer.get("content-length") is not None:
            answer.body = self.exactly(int(answer.get("content-length")))
        else:
            answer.body = self.rest()
            answer.closed = True
        return answer

    def is_closed(self, within=3):
        """True when the peer closes within so many seconds; what it sends meanwhile is kept in the buffer."""
        self.socket.settimeout(within)
        deadline = time.monotonic() + within
        try:
            while time.monotonic() < deadline:
                if not self.more():
                    return True
        except (TimeoutError, socket.timeout):
            pass
        finally:
            self.socket.settimeout(TIMEOUT)
        return False


def request(method="GET", target="/", host="shop.example", fields=(), body=b"", version="HTTP/1.1"):
    """The bytes of a request; a body gets its content-length unless the fields frame it."""
    fields = list(fields.items() if isinstance(fields, dict) else fields)
    lines = [f"{method} {target} {version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    lines += [f"{name}: {value}" for name, value in fields]
    framed = {name.lower() for name, _ in fields} & {"content-length", "transfer-encoding"}
    if body and not framed:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def ask(address, data=None, method="GET", tls=None, server_name=None, source=None, timeout=TIMEOUT, **parts):
    """Sends one request on a connection of its own and reads its answer."""
    with Connection(address, tls=tls, server_name=server_name, source=source, timeout=timeout) as connection:
        connection.send(data if data is not None else request(method, **parts))
        return connection.answer(method)


def eventually(check, within=5, pause=0.02, what=None):
    """Polls until `check()` is truthy, and returns that; for what happens beside the answer (logs, ejection)."""
    deadline = time.monotonic() + within
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(what or f"not within {within} s; last: {value!r}")
        time.sleep(pause)
