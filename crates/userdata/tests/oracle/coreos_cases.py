#!/usr/bin/env python3
"""Makes coreos.jsonl: texts of our own, and what the real coreos-cloudinit says of them.

    coreos_cases.py CHECKOUT > ../data/coreos.jsonl

CHECKOUT is a checkout of github.com/coreos/coreos-cloudinit with its vendored packages; it is
copied, and a Go compiler is needed. Reasons of deprecation are left out of the messages: ours are in
our own words.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile

HEADER = "#cloud-config\n"

# Texts below `#cloud-config`.
TEXTS = """
coreos:
  units:
    - name: web.service
      command: start
      content: |
        [Service]
        ExecStart=/opt/web
%%
coreos:
  units:
    - name: web.service
      commnad: start
%%
coreos:
  units:
    - name: web.service
      command: begin
    - name: db.service
      command: reload-or-try-restart
%%
coreos:
  units:
    - name: a.service
      drop-ins:
        - name: 10-x.conf
          content: "[Service]\\nNice=5\\n"
        - name: 20-y.conf
        - content: "[Unit]"
      mask: no
      enable: y
%%
coreos:
  units:
    - name: a.service
      drop_ins:
        name: 10-x.conf
%%
coreos:
  units:
    - name: a.service
      runtime: true
      mask: true
    - name: etcd2.service
      runtime: true
      mask: true
%%
coreos:
  units:
    - name: 10-lan.network
      runtime: true
      enable: true
      command: start
      content: |
        [Match]
        Name=en*
    - name: bond0.netdev
      content: x
    - name: after.service
      command: try-restart
%%
coreos:
  units:
    - content: nameless
    - command: start
    - name: ''
      mask: true
%%
coreos:
  units: web.service
%%
coreos:
  units:
    web.service: start
%%
coreos:
  units:
    - web.service
    - name: x.service
      enable: on
%%
coreos:
  units:
    -
    - name: x.service
      command:
    - name: y.service
      command: lol
%%
coreos:
  units:
    - {name: flow.service, command: start, content: "x"}
    - {name: flow.service, comand: start}
%%
coreos:
  units:
  - name: same-indent.service
    command: stop
  - name: two.service
    command: restart
    bogus: 1
%%
coreos:
  update:
    reboot-strategy: off
%%
coreos:
  update:
    reboot-strategy: "off"
    group: alpha
%%
coreos:
  update:
    reboot-strategy: no
%%
coreos:
  update:
    reboot_strategy: best-effort
    server: https://updates.example.net/
%%
coreos:
  update:
    reboot_strategy:
%%
coreos:
  update:
    reboot_strategy: [off]
  units:
    - command: nope
%%
coreos:
  update: etcd-lock
%%
coreos:
  locksmith:
    window-start: "Sun 1:00"
    window-length: 2h
%%
coreos:
  locksmith:
    window_start: Sunday 1:00
    window_length: 2 hours
%%
coreos:
  locksmith:
    window_start: 23:60
    window_length: 90m30
%%
coreos:
  locksmith:
    window_start: 4:00
    window_length: -1.5h
    endpoint: http://10.9.8.7:2379
    etcd_password: hush
%%
coreos:
  locksmith:
    reboot_window_start: 4:00
%%
coreos:
  oem:
    id: acme
    name: "Acme \\"Metal\\""
    version-id: 1.0
    home-url: https://acme.example/
    bug-report-url: https://acme.example/bugs
%%
coreos:
  oem:
    name: no id
%%
coreos:
  oem:
    id: "tab\\there"
    name: "bell\\a nul\\x01 é \\u2028"
%%
coreos:
  etcd:
    discovery: https://discovery.example.net/5f1e
    addr: $private_ipv4:4001
    peer-addr: $private_ipv4:7001
%%
coreos:
  etcd:
    discovery: 5f1e
%%
coreos:
  etcd:
    discovery: 12
    name: 7
    snapshot: true
    verbose: yes
    cluster_active_size: 9
    cluster_remove_delay: 1800.5
    cluster_sync_interval: 2500000
%%
coreos:
  etcd:
    discovery:
%%
coreos:
  etcd:
    discovery: [a]
%%
coreos:
  etcd:
    cluster_active_size: three
    cluster_remove_delay: soon
    snapshot: 1
%%
coreos:
  etcd:
    cluster_active_size: 1.9
    http_read_timeout: 0x10
    max_retry_attempts: 0
    retry_interval: .5
%%
coreos:
  etcd:
    listen_client_urls: http://0.0.0.0:2379
%%
coreos:
  etcd2:
    proxy: on
    name: n1
    advertise-client-urls: http://$public_ipv4:2379
    initial-cluster: n1=http://10.0.0.1:2380
