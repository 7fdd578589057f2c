"""A machine made of a dictionary, under the real modules of cloud-init.

Every script beside this one takes the path of a cloud-init checkout (26.2) and writes data files of the
tests: cases with what the real program does with them.
"""

import json
import os
import sys
import time
from pathlib import Path
from unittest import mock

DATA = Path(__file__).resolve().parent.parent / "data"


def checkout():
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} CLOUD-INIT-CHECKOUT")
    sys.path.insert(0, sys.argv[1])
    import logging

    logging.disable(logging.CRITICAL)


def load(text):
    """User-data's YAML as cloud-init reads it; an empty one is an empty mapping."""
    import yaml

    return yaml.safe_load(text) or {}


def save(name, cases):
    path = DATA / f"{name}.jsonl"
    with open(path, "w", encoding="utf-8") as out:
        for case in cases:
            out.write(json.dumps(case, sort_keys=True) + "\n")
    print(f"{path}: {len(cases)} cases")


class Machine:
    """Files in memory; what is written and run is noted down."""

    def __init__(self, files=None, directories=(), programs=(), kernel_name="localhost"):
        self.files = dict(files or {})
        self.directories = set(directories)
        self.programs = set(programs)
        self.kernel_name = kernel_name
        self.done = []
        self.fail = lambda argv: False

    def exists(self, path):
        path = os.fspath(path)
        return (
            path in self.files
            or path.rstrip("/") in self.directories
            or any(name.startswith(path.rstrip("/") + "/") for name in self.files)
        )

    def isfile(self, path):
        return os.fspath(path) in self.files

    def isdir(self, path):
        return self.exists(path) and not self.isfile(path)

    def read(self, path, *args, **kwargs):
        path = os.fspath(path)
        if path not in self.files:
            raise FileNotFoundError(2, "No such file", path)
        return self.files[path]

    def write(self, filename, content, mode=0o644, omode="wb", **kwargs):
        path = os.fspath(filename)
        if isinstance(content, bytes):
            content = content.decode()
        kind = "append" if "a" in omode else "write"
        self.done.append([kind, path, content])
        self.files[path] = (self.files.get(path, "") if kind == "append" else "") + content

    def run(self, args, *rest, **kwargs):
        from cloudinit.subp import ProcessExecutionError, SubpResult

        argv = [args] if isinstance(args, str) else [str(word) for word in args]
        if argv == ["hostname"]:
            return SubpResult(self.kernel_name, "")
        self.done.append(["run", argv])
        if self.fail(argv):
            raise ProcessExecutionError(cmd=argv, exit_code=1)
        if argv[-2:] == ["install", "locales"]:
            self.programs |= {"locale-gen", "update-locale"}
        if argv[:2] == ["snap", "get"]:
            return SubpResult("{}", "")
        return SubpResult("", "")

    def ensure_dir(self, path, mode=None, *rest, **kwargs):
        if not self.isdir(path):
            self.directories.add(path)
            self.done.append(["mkdir", path])

    def which(self, name, *rest, **kwargs):
        return f"/usr/bin/{name}" if name in self.programs else None

    def unlink(self, path):
        self.done.append(["remove", path])
        self.files.pop(path, None)

    def link(self, source, link, *rest, **kwargs):
        self.done.append(["link", link, source])

    def patched(self):
        """All that reaches the real machine, replaced."""
        import contextlib

        from cloudinit import atomic_helper, subp, util

        stack = contextlib.ExitStack()
        put = lambda target, name, value: stack.enter_context(mock.patch.object(target, name, value))
        put(os.path, "exists", self.exists)
        put(os.path, "isfile", self.isfile)
        put(os.path, "isdir", self.isdir)
        put(os.path, "islink", lambda path: False)
        put(util, "load_text_file", self.read)
        put(util, "load_binary_file", lambda path, *a, **k: self.read(path).encode())
        put(util, "write_file", self.write)
        put(atomic_helper, "write_file", self.write)
        put(util, "ensure_dir", self.ensure_dir)
        put(util, "del_file", self.unlink)
        put(util, "sym_link", self.link)
        put(util, "chmod", lambda *a: None)
        put(util, "get_hostname", lambda: self.kernel_name)
        put(subp, "subp", self.run)
        put(subp, "which", self.which)
        put(time, "gmtime", lambda *a: time.struct_time((1970, 1, 1, 0, 0, 12, 3, 1, 0)))
        return stack


class Stat:
    st_size = 1


def cloud(distro, config, metadata, machine):
    """A cloud of that distribution with that metadata."""
    from cloudinit import cloud as clouds
    from cloudinit import distros, helpers, version
    from cloudinit.sources.DataSourceNone import DataSourceNone

    paths = helpers.Paths({"cloud_dir": "/var/lib/cloud", "run_dir": "/run/cloud-init"})
    kind = distros.fetch(distro)
    real = kind(distro, dict(config.get("system_info") or {}), paths)
    source = DataSourceNone({}, real, paths)
    source.metadata = metadata
    return clouds.Cloud(source, paths, config, real, None)
