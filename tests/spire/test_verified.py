"""Callers' certificates verified once more, with the authorities that the agent gives Toolgate."""

from collections.abc import Iterator

import pytest

from mesh import Mesh


@pytest.fixture
def verifying(mesh: Mesh) -> Iterator[Mesh]:
    config = mesh.stack.config
    good = config.read_text()
    config.write_text(good.replace("  jwt_svid:", "  verify_certificates: true\n  jwt_svid:"))
    with mesh.stack.stopped("toolgate"):
        pass
    yield mesh
    config.write_text(good)
    with mesh.stack.stopped("toolgate"):
        pass


def test_who_has_signed_a_leaf_stands_in_the_bundle(verifying: Mesh) -> None:
    assert verifying.call().status == 200
    # The partner's authority is below a root, and only the root is published.
    answer = verifying.call(place="partner-ide")
    assert answer.status == 403
    decision = verifying.stack.decision(str(answer.header("x-toolgate-decision-id")))
    assert decision["reason"] == "workload_invalid"
    assert decision["detail"] == "no authority of the trust domain has signed the certificate"
