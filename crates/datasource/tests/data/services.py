"""What the real DataSourceEc2, DataSourceOpenStack and DataSourceGCE make of metadata services.

Takes the path of a cloud-init checkout (26.2) and writes `services.jsonl` (what a service answers, and what came of
it) and `ec2_network.jsonl` (EC2's metadata and network cards, and the network configuration) beside itself.
"""

import base64
import functools
import http.server
import json
import logging
import random
import sys
import threading
import time
from pathlib import Path
from unittest import mock

HERE = Path(__file__).resolve().parent
sys.path.insert(0, sys.argv[1])
logging.disable(logging.CRITICAL)

from cloudinit import helpers, sources, util  # noqa: E402
from cloudinit.net import netplan  # noqa: E402
from cloudinit.sources import DataSourceEc2 as ec2  # noqa: E402
from cloudinit.sources import DataSourceGCE as gce  # noqa: E402
from cloudinit.sources import DataSourceOpenStack as openstack  # noqa: E402

TOKEN = "t0ken=="


class Service(http.server.BaseHTTPRequestHandler):
    answers = {}
    token = False
    flavor = False

    def log_message(self, *_):
        pass

    def send(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self):
        if self.token and self.path == "/latest/api/token":
            return self.send(200, TOKEN.encode())
        self.send(404, b"")

    def do_GET(self):
        if self.token and self.headers.get("X-aws-ec2-metadata-token") != TOKEN:
            return self.send(401, b"")
        if self.flavor and self.headers.get("Metadata-Flavor") != "Google":
            return self.send(403, b"")
        body = self.answers.get(self.path)
        if body is None:
            return self.send(404, b"")
        self.send(200, base64.b64decode(body[1]) if isinstance(body, list) else body.encode())


def ec2_tree(version, tree, top="meta-data"):
    """All paths below a version: values are texts, lists of lines, or dictionaries."""
    answers = {}

    def put(path, node):
        if isinstance(node, dict):
            listing = node.get("")
            if listing is None:
                listing = "\n".join(k + "/" * isinstance(v, dict) for k, v in node.items())
            answers[path] = listing
            answers[path.rstrip("/")] = listing
            for name, value in node.items():
                if name:
                    put(path + name + "/" * isinstance(value, dict), value)
        else:
            answers[path] = node

    put(f"/{version}/{top}/", tree)
    return answers


def meta(**more):
    tree = {
        "ami-id": "ami-1",
        "ami-launch-index": "1",
        "hostname": "h.internal",
        "instance-id": "i-0abc1234",
        "local-hostname": "h.internal",
        "local-ipv4": "10.0.0.1",
        "placement": {"availability-zone": "zone1b"},
        "public-keys": {"": "0=key", "0": {"openssh-key": "ssh-rsa AAAA key\n"}},
    }
    for name, value in more.items():
        name = name.replace("_", "-")
        if value is None:
            tree.pop(name)
        else:
            tree[name] = value
    return tree


def document(text='{"instanceId": "i-0abc1234", "region": "zone", "availabilityZone": "zone1c"}'):
    return {"document": text, "signature": "A\nB"}


B64 = ["base64", base64.b64encode(b"#cloud-config\na: 1\n").decode()]
BINARY = ["base64", base64.b64encode(bytes(range(256))).decode()]


