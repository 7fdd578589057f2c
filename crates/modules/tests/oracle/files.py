"""write_files, runcmd, bootcmd and scripts: write_files_more.jsonl, permissions_more.jsonl, shellify_more.jsonl,
scripts.jsonl."""

import base64
import gzip
import json
import os

import common

common.checkout()

import trace as tracing
from unittest import mock

from cloudinit import util
from cloudinit.config import cc_write_files, cc_write_files_deferred

GZIP = gzip.compress(b"unpacked\n", mtime=0)
PACKED = base64.b64encode(GZIP).decode()

PERMISSIONS = [
    "0644", "'0644'", "644", "600", "755", "'755'", "0o644", "'0o644'", "'0O644'", "' 0644 '", "'06_44'", "'0o_644'", "'_644'", "'644_'",
    "'6__44'", "'+644'", "'-644'", "''", "' '", "'0x1a4'", "'0b11'", "'8'", "'99'", "1.9", "-1.9", ".nan", ".inf", "-.inf", "true", "false",
    "null", "~", "[]", "{}", "[644]", "2020-01-01", "!!binary MDY0NA==", "0", "'0'", "7777", "10000", "'10000'", "99999999999",
    "'77777777777777777777777777777777777777777777777'", "-1", "-2147483648", "-2147483649", "2147483647", "2147483648", "'1755'", "1755",
    "'4755'", "u+x", "rw-r--r--", "'0644\\n'", "\"0644\\n\"", "\"\\t644\"", "0b110100100", "1_000", "6:44",
]
COMMANDS = [
    "null", "''", "{}", "{a: b}", "5", "true", "[null]", "[null, a, null]", "['']", "[[]]", "[[''], ['', '']]", "[[\"it's\", 'a b', \"'\"]]",
    "[a, [b, c], {d: e}]", "[{echo a: b}]", "[a: b]", "[true]", "[1.5]", "[2020-01-01]", "[!!binary aGk=]", "[[!!binary aGk=, 2020-01-01]]",
    "[[{a: 1, 'b': [x, null]}]]", "[[1.0, 1.0e+20, .inf, .nan, -0.0, 1_000, 0x10, 22:22]]", "[[yes, No, ~, '', \"\\n\"]]", "\"- a\"",
    "[[a, [b, [c, 'd''e']]]]", "[[2001-12-14t21:59:43.10-05:00, 2001-12-14 21:59:43]]", "!!set {a, b}", "[!!set {a}]", "[\"\\u00e9 \\U0001f600\"]",
    "[[\"\\u00e9 \\x07 \\u200b\"], [[\"\\u00e9 \\x07 \\xad\"]]]", "[\"a\\r\\n\"]", "!!omap [a: b]", "[[123456789012345678901234567890]]",
]
CONTENTS = ["text", "", None, 5, True, ["a"], {"a": 1}, "aGk=", "aGk", "a", "!!!", "aGk=junk", "é", PACKED, PACKED[:-8], base64.b64encode(GZIP * 2 + b"\0\0").decode(), base64.b64encode(GZIP + b"x").decode(), " aG\nk= "]
ENCODINGS = [None, "", "b64", " Base64 ", "gz", "gzip", "gz+b64", "GZIP+BASE64", "b64+gz", "text/plain", "utf-8", "zstd", 5, 0, False, ["b64"], "gz+base64 "]
OWNERS = ["root", "root:root", "old", "old:old", ":adm", "-1:-1", "none:None", "", None, 0, 5, ["a"], " old : adm ", "joe", "root:joe", "1000:1000", "a:b:c", True]
PATHS = ["/f", "/new/deep/f", "/etc/f", "rel/f", "//a//b/../c", "/", "", None, 5, 0, ["/f"], "/there/f", "/new/../f"]


