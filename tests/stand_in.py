#!/usr/bin/env python3
"""A stand-in for the published servers: answers every request with what it received.

Usage: stand_in.py PLAIN-PORT TLS-PORT CERTIFICATE KEY. Listens on 127.0.0.1, HTTP on the one port, HTTPS on the other,
prints "ready" and serves until it is stopped.
"""
import http.server
import ssl
import sys
import threading


class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "stand-in", ""

    def answer(self):
        length = self.headers.get("Content-Length", "0")
        if length.isdigit():
            self.rfile.read(int(length))
        lines = ["published server received over %s:" % ("HTTPS" if self.server.secure else "HTTP"), "  " + self.requestline]
        lines += ["  %s: %s" % (k, v) for k, v in self.headers.items() if k.lower() in ("host", "front-end-https", "authorization")]
        body = ("\n".join(lines) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_OPTIONS = answer

    def log_message(self, *_):
        pass


def start(port, context=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Echo)
    server.secure = context is not None
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main():
    plain, secure, certificate, key = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    start(int(plain))
    start(int(secure), context)
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
