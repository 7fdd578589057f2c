"""Modules that write a file or run a program or two: small.jsonl."""

import itertools
import os
from unittest import mock

import common

common.checkout()

from cloudinit import distros, helpers, version
from cloudinit.config import (
    cc_apt_pipelining,
    cc_ca_certs,
    cc_disable_ec2_metadata,
    cc_keyboard,
    cc_locale,
    cc_rsyslog,
    cc_seed_random,
    cc_timezone,
)
from cloudinit.distros.package_management import apt

version.version_string = lambda: "26.2"

ZONES = {
    "/usr/share/zoneinfo/Europe/Berlin": "x",
    "/usr/share/zoneinfo/UTC": "x",
    "/etc/localtime": "x",
}
TIMEZONE = [
    "timezone: Europe/Berlin",
    "timezone: UTC",
    "timezone: Mars/Base",
    "timezone: Europe",
    "timezone: ''",
    "timezone: null",
    "timezone: 5",
    "{}",
]
SUPPORTED = (
    "C.UTF-8 UTF-8\nde_DE.UTF-8 UTF-8\nde_DE ISO-8859-1\nde_DE@euro ISO-8859-15\nfi_FI.UTF-8 UTF-8\n"
    "fi_FI ISO-8859-1\nfi_FI@euro ISO-8859-15\nen_US ISO-8859-1\nen_US.ISO-8859-15 ISO-8859-15\nen_US.UTF-8 UTF-8\n"
    "ca_ES@valencia UTF-8\nca_ES.UTF-8@valencia UTF-8\ntt_RU.UTF-8 UTF-8\ntt_RU@iqtelif.UTF-8 UTF-8\n"
)
GEN = "# list\n# de_DE.UTF-8 UTF-8\n#en_US.UTF-8 UTF-8\nfi_FI.UTF-8 UTF-8\n\n# fi_FI ISO-8859-1\n"
LOCALE_FILES = [
    {},
    {"/usr/share/i18n/SUPPORTED": SUPPORTED, "/etc/locale.gen": GEN},
    {"/usr/share/i18n/SUPPORTED": SUPPORTED, "/etc/default/locale": "LANG=de_DE.UTF-8\n"},
    {"/usr/share/i18n/SUPPORTED": SUPPORTED, "/etc/default/locale": "# x\nLANG=\"C.UTF-8\"\n"},
]
LOCALE = [
    "{}",
    "locale: de_DE.UTF-8",
    "locale: de_DE",
    "locale: de_DE@euro",
    "locale: fi_FI.ISO-8859-1",
    "locale: fi_FI.KOI8-R",
    "locale: en_US.ISO-8859-15",
    "locale: ca_ES@valencia",
    "locale: xx_YY",
    "locale: xx_YY.latin1",
    "locale: C",
    "locale: POSIX",
    "locale: c.utf8",
    "locale: false",
    "locale: 'no'",
    "locale: de_de.utf-8",
    "{locale: de_DE.UTF-8, locale_configfile: /etc/other}",
]
LOCALE_RHEL_FILES = [{}, {"/etc/locale.conf": "LANG=\"fr_FR.UTF-8\"\n# x\nLC_TIME=C\n"}]
PEM = "-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\\n"
CA = [
    "ca_certs: {trusted: [\"%s\"]}" % PEM,
    "ca_certs: {trusted: [\"%s\", \"%s\"]}" % (PEM, PEM),
    "ca_certs: {trusted: \"%s\"}" % PEM,
    "ca_certs: {trusted: null}",
    "ca_certs: {trusted: []}",
    "ca_certs: {}",
    "ca_certs: null",
    "ca_certs: []",
    "ca_certs: {remove_defaults: false}",
    "ca-certs: {trusted: [\"%s\"]}" % PEM,
    "{ca_certs: {}, ca-certs: {trusted: [\"%s\"]}}" % PEM,
    "{}",
]
CA_DEBIAN = ["ca_certs: {remove_defaults: true}", "ca_certs: {remove-defaults: true, trusted: [\"%s\"]}" % PEM, "ca_certs: {remove_defaults: 'false'}"]
CA_LIST = [None, "", "# c\nmozilla/A.crt\n!mozilla/B.crt\n\nmozilla/C.crt\n", "# Modified by cloud-init to deselect certs due to user-data\n!a\nb\n"]
RSYSLOG = [
    "rsyslog: {configs: ['*.* @192.0.2.1']}",
    "rsyslog: {configs: [\"a\\n\", \"b\"]}",
    "rsyslog: {configs: [{content: a, filename: x.conf}, {content: b, filename: x.conf}, c]}",
    "rsyslog: {configs: [{content: a, filename: /abs/x.conf}, {content: b, filename: ' y '}]}",
    "rsyslog: {configs: [{filename: x}, {content: b, filename: ''}, ok]}",
    "rsyslog: {configs: [], remotes: {}}",
    "rsyslog: {configs: text}",
    "rsyslog: ['a', {content: b, filename: c}]",
    "{rsyslog: [a], rsyslog_dir: /d, rsyslog_filename: f}",
    "rsyslog: {config_dir: /etc/r, config_filename: f.conf, configs: [a]}",
    "rsyslog: {config_dir: 5, configs: [a]}",
    "rsyslog: {service_reload_command: [a, b], configs: [a]}",
    "rsyslog: {service_reload_command: 5, configs: [a]}",
    "rsyslog: {install_rsyslog: 'yes', configs: [a]}",
    "rsyslog: {}",
    "rsyslog: null",
    "rsyslog: text",
    "{}",
] + [
    "rsyslog: {remotes: {n: '%s'}}" % line
    for line in [
        "192.0.2.1",
        "192.0.2.1:514",
        "@192.0.2.1",
        "@@192.0.2.1:10514",
        "@@@192.0.2.1",
        "*.* host",
        "mail.* @@host:25",
        "a b c",
        "[2001:db8::1]",
        "[2001:db8::1]:514",
        "@[2001:db8::1]:514",
        "2001:db8::1",
        "host:abc",
        "host:",
        "host:0514",
        "host:0",
        "host # comment",
        "host#comment",
        "host # a # b",
        "# only",
        ":514",
        "",
        "[::1",
        "[::1]x",
        "  host  ",
        "@",
    ]
]
KEYBOARD = [
    "keyboard: {layout: de}",
    "keyboard: {layout: de, variant: nodeadkeys, model: pc104, options: 'compose:rwin'}",
    "keyboard: {layout: us, model: null}",
    "keyboard: {variant: x}",
    "keyboard: text",
    "{}",
]
SEED = [
    "random_seed: {data: abc}",
    "random_seed: {data: YWJj, encoding: base64}",
    "random_seed: {data: 'YW Jj!', encoding: B64}",
    "random_seed: {data: YWJ, encoding: b64}",
    "random_seed: {data: abc, encoding: raw, file: /tmp/x}",
    "random_seed: {data: abc, encoding: rot13}",
    "random_seed: {data: ''}",
    "random_seed: {command: [pollinate, -r]}",
    "random_seed: {command: [nothere]}",
    "random_seed: {command: [nothere], command_required: true}",
    "random_seed: {command_required: true}",
    "random_seed: {command: [pollinate], file: /x}",
    "random_seed: null",
    "random_seed: [a]",
    "{}",
]
PIPELINING = ["apt_pipelining: %s" % word for word in ["false", "os", "none", "unchanged", "0", "3", "5", "6", "true", "null", "'4'", "'False'", "junk"]]
EC2 = ["disable_ec2_metadata: true", "disable_ec2_metadata: 'yes'", "disable_ec2_metadata: false", "disable_ec2_metadata: null"]


