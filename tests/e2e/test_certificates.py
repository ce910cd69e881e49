"""Who calls is what the certificate says now, and not what it said at the handshake."""

import http.client
import shutil
import time
from collections.abc import Iterator

import pytest

import raw
from bad.row import MODERN_CALL
from stack import Stack
from test_bad_requests import MODERN_HEADERS
from wire import USUAL
from workspace import REPOSITORY

LIFETIME = 4  # seconds


@pytest.fixture(scope="module")
def brief() -> Iterator[Stack]:
    """A stack whose certificate `short` is about to run out."""
    with Stack(REPOSITORY / "target/e2e/certificates", short_seconds=LIFETIME) as stack:
        yield stack


def test_a_certificate_that_runs_out_on_an_open_connection_is_nobody(brief: Stack) -> None:
    headers = dict([*USUAL, *MODERN_HEADERS, ("Authorization", f"Bearer {brief.sign_in('alice')}")])
    tls = raw.tls(brief.ca, brief.cert("short"))
    connection = http.client.HTTPSConnection("localhost", brief.ports["mtls"], context=tls)

    def ask() -> tuple[int, bytes]:
        connection.request("POST", "/presto/mcp", MODERN_CALL, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    assert ask()[0] == 200
    socket = connection.sock
    time.sleep(LIFETIME + 1)
    status, body = ask()
    assert connection.sock is socket, "a new connection would prove nothing"
    assert status == 403 and b'"workload_invalid"' in body
    connection.close()
    # And it opens none any more.
    sent = raw.request("POST", "/presto/mcp", headers.items(), MODERN_CALL)
    assert raw.exchange(brief.ports["mtls"], sent, tls).status == 0


def test_without_a_certificate_there_is_no_connection(brief: Stack) -> None:
    sent = raw.request("GET", "/")
    assert raw.exchange(brief.ports["mtls"], sent, raw.tls(brief.ca, None)).status == 0
    answer = raw.exchange(brief.ports["mtls"], sent, raw.tls(brief.ca, brief.cert("ide")))
    assert answer.status == 404


def test_a_certificate_of_another_authority_opens_no_connection(brief: Stack, stack: Stack) -> None:
    # The same SPIFFE ID, from a mesh that this one does not trust.
    sent = raw.request("GET", "/")
    tls = raw.tls(brief.ca, stack.cert("ai-chat"))
    assert raw.exchange(brief.ports["mtls"], sent, tls).status == 0


def test_files_that_are_replaced_are_taken_up(brief: Stack) -> None:
    """Envoy's own certificate, and the bundle that callers' must lead to, without a restart."""
    sent = raw.request("GET", "/")
    port = brief.ports["mtls"]
    assert raw.exchange(port, sent, raw.tls(brief.ca, brief.cert("ide"))).status == 404
    former = shutil.copytree(brief.run / "certs", brief.run / "former")
    # A new authority, and everybody's certificates from it.
    brief.identity("pki", "--dir", str(brief.run / "certs"))
    envoy = brief.processes["envoy"]

    def answers() -> int:
        return raw.exchange(port, sent, raw.tls(brief.ca, brief.cert("ide"))).status

    envoy.wait_until(lambda: answers() == 404, "does not take up what was replaced")
    # The former authority's certificate, shown to an Envoy whose new one is believed.
    kept = raw.tls(brief.ca, (str(former / "ide.pem"), str(former / "ide.key")))
    assert raw.exchange(port, sent, kept).status == 0
