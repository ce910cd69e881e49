"""The fixture and server-everything, without and behind Envoy and Toolgate."""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from installed import HERE, PACKAGES, node, process
from process import Process
from stack import Stack, listens
from workspace import REPOSITORY, choose_ports

# Where the policies say that the servers are.
UPSTREAMS = {"fixture": 7501, "everything": 7502, "results": 7503}
# Ways through Envoy, by the workload that calls: with a token of ours, or with the client's own.
LANES = {"suite": "ai-chat", "own": "ai-chat", "elsewhere": "ide"}


class Gateway:
    """Runs from `with` to the end of its block, in `work`, which it empties first."""

    def __init__(self, work: Path) -> None:
        self.work = work
        ports = iter(choose_ports(fixed=False).values())
        self._ports = {server: next(ports) for server in UPSTREAMS}
        self._lanes = {lane: next(ports) for lane in LANES}
        self.stack = Stack(work, edit=self._edit)
        self._open = ExitStack()

    def __enter__(self) -> "Gateway":
        with ExitStack() as opening:
            opening.enter_context(self.stack)
            for one in self._processes():
                opening.callback(one.stop)
                one.start()
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def direct(self, server: str) -> str:
        """The server itself."""
        return f"http://127.0.0.1:{self._ports[server]}/mcp"

    def through(self, server: str, lane: str = "suite") -> str:
        """The server behind Envoy and Toolgate."""
        return f"http://127.0.0.1:{self._lanes[lane]}/{server}/mcp"

    def tester(self, name: str = "tess") -> str:
        """A token of somebody who may use everything."""
        return self.stack.token(name, ["testers"], ttl=3600)

    def reader(self) -> str:
        """A token of somebody who may call one tool of each server."""
        return self.stack.token("rita", ["readers"], ttl=3600)

    def sessions(self) -> list[str]:
        """Those that were opened through Envoy so far."""
        lines = (self.stack.run / "shim.log").read_text().splitlines()
        return [line.removeprefix("session ") for line in lines if line.startswith("session ")]

    def _edit(self, work: Path) -> None:
        shutil.rmtree(work / "policies")
        shutil.copytree(HERE / "policies", work / "policies")
        for path in work.glob("policies/**/*.yaml"):
            text = path.read_text()
            for server, port in UPSTREAMS.items():
                text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{self._ports[server]}")
            path.write_text(text)
        config = work / "envoy/toolgate.yaml"
        origin = f"http://127.0.0.1:{self._lanes['suite']}"
        before = 'origins: ["'
        text = config.read_text()
        assert before in text
        # The suite comes like a browser that is on a page of the server's own.
        config.write_text(text.replace(before, f'{before}{origin}", "'))

    def _processes(self) -> Iterator[Process]:
        run = self.stack.run
        for server, port in self._ports.items():
            if server == "everything":
                command = node(PACKAGES / "server-everything/dist/index.js", "streamableHttp")
            else:
                command = node(HERE / "fixture/server.mjs", str(port))
            yield process(server, command, partial(listens, port), run, PORT=str(port))
        command = node(HERE / "shim.mjs", json.dumps(self._shim()))
        yield process("shim", command, lambda: all(map(listens, self._lanes.values())), run)

    def _shim(self) -> dict[str, Any]:
        """What it is told."""
        lanes: list[dict[str, Any]] = []
        for lane, workload in LANES.items():
            cert, key = self.stack.cert(workload)
            lanes.append({"listen": self._lanes[lane], "cert": cert, "key": key})
        lanes[0]["token"] = self.tester()
        return {"port": self.stack.ports["mtls"], "ca": self.stack.ca, "lanes": lanes}


def gateway() -> Gateway:
    return Gateway(REPOSITORY / "target/conformance")