%%
coreos:
  etcd2:
    proxy: readonly
    debug: true
%%
coreos:
  etcd2:
    proxy: yes
%%
coreos:
  etcd2:
    proxy: {a: b}
    peer_ca_file: /etc/ca
%%
coreos:
  etcd2:
    ca_file: /etc/ssl/ca.pem
    trusted_ca_file: /etc/ssl/ca.pem
    client_cert_auth: true
    election-timeout: 5000
%%
coreos:
  etcd2: []
%%
coreos:
  etcd3:
    name: x
%%
coreos:
  fleet:
    public-ip: $public_ipv4
    metadata: disk=ssd
    verbosity: 1
    engine_reconcile_interval: 2
    etcd_servers: http://10.0.0.1:2379
    verify_units: false
%%
coreos:
  fleet:
    metadata:
      disk: ssd
%%
coreos:
  flannel:
    interface: $private_ipv4
    etcd-prefix: /net
    ip_masq: true
%%
coreos:
  flannel:
    iface: eth0
%%
coreos:
%%
coreos: {}
hostname: bare
%%
coreos: yes
%%
coreos:
  - units
%%
coreos:
  hostname: inside
%%
coreos:
  write_files:
    - path: /etc/x
%%
coreos:
  write-files:
    - path: /etc/x
      content: x
%%
coreos:
  write_files:
%%
units:
  - name: x.service
coreos: {}
%%
hostname: 12
%%
hostname: 012
%%
hostname: yes
%%
hostname: 1e3
%%
hostname:
%%
hostname: [a]
%%
hostname: 2001-01-01
%%
hostname: 'quoted'
coreos: {}
%%
hostname: one
hostname: two
%%
host-name: one
%%
manage_etc_hosts: localhost
%%
manage-etc-hosts: true
%%
manage_etc_hosts: {}
%%
ssh_authorized_keys:
  - ssh-ed25519 AAAAC3 me@example
  - "  padded  "
%%
ssh-authorized-keys: [a, b]
%%
ssh_authorized_keys: ssh-ed25519 AAAAC3
%%
ssh_authorized_keys:
  - [nested]
  - 5
  - ~
%%
ssh_authorized_keys:
  a: b
%%
users:
  - name: core
    passwd: $6$salt$hash
  - name: ops
    groups: [sudo, docker]
    ssh-authorized-keys: [k1]
    homedir: /srv/ops
    shell: /bin/bash
    gecos: Operations
    primary-group: ops
%%
users:
  - default
  - name: x
    groups: [a]
%%
users:
  - name: x
    groups: a, b
    sudo: ALL
%%
users:
  - name: x
    no-create-home: true
    no_user_group: 'true'
    system: 1
    no-log-init: on
%%
users:
  - name: x
    coreos-ssh-import-github: octo
    coreos-ssh-import-github-users: [cat, dog]
    coreos-ssh-import-url: https://keys.example/x
%%
users:
  - nam: x
%%
users:
  - name:
      first: x
%%
users: x
%%
users: []
%%
users:
%%
write_files:
  - path: /etc/motd
    content: hello
    permissions: 0644
%%
write_files:
  - path: /etc/motd
    permissions: 644
  - path: /etc/motd
    permissions: '0644'
  - path: /etc/motd
    permissions: 4755
  - path: /etc/motd
    permissions: "04755"
%%
write_files:
  - path: /etc/motd
    permissions: 0o644
  - path: /etc/motd
    permissions: 64
  - path: /etc/motd
    permissions: u=rw
  - path: /etc/motd
    permissions: 0888
  - path: /etc/motd
    permissions: 14755
%%
write_files:
  - path: /etc/motd
    permissions: 0x1a4
  - path: /etc/motd
    permissions: 6_44
%%
write_files:
  - nothing
  - path: /etc/motd
    permissions: 0644
%%
write_files:
  - path: /usr/local/bin/x
  - path: /usr
  - path: /usr2/x
  - path: /usrx
  - path: usr/x
  - path: /opt/../usr/share/x
  - path: //usr//x
  - path: /usr/../etc/x
%%
write_files:
  - encoding: base64
    content: aGVsbG8K
  - encoding: b64
    content: aGVsbG8
  - encoding: base64
    content: "aGVs\\nbG8K"
  - encoding: base64
    content: |
      aGVs
      bG8K
%%
write_files:
  - path: /etc/x
    encoding: base64
    content: |
      aGVs
      bG8K
%%
write_files:
  - path: /etc/x
    encoding: gzip+base64
    content: H4sIAAAAAAACA8tIzcnJ5wIAIDA6NgYAAAA=
  - path: /etc/y
    encoding: gz+b64
    content: H4sIAAAAAAACA8tIzcnJ5wIAIDA6NgYAAAA=
