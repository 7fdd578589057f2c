"""SSH: ssh_more.jsonl (the module), authkey_more.jsonl (lines), authkey_update_more.jsonl (files),
authkey_path_more.jsonl (where keys go), sshd_config_more.jsonl, console_more.jsonl."""

import fnmatch
import glob
import json
import os
import pwd
import subprocess
import tempfile
from collections import namedtuple
from unittest import mock

import common

common.checkout()

import trace as tracing

from cloudinit import ssh_util, util
from cloudinit.config import cc_ssh, cc_ssh_authkey_fingerprints
from cloudinit.log import log_util

KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
LINES = [
    f"ssh-ed25519 {KEY} me@host",
    f"  ssh-ed25519\t{KEY}   a  b c ",
    f"ssh-ed25519 {KEY}\r\n",
    f"ssh-ed25519 {KEY}\n\n",
    f"no-pty ssh-rsa {KEY}",
    f"no-pty  \t ssh-rsa {KEY} c",
    f'command="a b",no-pty ssh-rsa {KEY} c',
    f'command="a \\" b",no-pty ssh-rsa {KEY} c',
    f'command="a b ssh-rsa {KEY} c',
    f'command="a\\\\" b" ssh-rsa {KEY}',
    f'command=\'a b\' ssh-rsa {KEY}',
    f'from="x"\tssh-rsa {KEY}',
    "# comment",
    " # comment",
    "",
    "\t",
    "ssh-dss AAAA x",
    "opt ssh-dss AAAA x",
    "ssh-rsa",
    "opt ssh-rsa",
    "opt",
    "ecdsa AAAA",
    "rsa AAAA b",
    "SSH-RSA AAAA",
    "ssh-rsa AAAA\x0bb",
    "ssh-rsa\u00a0AAAA b",
    "opt\u00a0ssh-rsa AAAA b",
    "a,b=\"\" ssh-rsa A=",
    '"',
    '\\" ssh-rsa AAAA',
    "sk-ssh-ed25519@openssh.com AAAA é",
    "ssh-xmss@openssh.com A",
    f"ssh-ed25519 {KEY} # x",
]
OPTIONS = [None, "", "no-pty", 'command="x y"']
SSHD_LINES = ["Port 22", "port 23", "PasswordAuthentication no", "passwordauthentication=no", "PASSWORDAUTHENTICATION\tyes", "  PasswordAuthentication   yes  ", "#PasswordAuthentication no",
              "Match User x", "  PermitRootLogin no", "Garbage", "A=b c", "A = b", "=", "= b", "Key=", "", "   ", "# c", "PasswordAuthentication", "PasswordAuthentication=", "é ü", "x\u000by z", "PasswordAuthentication yes # c"]
UPDATES = [{"PasswordAuthentication": "yes"}, {"PasswordAuthentication": "no", "PermitRootLogin": "yes"}, {"port": "22"}, {"X": ""}]


def parse(line, options):
    entry = ssh_util.AuthKeyLineParser().parse(line, options=options)
    return {"line": line, "options_override": options, "parsed": {
        "keytype": entry.keytype, "base64": entry.base64, "comment": entry.comment, "options": entry.options, "str": str(entry), "valid": bool(entry.valid())}}


def update(existing, keys, options):
    parser = ssh_util.AuthKeyLineParser()
    entries = [parser.parse(key, options=options) for key in keys]
    old = [parser.parse(line) for line in existing.splitlines()]
    return {"existing": existing, "keys": keys, "options": options, "result": ssh_util.update_authorized_keys(old, entries)}


def sshd(text, updates):
    lines = ssh_util.parse_ssh_config_lines(text.splitlines())
    changed = ssh_util.update_ssh_config_lines(lines, updates)
    return {"text": text, "updates": updates, "ok": {"changed": changed, "text": "\n".join(str(line) for line in lines) + "\n"}}


def table(user, path, lines, method):
    entries = [ssh_util.AuthKeyLineParser().parse(line) for line in lines]
    out = []
    with mock.patch.object(log_util, "multi_log", lambda text, **kwargs: out.append(text)):
        cc_ssh_authkey_fingerprints._pprint_key_entries(user, path, entries, method)
    return {"user": user, "key_file": path, "lines": lines, "hash": method, "text": "".join(out)}


