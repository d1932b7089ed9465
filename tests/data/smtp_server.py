"""An SMTP server for one conversation at a time, for the tests of mail delivery. Arguments: how it does TLS (off,
starttls, tls), then a file with certificate and key. Writes its port, then each message it got as one line of JSON."""

import json
import socket
import ssl
import sys


def main():
    mode, pem = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if pem else None
    if context:
        context.load_cert_chain(pem)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            peer, _ = listener.accept()
            peer.settimeout(10)
            try:
                converse(peer, mode, context)
            except (OSError, ValueError):
                pass
            finally:
                peer.close()


def converse(peer, mode, context):
    if mode == "tls":
        peer = context.wrap_socket(peer, server_side=True)
    lines = peer.makefile("rb")
    seen = {"tls": mode == "tls", "commands": []}

    def say(text):
        peer.sendall(text.encode() + b"\r\n")

    say("220 test")
    while line := lines.readline():
        command = line.decode().rstrip("\r\n")
        seen["commands"].append(command)
        verb = command.split(" ")[0].split(":")[0].upper()
        if verb == "EHLO":
            offers = ["250-test", "250-8BITMIME"]
            if mode == "starttls" and not seen["tls"]:
                offers.append("250-STARTTLS")
            if seen["tls"]:
                offers.append("250-AUTH PLAIN")
            for offer in offers:
                say(offer)
            say("250 SIZE 1000000")
        elif verb == "STARTTLS":
            say("220 go")
            peer = context.wrap_socket(peer, server_side=True)
            lines = peer.makefile("rb")
            seen["tls"] = True
        elif verb == "AUTH":
            if command.count(" ") == 1:
                say("334 ")
                lines.readline()
            say("235 ok")
        elif verb == "DATA":
            say("354 go")
            data = b""
            while not data.endswith(b"\r\n.\r\n"):
                data += lines.readline()
            seen["data"] = data.decode()
            print(json.dumps(seen), flush=True)
            say("250 ok")
        elif verb == "QUIT":
            say("221 bye")
            return
        elif verb == "RCPT" and "refused@" in command:
            say("550 no such user")
        elif verb == "RCPT" and "later@" in command:
            say("451 try again")
        else:
            say("250 ok")


main()