def ec2_cases():
    def case(name, platform, tree, version="2021-03-23", user_data=None, doc=None, **more):
        answers = ec2_tree(version, tree)
        if user_data is not None:
            answers[f"/{version}/user-data"] = user_data
        if doc:
            answers.update(ec2_tree(version, {"instance-identity": doc}, "dynamic"))
        if platform != "aws":
            # Where cloud-init waits for the service.
            answers.setdefault("/2009-04-04/meta-data/instance-id", tree["instance-id"])
        return dict(name=name, source="Ec2", platform=platform, answers=answers, token=platform == "aws", **more)

    yield case("aws", "aws", meta(), user_data="#!/bin/sh\n", doc=document())
    yield case("aws without a document", "aws", meta(), doc={"signature": "x"})
    for version in ["2021-03-23", "2018-09-24", "2016-09-02", "2009-04-04"]:
        yield case(f"version {version}", "unknown", meta(), version=version, user_data="x")
    yield case("no user-data", "unknown", meta())
    yield case("empty user-data", "unknown", meta(), user_data="")
    yield case("user-data in base64", "unknown", meta(), user_data=B64[1])
    yield case("binary user-data", "unknown", meta(), user_data=BINARY)
    yield case("no zone", "unknown", meta(placement=None))
    yield case("empty zone directory", "unknown", meta(placement={"": ""}))
    yield case("zone of one letter", "unknown", meta(placement={"availability-zone": "one"}))
    yield case("no keys", "unknown", meta(public_keys=None))
    yield case("keys of two lines", "unknown", meta(public_keys={"": "0=a\n1=b", "0": {"openssh-key": "ssh-rsa A a\nssh-rsa B b\n"}, "1": {"openssh-key": "ssh-rsa C c"}}))
    yield case("keys with odd names", "unknown", meta(public_keys={"": "0=my key\n1=a=b\n x=y \n2=", "0": {"openssh-key": "A"}, "1": {"openssh-key": "B"}, "2": {"openssh-key": "C"}, "x%3Dy": "D"}))
    yield case("odd names", "unknown", {**meta(), "": "instance-id\nlocal-hostname\n a b \n\n/\nplacement/\nhostname\nplacement\ndouble//", "a%20b": "1", "placement": {"availability-zone": "zonea"}, "double": {"x": "y"}})
    yield case("json, lines, bytes", "unknown", meta(j='{"a": [1, null, "x"], "b": 1.5}', k="{not json}", l="a\nb\r\nc\n", m=" {} ", n="", o="[1]", p="\n", q="é"))
    yield case("devices", "unknown", meta(block_device_mapping={"ami": "sda", "ephemeral0": "sdb", "root": "/dev/sda1", "swap": "a\nb"}))
    yield case("devices of an old cloud", "unknown", meta(block_device_mapping={"ephemeral": "sdb"}))
    yield case("credentials", "unknown", meta(iam={"": "info\nsecurity-credentials/\nsecurity-credentials", "info": "{}"}))
    yield case("deep", "unknown", meta(a={"b": {"c": {"d": {"e": "f"}}}}))
    yield case("the same name twice", "unknown", {**meta(), "": "instance-id\nx/\nx\nx/", "x": {"y": "1"}})
    for platform in ["brightbox", "zstack", "e24cloud", "outscale"]:
        yield case(platform, platform, meta(instance_id="srv-ab12c"), user_data="u")
    yield case("no launch index", "unknown", meta(ami_launch_index=None))
    yield case("odd launch index", "unknown", meta(ami_launch_index="first"))
    yield case("local-hostname empty", "unknown", meta(local_hostname=""))


def os_case(name, meta_data, version="2018-08-27", versions=None, **files):
    top = "/openstack"
    if versions is None:
        versions = f"2012-08-10\n{version}\nlatest\n"
    answers = {}
    if versions:
        answers[top] = versions
    text = meta_data if isinstance(meta_data, str) else json.dumps(meta_data)
    answers[f"{top}/{version}/meta_data.json"] = text
    for path, value in files.items():
        path = {"user_data": "user_data"}.get(path, path.replace("__", "/") + (".json" if "content" not in path else ""))
        at = f"{top}/{path}" if path.startswith("content/") else f"{top}/{version}/{path}"
        answers[at] = value if isinstance(value, (str, list)) else json.dumps(value)
    answers.update({"/latest/meta-data/": "block-device-mapping/\ninstance-id", "/latest/meta-data/instance-id": "i-1", "/latest/meta-data/block-device-mapping/": "ephemeral0", "/latest/meta-data/block-device-mapping/ephemeral0": "vdb"})
    return dict(name=name, source="OpenStack", answers=answers)


UUID = "83679162-1378-4288-a2d4-70e13ec132aa"


