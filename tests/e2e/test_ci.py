"""What CI does with the reports and with examples/ci, as far as no network is needed."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from jsonschema import Draft7Validator

from workspace import REPOSITORY

TOOLGATE = REPOSITORY / "target/debug/toolgate"
CI = REPOSITORY / "examples/ci"
SARIF = Draft7Validator(
    json.loads((REPOSITORY / "tests/sarif/sarif-schema-2.1.0.json").read_text()),
    format_checker=Draft7Validator.FORMAT_CHECKER,
)
FIXTURES = sorted(
    path.name
    for path in (REPOSITORY / "tests/lint").iterdir()
    if path.is_dir() and path.name != "base"
)
PATH = os.environ["PATH"]


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {"PATH": f"{TOOLGATE.parent}:{PATH}", "HOME": str(cwd), **environment}
    return subprocess.run(command, cwd=cwd, env=kept, text=True, capture_output=True, check=False)


def git(*arguments: str, cwd: Path) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    done = run("git", *identity, "-c", "init.defaultBranch=main", *arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository of policies, as somebody checked it out."""
    clone = tmp_path / "clone"
    shutil.copytree(REPOSITORY / "policies", clone / "policies")
    git("init", "--quiet", cwd=clone)
    git("add", ".", cwd=clone)
    git("commit", "--quiet", "--message", "policies", cwd=clone)
    return clone


def break_policies(clone: Path) -> None:
    file = clone / "policies/servers/presto.yaml"
    file.write_text(file.read_text() + "\nnonsense: [<&>\x07]\n")


def fail_a_case(clone: Path) -> None:
    (clone / "policies/tests/wrong.yaml").write_text(
        "toolgate: 1\nnow: 2026-11-20T12:00:00Z\npeople: { ana: { groups: [ads] } }\n"
        "allowed:\n  - { who: ana, via: ai-chat, call: presto/get_revenue_metrics }\n"
    )


def sarif(cwd: Path) -> dict[str, Any]:
    done = run(TOOLGATE, "lint", "--format", "sarif", cwd=cwd)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def fixture(name: str, directory: Path) -> Path:
    policies = directory / "policies"
    for part in ["base", name]:
        shutil.copytree(REPOSITORY / "tests/lint" / part, policies, dirs_exist_ok=True)
    return directory


