"""Programs of clients, wherever they run."""

from __future__ import annotations

_SCALE = """
import time, paraply as ipp
from paraply._proto.controller.v1 import cluster_pb2

@ipp.util.interactive
def long():
    import time
    time.sleep(10)
    return "whole"

def is_busy(engine):
    method = "paraply.controller.v1.ClusterService/GetEngine"
    request = cluster_pb2.GetEngineRequest(engine_id=engine)
    return rc._link.call(method, request, cluster_pb2.GetEngineResponse).engine.claimed_tasks == 1

rc = ipp.Client()
rc.wait_for_engines(4)
busy = rc.ids[2]
running = rc[busy].apply_async(long)
while not is_busy(busy):
    time.sleep(0.05)
rc.scale(1, timeout=100)
assert rc.ids == [busy], rc.ids
assert running.get(timeout=100) == "whole"
rc.scale(MORE, timeout=100)
assert len(set(rc[:].apply_sync(lambda: __import__("socket").gethostname()))) == MORE
print("all there")
"""


def scale(more: int) -> str:
    """Of four engines one is busy, and is the only one that stays; then there are more. Says "all there" in the end."""
    return _SCALE.replace("MORE", str(more))


#: Says where an engine is that then has one long task, while another has many short ones. Says "all there" in the end.
BUSY = """
import time, paraply as ipp
rc = ipp.Client()
rc.wait_for_engines(2)
print("host", rc[0].apply_sync(lambda: __import__("socket").gethostname()), flush=True)
long = rc[0].apply_async(time.sleep, 25)
while not long.ready():
    rc[1].apply_sync(time.sleep, 0.01)
print("all there")
"""