def os_meta(**more):
    base = {"uuid": UUID, "hostname": "s.novalocal", "name": "s", "launch_index": 0, "availability_zone": "nova",
            "public_keys": {"k": "ssh-rsa A k\n"}}
    base.update(more)
    return {name: value for name, value in base.items() if value is not None}


def openstack_cases():
    yield os_case("usual", os_meta(), user_data="#!/bin/sh\n", vendor_data={"cloud-init": "#cloud-config\n"}, network_data={"links": []})
    yield os_case("little", {"uuid": UUID})
    yield os_case("no list of versions", os_meta(), version="latest", versions="nothing")
    yield os_case("unknown versions", os_meta(), version="latest", versions="2030-01-01\nlatest")
    for version in ["2012-08-10", "2013-10-17", "2017-02-22"]:
        yield os_case(version, os_meta(), version=version)
    yield os_case("binary user-data", os_meta(), user_data=BINARY)
    yield os_case("empty user-data", os_meta(), user_data="")
    yield os_case("seed", os_meta(random_seed=base64.b64encode(b"\x00\x01seed").decode()))
    yield os_case("vendor-data is text", os_meta(), vendor_data='"#!/bin/sh\\n"', vendor_data2={"cloud-init": "#cloud-config\nx: 1\n"})
    yield os_case("vendor-data is nothing", os_meta(), vendor_data={}, vendor_data2={"other": 1})
    yield os_case("vendor-data is wrong", os_meta(), vendor_data={"cloud-init": {"a": 1}}, vendor_data2={"cloud-init": 5})
    yield os_case("keys in lists", os_meta(public_keys={"a": ["ssh-rsa A", "ssh-rsa B", ""], "b": "ssh-rsa C"}))
    yield os_case("keys are a list", os_meta(public_keys=["ssh-rsa A", "ssh-rsa B"]))
    yield os_case("keys are text", os_meta(public_keys="ssh-rsa A\nssh-rsa B\n"))
    yield os_case("no keys", os_meta(public_keys=None))
    yield os_case("an own id", os_meta(**{"instance-id": "other", "local-hostname": "other"}))
    yield os_case("cloud name and region", os_meta(region="r1", **{"cloud-name": "Ours"}))
    yield os_case("network mode", os_meta(meta={"dsmode": "net"}))
    yield os_case("disabled", os_meta(meta={"dsmode": "disabled"}))
    yield os_case("no uuid", os_meta(uuid=None))
    yield os_case("broken", '{"uuid": ')
    yield os_case("a list", "[1]")
    yield os_case("broken network", os_meta(), network_data="{")
    yield os_case("broken vendor-data", os_meta(), vendor_data="{")
    yield os_case("bad seed", os_meta(random_seed=5))
    yield os_case("files", os_meta(files=[{"path": "/etc/x", "content_path": "/content/0000"}]), content__0000="x")
    yield os_case("files that are not there", os_meta(files=[{"path": "/etc/x", "content_path": "/content/0000"}]))


def gce_case(name, instance=None, project=None, id="123", zone="projects/1/zones/us-central1-a", hostname="h.c.p.internal", **more):
    top = "/computeMetadata/v1"
    answers = {}
    for path, value in [("instance/id", id), ("instance/zone", zone), ("instance/hostname", hostname)]:
        if value is not None:
            answers[f"{top}/{path}"] = value
    for path, value in [("instance", instance), ("project", project)]:
        if value is not None:
            answers[f"{top}/{path}/attributes/?recursive=True"] = value if isinstance(value, str) else json.dumps(value)
    return dict(name=name, source="GCE", answers=answers, **more)


