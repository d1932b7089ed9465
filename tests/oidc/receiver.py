"""The client's end of back-channel logout: takes what providers post, and tells it to the checks."""

import http.server
import queue
import ssl
import threading
import urllib.parse


class Receiver:
    def __init__(self):
        self.got = queue.Queue()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                length = int(self.headers.get("Content-Length") or 0)
                fields = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode()))
                receiver.got.put({"path": self.path, "type": self.headers.get("Content-Type"), **fields})
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"https://localhost:{self.server.server_port}/logout"
        self.thread = None

    def serve(self, certificate):
        """Starts to answer, with a certificate of the target's authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def next(self, within=5):
        return self.got.get(timeout=within)

    def nothing(self):
        return self.got.empty()

    def stop(self):
        if self.thread:
            self.server.shutdown()
        self.server.server_close()
