"""Accounts, passwords and keys on top of common.Machine: what the modules of users, files and SSH do,
as a list of events. SEED and COUNT in the environment give other and more random cases."""

import os
import random
from pathlib import Path
from unittest import mock

import common

SEED = int(os.environ.get("SEED", "1"))
COUNT = int(os.environ.get("COUNT", "0"))
if "OUT" in os.environ:
    common.DATA = Path(os.environ["OUT"])

PASSWD = "root:x:0:0:root:/root:/bin/bash\nold:x:1000:1000::/home/old:/bin/sh\nblank:x:1001:1001::/home/blank:/bin/sh\n"
GROUP = "root:x:0:\nold:x:1000:\nusers:x:100:\nadm:x:4:\n"
SHADOW = "root:*:1::::::\nold:$6$a$b:1::::::\nblank:!:1::::::\n"


def chance(seed):
    return random.Random(f"{SEED}-{seed}")


class Traced(common.Machine):
    def __init__(self, files=None, **kwargs):
        base = {"/etc/passwd": PASSWD, "/etc/group": GROUP, "/etc/shadow": SHADOW, "/etc/cloud/cloud.cfg": ""}
        super().__init__({**base, **(files or {})}, directories={"/", "/etc", "/etc/ssh"}, **kwargs)
        self.snappy = False
        self.made = None

    def names(self, path):
        return [line.split(":")[0] for line in self.files[path].splitlines()]

    def write(self, path, content, mode=0o644, omode="wb", preserve_mode=False, user=None, group=None, **kwargs):
        path = os.fspath(path)
        if isinstance(content, bytes):
            content = content.decode()
        elif not isinstance(content, str):
            content.encode
        append = "a" in omode
        if append and content == "" and not self.isfile(path):
            # An empty file is made first; what is written next has its mode.
            self.files[path], self.made = "", mode
            return
        if preserve_mode and self.isfile(path):
            mode, self.made = self.made, None
        if path == "/etc/shadow" and omode == "w":
            self.done.append(["shadow"])
        else:
            self.done.append(["append" if append else "write", path, content, mode])
        self.files[path] = (self.files.get(path, "") if append else "") + content

    def run(self, args, *rest, **kwargs):
        from cloudinit.subp import SubpResult

        for word in args:
            if not isinstance(word, (str, bytes)):
                raise TypeError(f"argument {word!r}")
        argv = list(args)
        event = ["run", argv]
        data = kwargs.get("data")
        hashed = None
        if argv[0] == "useradd" and "--password" in argv:
            at = argv.index("--password")
            hashed = argv[at + 1]
            event = ["run", argv[:at] + argv[at + 2 :]]
        if data is not None:
            event.append(data)
        self.done.append(event)
        if hashed is not None:
            if ":" in hashed or "\n" in hashed:
                self.done.pop()
                raise RuntimeError("useradd refuses")
            self.done.append(["run", ["chpasswd", "-e"], f"{argv[1]}:{hashed}"])
        if argv[0] == "ssh-keygen":
            self.files[argv[-1]] = ""
        name = argv[1] if argv[0] in ("useradd", "groupadd") else argv[-1]
        if argv[0] in ("useradd", "adduser"):
            self.files["/etc/passwd"] += f"{name}:x:2000:2000::/home/{name}:/bin/sh\n"
            self.files["/etc/shadow"] += f"{name}:!:1:0:99999:7:::\n"
            if "--gid" not in argv and "-G" not in argv and "--no-user-group" not in argv:
                self.files["/etc/group"] += f"{name}:x:2000:\n"
        elif argv[0] in ("groupadd", "addgroup") and len(argv) == (3 if "--extrausers" in argv else 2):
            self.files["/etc/group"] += f"{argv[1]}:x:2000:\n"
        return SubpResult('{"username": "a"}' if argv[0] == "snap" else "", "")

    def patched(self):
        from cloudinit import ssh_util, util

        stack = super().patched()
        put = lambda target, name, value: stack.enter_context(mock.patch.object(target, name, value))
        put(util, "write_file", self.write)
        put(util, "is_user", lambda name: text(name) in self.names("/etc/passwd"))
        put(util, "is_group", lambda name: text(name) in self.names("/etc/group"))
        put(util, "system_is_snappy", lambda: self.snappy)
        put(util, "make_header", lambda comment_char="#", base="created": f"# {base.title()}")
        put(ssh_util, "setup_user_keys", self.keys)
        return stack

    def ensure_dir(self, path, mode=None, *rest, **kwargs):
        # Also changes the mode of a directory that is there.
        if mode is not None or not self.isdir(path):
            self.done.append(["mkdir", path])
        self.directories.add(path)

    def keys(self, keys, user, options=None):
        keys = sorted({str(key) for key in keys})
        if text(user) not in self.names("/etc/passwd"):
            raise KeyError(user)
        self.done.append(["keys", user, keys, options or ""])


def text(name):
    if not isinstance(name, str):
        raise TypeError(name)
    return name


def run(case, machine, function):
    """Adds what happened and how it ended."""
    try:
        with machine.patched():
            function()
    except Exception as error:
        case["error"] = type(error).__name__
    case["done"] = machine.done
    return case