def gce_cases():
    key = lambda user, key, rest="": f"{user}:ssh-rsa {key}{rest}"
    old = ' google-ssh {"userName":"x","expireOn":"2018-12-04T20:12:00+0000"}'
    new = ' google-ssh {"userName":"x","expireOn":"2128-12-04T20:12:00+0000"}'
    yield gce_case("usual", {"ssh-keys": key("debian", "A") + "\n" + key("bob", "B"), "user-data": "#!/bin/sh\n"}, {"ssh-keys": key("cloudinit", "C")})
    yield gce_case("little")
    yield gce_case("empty", {}, {})
    yield gce_case("old keys", {"sshKeys": key("debian", "A"), "ssh-keys": key("debian", "B")}, {"ssh-keys": key("debian", "C"), "sshKeys": key("debian", "D")})
    yield gce_case("all of the project", {}, {"ssh-keys": key("debian", "C"), "sshKeys": key("debian", "D")})
    for value in ["true", "TRUE", "false", "1", ""]:
        yield gce_case(f"blocked {value}", {"ssh-keys": key("debian", "A"), "block-project-ssh-keys": value}, {"ssh-keys": key("debian", "C")})
    yield gce_case("expired", {"ssh-keys": "\n".join([key("debian", "A", old), key("debian", "B", new), key("debian", "C", " google-ssh {}"), key("debian", "D", " google-ssh {"), key("debian", "E", old.replace("google", "other")), key("debian", "F", old.replace("+0000", "Z")), key("debian", "G", old.replace("+0000", "")), key("debian", "H", old.replace("2018", "18"))])})
    yield gce_case("odd lines", {"ssh-keys": "debian\n\n:ssh-rsa A\ndebian:\ndebian:ssh-rsa é\ndebian:a:b\r\ndebian : x\n debian:ssh-rsa B"})
    yield gce_case("another default user", {"ssh-keys": key("bob", "B") + "\n" + key("debian", "A")}, default_user="bob")
    yield gce_case("no default user", {"ssh-keys": key("bob", "B") + "\n" + key("cloudinit", "A")}, default_user=None)
    yield gce_case("user-data in base64", {"user-data": B64[1], "user-data-encoding": "base64"})
    yield gce_case("user-data in lines of base64", {"user-data": B64[1][:8] + "\n" + B64[1][8:] + "\n", "user-data-encoding": "base64"})
    yield gce_case("unknown encoding", {"user-data": "x", "user-data-encoding": "gzip"})
    yield gce_case("unicode user-data", {"user-data": "#!/bin/sh\n# é\n"})
    yield gce_case("short zone", zone="us-central1-a")
    yield gce_case("zone without a dash", zone="zones/here")
    yield gce_case("short name", hostname="h")
    for name in ["id", "zone", "hostname"]:
        yield gce_case(f"no {name}", **{name: None})


def jsonable(value):
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    return value


def raw(value):
    """User-data or vendor-data as bytes in base64; nothing for nothing."""
    if not value:
        return None
    return base64.b64encode(value if isinstance(value, bytes) else value.encode()).decode()


def run(case, base):
    paths = helpers.Paths({"cloud_dir": "/nonexistent", "run_dir": "/nonexistent"})
    waits = {"max_wait": 1, "timeout": 2, "retries": 0}
    distro = mock.Mock(fallback_interface="eth0")
    distro.get_tmp_exec_path.return_value = "/tmp"
    if case["source"] == "Ec2":
        cfg = {"datasource": {"Ec2": {"metadata_urls": [base], **waits}}}
        source = ec2.DataSourceEc2(cfg, distro, paths)
        source._cloud_name = case["platform"]
    elif case["source"] == "OpenStack":
        cfg = {"datasource_list": ["OpenStack"], "datasource": {"OpenStack": {"metadata_urls": [base], **waits}}}
        source = openstack.DataSourceOpenStack(cfg, distro, paths)
    else:
        cfg = {"datasource": {"GCE": {"metadata_url": base + "/computeMetadata/v1/", **waits}}}
        source = gce.DataSourceGCE(cfg, None, paths)
        source.default_user = case.get("default_user", "debian")
    try:
        found = source._get_data()
    except Exception:
        found = False
    if not found or not source.metadata:
        return None
    name = source.get_hostname(fqdn=True, metadata_only=True).hostname if source.metadata.get("local-hostname") else None
    result = {
        "instance_id": source.get_instance_id(),
        "metadata": jsonable(source.metadata),
        "hostname": name,
        "public_keys": source.get_public_ssh_keys(),
        "region": source.region,
        "availability_zone": source.availability_zone,
        "cloud_name": source.cloud_name,
        "platform": source.platform_type,
        "user_data": raw(source.userdata_raw),
        "vendor_data": raw(source.vendordata_raw),
        "vendor_data2": raw(source.vendordata2_raw),
        "shown": str(source),
    }
    if case["source"] == "Ec2":
        crawled = source._crawled_metadata
        result["version"] = crawled["_metadata_api_version"]
        result["dynamic"] = jsonable(crawled.get("dynamic"))
    if case["source"] == "OpenStack":
        result["network_json"] = None if source.network_json == sources.UNSET else source.network_json
        result["ec2_metadata"] = source.ec2_metadata
    return result


