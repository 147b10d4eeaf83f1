"""The page at /docs: our own few lines around the script and style of Swagger UI, which a package brings as files."""

from collections.abc import Mapping
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from google.api.httpbody_pb2 import HttpBody

Headers = tuple[tuple[str, str], ...]

# The page may load from, and talk to, nobody but us. Swagger UI sets style attributes and has pictures in its styles.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
COMMON: Headers = (("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"))
FRESH: Headers = (*COMMON, ("cache-control", "no-cache"))
KEPT: Headers = (*COMMON, ("cache-control", "public, max-age=3600"))  # an hour: a new version comes with a new install

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
}
OURS = ("docs.js", "docs.css")
THEIRS = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")


class Page:
    """One file as a google.api.HttpBody, serialised once, and the HTTP headers that go with it."""

    def __init__(self, content_type: str, data: bytes, headers: Headers = FRESH) -> None:
        self._body: bytes = HttpBody(content_type=content_type, data=data).SerializeToString()
        self._headers = headers

    async def send(self, context: Any) -> bytes:  # noqa: ANN401  grpc's
        """What a servicer's method returns; the headers go ahead as metadata."""
        await context.send_initial_metadata(self._headers)
        return self._body


def load() -> Mapping[str, Page]:
    """Every file of the page by its name; "" is the page itself. FileNotFoundError when the package has changed."""
    ours, theirs = files("gateway.pages"), _swagger_ui()
    pages = {name: _page(name, (ours / name).read_bytes()) for name in OURS}
    pages |= {name: _page(name, (theirs / name).read_bytes()) for name in THEIRS}
    html = (ours / "index.html").read_bytes()
    return pages | {"": Page(TYPES[".html"], html, (*FRESH, ("content-security-policy", POLICY)))}


def _page(name: str, data: bytes) -> Page:
    return Page(TYPES[Path(name).suffix], data, KEPT)


def _swagger_ui() -> Path:
    """The folder of Swagger UI's files; the package itself is not imported, for it would want Flask."""
    spec = find_spec("flask_swagger_ui")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package flask-swagger-ui is not installed")
    return Path(spec.origin).parent / "dist"
