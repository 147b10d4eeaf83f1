"""The contract as data: the descriptor set that protos/generate.py writes, comments and rules included."""

from importlib.resources import files

from buf.validate import validate_pb2 as _rules
from google.api import annotations_pb2 as _routes
from google.api import field_behavior_pb2 as _behaviour
from google.protobuf.descriptor_pb2 import FileDescriptorSet

# Imported for what they do: an extension that is not registered stays unknown bytes when options are read.
EXTENSIONS = (_rules, _routes, _behaviour)


def load() -> FileDescriptorSet:
    """Every file of the contract and what they import, each after its imports."""
    return FileDescriptorSet.FromString((files("confeitaria") / "descriptors.binpb").read_bytes())
