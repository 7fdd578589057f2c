#!/usr/bin/env python3
"""Makes seeds.jsonl: made-up NoCloud seeds and config drives, and what cloud-init's data sources make of them.

usage: PYTHONPATH=path-of-cloud-init seeds.py > seeds.jsonl

The data sources' own code runs on directories; what they would ask programs (blkid, mount) answers from the case."""
import base64
import json
import os
import random
import sys
import tempfile
from unittest import mock

from cloudinit import atomic_helper, dmi, helpers, sources, util
from cloudinit.sources import DataSourceConfigDrive as cd
from cloudinit.sources import DataSourceNoCloud as nc

RANDOM = random.Random(11)
B = "/var/lib/cloud/seed/"


def populate(root, files):
    for path, text in files.items():
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        with open(root + path, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))


def stripped(value):
    """As in instance-data.json, where bytes are base64 without their mark."""
    if isinstance(value, str):
        return value.removeprefix("ci-b64:")
    if isinstance(value, dict):
        return {key: stripped(item) for key, item in value.items()}
    return [stripped(item) for item in value] if isinstance(value, list) else value


def plain(value):
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {str(key) if not isinstance(key, bool) else json.dumps(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def raw(data):
    if data is None or data == "" or data == b"":
        return None
    if isinstance(data, list):
        return {"list": data}
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def run(case):
    with tempfile.TemporaryDirectory() as root:
        populate(root, case.get("files", {}))
        devices = case.get("devices", [])
        for number, device in enumerate(devices):
            device_root = f"{root}/mnt{number}"
            os.makedirs(device_root)
            populate(device_root, device["files"])

        def find(criteria=None, path=None, **_):
            if criteria is None:
                return []
            key, wanted = criteria.split("=", 1)
            name = {"TYPE": "type", "LABEL": "label", "LABEL_FATBOOT": "boot_label"}[key]
            return [device["path"] for device in devices if device.get(name) == wanted]

        def mount(device, callback, data=None, **_):
            number = [device["path"] for device in devices].index(device)
            if devices[number].get("broken"):
                raise util.MountFailedError("no")
            where = f"{root}/mnt{number}/"
            return callback(where) if data is None else callback(where, data)

        def is_partition(device):
            return os.path.isfile(f"{root}/sys/class/block/{device[5:]}/partition")

        config = case.get("config", {})
        paths = helpers.Paths({"cloud_dir": root + "/var/lib/cloud", "run_dir": root + "/run"})
        real_isdir, real_read = os.path.isdir, util.load_binary_file

        def below(path):
            return path if path.startswith(root) else root + path

        kind = {"NoCloud": nc.DataSourceNoCloud, "ConfigDrive": cd.DataSourceConfigDrive}[case["source"]]
        serial = case.get("serial")
        patches = [
            mock.patch.object(util, "find_devs_with", find),
            mock.patch.object(util, "mount_cb", mount),
            mock.patch.object(util, "is_partition", is_partition),
            mock.patch.object(util, "get_cmdline", lambda: case.get("line", "")),
            mock.patch.object(util, "is_lxd", lambda: False),
            mock.patch.object(dmi, "read_dmi_data", lambda key: {"system-serial-number": serial}.get(key)),
            mock.patch.object(cd, "on_first_boot", lambda *_, **__: None),
            mock.patch.object(cd.os.path, "isdir", lambda path: real_isdir(below(path) if path == "/config-drive" else path)),
            mock.patch.object(util, "load_binary_file",
                              lambda name, **more: real_read(below(str(name)), **more)),
            mock.patch("cloudinit.url_helper.util", util, create=True),
        ]
        for patch in patches:
            patch.start()
        try:
            source = kind(config, None, paths)
            try:
                found = source._get_data()
            except Exception as error:
                return {"error": type(error).__name__}
            if not found:
                return {"error": "none"}
            network = source.network_config if case["source"] == "NoCloud" else source.network_json
            clean = lambda text: text.replace(root, "")
            return {
                "shown": clean(str(source).replace("DataSourceNoCloud ", "DataSourceNoCloud ", 1)),
                "mode": source.dsmode,
                "cloud_name": source.cloud_name,
                "platform": source.platform_type,
                "subplatform": clean(source.subplatform),
                "instance_id": source.get_instance_id(),
                "metadata": stripped(json.loads(json.dumps(
                    source.metadata, default=atomic_helper.json_serialize_default))),
                "user_data": raw(source.get_userdata_raw()),
                "vendor_data": raw(source.get_vendordata_raw()),
                "vendor_data2": raw(source.get_vendordata2_raw()),
                "network": plain(network) if network not in (sources.UNSET, None) else None,
                "interfaces": bool(getattr(source, "network_eni", None)),
                "files": {key if key.startswith("/") else "/" + key: raw(value) or ""
                          for key, value in getattr(source, "files", {}).items()},
                "public_keys": [key for key in source.get_public_ssh_keys() if isinstance(key, str)],
                "zone": plain(source.availability_zone or None),
            }
        finally:
            for patch in patches:
                patch.stop()


METADATA = [
    "instance-id: i-1\nlocal-hostname: host\n", "instance-id: 42\n", "{}\n", "", "local-hostname: a.b.c\n", "# nothing\n",
    "{\"instance-id\": \"json\", \"local-hostname\": \"h\"}\n", "instance-id: null\n", "- a\n", "just text\n",
    "instance-id: [\n", "instance-id: i-2\npublic-keys: ssh-rsa A\n", "public-keys: |\n  ssh-rsa A\n  ssh-rsa B\n",
    "public-keys:\n  - ssh-rsa A\n  - ssh-rsa B\n", "public-keys:\n  one: ssh-rsa A\n  two: [ssh-rsa B, '', ssh-rsa C]\n",
    "public-keys: {0: {openssh-key: ssh-rsa A}}\n", "public-keys: 5\n", "public-keys: !!set {k1}\n",
    "dsmode: local\n", "dsmode: disabled\n", "dsmode: net\n", "dsmode: pass\n", "dsmode: ~\n",
    "instance-id: true\ncloud-name: MyCloud\n", "cloud-name: 5\navailability-zone: z1\n", "availability_zone: z2\nregion: r\n",
    "placement: {availability-zone: z3}\n", "a: {b: 1, c: 2}\nx: [1]\ninstance-id: i-3\n", "a: {b: 9, d: 3}\nx: [2]\n",
    "launch-index: 3\n1: one\ntrue: yes\n", "instance-id: 2020-01-01x\nf: 1.5\nn: 0x10\ns: 0b1\n",
    "seedfrom: /media/seed\ninstance-id: own\n", "seedfrom: file:///media/seed/\n", "seedfrom: /media/one-%s\n",
    "seedfrom: /media/none/\n", "seedfrom: relative\n", "seedfrom: 7\n", "seedfrom: file://host/media/seed\n",
    "seedfrom: /media/bare\n", "\xc4\xd6: \xfc\n", "instance-id: 'i-4'\r\nlocal-hostname: h\r\n", "local-hostname: 10.0.0.1\n",
    "instance-id: \udcff\n",
]
NETWORK = [None, None, "version: 1\nconfig: []\n", "network: {version: 2, ethernets: {}}\n", "- a\n", "broken: [\n", "", "{}\n"]
USER = ["#cloud-config\nhostname: x\n", "", "#!/bin/sh\n", "\udcff\udcfe"]
MEDIA = {
    "/media/seed/meta-data": "instance-id: media\nlocal-hostname: media\n", "/media/seed/user-data": "#media\n",
    "/media/seed/vendor-data": "#vendor\n", "/media/seed/network-config": "version: 2\n",
    "/media/one-meta-data": "instance-id: percent\n", "/media/one-user-data": "#percent\n",
    "/media/bare/user-data": "#bare\n",
}
LINES = [
    "", "ro quiet", "ds=nocloud", "ds=nocloud;h=cmd;i=iid", "ds=nocloud-net", "ds=nocloud;s=/media/seed", "ds=nocloud;dsmode=net",
    "ds=nocloud;s=file:///media/seed/;i=over", "ds=nocloudy", "ds=nocloud;h", "ds=nocloud-net;s=/media/one-%s", "ds=nocloud;s=",
    "a ds=nocloud;i=1;i=2;x=y=z b", "ds=NoCloud",
]


def seed(prefix):
    files = {}
    for name, choices in (("meta-data", METADATA), ("user-data", USER), ("vendor-data", [None, None, "#vendor\n", ""]),
                          ("network-config", NETWORK)):
        text = RANDOM.choice(choices)
        if text is not None and RANDOM.random() > (0.04 if name.endswith("r-data") else 0):
            files[prefix + name] = text
    return files


def no_cloud():
    for text in METADATA:
        yield {"files": {B + "nocloud/meta-data": text, B + "nocloud/user-data": "#u\n", **MEDIA}}
    for text in LINES:
        yield {"line": text, "files": dict(MEDIA)}
        yield {"serial": text, "files": dict(MEDIA)}
    for text in NETWORK:
        if text is not None:
            yield {"files": {B + "nocloud/meta-data": "", B + "nocloud/user-data": "", B + "nocloud/network-config": text}}
    for config in (
        {"seedfrom": "/media/seed"}, {"seedfrom": ""}, {"user-data": "#u", "meta-data": "instance-id: c\n"},
        {"user-data": "#u", "meta-data": {"instance-id": "d"}}, {"user-data": "#u"}, {"fs_label": "mine"}, {"fs_label": None},
        {"user-data": "#u", "meta-data": "", "vendor-data": "#v", "network-config": "version: 1\nconfig: []\n"},
    ):
        for device in ([], [{"path": "/dev/vdb", "type": "vfat", "label": "CIDATA"}],
                       [{"path": "/dev/vdb", "type": "vfat", "label": "MINE"}]):
            yield {"config": {"datasource": {"NoCloud": config}}, "files": dict(MEDIA),
                   "devices": [{**one, "files": {"/meta-data": "instance-id: disk\n", "/user-data": "#d\n"}} for one in device]}
    for label in ("cidata", "CIDATA", "Cidata", "cidata ", ""):
        for kind in ("vfat", "iso9660", "ext4"):
            for key in ("label", "boot_label"):
                yield {"devices": [{"path": "/dev/vdb", "type": kind, key: label, "files": seed("/")}]}
    for _ in range(160):
        case = {"files": dict(MEDIA), "line": RANDOM.choice(["", "", *LINES])}
        if RANDOM.random() < 0.2:
            case["serial"] = RANDOM.choice(LINES)
        for name in ("nocloud", "nocloud-net"):
            if RANDOM.random() < 0.4:
                case["files"].update(seed(f"{B}{name}/"))
        case["devices"] = [
            {"path": path, "type": RANDOM.choice(["vfat", "iso9660", "ext4"]), "label": RANDOM.choice(["cidata", "CIDATA", "x"]),
             "files": seed("/"), **({"broken": True} if RANDOM.random() < 0.1 else {})}
            for path in ("/dev/sr0", "/dev/vdb", "/dev/vdc1") if RANDOM.random() < 0.5]
        yield case


def md(**more):
    return json.dumps({"uuid": "u-1", "hostname": "host.novalocal", "name": "host", **more})


OPENSTACK = [
    md(), md(public_keys={"b": "ssh-rsa B", "a": "ssh-rsa A"}), md(public_keys=["ssh-rsa L"]), md(public_keys="ssh-rsa T\nssh-rsa U\n"),
    md(public_keys={"k": ["ssh-rsa X", ""]}), md(meta={"dsmode": "local", "role": "web"}), md(meta={"dsmode": "disabled"}),
    md(meta={}), md(meta=[]), md(meta="text"), md(meta={"dsmode": "pass"}), md(availability_zone="nova", launch_index=2, project_id="p"),
    md(random_seed=base64.b64encode(b"\0\xffseed").decode()), md(random_seed="%%%"), md(random_seed="abc"), md(random_seed=5),
    md(random_seed=None), md(random_seed="\xe9"), md(files=[{"path": "/etc/x", "content_path": "/content/0000"}]),
    md(files=[{"path": "etc/y", "content_path": "content/0001"}, {"content_path": "/content/0000"}]),
    md(files=[{"path": "/etc/x", "content_path": "/content/none"}]), md(files=[{"path": "/etc/x"}]), md(files=None), md(files=[]),
    md(files=[{"path": "/etc/x", "content_path": "content//0000"}]),
    md(network_config={"content_path": "/content/net"}), md(network_config={"content_path": "/content/none"}),
    md(network_config={}), md(admin_pass="secret", uuid=5), json.dumps({"hostname": "no-uuid"}), json.dumps({"uuid": "only"}),
    "[]", "{", "", "\"x\"", "{\"uuid\": \"1\", \"uuid\": \"2\", \"hostname\": null}", "{\"uuid\": \"n\", \"v\": NaN}"[:15] + "\"}",
    "\ufeff" + md(), "{\"uuid\": \"\\u00e9\\ud83d\\ude00\"}", md(**{"launch-index": 3, "cloud-name": "OVH", "region": "r1"}),
    md(**{"instance-id": "i-9", "local-hostname": "lh"}), " \n" + md() + "\n\n", md() + "x", "\udcff",
]
JSONS = [None, None, None, "{}", "[]", "\"#cloud-config\\n{}\"", "{\"cloud-init\": \"#!/bin/sh\"}", "{\"cloud-init\": {\"a\": 1}}",
         "{\"cloud-init\": [\"#!/bin/sh\\n\", \"#cloud-config\\n{}\\n\"]}", "{\"other\": 1}", "[\"a\", \"b\"]", "5", "null", "{", "\"\"",
         "{\"cloud-init\": 5}", "{\"cloud-init\": null}", "{\"links\": [], \"networks\": [], \"services\": []}"]
VERSIONS = ["latest", "2012-08-10", "2015-10-15", "2018-08-27", "2016-10-06", "2020-01-01"]
CONTENT = {"/openstack/content/0000": "zero\n", "/openstack/content/0001": "\udcff\0", "/openstack/content/net": "auto lo\niface lo inet loopback\n"}


def tree(prefix, metadata=None):
    files = {prefix + path: text for path, text in CONTENT.items()}
    for version in RANDOM.sample(VERSIONS, RANDOM.choice([1, 1, 2, 3])):
        at = f"{prefix}/openstack/{version}/"
        files[at + "meta_data.json"] = metadata or RANDOM.choice(OPENSTACK)
        for name in ("vendor_data.json", "vendor_data2.json", "network_data.json"):
            text = RANDOM.choice(JSONS)
            if text is not None:
                files[at + name] = text
        if RANDOM.random() < 0.6:
            files[at + "user_data"] = RANDOM.choice(USER)
    if RANDOM.random() < 0.3:
        files[prefix + "/ec2/latest/meta-data.json"] = RANDOM.choice(
            ["{}", "{\"block-device-mapping\": {\"ami\": \"sda1\", \"ephemeral0\": \"sdb\"}}", "[", "[]"])
    return files


def config_drive():
    at = B + "config_drive/openstack/latest/"
    for text in OPENSTACK:
        files = {B + "config_drive" + path: content for path, content in CONTENT.items()}
        yield {"files": {**files, at + "meta_data.json": text, at + "user_data": "#u\n"}}
    for name in ("vendor_data.json", "vendor_data2.json", "network_data.json"):
        for text in JSONS:
            if text is not None:
                yield {"files": {at + "meta_data.json": md(), at + name: text}}
    for metadata in ("{\"instance-id\": \"i-old\", \"dsmode\": \"local\", \"user-data\": \"#!/bin/sh\"}",
                     "{\"public-keys\": \"# c\\nssh-rsa A\\n\\nssh-rsa B\"}", "{}", "[]", "{\"dsmode\": \"net\"}"):
        old = {"/meta.js": metadata, "/root/.ssh/authorized_keys": "ssh-rsa OLD\n", "/etc/network/interfaces": "auto lo\n"}
        yield {"devices": [{"path": "/dev/vdb", "type": "vfat", "files": old}]}
        yield {"devices": [{"path": "/dev/vdb", "type": "vfat", "files": {"/meta.js": metadata}}]}
    for label in ("config-2", "CONFIG-2", "Config-2", "x"):
        for kind in ("vfat", "iso9660", "ext4"):
            yield {"devices": [{"path": "/dev/vdb1", "type": kind, "label": label, "files": tree("", md())}],
                   "files": {"/sys/class/block/vdb1/partition": "1\n"}}
            yield {"devices": [{"path": "/dev/vdb", "type": kind, "label": label, "files": tree("", md())}]}
    yield {"files": {"/config-drive/openstack/latest/meta_data.json": md(), "/config-drive/openstack/latest/user_data": "#c\n"}}
    for dsmode in ("local", "net", "disabled", "x"):
        yield {"files": {at + "meta_data.json": md()}, "config": {"datasource": {"ConfigDrive": {"dsmode": dsmode}}}}
    for _ in range(160):
        case = {"files": {}, "devices": []}
        if RANDOM.random() < 0.3:
            case["files"] = tree(B + "config_drive")
        for path in ("/dev/sr0", "/dev/vda", "/dev/vdb"):
            if RANDOM.random() < 0.5:
                files = tree("") if RANDOM.random() < 0.8 else {"/x": ""}
                case["devices"].append({"path": path, "type": RANDOM.choice(["vfat", "iso9660", "ext4"]),
                                        "label": RANDOM.choice(["config-2", "CONFIG-2", "x"]), "files": files,
                                        **({"broken": True} if RANDOM.random() < 0.1 else {})})
        yield case


def encoded(files):
    """Files that are no text as base64."""
    return {path: text if text.isprintable() or text.encode("utf-8", "replace") == text.encode("utf-8", "surrogateescape")
            else {"b64": base64.b64encode(text.encode("utf-8", "surrogateescape")).decode()} for path, text in files.items()}


def main():
    seen = set()
    # The first line holds the files that many cases have besides their own.
    print(json.dumps({"media": MEDIA}))
    for source, cases in (("NoCloud", no_cloud()), ("ConfigDrive", config_drive())):
        for case in cases:
            case["source"] = source
            known = json.dumps(case, sort_keys=True)
            if known in seen:
                continue
            seen.add(known)
            wanted = run(case)
            if "/meta.js" in known and wanted == {"error": "TypeError"}:
                # cloud-init reads the keys of the oldest drives as bytes and then breaks over them.
                continue
            shown = dict(case)
            if "files" in shown:
                files = shown["files"]
                if MEDIA.items() <= files.items():
                    shown["media"] = True
                    files = {path: text for path, text in files.items() if path not in MEDIA}
                shown["files"] = encoded(files)
            if "devices" in shown:
                shown["devices"] = [{**device, "files": encoded(device["files"])} for device in shown["devices"]]
            print(json.dumps({**shown, "wanted": wanted}))


main()
