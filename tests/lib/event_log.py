"""Events by the thousand, as years leave them."""
import hashlib
import json


def fill(node, count):
    """Makes the events of a node so many, by exits of instances. berthd, which it stops and starts, numbers on from its log."""
    node.stop()
    log = node.state / "events.log"
    last = log.read_text().splitlines()[-1]
    number = json.loads(last)["number"]
    with open(log, "a", encoding="utf-8") as more:
        while number < count:
            number += 1
            app = f"app{number % 10}"
            event = {"number": number, "at": "2026-11-24T09:00:00.000000Z", "kind": "instance.exit", "app": app, "data": {"instance": f"{app}/web.1@v1", "code": 1, "ran_ms": 12345},
                     "prev": hashlib.sha256(last.encode()).hexdigest()}
            last = json.dumps(event, separators=(",", ":"))
            more.write(last + "\n")
    node.start()
