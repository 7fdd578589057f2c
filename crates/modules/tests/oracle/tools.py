"""Modules around programs that may not be there: tools.jsonl."""

import itertools
import os
import pwd
import time
from unittest import mock

import common

common.checkout()

from cloudinit import distros, helpers, temp_utils, url_helper, util, version
from cloudinit.config import (
    cc_apk_configure,
    cc_ntp,
    cc_phone_home,
    cc_resolv_conf,
    cc_ssh_import_id,
    cc_zypper_add_repo,
)
from cloudinit.distros.package_management import apt

version.version_string = lambda: "26.2"

CHRONY = "## template:jinja\n# ours\n{% for pool in pools -%}\npool {{pool}} iburst\n{% endfor %}\n{%- for server in servers %}\nserver {{server}}\n{% endfor %}\n{% for peer in peers -%}\npeer {{peer}}\n{% endfor %}\n{% for a in allow -%}\nallow {{a}}\n{% endfor %}\nend\n"
TIMESYNCD = "## template:jinja\n[Time]\n{% if servers or pools -%}\nNTP={% for host in servers|list + pools|list %}{{ host }} {% endfor -%}\n{% endif -%}\n"
NTP_TEMPLATES = {
    f"/etc/cloud/templates/{name}.tmpl": text
    for name, text in [
        ("chrony.conf.debian", CHRONY),
        ("chrony.conf.ubuntu", CHRONY),
        ("chrony.conf.rhel", CHRONY),
        ("chrony.conf.fedora", CHRONY),
        ("chrony.conf.alpine", CHRONY),
        ("ntp.conf.debian", CHRONY),
        ("ntp.conf.ubuntu", CHRONY),
        ("ntp.conf.fedora", CHRONY),
        ("ntp.conf.alpine", CHRONY),
        ("ntp.conf.rhel", CHRONY),
        ("timesyncd.conf", TIMESYNCD),
    ]
}
NTP = [
    "ntp: null",
    "ntp: {}",
    "ntp: text",
    "ntp: {enabled: false}",
    "ntp: {enabled: 'no', servers: [a]}",
    "ntp: {enabled: maybe}",
    "ntp: {servers: [a, b]}",
    "ntp: {pools: [p]}",
    "ntp: {servers: [a], pools: [p], peers: [q], allow: [10.0.0.0/8]}",
    "ntp: {ntp_client: chrony}",
    "ntp: {ntp_client: systemd-timesyncd}",
    "ntp: {ntp_client: systemd-timesyncd, servers: [a], pools: [b]}",
    "ntp: {ntp_client: ntp}",
    "ntp: {ntp_client: auto}",
    "ntp: {ntp_client: ''}",
    "ntp: {ntp_client: other}",
    "ntp: {ntp_client: other, config: {check_exe: od, confpath: /etc/od.conf, packages: [od], service_name: od, template: \"## template:jinja\\n{{servers}} {{pools|length}}\\n\"}}",
    "ntp: {ntp_client: other, config: {check_exe: od, confpath: /etc/od.conf, packages: [od], service_name: od}}",
    "ntp: {config: {confpath: /etc/x.conf}}",
    "ntp: {config: {confpath: ''}}",
    "ntp: {config: {packages: text}}",
    "ntp: {config: {service_name: 5}}",
    "ntp: {config: {template: null}}",
    "ntp: {config: {template: \"## template: basic\\nplain\\n\"}}",
    "ntp: {config: {template: \"{{servers}}\\n\"}}",
    "ntp: {config: {template_name: nothere}}",
    "{}",
]
RESOLV_TEMPLATE = "## template:jinja\n{% if nameservers is defined %}\n{% for server in nameservers %}\nnameserver {{server}}\n{% endfor %}\n{% endif -%}\n{% if domain is defined %}\ndomain {{domain}}\n{% endif %}\n{% if options or flags %}\noptions\n{%- for flag in flags %}\n {{flag-}}\n{% endfor %}\n{%- for key, value in options.items()|sort %}\n {{key}}:{{value-}}\n{% endfor %}\n{% endif %}\n"
RESOLV = [
    "{manage_resolv_conf: true, resolv_conf: {nameservers: [192.0.2.1, 192.0.2.2]}}",
    "{manage_resolv_conf: true, resolv_conf: {nameservers: [192.0.2.1], domain: example, options: {rotate: true, debug: false, timeout: 1, attempts: 2}}}",
    "{manage_resolv_conf: true, resolv_conf: {options: {rotate: true}}}",
    "{manage_resolv_conf: true, resolv_conf: {}}",
    "{manage_resolv_conf: true, resolv_conf: null}",
    "{manage_resolv_conf: true}",
    "{manage_resolv_conf: false, resolv_conf: {domain: a}}",
    "{resolv_conf: {domain: a}}",
]
PHONE = [
    "phone_home: {url: 'http://h/'}",
    "phone_home: {url: 'http://h/$INSTANCE_ID/x'}",
    "phone_home: {url: 'http://h/${INSTANCE_ID}', tries: 3}",
    "phone_home: {url: 'http://h/$OTHER'}",
    "phone_home: {url: 'http://h', post: all, tries: '5'}",
    "phone_home: {url: 'http://h', tries: x}",
    "phone_home: {url: 'http://h', tries: null}",
    "phone_home: {url: 'http://h', tries: 2.9}",
    "phone_home: {url: 'http://h', post: [instance_id, hostname, fqdn]}",
    "phone_home: {url: 'http://h', post: [pub_key_rsa, pub_key_ed25519, pub_key_dsa, other]}",
    "phone_home: {url: 'http://h', post: []}",
    "phone_home: {url: 'http://h', post: null}",
    "phone_home: {url: 'http://h', post: [hostname, hostname]}",
    "phone_home: {post: all}",
    "phone_home: {}",
    "phone_home: null",
    "phone_home: {url: 5}",
    "{}",
]
IMPORT = [
    "ssh_import_id: [gh:a, lp:b]",
    "ssh_import_id: gh:a",
    "ssh_import_id: []",
    "ssh_import_id: null",
    "{ssh_import_id: [gh:a], users: [default, {name: joe, ssh_import_id: [lp:j]}]}",
    "users: [{name: joe, ssh_import_id: [lp:j, lp:j, gh:k]}, {name: ann}]",
    "users: [{name: joe, ssh_import_id: 'lp:j,gh:k'}]",
    "users: [{name: joe, ssh_import_id: 5}, {name: ann, ssh_import_id: [5]}]",
    "{users: [{name: joe}], ssh_import_id: [gh:a]}",
    "a: {b: {ssh_import_id: [x]}}",
    "{}",
]
APK = [
    "apk_repos: {alpine_repo: {version: v3.22}}",
    "apk_repos: {alpine_repo: {version: v3.22, community_enabled: true, testing_enabled: true, base_url: 'http://m'}}",
    "apk_repos: {alpine_repo: {version: edge, testing_enabled: true}, local_repo_base_url: 'http://l'}",
    "apk_repos: {preserve_repositories: true, alpine_repo: {version: v3.22}}",
    "apk_repos: {alpine_repo: {}}",
    "apk_repos: {alpine_repo: {community_enabled: true}}",
    "apk_repos: {}",
    "apk_repos: null",
    "apk_repos: text",
]
ZYPPER = [
    "zypper: {repos: [{id: a, baseurl: 'http://x'}]}",
    "zypper: {repos: [{id: a b, baseurl: 'http://x', name: n, enabled: false, GPG-Check: 1}]}",
    "zypper: {repos: [{id: a, baseurl: 'http://x'}, {id: a, baseurl: 'http://y'}, {id: there, baseurl: z}]}",
    "zypper: {repos: [{id: a}, {baseurl: x}]}",
    "zypper: {repos: [{id: a, baseurl: x}], config: {reposdir: /r, servicesdir: /s, download.use_deltarpm: true, configdir: /c}}",
    "zypper: {repos: []}",
    "zypper: {config: {a: b}}",
    "zypper: null",
]


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
    posted = []

    def post(url, data=None, retries=0, **kwargs):
        posted.append(["post", url, list(map(list, data.items())), retries + 1])

    with machine.patched(), mock.patch.object(distros, "uses_systemd", lambda: True), mock.patch.object(
        apt.Apt, "get_all_packages", lambda self: Everything()
    ), mock.patch.object(apt.Apt, "_apt_lock_available", lambda self: True), mock.patch.object(
        helpers.Runners, "run", once
    ), mock.patch.object(util, "rename", lambda old, new: machine.write(new, machine.files[old])), mock.patch.object(
        temp_utils, "mkstemp", lambda **kwargs: (0, "/tmp/template")
    ), mock.patch.object(url_helper, "read_file_or_url", post), mock.patch.object(
        pwd, "getpwnam", lambda name: True
    ), mock.patch.object(util, "fetch_ssl_details", lambda paths: None):
        cloud = common.cloud(distro, config, metadata or {}, machine)
        cloud.datasource.metadata = {"instance-id": "i-1", **(metadata or {})}
        cloud.datasource.get_instance_id = lambda: "i-1"
        cloud.distro._cfg["default_user"] = {"name": distro}
        if not keys or any(key in config for key in keys):
            try:
                module.handle("x", config, cloud, [])
            except Exception:
                failed = True
    done = [item for item in machine.done if item[0] != "mkdir" and item[1] != "/tmp/template"] + posted
    # A client without packages: the real program asks dnf or apk to install nothing.
    nothing = [["run", ["dnf", "-y", "install"]], ["run", ["apk", "--quiet", "add"]]]
    if any(item in nothing for item in done):
        done = [item for item in done if item not in nothing + [["run", ["apk", "--quiet", "update"]]]]
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


