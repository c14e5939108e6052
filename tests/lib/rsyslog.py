"""A real rsyslogd that writes what it is sent, field by field, into a file."""
import re
import signal
import socket
import subprocess
from pathlib import Path

from lib.waiting import wait_until

FIELDS = ["pri", "timereported:::date-rfc3339", "hostname", "app-name", "procid", "msgid", "structured-data", "msg"]


class Message:
    """A line of its file."""

    def __init__(self, line):
        self.pri, self.time, self.host, self.app, self.procid, self.msgid, data, self.text = line.split("\t", 7)
        found = re.fullmatch(r'\[berth@32473((?: [^ =\]"]{1,32}="(?:[^"\\\]]|\\.)*")*)\]', data)
        if not found:
            raise AssertionError(f"structured data: {data}")
        self.data = {name: re.sub(r"\\(.)", r"\1", value) for name, value in re.findall(r' ([^ =]+)="((?:[^"\\\]]|\\.)*)"', found[1])}


class Rsyslog:
    """Listens on 127.0.0.1; `transport` is tcp, tls or udp. With `certificate` (a path without extension) and `ca` for tls; clients need a certificate of that
    CA where `clients`."""

    def __init__(self, folder, transport, port, certificate=None, ca=None, clients=False, max_message="64k"):
        self.folder, self.port, self.transport, self.process = Path(folder), port, transport, None
        self.file, self.pid_file = self.folder / "messages", self.folder / "rsyslogd.pid"
        self.settings = certificate, ca, clients, max_message
        self.move_to(self.file)
        self.start()

    def move_to(self, file):
        """Writes to another file from the next start on."""
        self.file = Path(file)
        self.file.touch()
        self.configure(*self.settings)

    def configure(self, certificate, ca, clients, max_message):
        transport, stream = self.transport, ""
        if transport == "tls":
            mode = "x509/certvalid" if clients else "anon"
            stream = f'StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="{mode}"'
        tls = "" if transport != "tls" else (f'global(DefaultNetstreamDriver="ossl" DefaultNetstreamDriverCAFile="{ca}" '
                                             f'DefaultNetstreamDriverCertFile="{certificate}.pem" DefaultNetstreamDriverKeyFile="{certificate}.key")')
        module = 'module(load="imudp")' if transport == "udp" else f'module(load="imtcp" {stream})'
        kind = "imudp" if transport == "udp" else "imtcp"
        template = "\\t".join(f"%{field}%" for field in FIELDS)
        (self.folder / "rsyslog.conf").write_text(f"""
global(workDirectory="{self.folder}" maxMessageSize="{max_message}" parser.escapeControlCharactersOnReceive="on")
{tls}
{module}
template(name="fields" type="string" string="{template}\\n")
input(type="{kind}" address="127.0.0.1" port="{self.port}" ruleset="all")
ruleset(name="all") {{ action(type="omfile" file="{self.file}" template="fields") }}
""")

    def command(self):
        return ["rsyslogd", "-n", "-f", str(self.folder / "rsyslog.conf"), "-i", str(self.pid_file)]

    def listens(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}: {(self.folder / 'log').read_text()}")
        if self.transport == "udp":
            return any(f":{self.port:04X} " in line for line in Path("/proc/net/udp").read_text().splitlines())
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def start(self):
        self.pid_file.unlink(missing_ok=True)
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self.listens, "the server listens")

    def stop(self):
        """Ends it in good order: it writes what it has read."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)

    def messages(self):
        with open(self.file, errors="surrogateescape", newline="\n") as lines:
            return [Message(line.rstrip("\n")) for line in lines if line.endswith("\n")]

    def whole_messages(self):
        """Those that are left of a file on a disk that was full: what was torn, with what stands behind it, is none."""
        found = []
        with open(self.file, errors="surrogateescape", newline="\n") as lines:
            for line in lines:
                try:
                    found.append(Message(line.rstrip("\n")))
                except (AssertionError, ValueError):
                    pass
        return found
