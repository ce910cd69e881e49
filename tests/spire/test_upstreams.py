"""Behind Envoy, who answers is whom the policy names, by the agent's bundles."""

import pytest

from mesh import DOMAIN, ENVOY, KNOWLEDGE, PARTNER, Mesh
from test_upstream_tls import Upstream, server_tls

# Who stands at the address, and who signed for it.
OTHERS = {
    "another workload": (f"spiffe://{DOMAIN}/ns/other/sa/server", DOMAIN),
    "the partner's": (f"spiffe://{PARTNER}/ns/knowledge/sa/server", PARTNER),
    "forged by the partner": (KNOWLEDGE, PARTNER),
}


def upstream(mesh: Mesh, identity: str, signed_by: str) -> Upstream:
    if signed_by == DOMAIN:
        cert = mesh.server.mint(identity, mesh.run / "upstream", 600)
    else:
        cert = mesh.partner_key.sign(identity)
    mesh.workloads["ai-chat"].tls()
    tls = server_tls(mesh.workloads["ai-chat"].ca, cert)
    return Upstream(mesh.stack.ports["spare"], tls)


def test_a_server_with_the_right_identity_is_reached(mesh: Mesh) -> None:
    with upstream(mesh, KNOWLEDGE, DOMAIN).running() as server:
        answer = mesh.call("knowledge", "search")
    assert answer.status == 200 and "result" in answer.json()
    ((peer,), (headers,)) = (server.peers, server.requests)
    assert ("URI", ENVOY) in peer["subjectAltName"]
    assert "authorization" not in {name.lower() for name in headers}


@pytest.mark.parametrize("who", OTHERS)
def test_a_server_with_another_identity_receives_nothing(mesh: Mesh, who: str) -> None:
    with upstream(mesh, *OTHERS[who]).running() as server:
        assert mesh.call("knowledge", "search").status == 503
    assert server.connections > 0, "Envoy went elsewhere"
    assert server.requests == []
