"""What the shop's services share: routing, JSON, and who is asking.

Standard library only. A service is a list of routes over `Request`; `serve` prints one line, `{"port": N}`, when it
listens, so that port 0 works. Identity comes from the x-gatehouse-* fields: the gateway removes what a client sends
under those names and sets its own, so a service behind it may believe them. It must not be reachable otherwise, which
is why it binds to the loopback address.
"""

import argparse
import base64
import hashlib
import http.server
import json
import re
import signal
import socketserver
import struct
import sys
import time
import urllib.parse

BODY_BYTES_MAX = 1 << 20


class Problem(Exception):
    """An answer other than success, as application/problem+json (RFC 9457)."""

    def __init__(self, status, detail):
        super().__init__(detail)
        self.status = status
        self.detail = detail


def see_other(place, *fields):
    """The answer that sends a browser on, after a form too."""
    return 303, b"", "text/plain", (("location", place), *fields)


class Request:
    def __init__(self, handler, path, query, parts, body):
        self.handler = handler
        self.path = path
        self.query = query
        self.parts = parts  # what the route's {names} matched
        self.body = body

    @property
    def user(self):
        """The verified user, as the shop calls them; a 401 when there is none."""
        user = self.handler.headers.get("x-gatehouse-user")
        if not user:
            raise Problem(401, "who is asking? this service stands behind the gateway")
        return self.handler.service.customers().get(user, user)

    def has_role(self, role):
        return role in re.split(r"[,\s]+", self.handler.headers.get("x-gatehouse-roles", ""))

    @property
    def is_form(self):
        return self.handler.headers.get_content_type() == "application/x-www-form-urlencoded"

    def form(self):
        return dict(urllib.parse.parse_qsl(self.body.decode(errors="replace")))

    def json(self):
        try:
            value = json.loads(self.body or b"{}")
        except ValueError:
            raise Problem(400, "the body is not JSON") from None
        if not isinstance(value, dict):
            raise Problem(400, "the body is not an object")
        return value

    def field(self, name, kind, low=None, high=None):
        """A field of the JSON body or of the form, with its type and bounds (of the number, or of the text's length)."""
        value = self.form().get(name) if self.is_form else self.json().get(name)
        if self.is_form and kind is int and value and value.isascii() and value.isdigit():
            value = int(value)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise Problem(422, f"{name}: a {kind.__name__} is needed")
        size = len(value) if isinstance(value, str) else value
        if (low is not None and size < low) or (high is not None and size > high):
            raise Problem(422, f"{name}: between {low} and {high}")
        return value


class Service:
    def __init__(self, name):
        self.name = name
        self.routes = []
        self.customers_file = None
        self.route("GET", "/healthz")(lambda request: (200, {"status": "ok", "service": name}))

    def route(self, method, path):
        pattern = re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path))

        def register(function):
            self.routes.append((method, pattern, function))
            return function

        return register

    def customers(self):
        """The shop's own names for accounts: the gateway tells the account's id, which stays when a name changes."""
        try:
            with open(self.customers_file or "", encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return {}

    def answer(self, handler, method, target, body):
        url = urllib.parse.urlsplit(target)
        path = urllib.parse.unquote(url.path)
        known = False
        for route_method, pattern, function in self.routes:
            match = pattern.fullmatch(path)
            if match and route_method in (method, "*"):
                query = dict(urllib.parse.parse_qsl(url.query))
                return function(Request(handler, path, query, match.groupdict(), body))
            known = known or match is not None
        raise Problem(405 if known else 404, "no such method here" if known else "no such thing here")

    def parser(self):
        parser = argparse.ArgumentParser(description=f"the shop's {self.name} service")
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=0, help="0: a free one, printed")
        parser.add_argument("--customers", help="a JSON object: account ids, and what the shop calls them")
        return parser

    def serve(self, options=None):
        options = options or self.parser().parse_args()
        self.customers_file = options.customers
        handler = type("Handler", (_Handler,), {"service": self})
        with _Server((options.host, options.port), handler) as server:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            print(json.dumps({"port": server.server_address[1]}), flush=True)
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                pass


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 256


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together
    timeout = 120
    service = None

    def _handle(self):
        try:
            self._respond(*self.service.answer(self, self.command, self.path, self._read_body()))
        except Problem as problem:
            body = {"status": problem.status, "title": self.responses[problem.status][0], "detail": problem.detail}
            self._respond(problem.status, body, "application/problem+json")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _handle

    def _read_body(self):
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            body = bytearray()
            while size := int(self.rfile.readline(64), 16):
                body += self.rfile.read(size)
                self.rfile.readline(8)
                if len(body) > BODY_BYTES_MAX:
                    self.close_connection = True
                    raise Problem(413, "too large")
            while self.rfile.readline(8192).strip():
                pass
            return bytes(body)
        length = int(self.headers.get("content-length") or 0)
        if length > BODY_BYTES_MAX:
            self.close_connection = True
            raise Problem(413, "too large")
        return self.rfile.read(length)

    def _respond(self, status, body, content_type="application/json", fields=()):
        if body is None:  # the route has answered by itself
            return
        if not isinstance(body, bytes):
            body = json.dumps(body, indent=2).encode() + b"\n"
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        for name, value in fields:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        """The gateway keeps the access log."""


