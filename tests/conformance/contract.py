"""The suite's own contract, compiled when it is first needed: nothing of it is generated into the repository."""

import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from buf.validate import validate_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

SERVICE = "eco.v1.EcoService"
PROTO = """
syntax = "proto3";
package eco.v1;
import "buf/validate/validate.proto";

service EcoService {
  rpc Awaited(EchoRequest) returns (EchoResponse);      // a coroutine that answers with a message
  rpc Plain(EchoRequest) returns (EchoResponse);        // a plain function
  rpc Ready(EchoRequest) returns (EchoResponse);        // answers with bytes made beforehand
  rpc Fail(FailRequest) returns (EchoResponse);         // fails in the way it is asked for
  rpc Wait(WaitRequest) returns (EchoResponse);
  rpc Follow(FollowRequest) returns (stream EchoResponse);
  rpc State(EchoRequest) returns (StateResponse);       // what the process saw
}

message EchoRequest {
  string text = 1 [(buf.validate.field).string.max_len = 2000];
  int32 number = 2 [(buf.validate.field).int32 = {gte: 0, lte: 100}];
  bytes padding = 3;
  repeated Item items = 4 [(buf.validate.field).repeated.max_items = 50];
}
message Item { string name = 1 [(buf.validate.field).required = true]; }
message EchoResponse {
  string text = 1;
  int32 number = 2;
  string request_id = 3;
  double remaining = 4;   // seconds; -1: no deadline
  repeated string metadata = 5;
  bytes padding = 6;
}
message FailRequest { string how = 1; }
message WaitRequest { double seconds = 1; bool stubborn = 2; }
message FollowRequest {
  int32 count = 1;        // 0: until somebody ends it
  double pause = 2;       // seconds between two answers
  int32 size = 3;         // bytes of padding in each
  int32 fail_after = 4;   // answers; 0: never
}
message StateResponse {
  int32 running = 1;      // handlers
  int32 cancelled = 2;
  int32 produced = 3;     // answers of streams
  int32 closed = 4;       // streams
  int32 objects = 5;      // of Python, after a collection, when the request says "count"
}
"""


@cache
def file() -> FileDescriptor:
    """The compiled contract, in the default pool."""
    pool = descriptor_pool.Default()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "eco.proto").write_text(PROTO)
        (folder / "known.binpb").write_bytes(known().SerializeToString())
        compiled = folder / "eco.binpb"
        protoc = [sys.executable, "-m", "grpc_tools.protoc", f"--descriptor_set_in={folder / 'known.binpb'}"]
        subprocess.run([*protoc, f"-I{folder}", f"--descriptor_set_out={compiled}", "eco.proto"], check=True)
        [described] = FileDescriptorSet.FromString(compiled.read_bytes()).file
    pool.Add(described)
    found: FileDescriptor = pool.FindFileByName("eco.proto")
    return found


def service() -> ServiceDescriptor:
    return file().services_by_name["EcoService"]


def message(name: str) -> Any:
    """The class of a message of the contract."""
    return message_factory.GetMessageClass(file().message_types_by_name[name])


def known() -> FileDescriptorSet:
    """validate.proto and what it imports, in the order of need."""
    known = FileDescriptorSet()
    seen: set[str] = set()

    def add(each: FileDescriptor) -> None:
        if each.name not in seen:
            seen.add(each.name)
            for needed in each.dependencies:
                add(needed)
            each.CopyToProto(known.file.add())

    add(descriptor_pb2.DESCRIPTOR)
    add(validate_pb2.DESCRIPTOR)
    return known
