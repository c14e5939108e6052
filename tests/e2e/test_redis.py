"""redis, which must not run twice: what was written before a switch is there after it and after a revert."""
import socket
import unittest

from lib import sample_apps
from lib.case import BerthCase
from lib.waiting import wait_until


def ask(port, *words):
    """One command to redis; its one-line answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(" ".join(words).encode() + b"\r\n")
        return connection.makefile("rb").readline().decode().strip()


def get(port, key):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(f"GET {key}\r\n".encode())
        file = connection.makefile("rb")
        size = int(file.readline().decode().strip()[1:])
        return None if size < 0 else file.read(size).decode()


class Redis(BerthCase):
    def test_data_outlives_a_switch_a_revert_and_a_killed_berthd(self):
        self.repo.configure(files=sample_apps.redis_files())
        self.repo.publish(sample_apps.redis(self.folder / "cache"))
        self.repo.publish(sample_apps.redis(self.folder / "cache", note="2"))
        node = self.make_node().start()
        self.deploy(node, "v1", "cache")
        self.assertEqual(ask(6379, "SET", "before", "1"), "+OK")

        self.deploy(node, "v2", "cache")
        self.assertEqual(get(6379, "before"), "1")
        self.assertEqual(ask(6379, "SET", "between", "2"), "+OK")
        self.assertOneWholeRelease(node, "v2", "cache")

        node.kill()
        self.assertEqual(get(6379, "between"), "2", "redis serves while berthd is away")
        node.start()

        node.berth("revert", "cache")
        self.assertOneWholeRelease(node, "v1", "cache")
        self.assertEqual((get(6379, "before"), get(6379, "between")), ("1", "2"))

    def test_two_copies_never_run_at_the_same_time(self):
        self.repo.configure(files=sample_apps.redis_files())
        self.repo.publish(sample_apps.redis(self.folder / "cache"))
        self.repo.publish(sample_apps.redis(self.folder / "cache", note="2"))
        node = self.make_node().start()
        self.deploy(node, "v1", "cache")
        self.deploy(node, "v2", "cache")
        wait_until(lambda: ask(6379, "PING") == "+PONG", "redis answers")
        def told():
            log = node.berth("logs", "cache", "--raw").out
            return log if log.count("Server initialized") == 2 else None
        log = wait_until(told, "both have said that they began")
        first_end, second_start = log.index("is now ready to exit"), log.rindex("Server initialized")
        self.assertLess(first_end, second_start, "v1 had ended before v2 began")


if __name__ == "__main__":
    unittest.main(verbosity=2)