class Everything:
    def __contains__(self, name):
        return True


CASES = []


def case(module, distro, yaml, files=None, programs=(), metadata=None):
    files = dict(files or {})
    before = dict(files)
    machine = common.Machine(files, programs=programs)
    config = common.load(yaml)
    keys = module.meta.get("activate_by_schema_keys")
    failed = False
    once = lambda self, name, function, args, freq=None, clear_on_fail=False: (True, function(*args))
    with machine.patched(), mock.patch.object(distros, "uses_systemd", lambda: True), mock.patch.object(
        os, "stat", lambda path, *a, **k: mock.Mock(st_size=len(machine.files.get(path, "")))
    ), mock.patch.object(os, "symlink", lambda target, path: machine.link(target, path)), mock.patch.object(
        os.path, "islink", lambda path: path == "/etc/localtime"
    ), mock.patch.object(apt.Apt, "get_all_packages", lambda self: Everything()), mock.patch.object(
        apt.Apt, "_apt_lock_available", lambda self: True
    ), mock.patch.object(helpers.Runners, "run", once):
        cloud = common.cloud(distro, config, metadata or {}, machine)
        if not keys or any(key in config for key in keys):
            try:
                module.handle("x", config, cloud, [])
            except Exception:
                failed = True
    # A link takes the place of what is there, and directories are made for every file.
    done = [item for item in machine.done if item[0] != "mkdir" and item[:2] != ["remove", "/etc/localtime"]]
    CASES.append(
        {
            "module": module.__name__.rsplit("cc_", 1)[1],
            "distro": distro,
            "cloud_config": yaml,
            "files": before,
            "programs": list(programs),
            "done": done,
            "failed": failed,
        }
    )


for distro, yaml in itertools.product(["debian", "rhel", "alpine", "opensuse-leap", "arch"], TIMEZONE):
    case(cc_timezone, distro, yaml, ZONES)
for programs, files, yaml in itertools.product([["locale-gen", "update-locale", "apt-get"], ["apt-get"]], LOCALE_FILES, LOCALE):
    case(cc_locale, "debian", yaml, files, programs)
for distro, files, yaml in itertools.product(["rhel", "fedora"], LOCALE_RHEL_FILES, LOCALE):
    case(cc_locale, distro, yaml, files)
for yaml in LOCALE:
    case(cc_locale, "alpine", yaml)
    case(cc_locale, "arch", yaml)
for distro, yaml in itertools.product(["debian", "rhel", "fedora", "opensuse-leap", "alpine", "photon"], CA):
    case(cc_ca_certs, distro, yaml)
for text, yaml in itertools.product(CA_LIST, CA_DEBIAN):
    case(cc_ca_certs, "debian", yaml, {"/etc/ca-certificates.conf": text} if text is not None else {})
for yaml in RSYSLOG:
    case(cc_rsyslog, "debian", yaml)
for distro, yaml in itertools.product(["debian", "rhel", "arch"], KEYBOARD):
    case(cc_keyboard, distro, yaml)
for yaml in SEED:
    case(cc_seed_random, "debian", yaml, programs=["pollinate"])
for yaml in PIPELINING:
    case(cc_apt_pipelining, "debian", yaml)
for yaml, programs in itertools.product(EC2, [["ip"], ["ifconfig"], []]):
    case(cc_disable_ec2_metadata, "debian", yaml, programs=programs)
common.save("small", CASES)
