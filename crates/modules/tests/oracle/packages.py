"""Packages and repositories: packages.jsonl, yum_repos.jsonl."""

import itertools
from unittest import mock

import common

common.checkout()

from cloudinit import helpers
from cloudinit.config import cc_package_update_upgrade_install, cc_yum_add_repo
from cloudinit.distros.package_management import apt

CONFIGS = [
    "package_update: true",
    "package_upgrade: true",
    "apt_update: yes",
    "apt_upgrade: 'on'",
    "{package_update: true, package_upgrade: true}",
    "package_update: false",
    "package_update: maybe",
    "packages: [vim]",
    "packages: [vim, git, vim]",
    "packages: vim",
    "packages: null",
    "packages: []",
    "packages: [[vim, '1.2']]",
    "packages: [[vim, 1.2]]",
    "packages: [[vim, null]]",
    "packages: [[vim]]",
    "packages: [[vim, a, b]]",
    "packages: [[]]",
    "packages: [5]",
    "packages: [null]",
    "packages: [true]",
    "packages: [vim=2.0]",
    "packages: [{apt: [vim]}]",
    "packages: [{apt: [[vim, '1']]}]",
    "packages: [{snap: [core]}]",
    "packages: [{snap: [[core, --edge]]}]",
    "packages: [{snap: [hello]}, {apt: [vim]}]",
    "packages: [{yum: [vim]}]",
    "packages: [{apt: [5]}]",
    "packages: [{apt: null}]",
    "packages: [vim-, task^, lib/stable]",
    "{packages: [vim], package_update: true}",
    "{packages: [vim], package_upgrade: true}",
    "{packages: [[]], package_update: true}",
    "{}",
    "apt_reboot_if_required: true",
]
MACHINES = [
    ("debian", ["apt-get"]),
    ("debian", ["apt-get", "eatmydata"]),
    ("ubuntu", ["apt-get"]),
    ("ubuntu", ["apt-get", "snap"]),
    ("rhel", ["dnf"]),
    ("centos", ["yum"]),
    ("amazon", ["dnf"]),
    ("fedora", ["dnf"]),
    ("alpine", ["apk"]),
    ("arch", ["pacman"]),
    ("opensuse", ["zypper"]),
    ("photon", ["tdnf"]),
    ("gentoo", ["emerge"]),
]


class Everything:
    def __contains__(self, name):
        return True


class Ordered(set):
    """A set in the order of what was added, for argv that can be compared."""

    def __init__(self, items=()):
        super().__init__()
        self.items = []
        for item in items:
            self.add(item)

    def add(self, item):
        if item not in self:
            super().add(item)
            self.items.append(item)

    def __iter__(self):
        return iter(list(self.items))

    def __or__(self, other):
        return Ordered(list(self) + list(other))

    def __sub__(self, other):
        return Ordered([item for item in self if item not in other])


def packages():
    cases = []
    for (distro, programs), yaml in itertools.product(MACHINES, CONFIGS):
        config = common.load(yaml)
        machine = common.Machine(programs=programs)
        keys = ["apt_update", "package_update", "apt_upgrade", "package_upgrade", "packages"]
        failed = False
        done_once = set()

        def once(self, name, function, args, freq=None, clear_on_fail=False):
            if name in done_once:
                return (False, None)
            done_once.add(name)
            if isinstance(args, dict):
                return (True, function(**args))
            return (True, function(*args))

        import builtins

        with machine.patched(), mock.patch.object(helpers.Runners, "run", once), mock.patch(
            "cloudinit.distros.set", Ordered, create=True
        ), mock.patch.object(apt.Apt, "get_all_packages", lambda self: Everything()), mock.patch.object(
            apt.Apt, "_apt_lock_available", lambda self: True
        ), mock.patch("cloudinit.util.get_mount_info", lambda path: None), mock.patch(
            "cloudinit.distros.photon.Distro.exec_cmd", lambda self, cmd, capture=True: (0, machine.run(cmd), "")
        ):
            cloud = common.cloud(distro, config, {}, machine)
            if any(key in config for key in keys):
                try:
                    cc_package_update_upgrade_install.handle("x", config, cloud, [])
                except Exception:
                    failed = True
        done = [item[1] for item in machine.done if item[1][:3] != ["snap", "get", "system"]]
        cases.append(
            {
                "distro": {"opensuse": "opensuse-leap", "amazon": "amzn"}.get(distro, distro),
                "programs": programs,
                "cloud_config": yaml,
                "done": done,
                "failed": failed,
            }
        )
    return cases