def host_keys(files, fingerprints, keys):
    """The real script over copies of the keys; `logger` prints what it is told."""
    script = os.path.join(os.environ.get("CHECKOUT", common.sys.argv[1]), "tools/write-ssh-key-fingerprints")
    with tempfile.TemporaryDirectory() as directory:
        for at, text in enumerate(files):
            with open(f"{directory}/ssh_host_{at}_key.pub", "w") as out:
                out.write(text)
        with open(script) as file:
            text = file.read().replace("/etc/ssh/", directory + "/")
        with open(f"{directory}/logger", "w") as out:
            out.write("#!/bin/sh\nfor last; do :; done\necho \"LOG: $last\"\n")
        with open(f"{directory}/run", "w") as out:
            out.write(text)
        os.chmod(f"{directory}/logger", 0o755)
        env = {"PATH": f"{directory}:/usr/bin:/bin"}
        done = subprocess.run(["sh", f"{directory}/run", ",".join(fingerprints), ",".join(keys)], env=env, capture_output=True, text=True)
    return {"files": files, "no_fingerprint": fingerprints, "no_key": keys, "text": done.stdout}


Passwd = namedtuple("Passwd", "pw_name pw_uid pw_gid pw_dir")


def public_keys():
    """Those that the data has already, or new ones."""
    data = common.DATA / "host_keys_console.jsonl"
    if data.exists():
        return json.loads(data.read_text().splitlines()[0])["files"]
    public = []
    with tempfile.TemporaryDirectory() as directory:
        for at, (kind, bits) in enumerate((("rsa", 2048), ("rsa", 3072), ("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521), ("ed25519", 256))):
            comment = ["root@host", "", "a b"][at % 3]
            subprocess.run(["ssh-keygen", "-q", "-t", kind, "-b", str(bits), "-N", "", "-C", comment, "-f", f"{directory}/{at}"], check=True)
            with open(f"{directory}/{at}.pub") as file:
                public.append(file.read())
    return public


def path_case(chance):
    home = chance.choice(["/home/joe", "/home/joe", "/root", "/", "/srv/homes/joe", "/home/joe/"])
    patterns = chance.choice([None, None, "%h/.ssh/authorized_keys", ".ssh/keys", "/etc/ssh/keys/%u", "/etc/ssh/shared %h/.ssh/authorized_keys", ".ssh/a .ssh/b", "%h/%u/%%x", "/home/joe/k", "none", "%%h/x"])
    strict = chance.choice([None, None, "yes", "no", "Yes"])
    tree = {}
    for path in ("/home", "/root", "/srv", "/srv/homes", "/etc", "/etc/ssh", "/etc/ssh/keys"):
        if chance.random() < 0.8:
            tree[path] = ["dir", 0, 0, chance.choice([0o755, 0o755, 0o700, 0o711, 0o777])]
    base = home.rstrip("/")
    for path in (base, base + "/.ssh", base + "/joe"):
        if path and chance.random() < 0.75:
            tree[path] = [chance.choice(["dir", "dir", "dir", "dir", "link", "file"]), chance.choice([1000, 1000, 0, 7]), chance.choice([1000, 5, 0]), chance.choice([0o755, 0o700, 0o700, 0o770, 0o750, 0o600, 0o777])]
    for path in (base + "/.ssh/authorized_keys", base + "/.ssh/keys", base + "/.ssh/a", "/etc/ssh/keys/joe"):
        if chance.random() < 0.4:
            tree[path] = [chance.choice(["file", "file", "file", "link", "dir"]), chance.choice([1000, 1000, 0, 7]), chance.choice([1000, 5, 0]), chance.choice([0o600, 0o644, 0o640, 0o400, 0o666, 0o200])]
    lines = []
    if patterns is not None:
        lines.append(f"AuthorizedKeysFile {patterns}")
    if strict is not None:
        lines.append(f"StrictModes {strict}")
    return path_for(home, "\n".join(lines) + "\n", tree)


def path_for(home, config, tree):
    case = {"home": home, "sshd": config, "tree": {path: list(entry) for path, entry in tree.items()}}
    names = {0: "root", 1000: "joe", 5: "five", 7: "seven"}
    now = dict(tree)
    made = []

    def real(path):
        return now.get(path.rstrip("/") or "/")

    kind = lambda path, *kinds: real(path) is not None and real(path)[0] in kinds

    def makedirs(path, mode=0o777, exist_ok=False):
        now[path] = ["dir", 0, 0, mode]
        made.append([path, True, mode, 0, 0])

    def write_file(path, content, mode=0o644, **kwargs):
        now[path] = ["file", 0, 0, mode]
        made.append([path, False, mode, 0, 0])

    def chown(path, uid=-1, gid=-1):
        now[path][1:3] = [uid, gid]
        made[-1][3:5] = [uid, gid]

    def load(path):
        if path == "/etc/ssh/sshd_config":
            return config
        return ""

    people = {"joe": Passwd("joe", 1000, 1000, home), "root": Passwd("root", 0, 0, "/root")}
    patches = [
        mock.patch.object(pwd, "getpwnam", people.__getitem__),
        mock.patch.object(os.path, "islink", lambda path: kind(path, "link")),
        mock.patch.object(os.path, "isfile", lambda path: path == "/etc/ssh/sshd_config" or kind(path, "file", "link")),
        mock.patch.object(os.path, "isdir", lambda path: kind(path, "dir")),
        mock.patch.object(os.path, "exists", lambda path: real(path) is not None),
        mock.patch.object(os, "makedirs", makedirs),
        mock.patch.object(util, "write_file", write_file),
        mock.patch.object(util, "chownbyid", chown),
        mock.patch.object(util, "load_text_file", load),
        mock.patch.object(util, "get_owner", lambda path: names[real(path)[1]]),
        mock.patch.object(util, "get_group", lambda path: names[real(path)[2]]),
        mock.patch.object(util, "get_permissions", lambda path: real(path)[3]),
        mock.patch.object(util, "get_user_groups", lambda name: ["joe", "five"]),
        mock.patch.object(util, "SeLinuxGuard", mock.MagicMock()),
    ]
    for patch in patches:
        patch.start()
    try:
        path, _ = ssh_util.extract_authorized_keys("joe")
    finally:
        for patch in patches:
            patch.stop()
    case["path"] = path
    # What was made on the way to a path that was then refused stays behind there; here it is not made.
    case["made"] = made
    return case


def module(yaml, files, distro="debian", keys=()):
    files = dict(files)
    case = {"cloud_config": yaml, "files": files, "distro": distro, "keys": list(keys)}
    machine = tracing.Traced(files, programs=["ssh-keygen"])
    config = common.load(yaml)

    def run(args, *rest, **kwargs):
        if args[0] == "sh":
            private = args[2].split('"')[1]
            machine.done.append(["public-host-key", [private, private + ".pub"]])
            return None
        return machine.run(args, *rest, **kwargs)

    def function():
        with mock.patch.object(glob, "glob", lambda pattern: sorted(path for path in machine.files if fnmatch.fnmatch(path, pattern))), mock.patch.object(
            cc_ssh, "set_redhat_keyfile_perms", lambda file: machine.done.append(["redhat-host-key", [file]])
        ), mock.patch.object(cc_ssh.subp, "subp", run), mock.patch.object(util, "fips_enabled", lambda: files.get("/proc/sys/crypto/fips_enabled", "").strip() == "1"):
            cloud = common.cloud(distro, config, {"public-keys": list(keys)}, machine)
            cc_ssh.handle("x", config, cloud, [])

    return tracing.run(case, machine, function)


INFO = "system_info: {default_user: {name: old}}\n"
MODULE = [
    "{}",
    "users: [default]",
    "user: blank",
    "users: [5]",
    "users: [default]\ndisable_root: false",
    "users: [default]\ndisable_root: 'no'",
    "users: [default]\ndisable_root: null",
    "users: [default]\ndisable_root: 0",
    "users: [default]\ndisable_root_opts: 'x $USER y $DISABLE_USER $USER'",
    "users: [default]\ndisable_root_opts: ''",
    "users: [default]\ndisable_root_opts: null",
    "users: [default]\ndisable_root_opts: 5",
    "users: [default]\nallow_public_ssh_keys: false",
    "users: [default]\nallow_public_ssh_keys: 'off'",
    "users: [default]\nssh_authorized_keys: [a, b, a]",
    "users: [default]\nssh_authorized_keys: null",
    "users: [default]\nssh_authorized_keys: []",
    "users: [default]\nssh_authorized_keys: [5, true, null]",
    "users: [default]\nssh_authorized_keys: [[a]]",
    "users: [default]\nssh_authorized_keys: [{a: b}]",
    "users: [default]\nssh_authorized_keys: {a: b}",
    "users: [default]\nssh_authorized_keys: 5",
    "ssh_authorized_keys: [a]",
    "ssh_deletekeys: false",
    "ssh_deletekeys: 'false'",
    "ssh_deletekeys: null",
    "ssh_deletekeys: 0",
    "ssh_genkeytypes: [ed25519]",
    "ssh_genkeytypes: [ed25519, rsa, ed25519]",
    "ssh_genkeytypes: []",
    "ssh_genkeytypes: null",
    "ssh_genkeytypes: ecdsa",
    "ssh_genkeytypes: [dsa]",
    "ssh_genkeytypes: ed25519\nssh_deletekeys: false",
    "ssh_genkeytypes: rsa\nssh_deletekeys: false",
    "ssh_keys: null",
    "ssh_keys: []",
    "ssh_keys: {}",
    "ssh_keys: x",
    "ssh_keys: {rsa_private: P}",
    "ssh_keys: {rsa_private: P, rsa_public: Q}",
    "ssh_keys: {rsa_public: Q}",
    "ssh_keys: {ed25519_private: P, ecdsa_private: R, ecdsa_public: null}",
    "ssh_keys: {ed25519_private: 5, rsa_private: R}",
    "ssh_keys: {dsa_private: P, rsa_private: R}",
    "ssh_keys: {ed25519-sk_private: P, rsa_private: R}",
    "ssh_keys: {5: P}",
    "ssh_keys: {rsa_private: R, rsa_certificate: C, ed25519_certificate: D}",
    "ssh_keys: {rsa_private: !!binary aGk=}",
    "ssh_publish_hostkeys: {enabled: false}",
]


def main():
    common.save("authkey_more", [parse(line, options) for line in LINES for options in OPTIONS])
    chance = tracing.chance("ssh")
    cases = []
    for _ in range(tracing.COUNT or 150):
        existing = "".join(chance.choice(LINES).strip("\r\n") + chance.choice(["\n", "\n", "\r\n"]) for _ in range(chance.randint(0, 5)))
        if chance.random() < 0.3:
            existing = existing.rstrip("\n")
        cases.append(update(existing, [chance.choice(LINES) for _ in range(chance.randint(0, 4))], chance.choice(OPTIONS)))
    common.save("authkey_update_more", cases)
    cases = []
    for _ in range(tracing.COUNT or 200):
        text = "".join(chance.choice(SSHD_LINES) + "\n" for _ in range(chance.randint(0, 6)))
        cases.append(sshd(text, chance.choice(UPDATES)))
    common.save("sshd_config_more", cases)
    cases = [path_case(chance) for _ in range(tracing.COUNT or 250)]
    common.save("authkey_path_more", cases)
    cases = []
    for _ in range(tracing.COUNT or 60):
        lines = [chance.choice(LINES).strip("\r\n") for _ in range(chance.randint(0, 4))]
        lines = [line for line in lines if "\x0b" not in line]
        cases.append(table(chance.choice(["joe", "ubuntu"]), "/home/x/.ssh/authorized_keys", lines, chance.choice(["sha256", "md5", "sha1", "sha512", "SHA256", "none", "sha384", "sha224"])))
    for method in ("sha256", "md5"):
        cases.append(table("joe", "/home/joe/.ssh/" + "long" * 60, [LINES[0]], method))
    common.save("console_more", cases)
    public = public_keys()
    cases = [host_keys(public, [], []), host_keys(public, ["ssh-rsa"], ["ssh-ed25519", "ecdsa-sha2-nistp256"]), host_keys([], [], [])]
    cases.append(host_keys(public[5:], ["ssh-ed25519"], []))
    cases.append(host_keys(public[5:], [], ["ssh-ed25519"]))
    common.save("host_keys_console", cases)
    files = {"/etc/ssh/sshd_config": "Port 22\n", "/etc/ssh/ssh_host_rsa_key": "", "/etc/ssh/ssh_host_rsa_key.pub": "ssh-rsa A", "/etc/ssh/ssh_host_dsa_key-cert.pub": "", "/etc/ssh/ssh_host_x": ""}
    dconf = {**files, "/etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\n"}
    cases = []
    for yaml in MODULE:
        cases.append(module(INFO + yaml if yaml != "{}" else INFO, files, keys=("ssh-rsa AAAA cloud",)))
        cases.append(module(INFO + yaml if yaml != "{}" else INFO, dconf, "rhel"))
    cases.append(module(INFO, {**files, "/proc/sys/crypto/fips_enabled": "1\n"}))
    cases.append(module(INFO, {**dconf, "/etc/ssh/sshd_config.d/50-cloud-init.conf": "A b\n"}))
    cases.append(module(INFO + "ssh_keys: {rsa_certificate: C}", {**dconf, "/etc/ssh/sshd_config.d/50-cloud-init.conf": "A b\n"}))
    for _ in range(tracing.COUNT or 60):
        picked = {}
        for text in chance.sample(MODULE, chance.randint(1, 4)):
            picked.update(common.load(text))
        yaml = json.dumps({"system_info": {"default_user": {"name": chance.choice(["old", "blank", "root"])}}, **picked}, default=lambda value: value.decode())
        keys = chance.choice([(), ("ssh-rsa AAAA cloud", "ssh-rsa AAAA cloud", "no-pty ssh-rsa BBBB x")])
        cases.append(module(yaml, chance.choice([files, dconf, {"/etc/ssh/sshd_config.d/a.conf": ""}, {}]), chance.choice(["debian", "rhel", "alpine", "ubuntu"]), keys))
    common.save("ssh_more", cases)


main()
