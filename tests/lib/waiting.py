"""Waiting for an event, with an end."""
import time

from lib.programs import PATIENCE



def wait_until(condition, what, seconds=10.0, every=0.02):
    """Returns the first truthy value of `condition()`; fails with `what` when there was none in time, which is `seconds` times the patience."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds * PATIENCE:g} s: {what}; last seen: {value!r}")
        time.sleep(every)
