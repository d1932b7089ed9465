"""Back ends for the gateway to stand in front of: well behaved, slow, lying, dying.

An `Upstream` accepts connections in threads and hands each to a *behaviour*: a function of a `Peer`, called once for
each connection. What arrived is recorded byte by byte, so that a test can say "nothing reached it".
"""

import json
import socket
import threading
import time

import h2.config
import h2.connection
import h2.events


class Peer:
    """The connection from the gateway, as a behaviour sees it."""

    def __init__(self, upstream, connection):
        self.upstream, self.socket = upstream, connection
        self.buffer = b""

    def more(self):
        data = self.socket.recv(65536)
        self.upstream.note(data)
        self.buffer += data
        return bool(data)

    def read_head(self):
        """(request line, [(lower-case name, value)]) or None when the connection ends first."""
        while b"\r\n\r\n" not in self.buffer:
            if not self.more():
                return None
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        fields = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]
        self.upstream.heads.append((lines[0], fields))
        return lines[0], fields

    def read_exactly(self, size):
        while len(self.buffer) < size:
            if not self.more():
                raise ConnectionError("gone")
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def read_line(self):
        while b"\r\n" not in self.buffer:
            if not self.more():
                raise ConnectionError("gone")
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def read_body(self, fields):
        fields = dict(fields)
        if fields.get("expect", "").lower() == "100-continue":
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if fields.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.read_line().split(b";")[0], 16):
                body += self.read_exactly(size)
                self.read_exactly(2)
            while self.read_line():
                pass
            return body
        return self.read_exactly(int(fields.get("content-length", 0)))

    def read_request(self):
        head = self.read_head()
        if head is None:
            return None
        body = self.read_body(head[1])
        self.upstream.bodies.append(body)
        return (*head, body)

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def answer(self, status=200, body=b"ok\n", fields=(), reason="OK"):
        text = f"HTTP/1.1 {status} {reason}\r\nContent-Length: {len(body)}\r\n"
        text += "".join(f"{name}: {value}\r\n" for name, value in fields)
        self.send(text.encode("latin-1") + b"\r\n" + body)


def well(status=200, body=b"ok\n", fields=(("Content-Type", "text/plain"),), delay=0):
    """Answers every request the same way."""

    def behave(peer):
        while peer.read_request():
            if delay:
                time.sleep(delay)
            peer.answer(status, body, fields)

    return behave


def h2_well(body=b"ok\n", requests=None):
    """HTTP/2: answers every request the same way. After `requests` of them it says GOAWAY and is done."""

    def behave(peer):
        session = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="latin-1"))
        session.initiate_connection()
        peer.send(session.data_to_send())
        answered = 0
        while answered != requests and peer.more():
            events, peer.buffer = session.receive_data(peer.buffer), b""
            for event in events:
                if isinstance(event, h2.events.RequestReceived):
                    head = dict(event.headers)
                    peer.upstream.heads.append((f"{head[':method']} {head[':path']} HTTP/2", list(event.headers)))
                elif isinstance(event, h2.events.StreamEnded):
                    session.send_headers(event.stream_id, [(":status", "200"), ("content-type", "text/plain")])
                    session.send_data(event.stream_id, body, end_stream=True)
                    answered += 1
            if answered == requests:
                session.close_connection()
            peer.send(session.data_to_send())

    return behave


def mirror(peer):
    """Answers with what it got, as JSON: request line, fields, body."""
    while got := peer.read_request():
        line, fields, body = got
        method, target, _ = line.split(" ")
        shown = {"method": method, "target": target, "fields": fields, "body": body.decode("latin-1"), "by": peer.upstream.name}
        content = b"" if method == "HEAD" else json.dumps(shown).encode()
        peer.answer(200, content, [("Content-Type", "application/json")])


def in_chunks(body, fields=(), step=7):
    """Sends the body in chunks of a few bytes, each in a segment of its own."""

    def behave(peer):
        while peer.read_request():
            head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields)
            peer.send(head + "\r\n")
            for at in range(0, len(body), step):
                part = body[at : at + step]
                peer.send(b"%x\r\n%s\r\n" % (len(part), part))
            peer.send(b"0\r\n\r\n")

    return behave


def raw(*answers, then="close"):
    """Sends exactly these bytes for the requests of a connection, one after the other; then closes, resets or hangs."""

    def behave(peer):
        for data in answers:
            if peer.read_request() is None:
                return
            peer.send(data)
        if then == "reset":
            peer.reset()
        elif then == "hang":
            peer.upstream.stopped.wait(60)

    return behave


def hang(peer):
    peer.read_request()
    peer.upstream.stopped.wait(60)


def die(peer):
    """Closes without a word once the request is here."""
    peer.read_request()


def in_turn(*behaviours):
    """The first connection gets the first behaviour, and so on; the last one stays."""
    lock = threading.Lock()
    left = list(behaviours)

    def behave(peer):
        with lock:
            chosen = left.pop(0) if len(left) > 1 else left[0]
        chosen(peer)

    return behave


class Upstream:
    def __init__(self, behaviour=mirror, name="upstream", tls=None, path=None, scheme=None, backlog=512):
        self.behaviour, self.name, self.tls = behaviour, name, tls
        self.bytes = bytearray()  # all that arrived, in order of arrival
        self.heads, self.bodies = [], []
        self.connections = 0
        self.stopped = threading.Event()
        self.open = set()
        self.lock = threading.Lock()
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
        else:
            self.listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self.listener.listen(backlog)
        self.port = None if path else self.listener.getsockname()[1]
        self.url = f"unix:{path}" if path else f"{scheme or ('https' if tls else 'http')}://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def requests(self):
        return [line for line, _ in self.heads]

    def note(self, data):
        with self.lock:
            self.bytes += data

    def fields(self, at=-1):
        return self.heads[at][1]

    def field(self, name, at=-1):
        return next((value for field, value in self.fields(at) if field == name), None)

    def _accept(self):
        while not self.stopped.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                self.open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            if self.tls:
                plain, connection = connection, self.tls.wrap_socket(connection, server_side=True)
                with self.lock:  # the plain socket is an empty shell now
                    self.open.discard(plain)
                    self.open.add(connection)
            else:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) if self.port else None
            self.behaviour(Peer(self, connection))
        except OSError:
            pass
        finally:
            with self.lock:
                self.open.discard(connection)
            connection.close()

    def close_connections(self):
        with self.lock:
            for connection in list(self.open):
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def stop(self):
        self.stopped.set()
        self.listener.close()
        self.close_connections()

    def refuse(self):
        """Stops listening: connections are refused from now on."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.close_connections()

    def listen_again(self):
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=512)
        threading.Thread(target=self._accept, daemon=True).start()
