"""Mounts, swap and sizes: mounts_more.jsonl, human2bytes_more.jsonl."""

import itertools
import os
import random
from unittest import mock

import common

common.checkout()

from cloudinit import distros, util
from cloudinit.config import cc_mounts

ROWS = [
    "[/dev/vdb, /data]",
    "[vdb, /data]",
    "[vdb1, /data]",
    "[vdb.1, /data]",
    "[vdb.2, /data]",
    "[/dev/vdd, /data]",
    "[/dev/vdd.1, /data]",
    "[/dev/vdd.7, /data]",
    "[/dev/nvme0n1, /data]",
    "[ephemeral, /e]",
    "[ephemeral0.1, /e]",
    "[ephemeral0, null]",
    "[ephemeral1, /e1]",
    "[ephemeral0, /e, ext4, 'noauto,nofail', '0', '0']",
    "[swap, null]",
    "[swap, none, swap, sw, '0', '0']",
    "[ebs1, /ebs]",
    "[root, /x]",
    "[ami, /x]",
    "['server:/export', /nfs, nfs]",
    "['ephemeral0:/x', /y]",
    "['//server/share', /cifs, cifs, 'username=a,password=b']",
    "[LABEL=data, /data]",
    "[UUID=aaaa-bbbb, /data, xfs, noatime, 0, 0]",
    "[tmpfs, /t, tmpfs, size=1g, 0, 0]",
    "[/dev/vdb, '/with space', auto]",
    "[\"/dev/disk\\\\x\", \"/tab\\there\"]",
    "[/dev/vdb]",
    "[/dev/vdb, null]",
    "[/dev/vdb, null, ext4]",
    "[null, /data]",
    "[7, /data]",
    "[/dev/vdb, 7, true, 1.5, 0, 2]",
    "[/dev/vdb, /data, null, null, null, null]",
    "[/dev/vdb, /data, a, b, 0, 1, extra]",
    "[/dev/vdb, /data, a, b, 0, 1, null]",
    "[/dev/vdb, data]",
    "[/dev/vdb, [a, b]]",
    "[]",
    "notalist",
    "null",
    "{a: b}",
    "[sda1, /old]",
    "[sr0, /cd]",
    "[xvda, /x]",
    "[sdaa, /x]",
    "[alias, /aliased]",
    "[alias.1, /aliased]",
    "[/dev/vda1, /again]",
    "[/dev/vdb, none, swap, sw]",
]
EXTRA = [
    "mounts: null",
    "mounts: text",
    "mounts: {a: b}",
    "mounts: 5",
    "mounts: []",
    "mount_default_fields: [null, null, xfs, noatime, '0', '0']\nmounts: [[/dev/vdb, /data]]",
    "mount_default_fields: [null, null, xfs, noatime, 0, 0]\nmounts: [[/dev/vdb, /data]]",
    "mount_default_fields: [null, null, xfs, noatime, 0, 0]\nmounts: [[/dev/vdb, /data, ext4, x, 0, 0]]",
    "mount_default_fields: [null, null, xfs, null, '0', '0']\nmounts: [[/dev/vdb, /data]]",
    "mount_default_fields: [null, null, null, a, '0', '0']\nmounts: [[/dev/vdb, /data]]",
    "mount_default_fields: [null, null, xfs]\nmounts: [[/dev/vdb, /data]]",
    "mount_default_fields: [null, null, xfs, a]\nmounts: [[/dev/vdb, /data]]",
    "mount_default_fields: [/dev/x, /mp, xfs, a, '1', '1']\nmounts: [[/dev/vdb], [null, null]]",
    "mount_default_fields: [null, 5, xfs, a, '1', '1']\nmounts: [[/dev/vdb]]",
    "mount_default_fields: text\nmounts: [[/dev/vdb, /data]]",
    "mount_default_fields: null\nmounts: [[/dev/vdb, /data]]",
    "mount_default_fields: []\nmounts: [[/dev/vdb, /data, a, b, c, d]]",
    "mounts: [[/dev/vdb, /a], [/dev/vdb, null], [/dev/vdb, /b]]",
    "mounts: [[/dev/vdb, null], [/dev/vdb, /b]]",
    "mounts: [[/dev/vdb, /a], [/dev/vdc, /b], [tmpfs, /a/b, tmpfs]]",
    "device_aliases: {alias: /dev/vdd}\nmounts: [[alias, /a], [alias.1, /b], [alias.2, /c]]",
    "device_aliases: {alias: ephemeral0}\nmounts: [[alias, /a]]",
    "device_aliases: {ephemeral0: /dev/vdd}\nmounts: [[ephemeral0, /a]]",
    "device_aliases: [a]\nmounts: [[/dev/vdb, /a]]",
    "device_aliases: null\nmounts: [[/dev/vdb, /a]]",
    "swap: {size: 512M}",
    "swap: {size: 1G, filename: /var/swap}",
    "swap: {size: 1.5G}",
    "swap: {size: 1073741824}",
    "swap: {size: 1000}",
    "swap: {size: '1000'}",
    "swap: {size: 0}",
    "swap: {size: '0'}",
    "swap: {size: 1g}",
    "swap: {size: big}",
    "swap: {size: auto}",
    "swap: {size: AUTO}",
    "swap: {size: auto, maxsize: 256M}",
    "swap: {size: auto, maxsize: 268435456}",
    "swap: {size: auto, maxsize: 100G}",
    "swap: {size: auto, maxsize: much}",
    "swap: {size: 1G, maxsize: much}",
    "swap: {size: 1G, maxsize: 1M}",
    "swap: {filename: /s}",
    "swap: {filename: '', size: 1M}",
    "swap: {filename: null, size: 1M}",
    "swap: {filename: /exists.img, size: 1M}",
    "swap: {filename: /used.img, size: 1M}",
    "swap: [a]",
    "swap: null",
    "swap: text",
    "swap: {size: true}",
    "swap: {size: 512M}\nmounts: [[/dev/vdb, none, swap, sw, '0', '0']]",
]
BEFORE = [
    "",
    "/dev/vda1 / ext4 defaults 0 1\n# comment\n\nUUID=x /boot ext2 ro 0 2\n",
    "/dev/vda1 / ext4 defaults 0 1\n/dev/vdb\t/data\tauto\tdefaults,nofail,x-systemd.after=cloud-init-network.service,_netdev,comment=cloudconfig\t0\t2\n",
    "/dev/vdc /mnt auto defaults 0 2\n/dev/vdb /srv ext4 defaults 0 2\n",
]