@pytest.mark.parametrize("name", FIXTURES)
def test_sarif_is_valid_and_points_at_what_is_there(name: str, tmp_path: Path):
    log = sarif(fixture(name, tmp_path))
    assert [error.message for error in SARIF.iter_errors(log)] == []
    (run_,) = log["runs"]
    assert run_["results"]
    for result in run_["results"]:
        assert run_["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        for location in result["locations"]:
            physical = location["physicalLocation"]
            lines = (tmp_path / physical["artifactLocation"]["uri"]).read_text().split("\n")
            region = physical.get("region")
            if region:
                assert lines[region["startLine"] - 1][region["startColumn"] - 1 :], region


def test_sarif_of_broken_policies_is_valid(clone: Path):
    break_policies(clone)
    log = sarif(clone)
    assert list(SARIF.iter_errors(log)) == []
    assert log["runs"][0]["results"][0]["level"] == "error"


def test_the_validator_sees_what_is_wrong(tmp_path: Path):
    log = sarif(fixture("unused-suppression", tmp_path))
    for path, wrong in [
        (("level",), "fatal"),
        (("message",), "text"),
        (("ruleIndex",), -2),
        (("locations", 0, "physicalLocation", "region", "startLine"), 0),
        (("fixes", 0, "artifactChanges"), []),
        (("unknown",), 1),
    ]:
        broken = json.loads(json.dumps(log))
        at = broken["runs"][0]["results"][0]
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = wrong
        assert list(SARIF.iter_errors(broken)), path


def test_reports_say_the_same_as_exit_codes(clone: Path):
    for spoil, codes in [(None, (0, 0)), (fail_a_case, (0, 1)), (break_policies, (1, 2))]:
        if spoil:
            spoil(clone)
        for command, code in zip(["lint", "test"], codes, strict=True):
            junit = run(TOOLGATE, command, "--format", "junit", cwd=clone)
            assert junit.returncode == code, junit.stderr
            suites = ElementTree.fromstring(junit.stdout)
            assert (int(suites.attrib["failures"]) > 0) == (code > 0), junit.stdout
            assert len(suites.findall(".//failure")) == int(suites.attrib["failures"])
            assert len(suites.findall(".//testcase")) == int(suites.attrib["tests"])
            github = run(TOOLGATE, command, "--format", "github", cwd=clone)
            assert github.returncode == code
            # A runner looks for commands in every line: none shows a file's text as it stands.
            assert github.stderr == ""
            assert all(line.startswith("::") for line in github.stdout.splitlines()[:-1])
            assert github.stdout.startswith("::error ") == (code > 0), github.stdout
            for file in re.findall(r"^::\w+ file=([^,]+),line=\d", github.stdout, re.MULTILINE):
                assert (clone / file).is_file()
        gitlab = json.loads(run(TOOLGATE, "lint", "--format", "gitlab", cwd=clone).stdout)
        assert any(entry["severity"] == "major" for entry in gitlab) == (codes[0] > 0)


def test_nothing_but_text_for_a_terminal_is_coloured(clone: Path):
    break_policies(clone)
    script = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"
    for format_ in ["text", "json", "sarif", "github", "gitlab", "junit"]:
        command = [sys.executable, "-c", script, TOOLGATE, "lint", "--format", format_]
        coloured = {
            name: "\x1b[" in run(*command, cwd=clone, TERM="xterm", **environment).stdout
            for name, environment in [("plain", {}), ("refused", {"NO_COLOR": "1"})]
        }
        assert coloured == {"plain": format_ == "text", "refused": False}, format_


def test_quiet_says_nothing_if_all_is_well(clone: Path):
    for command in ["lint", "test"]:
        done = run(TOOLGATE, command, "--quiet", cwd=clone)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    fail_a_case(clone)
    assert "FAILED" in run(TOOLGATE, "test", "--quiet", cwd=clone).stdout


class Job:
    """A job of examples/ci/github.yml, as a runner takes it; docker and gh are stand-ins.

    The comments of the pull request are the files below `comments`."""

    PERMISSIONS = {
        "check": {"contents": "read", "security-events": "write"},
        "diff": {"contents": "read", "pull-requests": "write"},
    }

    def __init__(self, name: str, clone: Path, temporary: Path, *, fork: bool = False):
        workflow = yaml.safe_load((CI / "github.yml").read_text())
        # YAML 1.1 takes `on` for a boolean, and GitHub does not.
        assert set(workflow) == {"name", True, "permissions", "jobs"}
        assert "pull_request_target" not in workflow[True]
        assert workflow["permissions"] == {}
        jobs = workflow["jobs"]
        assert {name: job["permissions"] for name, job in jobs.items()} == self.PERMISSIONS
        self.steps = jobs[name]["steps"]
        assert self.steps[0]["with"]["persist-credentials"] is False
        assert all("${{" not in step.get("run", "") for step in self.steps)
        self.clone = clone
        self.temporary = temporary
        self.fork = fork
        self.comments = temporary / "comments"
        self.comments.mkdir(parents=True)
        docker = temporary / "stand-in/docker"
        docker.parent.mkdir(parents=True)
        docker.write_text(
            '#!/bin/sh\ncase "$1 $2" in\n"create image") echo box ;;\n'
            f'"cp box:/usr/local/bin/toolgate") cp {TOOLGATE} "$3" ;;\n'
            '"rm box") ;;\n*) exit 9 ;;\nesac\n'
        )
        gh = docker.with_name("gh")
        gh.write_text(
            f'#!/bin/sh\ncd {self.comments} && [ "$GH_TOKEN" = token ] || exit 9\n'
            'case "$1 $2 $3 $4" in\n'
            '"api --paginate repos/o/r/issues/7/comments --jq") ls | sed -n "s/^[0-9]*$/&/p" ;;\n'
            '"api --method POST repos/o/r/issues/7/comments") cp "${6#body=@}" 41 ;;\n'
            '"api --method PATCH repos/o/r/issues/comments/41") cp "${6#body=@}" 41 ;;\n'
            "*) exit 9 ;;\nesac\n"
        )
        for tool in [docker, gh]:
            tool.chmod(0o755)

    def runs(self, condition: str, failed: bool) -> bool:
        ours = "full_name == github.repository" in condition
        return not (failed and "cancelled" not in condition) and not (ours and self.fork)

    def outcomes(self, base: str = "") -> dict[str, int]:
        codes = {}
        path = f"{self.temporary}/stand-in:{PATH}"
        file = self.temporary / "path"
        file.write_text("")
        known = {
            "${{ github.event.pull_request.base.sha }}": base,
            "${{ github.event.pull_request.number }}": "7",
            "${{ github.repository }}": "o/r",
            "${{ github.token }}": "token",
        }
        for step in self.steps:
            if "run" not in step or not self.runs(step.get("if", ""), any(codes.values())):
                continue
            environment = {
                "PATH": ":".join([*reversed(file.read_text().split()), path]),
                "GITHUB_PATH": str(file),
                "GITHUB_STEP_SUMMARY": str(self.temporary / "summary"),
                "RUNNER_TEMP": str(self.temporary),
                "TOOLGATE_IMAGE": "image",
                **{name: known[value] for name, value in step.get("env", {}).items()},
            }
            shell = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c"]
            done = run(*shell, step["run"], cwd=self.clone, **environment)
            codes[step["name"]] = done.returncode
        return codes


@pytest.mark.parametrize(
    ("spoil", "codes"),
    [(None, (0, 0, 0)), (fail_a_case, (0, 1, 0)), (break_policies, (1, 2, 0))],
)
def test_the_workflow_runs(spoil: Any, codes: tuple[int, ...], clone: Path, tmp_path: Path):
    if spoil:
        spoil(clone)
    outcomes = Job("check", clone, tmp_path / "runner").outcomes()
    names = ["Lint", "Test", "Lint again, for code scanning"]
    assert outcomes == {"Install Toolgate": 0, **dict(zip(names, codes, strict=True))}
    log = json.loads((tmp_path / "runner/toolgate.sarif").read_text())
    assert list(SARIF.iter_errors(log)) == []
    assert run("git", "status", "--short", "--ignored", cwd=clone).stdout.count("\n") == bool(spoil)


def widen(clone: Path) -> None:
    file = clone / "policies/servers/presto.yaml"
    text = file.read_text()
    assert "people: [ads-eng]" in text
    file.write_text(text.replace("people: [ads-eng]", "people: [ads-eng, finance]"))


@pytest.mark.parametrize("fork", [False, True])
def test_a_pull_request_is_told_once_what_it_does(fork: bool, clone: Path, tmp_path: Path):
    base = run("git", "rev-parse", "HEAD", cwd=clone).stdout.strip()
    job = Job("diff", clone, tmp_path / "runner", fork=fork)
    told = [
        (None, 0, "No access change"),
        (widen, 0, "WIDER"),
        (break_policies, 2, "no answer"),
    ]
    for change, code, title in told:
        if change:
            change(clone)
            git("commit", "--quiet", "--all", "--message", title, cwd=clone)
        comment = {} if fork else {"Comment": 0}
        assert job.outcomes(base) == {"Install Toolgate": 0, "Compare": code, **comment}
        bodies = [comment.read_text() for comment in job.comments.iterdir()]
        summary = (tmp_path / "runner/summary").read_text()
        for text in [summary.rsplit("<!-- toolgate-diff -->\n", 1)[1], *bodies]:
            assert title in text, text
        assert len(bodies) == (not fork)
        assert all(body.startswith("<!-- toolgate-diff -->\n") for body in bodies)
    assert run("git", "status", "--short", "--ignored", cwd=clone).stdout == ""


@pytest.mark.parametrize(("spoil", "code"), [(None, 0), (fail_a_case, 1), (break_policies, 1)])
def test_the_gitlab_job_runs(spoil: Any, code: int, clone: Path):
    if spoil:
        spoil(clone)
    job = yaml.safe_load((CI / "gitlab.yml").read_text())["policies"]
    script = "\n".join(["set -e", *job["script"]])
    assert (run("sh", "-c", script, cwd=clone).returncode != 0) == (code != 0)
    reports = job["artifacts"]["reports"]
    assert isinstance(json.loads((clone / reports["codequality"]).read_text()), list)
    for report in reports["junit"]:
        ElementTree.parse(clone / report)


def test_the_hooks_run(clone: Path, tmp_path: Path):
    hooks = tmp_path / "toolgate"
    hooks.mkdir()
    shutil.copy(REPOSITORY / ".pre-commit-hooks.yaml", hooks)
    git("init", "--quiet", cwd=hooks)
    git("add", ".", cwd=hooks)
    git("commit", "--quiet", "--message", "hooks", cwd=hooks)
    commit = run("git", "rev-parse", "HEAD", cwd=hooks).stdout.strip()
    config = (CI / "pre-commit-config.yaml").read_text()
    config = config.replace("TOOLGATE_REPOSITORY", str(hooks)).replace("COMMIT", commit)
    (clone / ".pre-commit-config.yaml").write_text(config)
    git("add", ".", cwd=clone)

    def hook(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pre_commit", "run", *arguments]
        return run(*command, cwd=clone, PRE_COMMIT_HOME=str(tmp_path / "cache"))

    good = hook("--all-files")
    assert good.returncode == 0, good.stdout + good.stderr
    assert good.stdout.count("Passed") == 2
    # A change elsewhere starts none of them.
    assert hook("--files", ".pre-commit-config.yaml").stdout.count("Skipped") == 2
    fail_a_case(clone)
    git("add", ".", cwd=clone)
    bad = hook()
    assert bad.returncode == 1
    assert bad.stdout.count("Passed") == 1
    assert "expected allowed, was refused because no_grant" in bad.stdout


@pytest.mark.parametrize(
    ("schema", "file"),
    [("vendor.github-workflows", "github.yml"), ("vendor.gitlab-ci", "gitlab.yml")],
)
def test_the_files_are_what_their_schemas_take(schema: str, file: str, tmp_path: Path):
    transform = ["--data-transform", "gitlab-ci"] if "gitlab" in schema else []
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *transform]
    right = run(*check, CI / file, cwd=tmp_path)
    assert right.returncode == 0, right.stdout
    wrong = tmp_path / file
    wrong.write_text((CI / file).read_text().replace("run:", "runs:").replace("junit:", "junits:"))
    assert run(*check, wrong, cwd=tmp_path).returncode == 1
