#!/usr/bin/env python3
"""Makes identify.jsonl: made-up machines, and what cloud-init's tools/ds-identify says of each.

usage: identify.py PATH-OF-DS-IDENTIFY > identify.jsonl

The script runs under sh with a directory as PATH_ROOT. What it would ask programs (blkid, uname,
systemd-detect-virt, VMware's tools) are shell functions; the few paths that it takes without PATH_ROOT are put
below it."""
import json
import os
import random
import subprocess
import sys
import tempfile

RANDOM = random.Random(7)
DMI = "/sys/class/dmi/id/"
SEED = "/var/lib/cloud/seed/"
CFG = "/etc/cloud/cloud.cfg"
CFG_D = "/etc/cloud/cloud.cfg.d/"
DI_CFG = "/etc/cloud/ds-identify.cfg"
OVF = "http://schemas.dmtf.org/ovf/environment/1"


def run(script, case):
    with tempfile.TemporaryDirectory() as root:
        for path in case.get("directories", []):
            os.makedirs(root + path, exist_ok=True)
        for path, text in case.get("files", {}).items():
            os.makedirs(os.path.dirname(root + path), exist_ok=True)
            with open(root + path, "w", encoding="utf-8", newline="") as file:
                file.write(text)
        blkid = ""
        for device in case.get("devices", []):
            names = [("DEVNAME", "path"), ("LABEL_FATBOOT", "boot_label"), ("LABEL", "label"), ("UUID", "uuid"),
                     ("TYPE", "type")]
            blkid += "".join(f"{name}={device[key]}\n" for name, key in names if device.get(key)) + "\n"
        with open(root + "/blkid.out", "w", encoding="utf-8") as file:
            file.write(blkid)
        answers = case.get("answers", {})
        yes = lambda key: 0 if answers.get(key) else 1
        kernel = case.get("files", {}).get("/proc/sys/kernel/version", "#1 SMP").strip()
        lines = [
            "DI_MAIN=noop", "DEBUG_LEVEL=0", "DI_LOG=stderr", f"PATH_ROOT='{root}'", f"PATH_DI_ENV='{root}/none'",
            f". {script}",
            f"detect_virt() {{ _RET='{case.get('virtualization', 'none')}'; }}",
            f"uname() {{ echo 'Linux {kernel} {case.get('architecture', 'x86_64')}'; }}",
            f"blkid() {{ cat '{root}/blkid.out'; }}",
            "dmi_decode() { return 1; }",
            "is_socket_file() { [ -e \"$1\" ]; }",
            f"vmware_has_rpctool() {{ return {yes('vmware_tools')}; }}",
            "vmware_has_vmtoolsd() { return 1; }",
            f"vmware_guestinfo_metadata() {{ return {yes('guestinfo')}; }}",
            "vmware_guestinfo_userdata() { return 1; }",
            "vmware_guestinfo_vendordata() { return 1; }",
            f"vmware_has_envvar_vmx_guestinfo() {{ return {yes('guestinfo_in_environment')}; }}",
            f"vmware_has_envvar_vmx_guestinfo_metadata() {{ return {yes('guestinfo_in_environment')}; }}",
            f"vmware_guestinfo_ovfenv_err() {{ echo '{answers.get('ovf_environment', 'No value found')}'; "
            f"return {yes('ovf_environment')}; }}",
            "main",
        ]
        result = subprocess.run(["dash", "-c", "\n".join(lines)], capture_output=True, check=False,
                                env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})
        written = root + "/run/cloud-init/cloud.cfg"
        text = None
        if os.path.exists(written):
            with open(written, encoding="utf-8") as file:
                text = file.read().replace(root, "")
        if b"parameter not set" in result.stderr:
            # The script itself is broken there.
            return None
        return {"exit": result.returncode, "text": text}


def dmi(**fields):
    return {"files": {DMI + key: value + "\n" for key, value in fields.items()}}


def seed(name, *files):
    return {"files": {f"{SEED}{name}/{file}": "x\n" for file in files}}


def disk(label="", kind="vfat", path="/dev/vdb", **more):
    return {"devices": [{"path": path, "type": kind, "label": label, **more}]}


def line(text):
    return {"files": {"/proc/cmdline": text}}


def cfg(text, path=CFG):
    return {"files": {path: text}}


def virt(name):
    return {"virtualization": name}


