"""apt: apt.jsonl, disable_suites.jsonl."""

import os
import shutil
from unittest import mock

import common

common.checkout()

from cloudinit import distros, gpg, helpers, util
from cloudinit.config import cc_apt_configure
from cloudinit.distros.package_management import apt

ARMOUR = "-----BEGIN PGP PUBLIC KEY BLOCK-----\\n\\nAQID\\n-----END PGP PUBLIC KEY BLOCK-----\\n"
CONFIGS = [
    "{}",
    "apt: {}",
    "apt: null",
    "apt: text",
    "apt: []",
    "apt: {preserve_sources_list: true}",
    "apt: {preserve_sources_list: 'no'}",
    "apt: {preserve_sources_list: maybe}",
    "apt: {preserve_sources_list: null}",
    "apt: {sources_list: 'deb $MIRROR $RELEASE main'}",
    "apt: {sources_list: \"deb $PRIMARY $RELEASE main\\ndeb $SECURITY $RELEASE-security main\\n\"}",
    "apt: {sources_list: \"## template: jinja\\ndeb {{mirror}} {{codename}} main\\ndeb {{ security }} x\\n\"}",
    "apt: {sources_list: \"Types: deb\\nURIs: $MIRROR\\nSuites: $RELEASE\\nComponents: main\\n\"}",
    "apt: {sources_list: 'deb $UNKNOWN main'}",
    "apt: {sources_list: 'nothing'}",
    "apt: {sources_list: ''}",
    "apt: {sources_list: 5}",
    "apt: {primary: [{arches: [default], uri: 'http://m/x'}], sources_list: 'deb $MIRROR $SECURITY'}",
    "apt: {primary: [{arches: [default], uri: 'http://m/x'}, {arches: [amd64], uri: 'http://n/x'}], sources_list: 'deb $MIRROR a'}",
    "apt: {primary: [{arches: [amd64, default], uri: 'http://m/x'}], security: [{arches: [default], uri: 'http://s'}], sources_list: 'deb $MIRROR $SECURITY'}",
    "apt: {security: [{arches: [default], uri: 'http://s'}], sources_list: 'deb $MIRROR $SECURITY'}",
    "apt: {primary: [{arches: [arm64], uri: 'http://m/x'}], sources_list: 'deb $MIRROR a'}",
    "apt: {primary: [{uri: 'http://m/x'}], sources_list: 'deb $MIRROR a'}",
    "apt: {primary: null, sources_list: 'deb $MIRROR a'}",
    "apt: {primary: text, sources_list: 'deb $MIRROR a'}",
    "apt: {primary: [{arches: [default], uri: null}], sources_list: 'deb $MIRROR a'}",
    "apt: {primary: [{arches: [default], uri: 'http://m', key: \"%s\"}], sources_list: 'deb $MIRROR a'}" % ARMOUR,
    "apt: {proxy: 'http://p:3128'}",
    "apt: {proxy: a, http_proxy: b, ftp_proxy: c, https_proxy: d}",
    "apt: {https_proxy: ''}",
    "apt: {conf: \"APT {\\n  Get {\\n    Assume-Yes \\\"true\\\";\\n  };\\n};\\n\"}",
    "apt: {conf: ''}",
    "apt: {sources: {a: {source: 'deb http://x $RELEASE main'}}}",
    "apt: {sources: {a.list: {source: 'deb $MIRROR $RELEASE main', append: false}}}",
    "apt: {sources: {a: {source: 'x', append: true}}}",
    "apt: {sources: {a: {source: 'x', filename: b}, c: {source: 'y', filename: b.list}}}",
    "apt: {sources: {a: {source: 'x', filename: /etc/other}}}",
    "apt: {sources: {a: {source: 'ppa:user/name'}}}",
    "apt: {sources: {a: {source: 'ppa:user/$RELEASE'}}}",
    "apt: {sources: {a: {key: \"%s\"}}}" % ARMOUR,
    "apt: {sources: {a.b.list: {key: \"%s\", source: 'deb [signed-by=$KEY_FILE] http://x y z'}}}" % ARMOUR,
    "apt: {sources: {a: {key: \"%s\", source: '[$KEY_FILE]'}, b: {source: 'deb $KEY_FILE'}}}" % ARMOUR,
    "apt: {sources: {b: {source: 'deb $KEY_FILE'}}}",
    "apt: {sources: {a: {source: 'deb $PRIMARY $SECURITY $MIRROR'}}}",
    "apt: {sources: {a: {source: 'deb $UNKNOWN'}}}",
    "apt: {sources: {a: {source: 'deb ${MIRROR} x$$y'}}}",
    "apt: {sources: {a: {}}}",
    "apt: {sources: {}}",
    "apt: {sources: null}",
    "apt: {sources: [a]}",
    "apt: {sources: {a: null}}",
    "apt: {sources: {a: text}}",
    "apt: {sources: {a: {source: 5}}}",
    "apt: {debconf_selections: {set1: 'a a/b string c', set0: \"x x/y boolean true\\n\"}}",
    "apt: {debconf_selections: {}}",
    "apt: {debconf_selections: text}",
    "apt: {debconf_selections: {a: 5}}",
    "apt: {disable_suites: [updates, backports], sources_list: \"deb m bookworm x\\ndeb m bookworm-updates x\\n\"}",
    "apt: {disable_suites: [release], sources_list: \"deb [ a=b c=d ] m bookworm x\\n# deb m bookworm\\ndeb [a=b] m bookworm\\n\"}",
    "apt: {disable_suites: [x], sources_list: \"deb m\\n\"}",
    "apt: {disable_suites: [], sources_list: \"deb m a\\n\"}",
    "apt_proxy: http://p",
    "apt_http_proxy: http://p",
    "apt_ftp_proxy: http://p",
    "apt_https_proxy: http://p",
    "{apt_mirror: 'http://m', apt_custom_sources_list: 'deb $MIRROR $RELEASE'}",
    "{apt_custom_sources_list: 'deb x', apt: {sources_list: 'deb x'}}",
    "{apt_custom_sources_list: 'deb x', apt: {sources_list: 'deb y'}}",
    "{apt_custom_sources_list: 'deb x', apt: {proxy: p}}",
    "{apt_preserve_sources_list: true, apt_proxy: p}",
    "apt_sources: [{source: 'deb x'}, {source: 'deb y'}, {source: 'deb z', filename: z.list}]",
    "apt_sources: [{source: 'ppa:a/b'}]",
    "apt_sources: {f: {source: 'deb x'}}",
    "apt_sources: text",
    "apt_sources: ''",
    "apt_sources: null",
]
FILES = [
    {},
    {"/etc/apt/sources.list": "deb old\n", "/etc/apt/apt.conf.d/90cloud-init-aptproxy": "x", "/etc/apt/apt.conf.d/94cloud-init-config": "y"},
    {"/etc/cloud/templates/sources.list.debian.deb822.tmpl": "## template:jinja\nTypes: deb\nURIs: {{mirror}}\nSuites: {{codename}} {{codename}}-updates\nSigned-By: {{primary_key | default('/k', true)}}\n\nTypes: deb\nURIs: {{security}}\nSuites: {{codename}}-security\n"},
]