MACHINES = [
    ("debian", ["apt-get"]),
    ("debian", ["apt-get", "chronyd"]),
    ("debian", ["apt-get", "/lib/systemd/systemd-timesyncd"]),
    ("debian", ["apt-get", "ntpd"]),
    ("ubuntu", ["apt-get", "chronyd", "ntpd"]),
    ("rhel", ["dnf", "chronyd"]),
    ("rhel", ["dnf"]),
    ("fedora", ["dnf"]),
    ("alpine", ["apk", "ntpd"]),
    ("alpine", ["apk"]),
]
for (distro, programs), yaml in itertools.product(MACHINES, NTP):
    programs = [name for name in programs]
    files = dict(NTP_TEMPLATES)
    files["/etc/chrony/chrony.conf"] = "old\n"
    machine_programs = [name for name in programs if not name.startswith("/")]
    for name in programs:
        if name.startswith("/"):
            files[name] = ""
    real = common.Machine.which
    with mock.patch.object(common.Machine, "which", lambda self, name, *a, **k: (name if name in self.files else None) if name and name.startswith("/") else real(self, name)):
        case(cc_ntp, distro, yaml, files, machine_programs)
for yaml in RESOLV:
    case(cc_resolv_conf, "alpine", yaml, {"/etc/cloud/templates/resolv.conf.tmpl": RESOLV_TEMPLATE})
for yaml in PHONE:
    case(cc_phone_home, "debian", yaml, {"/etc/ssh/ssh_host_rsa_key.pub": "ssh-rsa A\n"}, metadata={"local-hostname": "box.example"})
for programs, yaml in itertools.product([["ssh-import-id", "sudo"], ["ssh-import-id", "doas"], ["ssh-import-id"], []], IMPORT):
    case(cc_ssh_import_id, "debian", yaml, programs=programs)
for yaml in APK:
    case(cc_apk_configure, "alpine", yaml)
for yaml in ZYPPER:
    case(cc_zypper_add_repo, "opensuse", yaml, {"/etc/zypp/zypp.conf": "[main]\n", "/etc/zypp/repos.d/there.repo": ""})
for found in CASES:
    for item in found["done"]:
        if item[:2] == ["write", "/etc/apk/repositories"]:
            # Comments are each one's own.
            item[2] = "".join(line + "\n" for line in item[2].splitlines() if line and not line.startswith("#"))
common.save("tools", CASES)
