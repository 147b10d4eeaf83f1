"""Message types as JSON Schema, as Envoy's transcoder reads and prints them: proto field names, enums by name."""

from collections.abc import Collection
from typing import Any

from buf.validate import validate_pb2
from google.api import field_behavior_pb2
from google.api.field_behavior_pb2 import FieldBehavior
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

from gateway.openapi.source import Source

Json = dict[str, Any]

REF = "#/components/schemas/"
INTEGERS = {
    Field.TYPE_INT32: "int32",
    Field.TYPE_SINT32: "int32",
    Field.TYPE_SFIXED32: "int32",
    Field.TYPE_UINT32: "uint32",
    Field.TYPE_FIXED32: "uint32",
}
WIDE = {  # printed as strings, because a JSON number does not hold them
    Field.TYPE_INT64: "int64",
    Field.TYPE_SINT64: "int64",
    Field.TYPE_SFIXED64: "int64",
    Field.TYPE_UINT64: "uint64",
    Field.TYPE_FIXED64: "uint64",
}
OTHERS: dict[int, Json] = {
    Field.TYPE_BOOL: {"type": "boolean"},
    Field.TYPE_STRING: {"type": "string"},
    Field.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    Field.TYPE_DOUBLE: {"type": "number", "format": "double"},
    Field.TYPE_FLOAT: {"type": "number", "format": "float"},
}
WELL_KNOWN: dict[str, Json] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "examples": ["1.5s"]},
    "google.protobuf.FieldMask": {"type": "string", "examples": ["nome,preco_centavos"]},
    "google.protobuf.Empty": {"type": "object", "maxProperties": 0},
}
# protoc's own stub of validate_pb2 does not say what the extension holds
RULES: Any = validate_pb2.field
# Names in buf.validate -> names in JSON Schema
NUMBERS = {"gte": "minimum", "gt": "exclusiveMinimum", "lte": "maximum", "lt": "exclusiveMaximum", "const": "const"}
STRINGS = {"min_len": "minLength", "max_len": "maxLength", "pattern": "pattern", "const": "const"}
FORMATS = ("email", "uuid", "hostname", "uri", "ipv4", "ipv6")
LISTS = {"min_items": "minItems", "max_items": "maxItems", "unique": "uniqueItems"}


class Schemas:
    """`components` grows with each type that is referred to."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.components: dict[str, Json] = {}
        names = [name.rpartition(".")[2] for name in (*source.messages, *source.enums)]
        self._twice = {name for name in names if names.count(name) > 1}

    def reference(self, full_name: str) -> Json:
        """A pointer to the type's schema, which is made now if it was not yet; well-known types stand in place."""
        if full_name in WELL_KNOWN:
            return dict(WELL_KNOWN[full_name])
        name = self._short(full_name)
        if name not in self.components:
            self.components[name] = {}  # a type may contain itself
            is_enum = full_name in self._source.enums
            self.components[name] = self.enum(full_name) if is_enum else self.message(full_name)
        return {"$ref": REF + name}

    def message(self, full_name: str, without: Collection[str] = ()) -> Json:
        """The type's object schema, less some fields (those in the path)."""
        fields = [each for each in self._source.messages[full_name].field if each.name not in without]
        schema: Json = {
            "type": "object",
            "description": self._source.comments.get(full_name, ""),
            "properties": {each.name: self.field(full_name, each) for each in fields},
        }
        required = [each.name for each in fields if behaves(each, FieldBehavior.REQUIRED)]
        return schema | ({"required": required} if required else {})

    def enum(self, full_name: str, without: Collection[int] = ()) -> Json:
        """The values by name; what each means is in the description."""
        allowed = [each for each in self._source.enums[full_name].value if each.number not in without]
        told = [f"- `{each.name}`: {self._source.comments.get(f'{full_name}.{each.name}', '')}" for each in allowed]
        description = "\n".join([self._source.comments.get(full_name, ""), "", *told]).strip()
        return {"type": "string", "enum": [each.name for each in allowed], "description": description}

    def field(self, message: str, field: Field) -> Json:
        """One property, with the limits of its rules."""
        rules: validate_pb2.FieldRules = field.options.Extensions[RULES]
        schema = self._type(field, rules) | _or_empty(rules, _limits(rules))
        if field.label == Field.LABEL_REPEATED:
            schema = {"type": "array", "items": schema} | _renamed(rules.repeated, LISTS)
        told = [
            self._source.comments.get(f"{message}.{field.name}", ""),
            *(f"Regra: {each.message}." for each in rules.cel),
        ]
        schema["description"] = " ".join(filter(None, told))
        if behaves(field, FieldBehavior.OUTPUT_ONLY):
            schema["readOnly"] = True
        return schema

    def _type(self, field: Field, rules: validate_pb2.FieldRules) -> Json:
        if field.type == Field.TYPE_ENUM and rules.enum.not_in:
            return self.enum(field.type_name.lstrip("."), rules.enum.not_in)
        if field.type in (Field.TYPE_MESSAGE, Field.TYPE_ENUM):
            return self.reference(field.type_name.lstrip("."))
        if field.type in INTEGERS:
            return {"type": "integer", "format": INTEGERS[field.type]}
        if field.type in WIDE:
            return {"type": "string", "format": WIDE[field.type]}
        return dict(OTHERS[field.type])

    def _short(self, full_name: str) -> str:
        """`Produto`; `catalogo.MotivoErro` where several packages have the name."""
        package, _, name = full_name.rpartition(".")
        return f"{package.split('.')[1]}.{name}" if name in self._twice else name


def behaves(field: Field, behaviour: FieldBehavior) -> bool:
    return behaviour in field.options.Extensions[field_behavior_pb2.field_behavior]


def _limits(rules: validate_pb2.FieldRules) -> Json:
    kind = rules.WhichOneof("type")
    if kind == "string":
        formats = [name for name in FORMATS if getattr(rules.string, name)]
        return _renamed(rules.string, STRINGS) | ({"format": formats[0]} if formats else {})
    if kind in ("int32", "uint32", "int64", "uint64", "double", "float"):
        return _renamed(getattr(rules, kind), NUMBERS)
    return {}


def _or_empty(rules: validate_pb2.FieldRules, limits: Json) -> Json:
    """Limits that hold for a text only when there is one."""
    optional = rules.ignore == validate_pb2.IGNORE_IF_ZERO_VALUE and rules.WhichOneof("type") == "string"
    return {"anyOf": [{"maxLength": 0}, limits]} if optional and limits else limits


def _renamed(rules: Any, names: dict[str, str]) -> Json:  # noqa: ANN401  one of many rule types
    return {names[each.name]: value for each, value in rules.ListFields() if each.name in names}
