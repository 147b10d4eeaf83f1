"""Turns the .proto files into Python stubs and one descriptor set, under protos/python/.

    python protos/generate.py            writes them
    python protos/generate.py --check    compares instead; exit code 1 and the names of the files that differ

The standard .proto files come from installed packages: google/* from googleapis-common-protos and
grpcio-tools, buf/validate from the descriptor inside protovalidate (which ships no .proto and no Python module for
google.protobuf, so that module is generated too).
"""

from __future__ import annotations

import filecmp
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import files
from pathlib import Path

import grpc_tools
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from protovalidate._gen.buf.validate import validate_pb

ROOT = Path(__file__).resolve().parent
OUTPUT = ROOT / "python"
DESCRIPTORS = "confeitaria/descriptors.binpb"
VALIDATE = "buf/validate/validate.proto"
# Details of errors are packed in Any: nothing imports them, but Envoy needs them to print an error as JSON.
ERROR_DETAILS = "google/rpc/error_details.proto"


def own_protos() -> list[str]:
    """The contract's files, relative to protos/, in a stable order."""
    return sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("confeitaria/**/*.proto"))


def standard_includes() -> list[str]:
    """The folders of the installed packages that hold google/api, google/rpc and google/protobuf."""
    annotations = next(
        path.locate() for path in files("googleapis-common-protos") or [] if path.match("google/api/annotations.proto")
    )
    return [str(Path(str(annotations)).parents[2]), str(Path(grpc_tools.__file__).parent / "_proto")]


def write_validate_set(folder: Path, includes: list[str]) -> Path:
    """Writes buf/validate and what it imports as a descriptor set, from the descriptor inside protovalidate.

    Returns the file's path.
    """
    own = FileDescriptorProto.FromString(validate_pb.desc().proto.to_binary())
    imports = folder / "imports.binpb"
    protoc(includes, "--include_imports", f"--descriptor_set_out={imports}", *own.dependency)
    bundle = FileDescriptorSet.FromString(imports.read_bytes())
    bundle.file.append(own)
    target = folder / "validate.binpb"
    target.write_bytes(bundle.SerializeToString(deterministic=True))
    return target


def protoc(includes: list[str], *arguments: str) -> None:
    """Runs the protoc of grpcio-tools; its own message and exit code 1 on a broken .proto."""
    command = [sys.executable, "-m", "grpc_tools.protoc", *(f"-I{path}" for path in includes), *arguments]
    done = subprocess.run(command, check=False, cwd=ROOT)  # noqa: S603  our own arguments
    if done.returncode:
        sys.exit(1)


def generate(target: Path) -> None:
    """Writes all generated files into `target`, an empty folder."""
    includes = standard_includes()
    with tempfile.TemporaryDirectory() as scratch:
        validate = f"--descriptor_set_in={write_validate_set(Path(scratch), includes)}"
        messages = [f"--python_out={target}", f"--pyi_out={target}"]
        calls = [f"--grpc_python_out={target}", f"--plugin={typed_stubs_plugin()}", f"--mypy_grpc_out={target}"]
        protoc([], validate, *messages, VALIDATE)
        sources = [str(ROOT), *includes]
        protoc(sources, validate, *messages, *calls, *own_protos())
        described = ["--include_imports", "--include_source_info", f"--descriptor_set_out={target / DESCRIPTORS}"]
        protoc(sources, validate, *described, *own_protos(), ERROR_DETAILS)
    for package in {path.parent for path in target.rglob("*_pb2.py")}:
        (package / "py.typed").touch()


def typed_stubs_plugin() -> str:
    """Option of protoc that names the generator of typed gRPC stubs, installed beside this Python."""
    return f"protoc-gen-mypy_grpc={Path(sys.executable).parent / 'protoc-gen-mypy_grpc'}"


def differences(fresh: Path, committed: Path) -> list[str]:
    """Names of the generated files that are missing, left over or different in `committed`."""
    names = {str(path.relative_to(top)) for top in (fresh, committed) for path in top.rglob("*") if path.is_file()}
    names = {
        name for name in names if "__pycache__" not in name and ".egg-info" not in name
    }  # what running and installing leave
    _, changed, missing = filecmp.cmpfiles(fresh, committed, sorted(names), shallow=False)
    return sorted(changed + missing)


def main(arguments: list[str]) -> int:
    """Generates, or compares with --check; returns the exit code."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: generate.py [--check]\n")
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        generate(fresh)
        if arguments:
            stale = differences(fresh, OUTPUT)
            for name in stale:
                sys.stderr.write(f"protos/python/{name} is not what the .proto files give: run ./confeitaria protos\n")
            return 1 if stale else 0
        shutil.rmtree(OUTPUT, ignore_errors=True)
        shutil.copytree(fresh, OUTPUT)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
