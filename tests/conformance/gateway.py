"""The fixture and server-everything, without and behind Envoy and Toolgate."""

import json
import shutil
from contextlib import ExitStack
from pathlib import Path

from installed import HERE, PACKAGES, node, process
from process import Process
from stack import Stack, listens
from workspace import REPOSITORY, choose_ports

# Where the policies say that the servers are.
UPSTREAMS = {"fixture": 7501, "everything": 7502}
SERVERS = list(UPSTREAMS)


class Gateway:
    """Runs from `with` to the end of its block, in `work`, which it empties first."""

    def __init__(self, work: Path) -> None:
        self.work = work
        fixture, everything, self._shim, *_ = choose_ports(fixed=False).values()
        self._ports = {"fixture": fixture, "everything": everything}
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

    def through(self, server: str) -> str:
        """The server behind Envoy and Toolgate, as somebody who may use everything."""
        return f"http://127.0.0.1:{self._shim}/{server}/mcp"

    def tester(self) -> str:
        """A token of somebody who may use everything."""
        return self.stack.token("tess", ["testers"], ttl=3600)

    def reader(self) -> str:
        """A token of somebody who may call one tool of each server."""
        return self.stack.token("rita", ["readers"], ttl=3600)

    def _edit(self, work: Path) -> None:
        shutil.rmtree(work / "policies")
        shutil.copytree(HERE / "policies", work / "policies")
        for path in work.glob("policies/**/*.yaml"):
            text = path.read_text()
            for server, port in UPSTREAMS.items():
                text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{self._ports[server]}")
            path.write_text(text)
        config = work / "envoy/toolgate.yaml"
        before = 'origins: ["'
        text = config.read_text()
        assert before in text
        # The suite comes like a browser that is on a page of the server's own.
        config.write_text(text.replace(before, f'{before}http://127.0.0.1:{self._shim}", "'))

    def _processes(self) -> list[Process]:
        run = self.stack.run
        fixture = node(HERE / "fixture/server.mjs", str(self._ports["fixture"]))
        everything = node(PACKAGES / "server-everything/dist/index.js", "streamableHttp")
        cert, key = self.stack.cert("ai-chat")
        options = {
            "listen": self._shim,
            "port": self.stack.ports["mtls"],
            "token": self.tester(),
            "ca": self.stack.ca,
            "cert": cert,
            "key": key,
        }
        shim = node(HERE / "shim.mjs", json.dumps(options))
        ports = self._ports
        return [
            process("fixture", fixture, lambda: listens(ports["fixture"]), run),
            process(
                "everything",
                everything,
                lambda: listens(ports["everything"]),
                run,
                PORT=str(ports["everything"]),
            ),
            process("shim", shim, lambda: listens(self._shim), run),
        ]


def gateway() -> Gateway:
    return Gateway(REPOSITORY / "target/conformance")
