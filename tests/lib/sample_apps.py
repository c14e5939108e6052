"""App trees that the tests publish: testapp in all its moods, nginx and redis."""
import json
import os
import shutil
from pathlib import Path

from lib.programs import TESTAPP


class Tree(os.PathLike):
    """A folder with a berth.toml."""

    def __init__(self, folder, app):
        self.folder, self.app = Path(folder), app
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    @classmethod
    def at(cls, folder, app):
        """A folder that is there already."""
        tree = cls.__new__(cls)
        tree.folder, tree.app = Path(folder), app
        return tree

    def __fspath__(self):
        return str(self.folder)

    def __str__(self):
        return str(self.folder)

    def put(self, name, content, mode=0o644):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return self

    def program(self, source, name):
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(source, path)
        path.chmod(0o755)
        return self

    def spec(self, text):
        return self.put("berth.toml", text)

    def spec_replaced(self, old, new):
        text = (self.folder / "berth.toml").read_text()
        assert old in text, text
        return self.spec(text.replace(old, new))


def testapp(folder, *arguments, app="web", routing="port", port=8080, instances=1, strategy="blue-green", bake="300ms", ready_timeout="20s",
            drain="2s", grace="2s", serve=True, probe=True, more="", note=""):
    """The test app, serving on a public port (routing "port" or "socket") or, with routing None, on none. `note` makes builds differ."""
    command = ["bin/testapp"] + (["--serve"] if serve else []) + (["--port", "${PORT}"] if serve and routing == "port" else []) + list(arguments)
    text = f'app = "{app}"\n[process.web]\ncommand = {json.dumps(command)}\ninstances = {instances}\n'
    if routing:
        text += f"{routing} = {port}\n"
    text += f'stop = {{ signal = "TERM", grace = "{grace}" }}\n'
    if probe and routing:
        text += '[process.web.readiness]\nhttp = "/healthz"\nperiod = "100ms"\ntimeout = "1s"\nfailure_threshold = 2\n'
    text += f'[deploy]\nstrategy = "{strategy}"\nbake = "{bake}"\nready_timeout = "{ready_timeout}"\ndrain = "{drain}"\n{more}'
    return Tree(folder, app).program(TESTAPP, "testapp").put("NOTE", note or "a build for tests").spec(text)


NGINX_CONF = """
daemon off;
worker_processes 1;
error_log stderr notice;
pid ${BERTH_RUN_DIR}/nginx.pid;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${BERTH_RUN_DIR}/body;
  proxy_temp_path ${BERTH_RUN_DIR}/proxy;
  fastcgi_temp_path ${BERTH_RUN_DIR}/fastcgi;
  uwsgi_temp_path ${BERTH_RUN_DIR}/uwsgi;
  scgi_temp_path ${BERTH_RUN_DIR}/scgi;
  keepalive_timeout 5s;
  server {
    listen LISTEN;
    root HTML;
    add_header X-Release ${BERTH_RELEASE} always;
    location = /healthz { return 200 "ok"; }
  }
}
"""


def nginx_files(routing, port=8080, ipv6=True):
    """The configuration files of the nginx app, for `Repo.configure(files=…)`. `ipv6`: whether the node's kernel has it."""
    listen = "${PORT}" if routing == "port" else f"[::]:{port} ipv6only=off" if ipv6 else str(port)
    return {"nginx.conf.tmpl": NGINX_CONF.replace("LISTEN", listen).replace("HTML", "html")}


def nginx(folder, *, routing="socket", port=8080, instances=1, bake="1s", drain="5s", app="web", page="hello"):
    text = f"""app = "{app}"
[process.web]
command = ["bin/nginx", "-p", ".", "-e", "stderr", "-c", "${{BERTH_CONFIG_DIR}}/nginx.conf"]
{routing} = {port}
instances = {instances}
stop = {{ signal = "QUIT", grace = "5s" }}
"""
    if routing == "socket":
        text += 'listen_env = { NGINX = "3;" }\n'
    text += f"""[process.web.readiness]
http = "/healthz"
period = "100ms"
[deploy]
strategy = "blue-green"
bake = "{bake}"
drain = "{drain}"
ready_timeout = "15s"
"""
    return Tree(folder, app).program("/usr/sbin/nginx", "nginx").put("html/index.html", page + "\n").spec(text)


REDIS_CONF = """
bind 127.0.0.1
port REDIS_PORT
dir ${BERTH_DATA_DIR}
daemonize no
appendonly yes
appendfsync always
save ""
"""


def redis_files(routing="port", port=6379):
    return {"redis.conf.tmpl": REDIS_CONF.replace("REDIS_PORT", "${PORT}" if routing == "port" else str(port)).replace(
        "bind 127.0.0.1", "bind 0.0.0.0" if routing == "port" else "bind 127.0.0.1")}


def redis(folder, *, routing="port", port=6379, bake="500ms", app="cache", note="1", more=""):
    text = f"""app = "{app}"
[process.redis]
command = ["bin/redis-server", "${{BERTH_CONFIG_DIR}}/redis.conf", "--protected-mode", "no"]
stop = {{ signal = "TERM", grace = "10s" }}
"""
    if routing:
        text += f"{routing} = {port}\n"
    text += f"""[process.redis.readiness]
tcp = true
period = "100ms"
[deploy]
strategy = "recreate"
bake = "{bake}"
ready_timeout = "15s"
{more}"""
    if not routing:
        text = text.replace("tcp = true", f'exec = ["bin/redis-cli", "-p", "{port}", "ping"]').replace('period = "100ms"', 'period = "1s"')
    tree = Tree(folder, app).program(os.path.realpath("/usr/bin/redis-server"), "redis-server").put("NOTE", note).spec(text)
    return tree if routing else tree.program("/usr/bin/redis-cli", "redis-cli")
