"""Memory per idle connection: opens many, uses each once, lets them rest, and looks at the proxy's own memory."""

import socket
import ssl
import time

REQUEST = b"GET /products/p-1001 HTTP/1.1\r\nHost: bench.example\r\n\r\n"
# A proxy may give buffers back a moment after a connection went quiet.
REST_SECONDS = 2


def open_one(port, context):
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    if context:
        connection = context.wrap_socket(connection, server_hostname="bench.example")
    connection.sendall(REQUEST)
    answer = connection.recv(4096)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise OSError(f"an answer that is no 200: {answer[:40]!r}")
    return connection


def bytes_per_connection(peer, tls, count):
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["http/1.1"])
    port = peer.tls if tls else peer.plain
    open_one(port, context).close()  # what the first connection allocates once is not theirs
    time.sleep(REST_SECONDS)
    before = peer.memory_bytes()
    connections = []
    try:
        for _ in range(count):
            connections.append(open_one(port, context))
        time.sleep(REST_SECONDS)
        return (peer.memory_bytes() - before) / count
    finally:
        for connection in connections:
            connection.close()