%%
write_files:
  - path: /etc/x
    encoding: gzip
    content: !!binary H4sIAAAAAAACA8tIzcnJ5wIAIDA6NgYAAAA=
%%
write_files:
  - path: /etc/broken
    encoding: gz+base64
    content: H4sIAAAAAAACA8tIzcnJ
%%
write_files:
  - path: /etc/x
    encoding: gz
    content: not packed
%%
write_files:
  - path: /etc/x
    encoding: zip
    content: x
%%
write_files:
  - path: /etc/x
    encoding: text/plain
    content: x
%%
write_files:
  - path: /etc/x
    encoding: base64
%%
write_files:
  - path: /etc/x
    encoding:
    content: x
%%
write_files:
  - path: /etc/x
    encoding: base64
    content:
%%
write_files:
  - path: /etc/x
    encoding: [base64]
    content: x
%%
write_files:
  - path: /etc/x
    encoding: b64
    content: 1234
%%
write_files:
  - path: /etc/x
    content: !!binary aGVsbG8K
%%
write_files:
  - path: /etc/x
    content: !!binary ???
%%
write_files:
  path: /etc/x
%%
write_files:
  a:
    path: /usr/x
    permissions: 9
%%
write_files:
  - path: /etc/x
    append: true
    defer: true
    owner: core:core
%%
write-files:
  - path: /etc/one
write_files:
  - path: /etc/two
%%
coreos:
  units:
    - name: a.service
coreos:
  units:
    - name: b.service
%%
coreos:
  update: {group: a}
coreos:
  update: {server: b}
%%
defaults: &d
  command: start
  enable: true
coreos:
  units:
    - <<: *d
      name: a.service
    - name: b.service
      command: stop
      <<: *d
%%
base: &b {command: start}
more: &m {command: stop, enable: true}
coreos:
  units:
    - <<: [*b, *m]
      name: a.service
%%
coreos:
  units:
    - <<: start
      name: a.service
%%
list: &l
  - name: a.service
    command: start
coreos:
  units: *l
%%
coreos:
  units: *missing
%%
runcmd:
  - ls
packages: [vim]
coreos:
  units: []
%%
4: number
true: boolean
~: null
1.5: float
"quoted": text
%%
"coreos":
  "units":
    - "name": x.service
      "command": lol
%%
{coreos: {units: [{name: x.service, command: lol}]}}
%%
coreos:
    units:
        - name: deep.service
          drop_ins:
              - name: a.conf
                contents: x
%%
# coreos: in a comment
coreos:
  # units:
  units:
    # - name:
    - name: x.service
      bad: 1
%%
coreos:
  units:
    - name: x.service
      content: |
        bad: inside
        - command: inside
      bad: outside
%%
coreos:
  units:
    - command: start
      name: a.service
    - command: lol
      name: b.service
