"""A real syslog-ng, which writes the same fields. It cannot be installed beside rsyslog, so that tests/interop/syslog_ng.sh unpacks it into build/syslog-ng."""
from lib.programs import SOURCE
from lib.rsyslog import Rsyslog

ROOT = SOURCE / "build" / "syslog-ng" / "root"
FIELDS = ["${PRI}", "${ISODATE}", "${HOST}", "${PROGRAM}", "${PID}", "${MSGID}", "${SDATA}", "${MSG}"]


class SyslogNg(Rsyslog):
    def configure(self, certificate, ca, clients, max_message):
        tls = f'tls(key-file("{certificate}.key") cert-file("{certificate}.pem") ca-file("{ca}") peer-verify(no))' if self.transport == "tls" else ""
        template = "\\t".join(FIELDS)
        (self.folder / "syslog-ng.conf").write_text(f"""@version: 3.38
options {{ keep-hostname(yes); chain-hostnames(no); }};
source s {{ syslog(transport("{self.transport}") ip("127.0.0.1") port({self.port}) {tls}); }};
destination d {{ file("{self.file}" template("{template}\\n")); }};
log {{ source(s); destination(d); }};
""")

    def command(self):
        libraries = ":".join(str(ROOT / top / part) for top in ("usr/lib", "lib") for part in ("x86_64-linux-gnu", "aarch64-linux-gnu", "syslog-ng"))
        return ["env", f"LD_LIBRARY_PATH={libraries}", ROOT / "usr/sbin/syslog-ng", "-F", "--no-caps", "-f", self.folder / "syslog-ng.conf", "-R", self.folder / "persist",
                "-p", self.pid_file, "-c", self.folder / "control", "--module-path", ROOT / "usr/lib/syslog-ng/3.38"]
