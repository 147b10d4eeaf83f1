"""The page at /docs: complete, and without a way to anybody else."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from google.api.httpbody_pb2 import HttpBody

from gateway import pages
from gateway.pages import Headers, Page


class Metadata:
    """What a servicer sends ahead; stands where grpc's context does."""

    def __init__(self) -> None:
        self.sent: Headers = ()

    async def send_initial_metadata(self, metadata: Headers) -> None:
        self.sent = metadata


async def sent(page: Page) -> tuple[HttpBody, dict[str, str]]:
    context = Metadata()
    return HttpBody.FromString(await page.send(context)), dict(context.sent)


async def test_the_page_brings_all_it_asks_for() -> None:
    found = pages.load()
    html, _ = await sent(found[""])
    wanted = re.findall(r'(?:src|href)="([^"]+)"', html.data.decode())
    assert len(wanted) > 4
    assert {each.removeprefix("/docs/") for each in wanted if each != "/openapi.json"} <= found.keys()


@pytest.mark.parametrize("name", ["", "docs.js", "docs.css", "swagger-ui-bundle.js", "swagger-ui.css"])
async def test_a_file_has_its_type_and_is_not_guessed_at(name: str) -> None:
    body, headers = await sent(pages.load()[name])
    assert body.content_type.startswith("text/")
    assert body.content_type.endswith("; charset=utf-8")
    assert headers["x-content-type-options"] == "nosniff"
    assert len(body.data) > 50


async def test_the_page_may_talk_to_nobody_but_us() -> None:
    _, headers = await sent(pages.load()[""])
    policy = dict(each.strip().split(" ", 1) for each in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    for directive in ("script-src", "connect-src"):
        assert policy[directive] == "'self'"
    assert not re.search(r"https?:|\*", headers["content-security-policy"])


def test_our_files_name_no_other_host() -> None:
    for name in ("index.html", *pages.OURS):
        assert "//" not in re.sub(r"^\s*//.*$", "", (files("gateway.pages") / name).read_text(), flags=re.MULTILINE)


async def test_what_changes_with_the_program_is_asked_for_again() -> None:
    found = pages.load()
    assert (await sent(found[""]))[1]["cache-control"] == "no-cache"
    assert "max-age" in (await sent(found["swagger-ui-bundle.js"]))[1]["cache-control"]
