"""Run tasks with nothing but an address and a token: no client of ours, no generated code.

The cluster itself says by reflection what can be called. A program in any language with gRPC reflection does what this does.
Run it beside a cluster: `paraply start -n 4`. Needs grpcio and grpcio-reflection.

Usage: stranger.py HOST:PORT TOKEN
"""

import json
import sys

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase


class Stranger:
    """Calls the methods of a service as they are described: messages are dicts."""

    def __init__(self, address, token, service="paraply.scheduler.v1.TaskService"):
        self.metadata = [("authorization", f"Bearer {token}")]
        self.channel = grpc.insecure_channel(address)
        described = grpc.intercept_channel(self.channel, Credentials(self.metadata))
        pool = DescriptorPool(ProtoReflectionDescriptorDatabase(described))
        self.service = pool.FindServiceByName(service)

    def call(self, method, timeout=None, **request):
        """Calls a method. Returns a call whose `result()` is the answer, or which gives one answer after the other."""
        described = self.service.methods_by_name[method]
        make = self.channel.unary_stream if described.server_streaming else self.channel.unary_unary
        message = ParseDict(request, GetMessageClass(described.input_type)())
        answer = GetMessageClass(described.output_type)
        stub = make(
            f"/{self.service.full_name}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=lambda data: MessageToDict(answer.FromString(data), preserving_proto_field_name=True),
        )
        start = stub if described.server_streaming else stub.future
        return start(message, timeout=timeout, metadata=self.metadata)

    def run(self, function, *args, timeout=None, **options):
        """Runs a task on some engine. Returns its answer."""
        arguments = json.dumps(options.pop("named", None) or list(args))
        return self.call("RunTask", timeout, function=function, arguments_json=arguments, **options).result()


class Credentials(grpc.StreamStreamClientInterceptor):
    """Sends the token with what reflection asks."""

    def __init__(self, metadata):
        self.metadata = metadata

    def intercept_stream_stream(self, continuation, details, requests):
        """Called by grpc."""
        details = details._replace(metadata=[*(details.metadata or ()), *self.metadata])
        return continuation(details, requests)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    stranger = Stranger(*sys.argv[1:])
    print("expression:", stranger.run("2 ** 10")["result_json"])
    print("reference: ", stranger.run("math:dist", [0, 0], [3, 4])["result_json"])
    print("lambda:    ", stranger.run("lambda x: x * 2", 21)["result_json"])
    print("named:     ", stranger.run("dict", named={"a": 1})["result_json"])
    failure = stranger.run("1 / 0")["failure"]
    print("failure:   ", failure["type_name"], "-", failure["message"])
    for event in stranger.call("RunTaskStream", function="[print(n, flush=True) for n in range(3)]"):
        print("told:      ", json.dumps(event))


if __name__ == "__main__":
    main()