def swap_file(done):
    """The commands that make a swap file as one step with file and MiB."""
    out = []
    for item in done:
        if item[0] == "run" and item[1][0] == "fallocate":
            out.append(["swap-file", [item[1][3], item[1][2].rstrip("M")]])
        elif item[0] == "run" and item[1][0] == "mkswap":
            pass
        elif item[0] == "run":
            out.append(item[1])
        elif item[0] == "mkdir":
            out.append(["mkdir", item[1]])
    return out


def one(yaml, before, ephemeral, memory=None, free=None, files=None):
    devices = ["/dev/vda", "/dev/vda1", "/dev/vdb", "/dev/vdc", "/dev/vdd", "/dev/vdd1", "/dev/nvme0n1", "/dev/nvme0n1p1"]
    case = {
        "cloud_config": yaml,
        "fstab_before": before,
        "block_devices": devices,
        "ephemeral0": ephemeral,
    }
    if memory:
        case["memory"], case["free"] = memory, free
    files = dict(files or {})
    if files:
        case["files"] = dict(files)
    files["/etc/fstab"] = before
    for device in devices:
        files[device] = ""
    machine = common.Machine(files, directories={"/", "/var"})
    config = common.load(yaml)
    parent = lambda name: name if name in ("vda", "vdb", "vdc", "vdd", "nvme0n1") else None
    for device in devices:
        name = device.rsplit("/", 1)[1]
        base = next((d for d in ("vda", "vdb", "vdc", "vdd", "nvme0n1") if name.startswith(d)), None)
        machine.directories.add(f"/sys/block/{base}" + ("" if name == base else f"/{name}"))
    statvfs = mock.Mock(f_frsize=1, f_bfree=free or 0)
    with machine.patched(), mock.patch.object(distros, "uses_systemd", lambda: True), mock.patch.object(
        os, "statvfs", lambda path: statvfs
    ), mock.patch.object(util, "read_meminfo", lambda: {"total": memory}), mock.patch.object(
        util, "get_mount_info", lambda path: ("/dev/vda1", "ext4", "/")
    ), mock.patch.object(util, "mounts", lambda: {"/dev/vda1": {"mountpoint": "/"}}), mock.patch.object(
        os.path, "realpath", lambda path: path
    ):
        cloud = common.cloud("debian", config, {}, machine)
        mapping = {"ephemeral0": ephemeral} if ephemeral else {}
        cloud.device_name_to_device = lambda name: mapping.get(name)
        try:
            cc_mounts.handle("x", config, cloud, [])
            fstab = machine.files["/etc/fstab"]
            case["ok"] = {"fstab": fstab, "calls": swap_file(machine.done)}
        except Exception as error:
            case["error"] = type(error).__name__
    return case

