"""An HTTPS server for the tests of calls to others. Argument: a file with certificate and key. Writes its port; answers
/echo with what it was sent as JSON, and the other paths as their names say."""

import http.server
import json
import ssl
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if self.path == "/echo":
            return self.send(200, json.dumps({"method": self.command, "body": body, "fields": dict(self.headers)}))
        if self.path == "/redirect":
            return self.send(302, "", ("Location", "/echo"), ("Cache-Control", "max-age=5"))
        if self.path == "/cached":
            return self.send(200, "{}", ("Cache-Control", "public, max-age=300"))
        if self.path == "/large":
            return self.send(200, "x" * 300_000)
        return self.send(404, '{"error":"invalid_request"}')

    do_GET = do_POST = answer

    def send(self, status, body, *fields):
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        """A client that does not believe the certificate: what the test is about."""


def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[1])
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_port, flush=True)
    server.serve_forever()


main()