def merge(*parts):
    whole = {}
    for part in parts:
        for key, value in part.items():
            if isinstance(value, dict):
                whole.setdefault(key, {}).update(value)
            elif isinstance(value, list):
                whole.setdefault(key, []).extend(value)
            else:
                whole[key] = value
    return whole


# One mark each: what a rule goes by, and what looks like it.
MARKS = [
    *(dmi(product_name=name) for name in (
        "CloudStack KVM Hypervisor", "CloudStack", "Cloudstack", "CloudCIX", "CloudCIX 2", "Exoscale Compute Platform",
        "exoscale", "CloudSigma", "CloudSigma VM", "Google Compute Engine", "Google Compute Engine ", "Google",
        "OpenStack Nova", "OpenStack Compute", "OpenStack", "Alibaba Cloud ECS", "Alibaba Cloud ECS 2", "SmartDC HVM",
        "SmartOS", "RHEV Hypervisor", "[Rr][Hh][Ee][Vv]", "Standard PC (i440FX + PIIX, 1996)", "Open\\Stack Nova")),
    *(dmi(sys_vendor=name) for name in (
        "Linode", "Akamai", "akamai", "DigitalOcean", "UpCloud", "Hetzner", "Hetzner Online", "NWCS", "Vultr", "Scaleway",
        "e24cloud", "e24cloudyday", "Tilaa", "tilaa", "3DS Outscale", "QEMU", "Amazon EC2")),
    *(dmi(chassis_asset_tag=name) for name in (
        "7783-7084-3265-9085-8269-3286-77", "7783-7084-3265-9085-8269-3286-7", "OracleCloud.com", "oraclecloud.com",
        "OpenTelekomCloud", "SAP CCloud VM", "HUAWEICLOUD", "Samsung Cloud Platform", "OpenStack Nova",
        "OpenStack Compute", "1.zstack.io", "zstack.io", "a.zstack.io.org", "No Asset Tag", "Amazon EC2")),
    *(dmi(product_serial=name) for name in (
        "srv-1.gb1.brightbox.com", "brightbox.com", ".brightbox.com", "x.bobrightbox.com", "GoogleCloud-1", "googlecloud-1",
        "GoogleCloud", "ds=nocloud", "ds=nocloud;s=http://a/", "x ds=nocloud-net;h=a y", "ds=Nocloud", "xds=nocloud",
        "ds=nocloudy", "VMware-42 1d", "0")),
    *(dmi(product_uuid=name) for name in (
        "EC2E1916-9099-7CAF-FD21-012345ABCDEF", "ec2e1916-9099-7caf-fd21-012345abcdef", "eC2", "ec",
        "45E12AEC-DCD1-B213-94ED-012345ABCDEF", "45e12aec-dcd1-b213-94ed-012345abcdef", "45E12GEC-DCD1-B213",
        "45E13AEC-DCD1-B213", "2AEC", "AEC", "45E12AECX-DCD1", "1-EC2", "00000000-0000-0000-0000-000000000000")),
    dmi(product_name="3DS Outscale VM", sys_vendor="3DS Outscale"),
    dmi(product_name="3DS Outscale VM"),
    {"files": {DMI + "product_name": "OpenStack Nova"}},
    {"files": {DMI + "sys_vendor": ""}},
    {"directories": ["/sys/class/dmi/id"]},
    {"files": {"/sys/hypervisor/uuid": "ec2c6e2f-5fac-4fc7-9c82-74127ec14bbb\n"}},
    {"files": {"/sys/hypervisor/uuid": "EC2c6e2f-5fac-4fc7-9c82-74127ec14bbb\n"}},
    {"files": {"/sys/hypervisor/uuid": "ec2c6e2f"}},
    *(seed("nocloud", *files) for files in (
        ("meta-data", "user-data"), ("meta-data",), ("user-data",), ("meta-data", "user-data", "vendor-data"))),
    seed("nocloud-net", "meta-data", "user-data"), seed("NoCloud", "meta-data", "user-data"),
    {"files": {"/writable/system-data" + SEED + "nocloud/" + name: "" for name in ("meta-data", "user-data")}},
    {"files": {"/writable/system-data" + SEED + "nocloud-net/meta-data": ""}},
    {"directories": [SEED + "nocloud/user-data"], "files": {SEED + "nocloud/meta-data": ""}},
    seed("ec2", "meta-data", "user-data"), seed("ec2", "meta-data"), seed("azure", "ovf-env.xml"), seed("azure", "x"),
    seed("ovf", "ovf-env.xml"), seed("opennebula", "meta-data"), seed("opennebula", "user-data"),
    seed("AliYun", "meta-data", "user-data"), seed("aliyun", "meta-data", "user-data"),
    seed("config_drive", "openstack/latest/meta_data.json"), seed("config_drive", "openstack/2018-08-27/meta_data.json"),
    seed("config_drive", "openstack/1999-08-27/meta_data.json"), seed("config_drive", "openstack/2xxx-yy-zz/meta_data.json"),
    seed("config_drive", "openstack/2018-08-27/user_data"), seed("config_drive", "meta.js"),
    {"directories": [SEED + "config_drive/openstack/2012-08-10/meta_data.json"],
     "files": {SEED + "config_drive/openstack/2018-08-27/meta_data.json": ""}},
    {"directories": [SEED + "config_drive/openstack/latest/meta_data.json"]},
    {"files": {"/config-drive/openstack/2015-10-15/meta_data.json": ""}},
    {"files": {"/config-drive/openstack/latest/meta_data.json": ""}},
    {"files": {"/var/lib/cloud/data/seed/bigstep/url": ""}}, seed("bigstep", "url"),
    {"files": {"/var/run/scaleway": ""}}, {"files": {"/etc/vultr": ""}}, {"directories": ["/etc/vultr"]},
    {"files": {"/etc/sysconfig/cloud-info": "rhev\n"}},
    {"files": {"/root/provisioningConfiguration.cfg": "x\n"}},
    {"files": {"/proc/1/environ": "A=b\0product_name=OpenStack Nova\0C=d\0"}},
    {"files": {"/proc/1/environ": "product_name=OpenStack Compute\0"}},
    {"files": {"/proc/1/environ": "product_name=x\nproduct_name=OpenStack Nova\0"}},
    {"files": {"/dev/lxd/sock": ""}},
    *({"files": {"/sys/class/virtio-ports/vport1p1/name": name}} for name in (
        "com.canonical.lxd\n", "org.linuxcontainers.lxd", "com.canonical.lxd2\n", "org.qemu.guest_agent.0\n")),
    {"files": {"/native/.zonecontrol/metadata.sock": "", "/proc/sys/kernel/version": "BrandZ virtual linux\n"}},
    {"files": {"/proc/sys/kernel/version": "BrandZ virtual linux\n"}},
    *(disk(label) for label in (
        "cidata", "CIDATA", "Cidata", "config-2", "CONFIG-2", "Config-2", "CONTEXT", "CDROM", "context", "CLOUDMD", "cloudmd",
        "METADATA", "metadata", "x,cidata", "cidata2", "seed")),
    disk(boot_label="cidata"), disk("other", boot_label="CIDATA"), disk("config-2", uuid="9796-932E"),
    disk("config-2", uuid="9796-932e"), disk("cidata", "iso9660"), disk("cidata", "ext4"), disk("cidata", "iso9660", "/dev/sr0"),
    *(disk(label, "iso9660", path) for label, path in (
        ("OVF ENV", "/dev/sr0"), ("OVFENV", "/dev/sr1"), ("ovf-transport", "/dev/hda"), ("OVF-TRANSPORT", "/dev/vdb"),
        ("ovfenv", "/dev/sr10"), ("Ovf Env", "/dev/sr0"), ("rd_rdfe_stable.1", "/dev/sr0"))),
    *(merge(disk(label, "iso9660", "/dev/sr0"), {"files": {"/dev/sr0": text, "/sys/class/block/sr0/size": size}})
      for label, text, size in (
          ("", f"a {OVF} b\n", "2048\n"), ("x", OVF.upper(), "20479\n"), ("x", OVF, "20480\n"), ("x", OVF, "2048"),
          ("cidata", OVF, "2048\n"), ("x", OVF.replace(".", "_"), "1\n"), ("x", OVF[:-1], "1\n"), ("a,b", OVF, "1\n"),
          ("rd_rdfe_stable", OVF, "1\n"))),
    *(line(text) for text in (
        "ro quiet\n", "scaleway\n", "a scaleway b\n", "scaleways\n", "vultr", "x vultr\n", "ds=nocloud\n",
        "ro ds=nocloud;s=http://a/;h=b quiet\n", "ds=nocloud-net;s=http://a/\n", "ci.ds=Ec2\n", "ci.datasource=GCE\n",
        "ds=\n", "ds\n", "ds=Ec2 ci.ds=GCE\n", "ci.ds=GCE ds=Ec2;x=1\n", "xds=Ec2\n", "dsx=Ec2\n",
        "cloud-init=disabled\n", "cloud-init=enabled\n", "xcloud-init=disabledy\n",
        "ci.di.policy=disabled\n", "ci.di.policy=enabled\n", "ci.di.policy=report\n", "ci.di.policy=search,found=first\n",
        "ci.di.policy=search,maybe=all\n", "ci.di.policy=notfound=enabled\n", "ci.di.policy=report,notfound=enabled\n",
        "ci.di.policy=maybe=all,found=none,enabled,search\n", "ci.di.policy=bogus\n", "ci.di.policy=\n",
        "ci.datasource.ec2.strict_id=false\n", "ci.datasource.ec2.strict_id=warn,30 ci.di.policy=maybe=all\n",
        "ci.datasource.ec2.strict_id=warn ci.di.policy=search,maybe=all\n",
        "ci.datasource.ec2.strict_id= ci.di.policy=maybe=all\n", "ci.datasource.ec2.strict_id=warn,x ci.di.policy=maybe=all\n",
        "cc:{'datasource_list': ['GCE']}\n", "cc:{'datasource_list':['GCE','Ec2']}end_cc ro\n",
        "cc: datasource_list: [Ec2, None] end_cc\n", "datasource_list: [ GCE ]\n", "cc:datasource_list\n",
        "cc:{datasource_list: [a]} cc:{datasource_list: [ NoCloud , \"ConfigDrive\" ]}\n",
        "ds=nocloud cc:{'datasource_list': ['GCE']}\n")),
    *({"files": {DI_CFG: text}} for text in (
        "policy: disabled\n", "policy: enabled\n", "policy: report\n", "policy: search,found=first\n", "policy:enabled\n",
        "policy: 'search,maybe=all'\n", "policy: \"notfound=enabled\" # why\n", "#policy: disabled\n", "policy: disabled",
        "policy: search, found=first\n", "policy: report\npolicy: search\n", "datasource: Ec2\n", "datasource: Ec2",
        "datasource: \"GCE\"\npolicy: report\n", " datasource : NoCloud \n", "datasource: 'a b'\n", "nonsense\n",
        "ci.datasource.ec2.strict_id: warn\npolicy: maybe=all\n", "ci.datasource.ec2.strict_id: false\npolicy: maybe=all\n",
        "ci.datasource.ec2.strict_id:\npolicy: maybe=all\n")),
    {"directories": [DI_CFG]},
    *(cfg(text) for text in (
        "datasource_list: [ NoCloud ]\n", "datasource_list: [ NoCloud, None ]\n", "datasource_list: [ None, NoCloud ]\n",
        "datasource_list: [ Ec2, GCE, None ]\n", "datasource_list: ['Ec2', \"GCE\"]\n", "datasource_list: Ec2\n",
        "datasource_list: Ec2, GCE, ConfigDrive\n", "datasource_list:\n  - Ec2\n", "datasource_list: []\n",
        "datasource_list: [ ]\n", "#datasource_list: [ Ec2 ]\n", "  # datasource_list: [ Ec2 ]\n",
        "datasource_list: [ Ec2 ] # why\n", "xdatasource_list: [ Ec2 ]\n", "datasource_list : [Ec2,]\n",
        "datasource_list:[ Ec2 ]\n", "\"datasource_list\" : [ Ec2, , GCE ]\n", "datasource_list: [,,]\n",
        "datasource_list: [ Ec2, Unknown, GCE, MAAS ]\n", "datasource_list: [ Ec2 , NoCloud ]\ndatasource_list: [ GCE ]\n",
        "datasource_list: [ a: b ]\n", "datasource_list: [ NoCloud, IBMCloud, ConfigDrive ]\n",
        "datasource_list: [ ConfigDrive, OpenStack ]\n", "datasource_list: [ AltCloud, Ec2 ]\r\n",
        "datasource: {NoCloud: {user-data: x, meta-data: y}}\n", "NoCloud:\n user-data: x\n",
        "NoCloud:\n user-data: x\n meta-data: y\n", "NoCloud:\n  seedfrom: x\n", "#NoCloud:\n seedfrom: x\n",
        "seedfrom: x\n", "NoCloud: ~\n#seedfrom: x\n", "NoCloud: ~\n  #seedfrom: x\n",
        "datasource:\n  Ec2:\n    strict_id: false\n", "datasource:\n  Ec2:\n    strict_id: \"warn\"\n",
        "strict_id: warn \n", "datasource: {Ec2: {strict_id: warn}}\n")),
    cfg("datasource_list: [ GCE ]\n", CFG_D + "90_x.cfg"), cfg("datasource_list: [ GCE ]\n", CFG_D + "90_x.conf"),
    cfg("datasource_list: [ GCE ]\n", CFG_D + ".x.cfg"),
    merge(cfg("datasource_list: [ Ec2 ]\n"), cfg("datasource_list: [ GCE ]\n", CFG_D + "9.cfg")),
    merge(cfg("datasource_list: [ Ec2 ]\n", CFG_D + "10.cfg"), cfg("datasource_list: [ GCE ]\n", CFG_D + "9.cfg")),
    cfg("datasource_list: [ GCE ]\n", CFG_D + "a#b.cfg"),
    cfg("strict_id: false\n", CFG_D + "90_Ec2.cfg"), cfg("strict_id: warn,5\n", CFG_D + "eC2x.cfg"),
    cfg("strict_id: false\n", CFG_D + "90_x.cfg"), cfg("strict_id: maybe\n", CFG_D + "ec2.cfg"),
    cfg("disable_vmware_customization: false\n"), cfg("disable_vmware_customization: true\n"),
    cfg("disable_vmware_customization: 0\n"),
    *({"files": {f"/usr/lib{place}/plugins/vmsvc/libdeployPkgPlugin.so": ""}} for place in (
        "/vmware-tools", "64/open-vm-tools", "/x86_64-linux-gnu/open-vm-tools", "32/open-vm-tools")),
    {"files": {"/var/lib/cloud/instance/manual-clean": ""}},
    {"files": {"/etc/cloud/cloud-init.disabled": ""}},
    {"answers": {"guestinfo_in_environment": True}}, {"answers": {"vmware_tools": True, "guestinfo": True}},
    {"answers": {"vmware_tools": True}}, {"answers": {"vmware_tools": True, "ovf_environment": "<?xml version=\"1.0\"?>"}},
    {"answers": {"vmware_tools": True, "ovf_environment": "xml"}},
    {"architecture": "aarch64"}, {"architecture": "i686"}, {"architecture": "i86"}, {"architecture": "amd64"},
]
KINDS = ["none", "kvm", "qemu", "xen", "vmware", "microsoft", "oracle", "lxc", "docker", "systemd-nspawn", "podman", "wsl",
         "container-other", "vm-other", "unavailable"]