class Machine(tracing.Traced):
    """Also knows owners, and calls nothing by a URL."""

    def write(self, path, content, mode=0o644, omode="wb", preserve_mode=False, user=None, group=None, **kwargs):
        # Two slashes at the begin are one.
        path = path.replace("//", "/")
        if not isinstance(content, (bytes, str)):
            content.encode
        above = []
        parent = path.rsplit("/", 1)[0]
        while parent and not self.exists(parent):
            above.append(parent)
            parent = parent.rsplit("/", 1)[0]
        if above:
            for parent in reversed(above):
                self.directories.add(parent)
            if user or group:
                self.owner(user, group)
                for parent in reversed(above):
                    self.done.append(["mkdir", parent, user, group])
        bytes_ = content.encode() if isinstance(content, str) else bytes(content)
        self.done.append(["append" if "a" in omode else "write", path, base64.b64encode(bytes_).decode()])
        self.files[path] = ""
        if mode:
            if not -(2**31) <= mode < 2**31:
                self.done[-1].append(None)
                raise OverflowError
            self.done[-1].append(mode & 0o7777)
        else:
            self.done[-1].append(None)

    def owner(self, user, group):
        if user and user not in self.names("/etc/passwd") or group and group not in self.names("/etc/group"):
            raise OSError("Unknown user or group")

    def chown(self, path, user=None, group=None):
        self.owner(user, group)
        self.done[-1] += [user, group]


def files(yaml):
    case = {"cloud_config": yaml}
    for name, module in (("now", cc_write_files), ("deferred", cc_write_files_deferred)):
        machine = Machine({"/there/x": ""})
        machine.directories |= {"/etc"}
        config = common.load(yaml)
        part = {}

        def function():
            with mock.patch.object(util, "chownbyname", machine.chown), mock.patch.object(
                util, "get_permissions", lambda path: -5
            ), mock.patch.object(util, "fetch_ssl_details", lambda paths: {}):
                cloud = common.cloud("debian", config, {}, machine)
                if "write_files" in config:
                    module.handle("x", config, cloud, [])

        case[name] = tracing.run(part, machine, function)
    return case


def decoded(yaml):
    case = {"yaml": yaml}
    value = common.load(f"p: {yaml}")["p"]
    try:
        mode = cc_write_files.decode_perms(value, 0o644)
        case["mode_octal"] = "%o" % mode
    except Exception as error:
        case["error"] = type(error).__name__
    return case


def shell(yaml):
    case = {"yaml": yaml}
    try:
        case["ok"] = util.shellify(common.load(f"c: {yaml}")["c"])
    except Exception as error:
        case["error"] = type(error).__name__
    return case


NAMES = ["part-001", "a.sh", "dir/a.sh", "/etc/x", "../x", "a b", "ü", "(x)-_.", "", "a\tb", "..", "x/", "$(id)"]
TEXTS = ["#!/bin/sh\necho\n", "#!/bin/sh\r\necho\r\n", "#!/bin/sh\necho\r\n", "\r\nx\r\n", "\n\r\n", "", "#cloud-boothook\n#!/bin/sh\n", "#cloud-boothook\r\n  #!/bin/sh\r\nx\r\n",
         " #cloud-boothook\nx", "#cloud-boothook#cloud-boothook\nx", "#Cloud-boothook\nx", "#cloud-boothook", "a\r\n\r\r\nb\r"]


def script(kind, name, text):
    """What a handler does with a part."""
    from cloudinit import helpers
    from cloudinit.handlers import boot_hook, shell_script, shell_script_by_frequency
    from cloudinit.settings import PER_ALWAYS, PER_INSTANCE, PER_ONCE

    case = {"kind": kind, "filename": name, "payload": text}
    machine = tracing.Traced()
    paths = helpers.Paths({"cloud_dir": "/var/lib/cloud"}, mock.Mock(get_instance_id=lambda: "i-1"))
    by_frequency = {"per-boot": PER_ALWAYS, "per-instance": PER_INSTANCE, "per-once": PER_ONCE}

    def function():
        if kind == "script":
            handler = shell_script.ShellScriptPartHandler(paths)
        elif kind == "boothook":
            handler = boot_hook.BootHookPartHandler(paths, mock.Mock(get_instance_id=lambda: "i-1"))
        else:
            handler = shell_script_by_frequency.ShellScriptByFreqPartHandler(by_frequency[kind], paths)
        handler.handle_part(None, "text/x-shellscript", name, text, None)

    tracing.run(case, machine, function)
    for event in case["done"]:
        for at, word in enumerate(event):
            if isinstance(word, str):
                event[at] = word.replace("/instances/i-1/", "/instance/")
            elif isinstance(word, list):
                event[at] = [item.replace("/instances/i-1/", "/instance/") for item in word]
    return case


