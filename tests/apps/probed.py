#!/usr/bin/python3
"""An app whose health is what files in its data folder say: usage: probed.py http|https|grpc|notify.

It serves on $PORT. `ill` there: it says that it is; with `notify`: it reloads. `silent`: it says nothing more (notify), or hangs (else).
"""
import os
import signal
import socket
import sys
import threading
import time

DATA = os.environ["BERTH_DATA_DIR"]


def told(what):
    return os.path.exists(os.path.join(DATA, what))


def serve_http(by_tls):
    import http.server

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            while told("silent"):
                time.sleep(0.05)
            body = os.environ["BERTH_RELEASE"].encode()
            self.send_response(503 if told("ill") else 200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Release", os.environ["BERTH_RELEASE"])
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler)
    if "PORT_ADMIN" in os.environ:
        class Admin(Handler):
            def do_GET(self):
                self.send_response(500 if told("admin-ill") else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

        admin = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["ADMIN"])), Admin)
        threading.Thread(target=admin.serve_forever, daemon=True).start()
    if by_tls:
        import ssl
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("cert.pem", "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


def serve_grpc():
    import concurrent.futures

    import grpc

    def check(request, context):
        while told("silent"):
            time.sleep(0.05)
        if request[2:] not in (b"", b"store"):
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return b"\x08\x02" if told("ill") else b"\x08\x01"

    def same(message):
        return message

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
    check = grpc.unary_unary_rpc_method_handler(check, same, same)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": check}),))
    server.add_insecure_port("0.0.0.0:" + os.environ["PORT"])
    server.start()
    server.wait_for_termination()


def say(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.sendto(text.encode(), os.environ["NOTIFY_SOCKET"])


def notify():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if told("slow"):
        say("STATUS=warming up\nEXTEND_TIMEOUT_USEC=20000000")
        time.sleep(3)
    if not told("never"):
        say("READY=1\nSTATUS=watched every %s us" % os.environ.get("WATCHDOG_USEC", "?"))
    reloading = False
    while True:
        if not told("silent"):
            say("WATCHDOG=1")
        if told("ill") != reloading:
            reloading = told("ill")
            say("RELOADING=1" if reloading else "READY=1")
        time.sleep(0.05)


{"http": lambda: serve_http(False), "https": lambda: serve_http(True), "grpc": serve_grpc, "notify": notify}[sys.argv[1]]()
