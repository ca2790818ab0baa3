"""The fields of a multipart form, as uploads carry them."""

from __future__ import annotations

from email.message import Message

from tokenguard.testing.exchange import Request


def fields_of(request: Request) -> dict[str, str]:
    """The short fields of a multipart form, and ``filename``, as far as the form was kept."""
    boundary = _parameters(request.header("content-type") or "", "content-type").get("boundary", "")
    fields: dict[str, str] = {}
    for part in request.body.split(b"--" + boundary.encode())[1:] if boundary else []:
        head, _, value = part.partition(b"\r\n\r\n")
        for line in head.decode("utf-8", "replace").splitlines():
            name, _, rest = line.partition(":")
            if name.lower() != "content-disposition":
                continue
            found = _parameters(rest.strip(), name)
            if "filename" in found:
                fields["filename"] = found["filename"]
            elif "name" in found:
                fields[found["name"]] = value.removesuffix(b"\r\n").decode("utf-8", "replace")
    return fields


def _parameters(value: str, name: str) -> dict[str, str]:
    message = Message()
    message[name] = value
    return {key: str(found) for key, found in message.get_params([], name)[1:]}