class Everything:
    def __contains__(self, name):
        return True


def apts():
    cases = []
    info = {"package_mirrors": [{"arches": ["default"], "failsafe": {"primary": "https://deb.debian.org/debian", "security": "https://deb.debian.org/debian-security"}}]}
    for files in FILES:
        for yaml in CONFIGS:
            config = common.load(yaml)
            machine = common.Machine(dict(files), programs=["apt-get", "gpg"])
            machine.files["/usr/bin/apt-get"] = ""
            failed = False
            once = lambda self, name, function, args, freq=None, clear_on_fail=False: (True, function(*args))
            with machine.patched(), mock.patch.object(util, "lsb_release", lambda: {"codename": "bookworm"}), mock.patch.object(
                util, "get_dpkg_architecture", lambda: "amd64"
            ), mock.patch.object(gpg.GPG, "dearmor", lambda self, key: "KEY"), mock.patch.object(
                gpg.GPG, "cleanup", lambda self: None
            ), mock.patch.object(cc_apt_configure, "rename_apt_lists", lambda *a: None), mock.patch.object(
                cc_apt_configure, "get_apt_cfg", lambda: {"sourcelist": "/etc/apt/sources.list", "sourceparts": "/etc/apt/sources.list.d/"}
            ), mock.patch.object(util, "get_installed_packages", lambda: set()), mock.patch.object(
                shutil, "which", machine.which
            ), mock.patch.object(apt.Apt, "get_all_packages", lambda self: Everything()), mock.patch.object(
                apt.Apt, "_apt_lock_available", lambda self: True
            ), mock.patch.object(helpers.Runners, "run", once), mock.patch.object(
                util, "system_is_snappy", lambda: False
            ), mock.patch.object(util, "rand_dict_key", lambda d, postfix: f"{len(d)}_{postfix}"):
                cloud = common.cloud("debian", {**config, "system_info": info}, {}, machine)
                try:
                    cc_apt_configure.handle("x", config, cloud, [])
                except Exception:
                    failed = True
            cases.append({"cloud_config": yaml, "files": files, "done": machine.done, "failed": failed})
    return cases


LISTS = [
    "deb http://a bookworm main\ndeb http://a bookworm-updates main\n",
    "deb-src [arch=amd64] http://a bookworm main\n  deb http://a bookworm main\n",
    "deb [ arch=amd64,armel k=v ] http://a bookworm main\n",
    "deb [ open http://a bookworm main\n",
    "deb\n\ndeb x\n",
    "# deb http://a bookworm\ndeb cdrom:[x y]/ bookworm main",
    "Types: deb\nURIs: http://a\nSuites: bookworm bookworm-updates\nComponents: main\n",
    "Types: deb\nURIs: http://a\nSuites: bookworm\nComponents: main\n\nTypes: deb\nSuites: bookworm-security\n",
    "# head\nTypes: deb\n# inside\nSuites: bookworm\n\n# between\n\nTypes: deb\nSuites: bookworm-updates x\n",
    "Suites: bookworm\nTypes: deb\n",
    "Types: deb\nSuites:\tbookworm\n \tmore\nURIs: x\n",
    "Types: deb\nSuites: bookworm bookworm\n",
]
SUITES = [["release"], ["updates"], ["security", "backports"], ["bookworm"], ["bookworm", "updates"], ["$RELEASE"], ["none"], []]


def suites():
    cases = []
    for text in LISTS:
        for disabled in SUITES:
            case = {"text": text, "suites": disabled}
            try:
                case["ok"] = cc_apt_configure.disable_suites(disabled, text, "bookworm")
            except Exception as error:
                case["error"] = type(error).__name__
            cases.append(case)
    return cases


common.save("apt", apts())
common.save("disable_suites", suites())
