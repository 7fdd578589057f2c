"""Lists of modules and base settings of every distribution: order.jsonl."""

import io
import os
import sys

import common

common.checkout()

import yaml
from cloudinit import templater

VARIANTS = [
    "almalinux", "alpine", "amazon", "aosc", "arch", "azurelinux", "centos", "cloudlinux", "debian", "eurolinux",
    "fedora", "gentoo", "mariner", "miraclelinux", "openeuler", "OpenCloudOS", "openmandriva", "photon",
    "raspberry-pi-os", "rhel", "rocky", "suse", "TencentOS", "ubuntu", "virtuozzo",
]
KEYS = ["preserve_hostname", "apt", "manage_etc_hosts", "resize_rootfs", "mount_default_fields", "disable_root", "ssh_pwauth", "users"]


def main():
    with open(os.path.join(sys.argv[1], "config/cloud.cfg.tmpl"), encoding="utf-8") as file:
        template = file.read()
    cases = []
    for variant in VARIANTS:
        config = yaml.safe_load(templater.render_string(template, {"variant": variant, "prefix": None}))
        lists = {name: config[f"cloud_{name}_modules"] for name in ("init", "config", "final")}
        cases.append({"variant": variant, **lists, "base": {key: config[key] for key in KEYS if key in config}})
    common.save("order", cases)


main()