def main():
    os.chdir("/")
    common.save("permissions_more", [decoded(yaml) for yaml in PERMISSIONS])
    chance = tracing.chance("shell")
    words = ["a", "it's", "", "a b", None, True, 5, 1.5, ["x", "it's"], {"k": "v'"}, "\n", "é\t", "\\", '"', "'"]
    cases = [shell(yaml) for yaml in COMMANDS]
    for _ in range(tracing.COUNT or 60):
        items = []
        for _ in range(chance.randint(0, 4)):
            kind = chance.random()
            items.append(chance.choice(words[:4]) if kind < 0.5 else [chance.choice(words) for _ in range(chance.randint(0, 4))] if kind < 0.95 else chance.choice(words))
        cases.append(shell(json.dumps(items)))
    common.save("shellify_more", cases)
    kinds = ["script", "boothook", "per-boot", "per-instance", "per-once"]
    cases = [script(kind, name, TEXTS[0]) for kind in kinds for name in NAMES]
    cases += [script(kind, "part-001", text) for kind in kinds[:3] for text in TEXTS]
    common.save("scripts", cases)

    cases = []
    one = lambda entry: files("write_files: " + json.dumps([entry, {"path": "/last"}]))
    for content in CONTENTS:
        for encoding in ENCODINGS:
            cases.append(one({"path": "/f", "content": content, "encoding": encoding}))
    for value in OWNERS:
        cases += [one({"path": path, "owner": value}) for path in ("/f", "/new/deep/f")]
    for value in PATHS:
        cases.append(one({"path": value}))
    for value in PERMISSIONS:
        cases.append(files(f"write_files: [{{path: /f, permissions: {value}}}, {{path: /last}}]"))
    for value in (True, False, "yes", "no", 1, 0, "x", None, [], "on", 2):
        cases += [one({"path": "/f", "append": value}), one({"path": "/f", "defer": value})]
    for text in ("null", "''", "'a'", "'defer'", "{}", "{a: b}", "5", "true", "[]", "[null]", "[a]", "['defer']", "[5]", "[[]]", "[[defer]]", "[{}]",
                 "[{path: /a}, [x], {path: /b}]", "[{path: /a}, x, {path: /b}]", "[{path: /a}, null]", "[{path: /a}, {path: /b, defer: true}, {content: x}]",
                 "[{path: /b, content: !!binary H4sIAAAAAAACA8tIzcnJV0iv4gIAGJpUaQkAAAA=, encoding: gz}]", "[{path: /b, content: !!binary /wA=}]",
                 "[{path: /b, content: !!binary YUdrPQ==, encoding: b64}]", "[{path: /b, source: {}}]", "[{path: /b, source: null, content: x}]",
                 "[{path: /b, source: x}]", "[{path: /b, source: []}]", "[{path: /b, source: {uri: ''}, content: x}]", "[{path: /b, content: 2020-01-01}]"):
        cases.append(files(f"write_files: {text}"))
    chance = tracing.chance("files")
    pick = lambda values: chance.choice(values if chance.random() < 0.3 else values[:3])
    for _ in range(tracing.COUNT or 120):
        entries = []
        for _ in range(chance.randint(1, 3)):
            entry = {"path": pick(PATHS)}
            for key, values in (("content", CONTENTS), ("encoding", ENCODINGS), ("owner", OWNERS), ("append", [True, False]), ("defer", [True, False]), ("permissions", ["0600", "0644", 644, "x", 0, None])):
                if chance.random() < 0.4:
                    entry[key] = pick(values)
            entries.append(entry)
        cases.append(files("write_files: " + json.dumps(entries)))
    common.save("write_files_more", cases)


main()
