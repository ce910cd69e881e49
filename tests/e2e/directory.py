"""A policy directory, and the ways in which it comes to hold other files."""

import os
import shutil
import time
from pathlib import Path

Files = dict[str, bytes]


def files_of(root: Path) -> Files:
    """As Toolgate reads a directory: links followed, dot files left out."""
    found: Files = {}
    for directory, names, files in os.walk(root, followlinks=True):
        names[:] = [name for name in names if not name.startswith(".")]
        for name in files:
            if not name.startswith("."):
                path = Path(directory, name)
                found[str(path.relative_to(root))] = path.read_bytes()
    return found


def edited(files: Files, path: str, before: str, after: str) -> Files:
    text = files[path].decode()
    assert before in text, before
    return {**files, path: text.replace(before, after).encode()}


def broken(files: Files) -> Files:
    return edited(files, "servers/presto.yaml", "effect: read", "effect: reed")


def half_written(files: Files) -> Files:
    presto = files["servers/presto.yaml"]
    return {**files, "servers/presto.yaml": presto[: presto.index(b"call: [browse") + 10]}


# The ways.


def in_place(root: Path, files: Files) -> None:
    _remove_others(root, files)
    for path, content in files.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_bytes(content)


def by_rename(root: Path, files: Files) -> None:
    for path, content in files.items():
        (root / path).parent.mkdir(exist_ok=True)
        new = (root / path).with_name(".new")
        new.write_bytes(content)
        new.rename(root / path)
    _remove_others(root, files)


def like_git(root: Path, files: Files) -> None:
    """Every file is removed and written anew."""
    _remove_others(root, files)
    for path, content in files.items():
        (root / path).unlink(missing_ok=True)
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_bytes(content)


def by_link(root: Path, files: Files) -> None:
    """As a ConfigMap is swapped: everything leads through `..data`."""
    version = root / f"..{time.monotonic_ns()}"
    for path, content in files.items():
        (version / path).parent.mkdir(parents=True, exist_ok=True)
        (version / path).write_bytes(content)
    version.mkdir(exist_ok=True)
    link = root / "..new"
    link.symlink_to(version.name)
    link.rename(root / "..data")
    wanted = {path.split("/", 1)[0] for path in files}
    for entry in root.iterdir():
        if entry.name.startswith(".") or (entry.is_symlink() and entry.name in wanted):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    for name in wanted:
        if not (root / name).is_symlink():
            (root / name).symlink_to(f"..data/{name}")
    for old in root.glob("..[0-9]*"):
        if old != version:
            shutil.rmtree(old)


def _remove_others(root: Path, files: Files) -> None:
    for path in files_of(root).keys() - files.keys():
        (root / path).unlink()


MEANS = [in_place, by_rename, like_git, by_link]