def cases():
    for mark in MARKS:
        yield merge({}, mark)
    for mark in MARKS:
        yield merge(mark, virt(RANDOM.choice(KINDS)))
    for kind in KINDS:
        for mark in RANDOM.sample(MARKS, 4):
            yield merge(mark, virt(kind), {"files": {"/proc/1/cmdline": RANDOM.choice(
                ["/sbin/init\0scaleway\0", "init\n", "/sbin/init\0ds=nocloud;s=x\0", "init\0cloud-init=disabled\0"])}})
    for kind in ("vmware", "kvm"):
        yield merge(virt(kind), {"answers": {"vmware_tools": True}}, cfg("disable_vmware_customization: False\n"),
                    {"files": {"/usr/lib/vmware-tools/plugins/vmsvc/libdeployPkgPlugin.so": ""}})
    yield merge(virt("xen"), disk("config-2", uuid="9796-932E"))
    yield merge(virt("xen"), disk("config-2", uuid="9796-932E"), cfg("datasource_list: [ ConfigDrive, NoCloud ]\n"))
    yield merge(virt("xen"), disk("config-2"), {"files": {"/root/provisioningConfiguration.cfg": ""}})
    for size, number in ((2, 160), (3, 120), (5, 80)):
        for _ in range(number):
            yield merge(*RANDOM.sample(MARKS, size), virt(RANDOM.choice(KINDS)))


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    for path in ("/config-drive", "/etc/cloud/cloud-init.disabled", "/dev/lxd/sock"):
        text = text.replace(f" {path}", " ${PATH_ROOT}" + path)
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as script:
        script.write(text)
        script.flush()
        seen = set()
        for case in cases():
            known = json.dumps(case, sort_keys=True)
            both = any(path in case.get("directories", []) for path in case.get("files", {}))
            if known not in seen and not both:
                seen.add(known)
                result = run(script.name, case)
                if result:
                    print(json.dumps({**case, **result}, ensure_ascii=False))


main()