def services():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    instance_metadata = functools.partial(openstack.openstack.ec2.get_instance_metadata, metadata_address=base)
    with mock.patch.object(time, "sleep"), mock.patch.object(
        openstack.openstack.ec2, "get_instance_metadata", lambda *a, **k: instance_metadata(*a, **{"metadata_address": base, **k}) if not a else instance_metadata.func(*a, **k)
    ), mock.patch.object(gce, "platform_reports_gce", return_value=True):
        with open(HERE / "services.jsonl", "w", encoding="utf-8") as out:
            count = 0
            for case in [*ec2_cases(), *openstack_cases(), *gce_cases()]:
                Service.answers = case["answers"]
                Service.token = case.get("token", False)
                Service.flavor = case["source"] == "GCE"
                case["expected"] = run(case, base)
                out.write(json.dumps(case, sort_keys=True) + "\n")
                count += 1
    print(f"services.jsonl: {count} cases")


def network_cases():
    rng = random.Random(42)
    macs = [f"0a:00:00:00:00:0{n}" for n in range(1, 6)]
    for number in range(160):
        cards = rng.sample(macs, rng.randint(1, 4))
        metadata = {}
        for mac in rng.sample(macs, rng.randint(1, 4)):
            n = macs.index(mac) + 1
            of = {"mac": mac, "local-ipv4s": rng.choice([f"10.0.{n}.5", [f"10.0.{n}.5", f"10.0.{n}.7", f"10.0.{n}.6"]])}
            if rng.random() < 0.7:
                of["device-number"] = str(rng.randint(0, 3))
            if rng.random() < 0.3:
                of["network-card"] = str(rng.randint(0, 1))
            if rng.random() < 0.5:
                of["ipv6s"] = rng.choice([f"fd00::{n}", [f"fd00::{n}", f"fd00::1:{n}"], ""])
            if rng.random() < 0.7:
                of["subnet-ipv4-cidr-block"] = rng.choice([f"10.0.{n}.0/20", f"10.0.{n}.0/24", "x", ""])
            if rng.random() < 0.5:
                of["subnet-ipv6-cidr-blocks"] = rng.choice([f"fd00:0:{n}::/64", [f"fd00:0:{n}::/64", "fd01::/64"]])
            if rng.random() < 0.2:
                of["subnet-ipv6-cidr-block"] = "fd00::/64"
            metadata[mac] = of if rng.random() < 0.95 else {}
        names = {mac: f"eth{index}" for index, mac in enumerate(cards)}
        is_netplan = rng.random() < 0.5
        gateway = rng.choice(["10.0.9.1", None])
        distro = mock.Mock()
        distro.network_renderer = netplan.Renderer() if is_netplan else mock.Mock()
        if gateway:
            distro.dhcp_client.dhcp_discovery.return_value = {"routers": gateway}
        else:
            distro.dhcp_client.dhcp_discovery.side_effect = ec2.NoDHCPLeaseError
        expected = ec2.convert_ec2_metadata_network_config({"interfaces": {"macs": metadata}}, distro, macs_to_nics=names)
        yield dict(metadata={"network": {"interfaces": {"macs": metadata}}}, cards=names, netplan=is_netplan, gateway=gateway, expected=expected)


services()
with open(HERE / "ec2_network.jsonl", "w", encoding="utf-8") as out:
    for case in network_cases():
        out.write(json.dumps(case, sort_keys=True) + "\n")