%%
a: b: c
%%
a:
b
%%
a: [1
%%
- a
b: c
%%
key: "unclosed
%%
	tab: x
%%
hostname: @x
%%
hostname: `x`
%%
? [a]
: b
%%
!!int x
%%
hostname: !!int x
%%
hostname: !!str 5
%%
hostname: !custom 5
%%
coreos: !!map {}
%%
just text
%%
- a list
%%
~
%%
%%
$public_ipv4: $private_ipv4$private_ipv4
hostname: \\$public_ipv6 $private_ipv6x
%%
hostname: a\\\\$private_ipv4 ${private_ipv4} $PRIVATE_IPV4
%%
hostname: $private_ipv4$private_ipv4$private_ipv4$public_ipv4
"""

# User-data as a whole.
WHOLE = [
    "",
    "#!/bin/sh\necho\n",
    "#cloud-config",
    "#cloud-config \t\r\nhostname: a\r\ncoreos:\r\n  bad: 1\r\n",
    "# cloud-config\nhostname: a\n",
    "#cloud-config-coreos\nhostname: a\n",
    "\n#cloud-config\n",
    "hostname: a\n",
    "{}",
    '{"ignitionVersion": 1}',
    '{"ignitionVersion": "1"}',
    '{"ignition": {"version": "2.0.0"}}',
    '{"ignition": {"version": 2}}',
    "Content-Type: multipart/mixed\n\n",
    "$private_ipv4 first\n$private_ipv4",
]

OTHERS = [
    {"what": "update", "group": "beta", "old": "# mine\nGROUP=stable\nSERVER=x"},
    {"what": "update", "group": "beta", "old": "GROUP=stable\nGROUP=alpha\n"},
    {"what": "update", "server": "s", "reboot_strategy": "reboot", "old": "SERVERS=many\r\n\r\n"},
    {"what": "update", "reboot_strategy": "off", "old": ""},
    {"what": "update", "reboot_strategy": "off", "group": "g", "server": "s", "old": "\n"},
    {"what": "update", "reboot_strategy": "never", "old": ""},
    {"what": "update", "old": "GROUP=stable\n"},
    {"what": "update", "group": "a", "old": " GROUP=b\nexport GROUP=c\n"},
    {"what": "environment", "old": "", "variables": {"B": "2", "A": "1"}},
    {"what": "environment", "old": "A=0\nB=0", "variables": {"B": "2", "A": "1"}},
    {"what": "environment", "old": "A=0\r\n# B=0\r\n\r\n", "variables": {"B": "2", "A": "1"}},
    {"what": "environment", "old": "A=0\nA=00\n A=000\nAA=1\n", "variables": {"A": "1"}},
    {"what": "environment", "old": "A =0\nexport A=0\n=x\n", "variables": {"A": "1"}},
    {"what": "environment", "old": "x\n\n\n", "variables": {"A": "$1 \\ \""}},
    {"what": "environment", "old": "A=1\n", "variables": {"A": "1"}},
    {"what": "environment", "old": "A=1", "variables": {"A": "1"}},
    {"what": "environment", "old": "A-B=1\nA=\n", "variables": {"A": "1"}},
] + [
    {"what": "url", "url": url}
    for url in [
        "https://discovery.example.net/x", "http://h", "h", "/p", "//h/p", "", "*", ":", "a:", "a:b", "1a:b",
        "http://", "http:///p", "http://h:80", "http://h:", "http://h:x", "http://h:80:90", "http://[::1]:80/",
        "http://[::1", "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://a b/", "http://h/a b",
        "http://h/%zz", "http://h/%20", "http://%20h/", "http://%c3%a9/", "http://é/", "http://u:p@h/",
        "http://u p@h/", "http://u%zz@h/", "http://h/#f%zz", "http://h?q=%zz", "http://h/\x7f", "HTTP://H",
        "ht-tp+x.y://h", "http://h\\p", "http://<h>/", "http://h|/", "http://[v]x/", "?q", "http:?q", "http:h/p",
    ]
]

EXPORTS = {
    "config/validate/export.go": """package validate

type PublicEntry struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Line    int    `json:"line"`
}

func ReportOf(text string) ([]PublicEntry, string) {
	r, err := Validate([]byte(text))
	out := []PublicEntry{}
	for _, e := range r.Entries() {
		out = append(out, PublicEntry{e.kind.String(), e.message, e.line})
	}
	if err != nil {
		return out, err.Error()
	}
	return out, ""
}
""",
    "initialize/export.go": """package initialize

import "github.com/coreos/coreos-cloudinit/system"

func ProcessUnitsOf(units []system.Unit, um system.UnitManager) error {
	return processUnits(units, "", um)
}
""",
}


def cases():
    for text in TEXTS.removeprefix("\n").removesuffix("\n").split("\n%%\n"):
        yield HEADER + text.removeprefix("%%\n") + "\n"
    yield from WHOLE
    yield from OTHERS


def build(checkout, directory):
    target = os.path.join(directory, "src/github.com/coreos/coreos-cloudinit")
    shutil.copytree(checkout, target)
    for name, text in EXPORTS.items():
        with open(os.path.join(target, name), "w") as file:
            file.write(text)
    os.mkdir(os.path.join(target, "oracle"))
    here = os.path.dirname(os.path.abspath(__file__))
    shutil.copy(os.path.join(here, "coreos_main.go.txt"), os.path.join(target, "oracle/main.go"))
    environment = dict(os.environ, GOPATH=directory, GO111MODULE="off", GOFLAGS="")
    program = os.path.join(directory, "oracle")
    subprocess.run(["go", "build", "-o", program, "./oracle"], cwd=target, env=environment, check=True)
    return program


def main():
    with tempfile.TemporaryDirectory() as directory:
        program = build(sys.argv[1], directory)
        lines = "".join(json.dumps(case) + "\n" for case in cases())
        run = subprocess.run([program], input=lines, stdout=subprocess.PIPE, text=True, check=True)
    for line in run.stdout.splitlines():
        case = json.loads(line)
        for entry in case.get("entries", []):
            if entry["message"].startswith("deprecated key"):
                entry["message"] = entry["message"].split(" (")[0]
        if "entries" in case:
            case["entries"].sort(key=lambda entry: (entry["line"], entry["kind"], entry["message"]))
            case["broken_off"] = bool(case.pop("failed", ""))
            case["refused"] = bool(case.pop("error", ""))
        print(json.dumps(case, ensure_ascii=False))


main()
