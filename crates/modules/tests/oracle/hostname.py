"""Names: hostname_more.jsonl and hostname_apply.jsonl."""

import itertools
import os
from unittest import mock

import common

common.checkout()

from cloudinit import distros, util
from cloudinit.config import cc_set_hostname, cc_update_etc_hosts, cc_update_hostname
from cloudinit import version

version.version_string = lambda: "26.2"

CONFIGS = [
    "{}",
    "hostname: plain",
    "hostname: a.b",
    "hostname: .a",
    "hostname: a.",
    "hostname: ''",
    "hostname: 5",
    "hostname: 10.0",
    "hostname: no",
    "hostname: null",
    "hostname: [a]",
    "hostname: localhost",
    "hostname: ü.example",
    "hostname: 'a b.c'",
    "fqdn: f.example.com",
    "fqdn: f",
    "fqdn: ''",
    "fqdn: null",
    "fqdn: 1.5",
    "fqdn: [a.b]",
    "fqdn: .x",
    "{fqdn: f.example.com, hostname: other}",
    "{fqdn: f.example.com, hostname: other.example}",
    "{fqdn: f.example.com, hostname: 7}",
    "{fqdn: f.example.com, hostname: null}",
    "{fqdn: f.example.com, hostname: ''}",
]
METADATA = [
    {},
    {"local-hostname": ""},
    {"local-hostname": "md"},
    {"local-hostname": "md.dom.tld"},
    {"local-hostname": "md.localdomain"},
    {"local-hostname": "10.1.2.3"},
    {"local-hostname": "010.1.2.3"},
    {"local-hostname": "md."},
]
SYSTEMS = [
    ("localhost", None),
    ("box", None),
    ("box.lan", None),
    ("box", "127.0.0.1 localhost\n127.0.1.1 box.example box # x\n"),
    ("box", "127.0.1.1 box\n10.0.0.1 nodot box\n10.0.0.2 b.c box\n"),
]


def names():
    cases = []
    for yaml, metadata, (kernel, hosts) in itertools.product(CONFIGS, METADATA, SYSTEMS):
        if metadata.get("local-hostname") and kernel != "localhost":
            continue
        if "fqdn" in yaml and (kernel != "localhost" or len(metadata) and metadata["local-hostname"] != "md.dom.tld"):
            continue
        files = {"/etc/hosts": hosts} if hosts else {}
        machine = common.Machine(files, kernel_name=kernel)
        case = {"cloud_config": yaml, "metadata": metadata, "hostname": kernel}
        if hosts:
            case["hosts"] = hosts
        config = common.load(yaml)
        with machine.patched():
            cloud = common.cloud("debian", config, metadata, machine)
            try:
                case["ok"] = list(util.get_hostname_fqdn(config, cloud))
            except Exception as error:
                case["error"] = type(error).__name__
        cases.append(case)
    return cases


STATE = "/var/lib/cloud/data/set-hostname"
PREVIOUS = "/var/lib/cloud/data/previous-hostname"
FILES = [
    {},
    {"/etc/hostname": "old\n"},
    {"/etc/hostname": "# the name\nold # here\n\n"},
    {"/etc/hostname": "one\ntwo\n"},
    {"/etc/hostname": "old\n", PREVIOUS: "old\n"},
    {"/etc/hostname": "mine\n", PREVIOUS: "old\n"},
    {"/etc/hostname": "old\n", PREVIOUS: "new\n"},
    {"/etc/hostname": "new\n", PREVIOUS: "new\n"},
    {"/etc/hostname": "new\n", STATE: '{\n "fqdn": "new.example",\n "hostname": "new"\n}\n'},
    {"/etc/hostname": "new\n", STATE: '{\n "fqdn": "new",\n "hostname": "new"\n}\n'},
]
APPLY = [
    "hostname: new",
    "hostname: new.example",
    "{hostname: new.example, prefer_fqdn_over_hostname: true}",
    "{hostname: new.example, prefer_fqdn_over_hostname: 'no'}",
    "{hostname: new, create_hostname_file: false}",
    "{hostname: new, preserve_hostname: yes}",
    "{hostname: '', fqdn: new.example}",
    "{}",
]
HOSTS = [
    None,
    "",
    "127.0.0.1 localhost\n",
    "# c\n127.0.0.1\tlocalhost # l\n127.0.1.1 old.example old\n\n::1 x\n",
    "127.0.1.1 new.example new\n",
    "127.0.1.1 new.example other new # both\n",
    "127.0.1.1 a\n127.0.1.1 new.example new\n",
    "127.0.0.1 a b # c\n",
]


def apply():
    cases = []

    def case(module, distro, yaml, files, metadata):
        machine = common.Machine(files)
        if files.get("/etc/hostname"):
            machine.kernel_name = files["/etc/hostname"].splitlines()[0].strip("# ")
        config = common.load(yaml)
        failed = False
        with machine.patched(), mock.patch.object(os, "stat", lambda path: common.Stat()):
            with mock.patch.object(distros, "uses_systemd", lambda: True):
                cloud = common.cloud(distro, config, metadata, machine)
                try:
                    module.handle("x", config, cloud, [])
                except Exception:
                    failed = True
        name = module.__name__.rsplit("cc_", 1)[1]
        if failed:
            return
        cases.append(
            {
                "module": name,
                "distro": distro,
                "cloud_config": yaml,
                "files": {**files, "/proc/sys/kernel/hostname": machine.kernel_name},
                "metadata": metadata,
                "done": sort_update(machine.done) if name == "update_hostname" else machine.done,
            }
        )

    def sort_update(done):
        # The real one goes through a set: previous-hostname comes last but one here.
        rank = lambda item: 2 if item[0] == "run" and item[1][0] == "hostname" else 1 if "previous" in item[1] else 0
        return sorted(done, key=rank)

    for distro, yaml, files in itertools.product(["debian", "rhel", "alpine"], APPLY, FILES):
        for module in (cc_set_hostname, cc_update_hostname):
            metadata = {"local-hostname": "md.example"} if yaml == "{}" else {}
            case(module, distro, yaml, files, metadata)
    for distro, hosts in itertools.product(["debian", "fedora"], HOSTS):
        files = {"/etc/hosts": hosts} if hosts is not None else {}
        for yaml in ["{manage_etc_hosts: localhost, fqdn: new.example}", "{manage_etc_hosts: false, fqdn: new.example}"]:
            case(cc_update_etc_hosts, distro, yaml, files, {})
    template = "## template:jinja\n{#\nabout\n-#}\n# head\n{# The name -#}\n127.0.1.1 {{fqdn}} {{hostname}}\n\n# end\n"
    for word in ["true", "'yes'", "template", "Template", "1", "on", "0", "null", "maybe"]:
        files = {"/etc/cloud/templates/hosts.debian.tmpl": template}
        yaml = "{manage_etc_hosts: %s, fqdn: new.example}" % word
        case(cc_update_etc_hosts, "debian", yaml, files, {})
    return cases


common.save("hostname_more", names())
common.save("hostname_apply", apply())
