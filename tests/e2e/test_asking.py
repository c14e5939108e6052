"""The command line at a repository that is not open to everybody: it asks as a node does, by options or by what a berthd.toml says, and no secret is told to
whom it is not for."""
import base64
import os
import ssl
import subprocess
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.certificates import Authority
from lib.programs import BERTH
from lib.web import RepositoryServer

RELEASE = "web/production@v1"


class Asking(BerthCase):
    def setUp(self):
        super().setUp()
        self.repo.publish(sample_apps.testapp(self.folder / "site").put("share/text", "hello\n" * 1000))

    def serve(self, port=8900, tls=None):
        server = RepositoryServer(self.repo.folder, port, tls)
        self.addCleanup(server.close)
        return server

    def put(self, name, text):
        file = self.folder / name
        file.write_text(text)
        file.chmod(0o600)
        return file

    def inspect(self, *how, expect=0):
        return self.repo.berth("inspect", RELEASE, *how, expect=expect)

    def at(self, server):
        return ("--repo", server.url, "--root", self.repo.root)

    def config(self, server, more="", top=""):
        return self.put("berthd.toml", f'environment = "production"\n{top}\n[repository]\nurl = "{server.url}"\nroot = "{self.repo.root}"\n{more}\n'
                                       '[[sink]]\nname = "x"\nkind = "of a later berthd"\n')

    def test_a_token_comes_from_a_file(self):
        server = self.serve()
        server.wanted = "Bearer s3cret-t0ken"
        token = self.put("token", "s3cret-t0ken\n")
        refused = self.inspect(*self.at(server), expect=1)
        self.assertSays(refused, "401 Unauthorized", "--token-file", "--config")
        self.assertSays(self.inspect(*self.at(server), "--token-file", self.put("other", "wrong\n"), expect=1), "401 Unauthorized")
        self.assertSays(self.inspect(*self.at(server), "--token-file", token), RELEASE)
        file = self.folder / "web.berth"
        self.repo.berth("export", RELEASE, *self.at(server), "--token-file", token, "-o", file)
        self.repo.berth("inspect", file)
        self.repo.berth("diff", RELEASE, RELEASE, *self.at(server), "--token-file", token)
        self.assertSays(self.inspect(*self.at(server), "--token-file", self.folder / "missing", expect=None), "access to the repository", "missing")
        self.assertNotIn("s3cret", refused.text)

    def test_a_user_has_a_password_in_a_file(self):
        server = self.serve()
        server.wanted = "Basic " + base64.b64encode(b"node-7:open sesame").decode()
        password = self.put("password", "open sesame\n")
        self.assertSays(self.inspect(*self.at(server), "--user", "node-7", "--password-file", password), RELEASE)
        self.assertSays(self.inspect(*self.at(server), "--user", "node-7", expect=2), "go together")
        self.assertSays(self.inspect(*self.at(server), "--user", "node-7", "--password-file", password, "--token-file", password, expect=2), "room for one")

    def test_a_berthd_toml_says_all_of_it(self):
        away = RepositoryServer(self.repo.folder, 8901)
        away.close()
        server = self.serve()
        server.wanted = "Bearer s3cret-t0ken"
        self.put("token", "s3cret-t0ken\n")
        config = self.config(server, f'token = "file:{self.folder}/token"\n')
        self.assertSays(self.inspect("--config", config), RELEASE)
        self.assertSays(self.inspect("--config", config, "--repo", server.url, expect=2), "--config", "--repo")
        script = self.put("give-token", "#!/bin/sh\necho s3cret-t0ken\n")
        script.chmod(0o700)
        by_command = self.config(server, f'token = "command:{script}"\n[secrets]\ncommands = ["{script}"]\n')
        self.assertSays(self.inspect("--config", by_command), RELEASE)
        self.assertSays(self.inspect("--config", self.config(server, f'token = "command:{script}"\n'), expect=2), "add it to 'commands'")
        self.assertSays(self.inspect("--config", self.config(server, 'tokken = "x"\n'), expect=2), "unknown key 'tokken'")
        self.assertSays(self.inspect("--config", self.put("other.toml", 'environment = "qa"\n'), expect=2), "no 'url'")

    def test_a_mirror_is_asked_where_the_first_does_not_answer_and_told_no_token(self):
        away = RepositoryServer(self.repo.folder, 8901)
        away.close()
        mirror = self.serve()
        token = self.put("token", "s3cret-t0ken\n")
        self.assertSays(self.inspect(*self.at(away), "--mirror", mirror.url, "--token-file", token), RELEASE)
        self.assertEqual(set(mirror.told), {None})
        config = self.config(away, f'token = "file:{token}"\nmirrors = ["{mirror.url}"]\n')
        file = self.folder / "web.berth"
        self.repo.berth("export", RELEASE, "--config", config, "-o", file)
        self.assertEqual(set(mirror.told), {None})

    def test_a_proxy_is_asked_for_what_is_elsewhere(self):
        proxy = self.serve()
        there = ("--repo", "http://releases.example", "--root", self.repo.root)
        self.assertSays(self.inspect(*there, "--proxy", proxy.url), RELEASE)
        self.assertEqual(proxy.hosts, {"releases.example"})
        environment = {**os.environ, "HOME": str(self.repo.home), "http_proxy": proxy.url}
        told = subprocess.run([str(BERTH), "inspect", RELEASE, *map(str, there)], capture_output=True, text=True, env=environment, timeout=60)
        self.assertEqual(told.returncode, 0, told.stderr)
        asked = len(proxy.exchanges)
        told = subprocess.run([str(BERTH), "inspect", RELEASE, *map(str, there), "--proxy", "none"], capture_output=True, text=True, env=environment, timeout=60)
        self.assertEqual((told.returncode, len(proxy.exchanges)), (1, asked), told.stderr)

    def test_a_certificate_says_who_asks(self):
        ours = Authority(self.folder)
        server_files, node_files = ours.issue("server", "127.0.0.1"), ours.issue("node-7")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{server_files}.pem", f"{server_files}.key")
        context.load_verify_locations(ours.file)
        context.verify_mode = ssl.CERT_REQUIRED
        server = self.serve(tls=context)
        shown = ("--certificate-file", f"{node_files}.pem", "--key-file", f"{node_files}.key")
        self.assertSays(self.inspect(*self.at(server), "--ca-file", ours.file, *shown), RELEASE)
        self.inspect(*self.at(server), "--ca-file", ours.file, expect=1)
        self.inspect(*self.at(server), *shown, expect=1)
        self.assertSays(self.inspect(*self.at(server), "--ca-file", ours.file, *shown[:2], expect=2), "go together")
        config = self.config(server, f'ca_file = "{ours.file}"\ncertificate_file = "{node_files}.pem"\nkey_file = "{node_files}.key"\n')
        self.assertSays(self.inspect("--config", config), RELEASE)


if __name__ == "__main__":
    unittest.main(verbosity=2)
