#!/usr/bin/env python3
"""Answers each line of each connection with its release and that line, for as long as the client likes. Ends at once when it is told to stop.

Listens on the descriptor that it was passed, or on $PORT.
"""
import os
import socket
import threading


def serve(connection):
    with connection, connection.makefile("rwb") as stream:
        for line in stream:
            stream.write(os.environ["BERTH_RELEASE"].encode() + b" " + line)
            stream.flush()


def main():
    if os.environ.get("LISTEN_FDS"):
        listener = socket.socket(fileno=3)
    else:
        listener = socket.create_server(("0.0.0.0", int(os.environ["PORT"])))
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
