"""Where the lines of a node's sink arrive: real servers and the tests' own, each with the same handles for what is done to them."""
import os
import signal
import socket
import threading
import time

from lib.certificates import Authority
from lib.journald import Journald
from lib.push_receivers import LokiReceiver, OtlpReceiver
from lib.rsyslog import Rsyslog
from lib.syslog_ng import SyslogNg


class ProcessPlace:
    """A place that is a process of its own. Each has `port` (0: none), `keys` (what its [[sink]] says), `start`, `stop`, `lines`, `slow` and `close`."""

    def slow(self, until):
        """It works for a moment, and stands still for longer, until the event."""
        pid = self.server.process.pid
        while not until.is_set():
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.3)
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.02)

    def start(self):
        self.server.start()

    def stop(self):
        """In good order: it writes what it has read."""
        self.server.stop()

    def settle(self):
        """What has arrived can be read from then on."""
        self.stop()
        self.start()

    def close(self):
        self.server.stop()


class SyslogPlace(ProcessPlace):
    kind = Rsyslog
    port = 6010

    def __init__(self, folder, transport):
        folder = folder / "server"
        folder.mkdir()
        self.keys = f'kind = "syslog"\naddress = "{transport}://127.0.0.1:{self.port}"\nmax_message = 60000\n'
        certificate = self.authority = None
        if transport == "tls":
            authority = self.authority = Authority(folder)
            certificate = authority.issue("server", "localhost", "127.0.0.1")
            self.keys += f'ca_file = "{authority.file}"\n'
        self.server = self.kind(folder, transport, self.port, certificate, self.authority and self.authority.file)

    def lines(self, whole=False):
        """`whole`: of a file that has torn ones."""
        messages = self.server.whole_messages() if whole else self.server.messages()
        return [{"sequence": int(one.data["seq"]), "instance": one.data["instance"], "text": one.text} for one in messages if "instance" in one.data]


class SyslogNgPlace(SyslogPlace):
    kind = SyslogNg


class JournaldPlace(ProcessPlace):
    port = 0
    keys = 'kind = "journald"\n'

    def __init__(self, _folder):
        self.server = Journald()

    def close(self):
        self.server.close()

    def lines(self):
        def text(message):
            return bytes(message).decode() if isinstance(message, list) else message
        return [{"sequence": int(one["BERTH_SEQUENCE"]), "instance": one["BERTH_INSTANCE"], "text": text(one["MESSAGE"])} for one in self.server.entries()]


class PushPlace:
    def __init__(self, _folder):
        self.keys = f'kind = "{self.name}"\nurl = "http://127.0.0.1:{self.port}"\nproxy = ""\n'
        self.entries, self.complaints, self.receiver, self.certificate = [], [], None, None
        self.start()

    def start(self):
        self.receiver = self.kind(self.port, self.certificate)
        self.receiver.entries, self.receiver.complaints = self.entries, self.complaints  # of all its lives

    def stop(self):
        if self.receiver:
            self.receiver.close()
        self.receiver = None

    def settle(self):
        pass  # it is in memory

    def close(self):
        self.stop()

    def slow(self, until):
        while not until.is_set():
            self.receiver.faults = [("slow", 0.3)]
            time.sleep(0.05)
        self.receiver.faults = []

    def lines(self):
        assert self.complaints == [], self.complaints
        return [self.line(*entry) for entry in self.entries]


class LokiPlace(PushPlace):
    name, kind, port = "loki", LokiReceiver, 3100

    @staticmethod
    def line(labels, _time, text, metadata):
        return {"sequence": int(metadata["sequence"]), "instance": labels.get("instance"), "text": text}


class OtlpPlace(PushPlace):
    name, kind, port = "otlp", OtlpReceiver, 4318

    @staticmethod
    def line(resource, _time, text, attributes):
        return {"sequence": int(attributes["berth.sequence"]), "instance": resource["berth.instance"], "text": text}


class Closing:
    """Takes each connection at a port and closes it: at once, or after it has read something. `count` has how many."""

    def __init__(self, port):
        self.count = 0
        self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.count += 1
            with connection:
                if self.count % 2 == 0:
                    connection.settimeout(1)
                    try:
                        connection.recv(2000)
                    except OSError:
                        pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