REPOSITORIES = [
    "{}",
    "yum_repos: null",
    "yum_repos: {}",
    "yum_repos: text",
    "yum_repos: [a]",
    "yum_repos: {epel: {baseurl: http://x/y, enabled: false, gpgcheck: true, name: Extra}}",
    "yum_repos: {'a b c': {baseurl: x}}",
    "yum_repos: {5: {baseurl: x}}",
    "yum_repos: {a: {name: none}}",
    "yum_repos: {a: null}",
    "yum_repos: {a: text}",
    "yum_repos: {a: {metalink: x}, b: {mirrorlist: y}, c: {baseurl: z}}",
    "yum_repos: {a: {Base-URL: x}}",
    "yum_repos: {a: {BaseURL: x, baseurl: y, ' baseurl ': z}}",
    "yum_repos: {a: {baseurl: [x, y, z]}}",
    "yum_repos: {a: {baseurl: [true, 5, 1.0, null, [q]]}}",
    "yum_repos: {a: {baseurl: null}}",
    "yum_repos: {a: {baseurl: 'http://x/$releasever/%2Fy'}}",
    "yum_repos: {a: {baseurl: '%%'}}",
    "yum_repos: {a: {baseurl: '%(name)s'}}",
    "yum_repos: {a: {baseurl: '%(name)'}}",
    "yum_repos: {a: {baseurl: \"one\\ntwo\"}}",
    "yum_repos: {a: {baseurl: x, exclude: [k*, l*], failovermethod: priority, skip_if_unavailable: yes}}",
    "yum_repos: {a: {baseurl: x, 5: y}}",
    "yum_repos: {a: {baseurl: x, '': y}}",
    "yum_repos: {'a b': {baseurl: x}, a-b: {baseurl: y}}",
    "yum_repos: {there: {baseurl: x}, b: {baseurl: y}}",
    "yum_repos: {DEFAULT: {baseurl: x}}",
    "yum_repos: {a: {baseurl: x, priority: 1, cost: 1.5, date: 2001-02-03}}",
    "yum_repos: {a: {baseurl: ''}}",
    "{yum_repo_dir: /srv/repos, yum_repos: {a: {baseurl: x}}}",
    "{yum_repo_dir: '', yum_repos: {a: {baseurl: x}}}",
    "{yum_repo_dir: 5, yum_repos: {a: {baseurl: x}}}",
    "yum_repos: {a/b: {baseurl: x}}",
    "yum_repos: {a: {baseurl: {k: v}}}",
]


def repositories():
    cases = []
    for yaml in REPOSITORIES:
        config = common.load(yaml)
        files = {"/etc/yum.repos.d/there.repo": ""}
        machine = common.Machine(files)
        failed = False
        with machine.patched():
            cloud = common.cloud("rhel", config, {}, machine)
            try:
                cc_yum_add_repo.handle("x", config, cloud, [])
            except Exception:
                failed = True
        cases.append(
            {"distro": "rhel", "cloud_config": yaml, "files": files, "done": machine.done, "failed": failed}
        )
        cases[-1]["files"] = {"/etc/yum.repos.d/there.repo": ""}
    return cases


common.save("packages", packages())
common.save("yum_repos", repositories())