def add_echoes(service):
    """Routes that show what arrives: for demonstrations and tests."""

    @service.route("*", "/echo")
    def echo(request):
        kind = request.handler.headers.get("content-type", "application/octet-stream")
        return 200, request.body, kind

    @service.route("*", "/headers")
    def headers(request):
        fields = [[name.lower(), value] for name, value in request.handler.headers.items()]
        return 200, {"method": request.handler.command, "target": request.handler.path, "fields": fields}

    @service.route("GET", "/sse")
    def events(request):
        handler = request.handler
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("cache-control", "no-store")
        handler.send_header("connection", "close")
        handler.end_headers()
        handler.close_connection = True
        count = min(int(request.query.get("count", 10)), 1000)
        pause = min(float(request.query.get("pause", 1)), 60)
        for number in range(count):
            handler.wfile.write(f"id: {number}\nevent: tick\ndata: {time.time():.3f}\n\n".encode())
            handler.wfile.flush()
            if number + 1 < count:
                time.sleep(pause)
        return 200, None

    @service.route("GET", "/ws")
    def websocket(request):
        _echo_frames(request.handler)
        return 101, None


def _echo_frames(handler):
    """A WebSocket that sends every message back (RFC 6455; no extensions)."""
    key = handler.headers.get("sec-websocket-key")
    if not key or "websocket" not in handler.headers.get("upgrade", "").lower():
        raise Problem(426, "this is a WebSocket")
    accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
    handler.send_response(101)
    handler.send_header("upgrade", "websocket")
    handler.send_header("connection", "Upgrade")
    handler.send_header("sec-websocket-accept", accept)
    handler.end_headers()
    handler.wfile.flush()
    handler.close_connection = True
    while frame := _read_frame(handler.rfile):
        first, payload = frame
        opcode = first & 0x0F
        if opcode == 0x9:  # a ping gets its pong
            first = 0x8A
        if opcode == 0xA:
            continue
        handler.wfile.write(_frame(first, payload))
        handler.wfile.flush()
        if opcode == 0x8:
            return


def _read_frame(stream):
    head = stream.read(2)
    if len(head) < 2:
        return None
    size = head[1] & 0x7F
    if size == 126:
        (size,) = struct.unpack("!H", stream.read(2))
    elif size == 127:
        (size,) = struct.unpack("!Q", stream.read(8))
    if size > BODY_BYTES_MAX or not head[1] & 0x80:
        return None
    mask = stream.read(4)
    payload = stream.read(size)
    if len(payload) < size:
        return None
    whole = int.from_bytes(payload, "big") ^ int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return head[0], whole.to_bytes(size, "big")


def _frame(first, payload):
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", first, size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", first, 126, size)
    else:
        head = struct.pack("!BBQ", first, 127, size)
    return head + payload