# More of the same, by chance.
CHANCE = random.Random(7)
DEVICES = ["/dev/vdb", "vdb", "vdb1", "vdb.1", "/dev/vdd", "/dev/vdd.1", "/dev/vdd1", "vdd", "vdd1", "ephemeral0", "ephemeral",
           "ephemeral0.1", "ephemeral1", "swap", "root", "ami", "ebs0", "LABEL=x", "UUID=y", "s:/p", "//h/s", "tmpfs", "null", "5",
           "alias", "alias.1", "/dev/nvme0n1", "/dev/nvme0n1p1", "nvme0n1", "sr0", "/dev/vda1", "''", "'a b'",
           "'ephemeral0:x'", "vda", "xvdb", "/dev/mapper/x", "'.'", "'a.b.c'"]
FIELDS = ["null", "/a", "/b", "none", "swap", "ext4", "auto", "'defaults'", "0", "'0'", "2", "true", "'x y'", "''", "[q]"]


def by_chance(count):
    pick = CHANCE.choice

    def row():
        if CHANCE.random() < 0.05:
            return pick(["x", "null", "{a: b}", "5"])
        length = pick([0, 1, 1, 2, 2, 2, 3, 4, 5, 6, 6, 7])
        return "[" + ", ".join([pick(DEVICES)] * (length > 0) + [pick(FIELDS) for _ in range(length - 1)]) + "]"

    for _ in range(count):
        yaml = "mounts: [" + ", ".join(row() for _ in range(CHANCE.randrange(0, 4))) + "]\n"
        if CHANCE.random() < 0.3:
            length = pick([0, 3, 4, 6, 6, 6, 7])
            yaml += "mount_default_fields: [" + ", ".join(pick(FIELDS) for _ in range(length)) + "]\n"
        if CHANCE.random() < 0.3:
            yaml += f"device_aliases: {{alias: {pick(DEVICES)}, ephemeral0: {pick(DEVICES)}}}\n"
        if CHANCE.random() < 0.3:
            size, most = pick(["1G", "auto", "0", "100", "1.5M", "null"]), pick(["null", "1G", "1048576", "x"])
            yaml += f"swap: {{size: {size}, maxsize: {most}, filename: {pick(['/s', '/used.img', repr('')])}}}\n"
        files = pick([{}, {"/proc/swaps": "F\n/used.img f\n", "/used.img": ""}])
        yield one(yaml, pick(BEFORE), pick([None, "/dev/vdc", "/dev/vdd"]), pick([2**29, 2**33, 2**36]), pick([2**31, 2**36]), files)



def main():
    cases = []
    for row, before in itertools.product(ROWS, BEFORE):
        cases.append(one(f"mounts: [{row}]", before, "/dev/vdc"))
    for row in ROWS:
        cases.append(one(f"mounts: [{row}]", "", None))
        cases.append(one(f"mounts: [[/dev/vdb, /first], {row}]\nmount_default_fields: [null, null, auto, x, '0', '0']", "", "/dev/vdd"))
    files = {
        "/proc/swaps": "Filename\tType\n/used.img file 1 2 3\n",
        "/exists.img": "",
        "/used.img": "",
    }
    for yaml in EXTRA:
        cases.append(one(yaml, BEFORE[1], None, 2**30, 10 * 2**30, files))
        cases.append(one(yaml, "", "/dev/vdc", 8 * 2**30, 2**31))
    cases.extend(by_chance(300))
    common.save("mounts_more", cases)

    sizes = []
    numbers = ["0", "1", "1.5", ".5", "1.", "1e3", "1_000", "_1", "1__0", " 7 ", "-1", "+2", "inf", "nan", "", "x", "0x10", "½"]
    units = ["", "B", "K", "KB", "KiB", "M", "iB", "MiB", "G", "GB", "T", "TiB", "P", "k", "BB", "KK", " M"]
    for number, unit in itertools.product(numbers, units):
        case = {"in": number + unit}
        try:
            case["ok"] = util.human2bytes(number + unit)
        except Exception as error:
            case["error"] = type(error).__name__
        sizes.append(case)
    common.save("human2bytes_more", sizes)


main()
