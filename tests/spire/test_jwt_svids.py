"""JWT-SVIDs that SPIRE issued, verified with the bundles that its agent gives Toolgate."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

import raw
from load import Connection, Load
from mesh import DOMAIN, PARTNER_SERVICE, PARTNERS, TOOLGATE, WORKLOADS, Mesh
from stack import answers
from story import LAPTOP
from test_rotation import RATE, call

NIGHTLY = WORKLOADS["nightly-lineage"]


@dataclass(frozen=True)
class Row:
    """A call with nothing but a JWT-SVID, whose servers are `ours` and the `partner`'s."""

    what: str
    signer: str
    subject: str
    status: int = 200
    reason: str | None = None
    audience: str = TOOLGATE
    name: str = "list_tables"

    def __str__(self) -> str:
        return self.what


ROWS = [
    Row("a service", "ours", NIGHTLY),
    Row("a service that does what it may not", "ours", NIGHTLY, 200, "banned", name="overwrite_table"),
    Row("another audience", "ours", NIGHTLY, 401, "token_invalid", f"spiffe://{DOMAIN}/other"),
    Row("no service", "ours", WORKLOADS["stranger"], 401, "unauthenticated"),
    Row("a surface without a user", "ours", WORKLOADS["ai-chat"], 401, "unauthenticated"),
    Row("a service of the partner", "partner", PARTNER_SERVICE),
    Row("the partner, not named", "partner", PARTNERS["partner-chat"], 401, "unauthenticated"),
]


def ask(mesh: Mesh, token: str, name: str = "list_tables") -> raw.Answer:
    return mesh.call(name=name, token=token, place=LAPTOP)


def mint(mesh: Mesh) -> str:
    return mesh.server.mint_jwt(NIGHTLY, TOOLGATE)


def until(mesh: Mesh, reached: Callable[[], bool], complaint: str) -> None:
    mesh.stack.processes["toolgate"].wait_until(reached, complaint)


def part(mesh: Mesh) -> dict[str, str]:
    """What Toolgate says of its bundles."""
    (found,) = [part for part in mesh.stack.status()["parts"] if part["part"] == "trust bundles"]
    return dict(found)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_what_a_jwt_svid_proves(mesh: Mesh, row: Row) -> None:
    server = mesh.server if row.signer == "ours" else mesh.partner
    before = mesh.stack.mark()
    answer = ask(mesh, server.mint_jwt(row.subject, row.audience), row.name)
    arrived = mesh.stack.records(before)
    assert (answer.status, len(arrived)) == (row.status, 0 if row.reason else 1), answer
    told = arrived[0].header("x-toolgate-decision-id") if arrived else []
    decision = mesh.stack.decision(*told or [str(answer.header("x-toolgate-decision-id"))])
    assert decision.get("reason") == row.reason, decision


def test_a_trust_domain_that_the_entry_does_not_name_is_nobodys(mesh: Mesh) -> None:
    token = mesh.partner.mint_jwt(PARTNER_SERVICE, TOOLGATE)
    assert ask(mesh, token).status == 200
    mesh.agent.forget(mesh.entries["toolgate"])
    mesh.admit_toolgate([])
    until(mesh, lambda: ask(mesh, token).status == 401, "still believes the partner")
    assert ask(mesh, mint(mesh)).status == 200
    mesh.agent.forget(mesh.entries["toolgate"])
    mesh.admit_toolgate()
    until(mesh, lambda: ask(mesh, token).status == 200, "does not believe the partner")


def test_toolgate_may_start_before_the_agent(mesh: Mesh) -> None:
    token = mint(mesh)
    toolgate = mesh.stack.processes["toolgate"]
    toolgate.stop()
    # Nobody renews certificates from now on, and those that there are outlast what follows.
    mesh.wait_for_fresh("ai-chat")
    mesh.agent.process.kill()
    try:
        toolgate.start(lambda: answers(mesh.stack.ports["toolgate"], "/livez"))
        # Who brings a certificate and a user's token does not need them.
        assert mesh.call().status == 200
        assert mesh.stack.admin("/readyz")[0] == 503
        assert part(mesh)["state"] == "down"
        assert part(mesh)["reason"].startswith("not known: ")
        assert ask(mesh, token).status == 503
    finally:
        mesh.agent.process.start()
    until(mesh, lambda: mesh.stack.admin("/readyz")[0] == 200, "does not become ready")
    assert ask(mesh, token).status == 200


def test_whose_entry_is_gone_verifies_nothing(mesh: Mesh) -> None:
    token = mint(mesh)
    assert ask(mesh, token).status == 200
    mesh.agent.forget(mesh.entries["toolgate"])
    began = time.monotonic()
    try:
        until(mesh, lambda: ask(mesh, token).status == 503, "still verifies JWT-SVIDs")
        print(f"withdrawn after {time.monotonic() - began:.1f} s")
        assert part(mesh)["state"] == "down"
        assert "does not know this process" in part(mesh)["reason"]
        assert mesh.stack.admin("/readyz")[0] == 503
    finally:
        mesh.admit_toolgate()
    until(mesh, lambda: ask(mesh, token).status == 200, "does not come back")


@contextmanager
def traffic(mesh: Mesh) -> Iterator[None]:
    """Good calls, each with a JWT-SVID that is at most a second old; none of them is refused."""
    minted = [0.0, mint(mesh)]

    def bytes_of(number: int) -> bytes:
        if time.monotonic() - float(minted[0]) > 1:
            minted[:] = [time.monotonic(), mint(mesh)]
        return call(str(minted[1]))(number)

    load = Load(RATE, [(Connection(mesh.stack.ports["plain"]), [0])], [bytes_of])
    load.start()
    try:
        yield
    finally:
        noted = load.stop()
    refused = [(one.status, one.body[:200].decode()) for one in noted if one.status != 200]
    print(f"{len(noted)} calls, {len(refused)} refused")
    assert noted and not refused, json.dumps(refused[:5], indent=2)


def test_nobody_notices_that_the_agent_is_killed(mesh: Mesh) -> None:
    with traffic(mesh):
        mesh.agent.process.kill()
        until(mesh, lambda: part(mesh)["state"] == "degraded", "does not notice")
        assert mesh.stack.admin("/readyz")[0] == 200
        time.sleep(2)
        mesh.agent.process.start()
        until(mesh, lambda: part(mesh)["state"] == "ok", "does not come back to the agent")


def test_an_authority_goes_and_nobody_notices_but_whom_only_it_knew(mesh: Mesh) -> None:
    kept, old = mint(mesh), mesh.server.signing("jwt")
    with traffic(mesh):
        new = mesh.server.prepare("jwt")
        until(mesh, lambda: f"{DOMAIN}: 2" in part(mesh)["reason"], "does not hear of a new key")
        mesh.server.activate(new, "jwt")
        time.sleep(3)
        assert ask(mesh, kept).status == 200
        mesh.server.withdraw_jwt(old)
        until(mesh, lambda: ask(mesh, kept).status == 401, "still believes what was withdrawn")
