"""Apply, map and scatter with nothing but grpcio and the stubs generated from the schema.

A client in any language does what this does. Run it beside a cluster: `paraply start -n 4`, or give the path of a
connection file.

Usage: raw_stubs.py [CONNECTION_FILE]
"""

import hashlib
import itertools
import json
import os
import queue
import secrets
import sys
from pathlib import Path

import grpc

from paraply._proto.common.v1 import payload_pb2 as payload
from paraply._proto.common.v1 import peer_pb2 as peer
from paraply._proto.scheduler.v1 import session_pb2 as session
from paraply._proto.scheduler.v1 import task_pb2_grpc


class Session:
    """A session's stream: submits calls and waits for their outcomes."""

    def __init__(self, stub, token):
        self.outbox = queue.SimpleQueue()
        hello = session.SessionHello(
            session_id=secrets.token_bytes(16),
            peer=peer.PeerInfo(version="0", protocol_min=1, protocol_max=1, agent="raw stubs"),
        )
        self.outbox.put(session.OpenSessionRequest(hello=hello))
        metadata = [("authorization", f"Bearer {token}")]
        self.inbox = stub.OpenSession(iter(self.outbox.get, None), metadata=metadata)
        welcome = next(self.inbox).welcome
        self.engine_ids = sorted(engine.engine_id for engine in welcome.engines)
        self.next_index = 0
        self.sent = set()

    def call(self, text, arguments, **placement):
        """Calls a function, once for each argument list or engine. Returns the results in that order.

        Args:
            text: "module:name", or Python: an expression or a `def`.
            arguments: Lists of positional arguments; of a direct call one for each engine, or one for all.
            placement: `direct` or `balanced`, and where.
        """
        function = text.encode()
        digest = hashlib.sha256(function).digest()
        call = session.Call(first_index=self.next_index, function_digest=digest, **placement)
        for args in arguments:
            call.arguments.add(encoding=payload.ENCODING_JSON, data=json.dumps(args).encode())
        submit = session.Submit(calls=[call])
        if digest not in self.sent:
            self.sent.add(digest)
            source = payload.Payload(encoding=payload.ENCODING_TEXT, data=function)
            submit.functions.add(digest=digest, payload=source, name=text)
        indexes = range(self.next_index, self.next_index + max(len(call.direct.engine_ids), len(arguments)))
        self.next_index = indexes.stop
        self.outbox.put(session.OpenSessionRequest(submit=submit))
        outcomes = self.outcomes(set(indexes))
        return [result_of(outcomes[index]) for index in indexes]

    def outcomes(self, awaited):
        """Reads events until the tasks of all these indexes have finished."""
        found = {}
        while awaited:
            message = next(self.inbox)
            if message.HasField("closed"):
                sys.exit(f"the scheduler ended the session: {message.closed.message}")
            last = 0
            for event in message.update.events:
                last = max(last, event.sequence)
                if event.HasField("finished"):
                    found[event.finished.index] = event.finished.outcome
                    awaited.discard(event.finished.index)
            if last:
                self.outbox.put(session.OpenSessionRequest(ack=session.EventAck(sequence=last)))
        return found

    def close(self):
        """Ends session and stream."""
        self.outbox.put(session.OpenSessionRequest(close=session.CloseSession()))
        self.outbox.put(None)
        for _ in self.inbox:
            pass


def result_of(outcome):
    """The value of an outcome; a failure is data too."""
    if outcome.HasField("failure"):
        sys.exit(f"{outcome.failure.type_name}: {outcome.failure.message}\n{outcome.failure.traceback}")
    return json.loads(outcome.result.data)


def default_connection_file():
    """Where `paraply start` puts it."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return Path(os.environ.get("PARAPLY_HOME") or state / "paraply") / "default" / "default" / "connection.json"


def main():
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else default_connection_file()
    if not file.exists():
        sys.exit(f"{file} is not there: start a cluster with `paraply start -n 4`, or name its connection file")
    connection = json.loads(file.read_text())
    # The address is the controller's; it passes calls of the scheduler's services on.
    address = next(endpoint["tcp"] for endpoint in connection["endpoints"] if "tcp" in endpoint)
    with grpc.insecure_channel(address) as channel:
        tasks = Session(task_pb2_grpc.TaskServiceStub(channel), connection["token"])
        engines = tasks.engine_ids
        everywhere = session.DirectPlacement(engine_ids=engines)

        print("apply: ", tasks.call("os:getpid", [[]], direct=everywhere))

        squares = tasks.call("operator:mul", [[n, n] for n in range(10)], balanced=session.BalancedPlacement())
        print("map:   ", squares)
        assert squares == [n * n for n in range(10)]

        numbers = list(range(100))
        size = -(-len(numbers) // len(engines))
        parts = [numbers[start : start + size] for start in range(0, len(engines) * size, size)]
        tasks.call("lambda part: globals().update(part=part)", [[part] for part in parts], direct=everywhere)
        back = tasks.call("lambda: part", [[]], direct=everywhere)
        print("scatter", [len(part) for part in back])
        assert list(itertools.chain.from_iterable(back)) == numbers
        tasks.close()


if __name__ == "__main__":
    main()
