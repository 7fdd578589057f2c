//! Makes the seeds of the fuzz targets again: `cargo run --example corpus` in this folder. They come from the
//! project's own writers, and from the base images by the fields that matter.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use hardtack_bundle::{Manifest, Part, PrivateKey, PublicKey, Session};
use hardtack_credentials::{
    Block, HostKey, Root, Surroundings, UserCredentials, UserPart, WithheldCredentials, otpauth, seal,
};
use hardtack_disk::{AtomicFile, Compression, Qcow2Options, write_qcow2};
use hardtack_userdata::pack::{Gzip, Input, pack};

/// The bases of each target.
const BASES: &[(&str, u8)] =
    &[("ext4", 8), ("journal", 6), ("qcow2", 8), ("partition", 7), ("fat", 3), ("container", 14)];

/// Values that numbers in tables do not like.
const VALUES: &[&[u8]] = &[&[0xff; 8], &[0; 8], &[1, 0, 0, 0], &[0, 0, 0, 1], &[0x80], &[0, 0, 0, 0x80]];

fn main() -> std::io::Result<()> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, count) in BASES {
        let folder = top.join(target);
        fs::create_dir_all(&folder)?;
        for base in 0..*count {
            // The base itself, and it with damage all over.
            fs::write(folder.join(format!("base-{base}")), [base])?;
            let mut input = vec![base | 0x80];
            for (number, value) in (0_u32..).zip(VALUES.iter().cycle().take(3 * VALUES.len())) {
                let place = (number * 977 + number % 7 * 57).to_le_bytes();
                input.extend([place[0], place[1], place[2], value.len() as u8 - 1]);
                input.extend(*value);
            }
            fs::write(folder.join(format!("damage-{base}")), input)?;
        }
    }
    whole(&top.join("qcow2"))?;
    services(&top)?;
    blocks(&top)?;
    bundles(&top)?;
    texts(&top)
}

/// Blocks on a console: in plain text, sealed, withheld, all of them. And what the sealed ones are made of: a
/// file of keys, keys of age, what is sealed to them and what is inside.
fn blocks(top: &Path) -> std::io::Result<()> {
    const AGE: &str = "age1jck6az3jxlxjfuc0h3delg794ttyyzk3kwpc42afm90t0ygkn5vsae8lkq";
    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN";
    let keys = format!(
        "# keys\nrestrict,command=\"a \\\"b\\\"\" {KEY} a\ncert-authority {KEY}\necdsa-sha2-nistp256 AAAA c\n"
    );
    let secret = "5EENRV74MYRS6G4UYZMKTKSGKM";
    let user = |name: &str| UserCredentials {
        name: name.to_owned(),
        secret: secret.to_owned(),
        otpauth: otpauth::url("r", name, "h", None, secret),
        scratch_codes: vec!["30116782".to_owned()],
        password: "aB3".to_owned(),
    };
    let recipients = seal::recipients(&keys).usable;
    // The same part each time.
    let mut next = 0_u8;
    let mut random = |buffer: &mut [u8]| {
        buffer.fill_with(|| {
            next = next.wrapping_mul(61).wrapping_add(7);
            next
        });
        Ok(())
    };
    let sealed = seal::fit(&user("a"), &recipients, &mut random).map_err(std::io::Error::other)?;
    seed(top, "seal", "armor", sealed.sealed.as_bytes())?;
    seed(top, "seal", "keys", keys.as_bytes())?;
    seed(top, "seal", "age", format!("{AGE} a\n").as_bytes())?;
    let inside = serde_json::to_string(&user("a")).map_err(std::io::Error::other)?;
    seed(top, "seal", "inside", format!("Your new secret key is: {secret}\n{inside}\n").as_bytes())?;
    let binary = sealed.sealed.lines().filter(|line| !line.starts_with('-')).collect::<String>();
    let binary = base64::engine::general_purpose::STANDARD.decode(binary).map_err(std::io::Error::other)?;
    seed(top, "seal", "binary", &binary)?;
    let why = seal::why_not(&[]);
    let parts = [
        UserPart::Sealed(sealed),
        UserPart::Withheld(WithheldCredentials { name: "b".to_owned(), withheld: why }),
        UserPart::Plain(user("c")),
    ];
    let block = |users: &[UserPart]| Block {
        hardtack: 1,
        boot_id: "b".to_owned(),
        instance_id: None,
        hostname: "h".to_owned(),
        time: "2026-11-21T10:00:00Z".to_owned(),
        seal: "auto".to_owned(),
        users: users.to_vec(),
        host_keys: HostKey::from_public_file(KEY).into_iter().collect(),
        root: Root::default(),
        doors: Vec::new(),
        drift: vec!["d".to_owned()],
    };
    for (name, users) in
        [("sealed", &parts[..1]), ("withheld", &parts[1..2]), ("plain", &parts[2..]), ("all", &parts)]
    {
        let text = block(users).render(&Surroundings::default());
        seed(top, "console", name, text.replace('\n', "\r\n").as_bytes())?;
    }
    for (number, text) in PROMISE.iter().enumerate() {
        seed(top, "promise", &format!("own-{number}"), text.as_bytes())?;
    }
    Ok(())
}

/// A manifest, who signs it and whom it is sealed for; and archives: plain, sparse, sparse with a longer map.
fn bundles(top: &Path) -> std::io::Result<()> {
    let bad = |error: hardtack_bundle::Error| std::io::Error::other(error.to_string());
    let (certificate, key) = (include_bytes!("../bases/bundle.crt"), include_bytes!("../bases/bundle.pem"));
    seed(top, "manifest", "certificate", certificate)?;
    seed(top, "manifest", "key", key)?;
    let here = Path::new("bases");
    let public = PublicKey::from_certificate(certificate, here).map_err(bad)?;
    let signer = PrivateKey::from_pem(key, here).map_err(bad)?;
    let part = |index: u8| Part { name: format!("a.part.0{index}"), digest: [index; 20] };
    let manifest = Manifest {
        bundler: ("hardtack".to_owned(), "1".to_owned()),
        architecture: "x86_64".to_owned(),
        devices: vec![("ami".to_owned(), "sda1".to_owned())],
        product_codes: vec!["abc".to_owned()],
        kernel: Some("eki-1".to_owned()),
        ramdisk: Some("eri-1".to_owned()),
        name: "a<&\u{e4}".to_owned(),
        user: "123456789012".to_owned(),
        size: 1 << 20,
        bundled_size: 32,
        cloud_key: public.seal(&Session::new(&[3; 32])).map_err(bad)?,
        parts: vec![part(0), part(1)],
        ..Manifest::default()
    };
    seed(top, "manifest", "signed", manifest.to_xml(Some(&signer)).map_err(bad)?.as_bytes())?;
    seed(top, "manifest", "unsigned", manifest.to_xml(None).map_err(bad)?.as_bytes())?;
    seed(top, "bundle", "plain", &archive(b'0', "00000000012", &[], 10))?;
    seed(top, "bundle", "sparse", &archive(b'S', "00000000012", &[(0, 4), (4096, 6), (8192, 0)], 10))?;
    let many: Vec<(u64, u64)> = (0..40).map(|number| (number * 8, 1)).collect();
    seed(top, "bundle", "map", &archive(b'S', "00000000050", &many, 40))
}

/// An input of the target `bundle`: a tar archive of one member.
fn archive(kind: u8, stored: &str, ranges: &[(u64, u64)], bytes: usize) -> Vec<u8> {
    let mut tar = vec![0; 512];
    let mut put = |at: usize, text: &[u8]| tar[at..at + text.len()].copy_from_slice(text);
    put(0, b"a");
    put(100, b"0000644");
    put(124, stored.as_bytes());
    put(156, &[kind]);
    put(257, b"ustar  ");
    let pair = |(offset, length): &(u64, u64)| format!("{offset:011o}\0{length:011o}\0").into_bytes();
    for (number, range) in ranges.iter().take(4).enumerate() {
        put(386 + 24 * number, &pair(range));
    }
    if kind == b'S' {
        put(482, &[u8::from(ranges.len() > 4)]);
        put(483, b"00000020000");
    }
    for block in ranges.get(4..).unwrap_or_default().chunks(21) {
        let mut map = block.iter().flat_map(pair).collect::<Vec<u8>>();
        map.resize(512, 0);
        map[504] = u8::from(block.len() == 21 && ranges.len() > 25);
        tar.extend(map);
    }
    tar.extend(std::iter::repeat_n(b'x', bytes));
    tar.resize(tar.len().next_multiple_of(512) + 1024, 0);
    tar.insert(0, 0);
    tar
}

/// What attacks and other people's packages lay over a machine, in small.
const PROMISE: &[&str] = &[
    "",
    "\n== /etc/ssh/sshd_config.d/50-cloud-init.conf\nPasswordAuthentication yes\nMatch User a,!b Address 10.0.0.0/8 LocalPort 22\n  AuthenticationMethods publickey\nMatch all\nInclude sub/[a-c]*.conf\n== /etc/ssh/sub/a.conf\nPort 2222\n",
    "\n== /etc/pam.d/sshd\nauth [success=2 default=ignore user_unknown=die] pam_unix.so\nauth sufficient pam_rootok.so\n-auth optional pam_x.so a=[b\\]c] \\\n more\nauth substack common-auth\naccount include other\n== /etc/pam.d/other\n@include sshd\n",
    "\n== /etc/systemd/system/ssh.service.d/x.conf\n[Service]\nEnvironment=\"SSHD_OPTS=-o 'UsePAM=no' -f /etc/x\" A=b\nEnvironmentFile=-/etc/default/ssh\nExecStart=\nExecStart=-/usr/sbin/sshd -D $SSHD_OPTS ${A} \\\n -oPort=2\n== /etc/default/ssh\nSSHD_OPTS=\"-p 23\" # x\n== /etc/x\nUsePAM no\n",
    "\n== /etc/systemd/system/ssh.socket -> /dev/null\n== /etc/systemd/system/sshd.service -> ../../../lib/systemd/system/ssh.service\n== /etc/pam.d/su -> sshd\n== /etc/systemd/system/sshd@.service\n[Service]\nExecStart=-/usr/sbin/sshd -i\n",
    "{\"sshd\":[[\"UsePAM\",\"yes\"]],\"blocks\":[{\"criteria\":\"User a\",\"keyword\":\"X11Forwarding\",\"value\":\"no\"}],\"kept\":[[\"AuthorizedKeysFile\",[\".ssh/authorized_keys\"]]],\"services\":[{\"service\":\"su\",\"code\":true,\"password\":false,\"locked\":true}]}\n== /etc/ssh/sshd_config\nMatch User a\nX11Forwarding no\nAuthorizedKeysFile %h/x /y\n",
    "\n== /var/lib/dpkg/status\nPackage: openssh-server\nStatus: install ok installed\nVersion: 1:7.4p1-10\n== /etc/ssh/sshd_config\nChallengeResponseAuthentication yes\nUsePAM yes\nAuthenticationMethods \"publickey,keyboard-interactive:pam\" any\nKbdInteractiveAuthentication=no\n",
];

/// User-data: the project's own examples, each alone, packed, in an archive, as a patch.
fn texts(top: &Path) -> std::io::Result<()> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cloud-config");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(examples)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    let mut inputs = Vec::new();
    for path in &paths {
        let content = fs::read(path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        seed(top, "userdata", &name, &content)?;
        seed(top, "yaml", &name, &content)?;
        inputs.push(Input { name, content, content_type: None });
    }
    let small = |name: &str, content: &str| Input {
        name: name.to_owned(),
        content: content.as_bytes().to_vec(),
        content_type: None,
    };
    let several = [
        small("a.yaml", "#cloud-config\nruncmd: [a]\n"),
        small("b.yaml", "#cloud-config\nruncmd: [b]\nmerge_how: \"list(append)+dict(recurse_list)+str()\"\n"),
        small("c.sh", "#!/bin/sh\necho c\n"),
    ];
    for (name, inputs, gzip) in [
        ("all", &inputs[..], Gzip::Never),
        ("all.gz", &inputs[..], Gzip::Always),
        ("several", &several[..], Gzip::Never),
    ] {
        let packed = pack(inputs, gzip).map_err(std::io::Error::other)?;
        seed(top, "userdata", &format!("pack-{name}"), &packed.bytes)?;
        if gzip == Gzip::Never {
            seed(top, "mime", &format!("pack-{name}"), &packed.bytes)?;
        }
    }
    for (name, text) in TEXTS {
        seed(top, "userdata", name, text.as_bytes())?;
    }
    for (number, text) in YAML.iter().enumerate() {
        seed(top, "yaml", &format!("own-{number}"), text.as_bytes())?;
    }
    for (number, text) in MIME.iter().enumerate() {
        seed(top, "mime", &format!("own-{number}"), text.as_bytes())?;
    }
    for (number, text) in HTTP.iter().enumerate() {
        seed(top, "http", &format!("own-{number}"), text.as_bytes())?;
    }
    for (target, seeds) in [("imds", IMDS), ("windows", WINDOWS), ("template", TEMPLATES)] {
        for (number, text) in seeds.iter().enumerate() {
            seed(top, target, &format!("own-{number}"), text.as_bytes())?;
        }
    }
    for (number, frame) in guest_frames().iter().enumerate() {
        let length = (frame.len() as u32).to_be_bytes();
        seed(
            top,
            "frames",
            &format!("own-{number}"),
            &[&[number as u8 * 31], &length[..], frame, &length, frame].concat(),
        )?;
    }
    for (number, bytes) in DNS.iter().enumerate() {
        seed(top, "dns", &format!("own-{number}"), bytes)?;
    }
    Ok(())
}

/// Metadata services: some of those that the data sources' tests compare with cloud-init.
fn services(top: &Path) -> std::io::Result<()> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/datasource/tests/data/services.jsonl");
    let wanted = [
        "aws",
        "no user-data",
        "odd names",
        "json, lines, bytes",
        "deep",
        "usual",
        "files",
        "seed",
        "keys in lists",
        "expired",
        "odd lines",
        "blocked true",
    ];
    for line in fs::read_to_string(path)?.lines() {
        let case: serde_json::Value = serde_json::from_str(line)?;
        let text = |key: &str| case[key].as_str().unwrap_or_default();
        if !wanted.contains(&text("name")) {
            continue;
        }
        let mut input = format!("{} {}", text("source"), text("platform"));
        if case["token"] == true {
            input.push_str("\n== PUT 200\nt0ken==");
        }
        for (path, body) in case["answers"].as_object().into_iter().flatten() {
            input.push_str(&format!("\n== {path} 200\n{}", body.as_str().unwrap_or_default()));
        }
        let name = format!("{}-{}", text("source"), text("name").replace([' ', ','], ""));
        seed(top, "metadata", &name, input.as_bytes())?;
    }
    for (number, text) in SERVICES.iter().enumerate() {
        seed(top, "metadata", &format!("own-{number}"), text.as_bytes())?;
    }
    Ok(())
}

/// Services with several network cards, and those that lie.
const SERVICES: &[&str] = &[
    "Ec2 marked\n== /latest/meta-data/instance-id 200\ni-0abc1234\n== /latest/meta-data/ 200\ninstance-id\nnetwork/\n== /latest/meta-data/network/ 200\ninterfaces/\n== /latest/meta-data/network/interfaces/ 200\nmacs/\n== /latest/meta-data/network/interfaces/macs/ 200\n0a:00:00:00:00:01/\n0a:00:00:00:00:02/\n== /latest/meta-data/network/interfaces/macs/0a:00:00:00:00:01/ 200\nj\n== /latest/meta-data/network/interfaces/macs/0a:00:00:00:00:02/ 200\ndevice-number\nlocal-ipv4s\nipv6s\nsubnet-ipv4-cidr-block\nsubnet-ipv6-cidr-blocks\n== /latest/meta-data/network/interfaces/macs/0a:00:00:00:00:01/j 200\n0\n== /latest/meta-data/network/interfaces/macs/0a:00:00:00:00:02/device-number 200\n1\n== /latest/meta-data/network/interfaces/macs/0a:00:00:00:00:02/local-ipv4s 200\n10.0.0.5\n10.0.0.6\n== /latest/meta-data/network/interfaces/macs/0a:00:00:00:00:02/ipv6s 200\nfd00::1\nfd00::2\n== /latest/meta-data/network/interfaces/macs/0a:00:00:00:00:02/subnet-ipv4-cidr-block 200\n10.0.0.0/20\n== /latest/meta-data/network/interfaces/macs/0a:00:00:00:00:02/subnet-ipv6-cidr-blocks 200\nfd00::/64\n",
    "Ec2\n== * 200\nSystem is still starting up\n",
    "Ec2\n== /2009-04-04/meta-data/instance-id 200\ni-0abc1234\n== * 200\ninstance-id\nx/\n../\n0=a\n",
    "Ec2 aws\n== PUT 403\n\n== * 401\n",
    "OpenStack\n== * 200\n{\"uuid\": \"u-1\", \"meta\": {}, \"files\": [{\"path\": \"/x\", \"content_path\": \"/y\"}], \"random_seed\": \"\", \"public_keys\": [[]]}\n",
    "GCE\n== * 200\n{\"ssh-keys\": \"debian:a b google-ssh {\\\"expireOn\\\": \\\"2018-12-04T20:12:00+0000\\\"}\"}\n== /computeMetadata/v1/instance/id 200\n5\n== /computeMetadata/v1/instance/zone 200\na-b\n== /computeMetadata/v1/instance/hostname 200\nh\n",
];

fn seed(top: &Path, target: &str, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let folder = top.join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), bytes)
}

/// One of each kind of user-data.
const TEXTS: &[(&str, &str)] = &[
    (
        "archive",
        "#cloud-config-archive\n- type: text/cloud-config\n  content: |\n    a: 1\n- '#!/bin/sh'\n- launch-index: 1\n  content: x\n",
    ),
    (
        "patch",
        "#cloud-config-archive\n- \"#cloud-config\\nruncmd: [a]\"\n- '#cloud-config-jsonp [{\"op\": \"add\", \"path\": \"/runcmd/-\", \"value\": \"b\"}, {\"op\": \"copy\", \"from\": \"/runcmd\", \"path\": \"/x~1y\"}]'\n",
    ),
    ("script", "#!/bin/sh\necho\n"),
    ("boothook", "#cloud-boothook\n#!/bin/sh\n"),
    ("include", "#include\n# one\nhttps://example.com/a\nfile:///x\n#include-once https://example.com/b\n"),
    ("part-handler", "#part-handler\ndef list_types(): return []\n"),
    (
        "jinja",
        "## template: jinja\n#cloud-config\nhostname: {{ v1.region|upper }}{% if v1.x is defined %}-{{ ds['meta_data'] }}{% endif %}\n",
    ),
    (
        "coreos",
        "#cloud-config\nhostname: core-1\ncoreos:\n  etcd2: {name: a, advertise-client-urls: \"http://$private_ipv4:2379\"}\n  update: {reboot-strategy: off}\n  units:\n    - name: etcd2.service\n      command: start\n      drop-ins: [{name: 10.conf, content: \"[Service]\"}]\n",
    ),
    ("base64", "I2Nsb3VkLWNvbmZpZwpydW5jbWQ6IFthXQo="),
    (
        "traps",
        "#cloud-config\nwrite_files:\n- {path: /x, permissions: 644, owner: bob, content: 22:22}\nusers: [{name: bob}]\nruncmd: [a: b]\nchpasswd: {list: \"a:$y$x\"}\nbootcmd: x\n",
    ),
    ("header", " # cloud-config\n---\na: 1\n"),
];

/// What YAML has, in small.
const YAML: &[&str] = &[
    "a: &x {p: 1, q: 'two'}\nb: *x\nc:\n  <<: [*x, {r: 3}]\n? [k]\n: v\n",
    "- |\n  text\n   more\n\n- >-\n  folded\n  text\n- |2+\n    x\n\n- \"esc \\x41 \\u00e9 \\\n  cont\"\n- 'it''s'\n",
    "%YAML 1.1\n%TAG !e! tag:example.com,2000:\n---\na: !!set {x, y}\nb: !!omap [a: 1]\nc: !!binary aGk=\nd: !!int 0x1f\n...\n",
    "[0644, 1:30, 1_0, 0b1, .5, 1.0e+3, .inf, ~, yes, 2001-12-14t21:59:43.10-05:00, 2001-01-01]\n",
];

/// What MIME has, in small.
const MIME: &[&str] = &[
    "Content-Type: text/cloud-config; charset=\"iso-8859-1\"\nContent-Transfer-Encoding: base64\nMerge-Type: list(append)\nLaunch-Index: 1\n\nYTogMQ==\n--X\nContent-Type: text/x-shellscript\nContent-Transfer-Encoding: quoted-printable\nContent-Disposition: attachment; filename*=utf-8''a%20b.sh\n\n#!/bin/sh=0A=\necho\n--X--\n",
    "MIME-Version: 1.0\nContent-Type: multipart/mixed;\n boundary=\"a b\"\n\npreamble\n--a b\nContent-Type: multipart/mixed; boundary=inner\n\n--inner\n\n#cloud-config\na: 1\n--inner--\n--a b\nContent-Type: message/rfc822\n\nContent-Type: text/plain\n\nx\n--a b--\nepilogue\n",
    "Content-Type: application/x-gzip\nContent-Transfer-Encoding: uuencode\n\nbegin 644 x\n#0V%T\n`\nend\n--X--",
];

/// Answers, URLs and configuration, as the first byte says.
const HTTP: &[&str] = &[
    "rHTTP/1.1 200 OK\r\nServer: x\r\n folded\r\nContent-Length: 5\r\n\r\ni-123",
    "rHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=\"y\"\r\nabc\r\n0\r\nT: x\r\n\r\n",
    "rHTTP/1.0 301 Moved\nLocation: https://user:pw@example.com:8443/../a%20b?c#d\n\nbody up to the end",
    "rHTTP/1.1 204 No Content\r\nContent-Length: 7, 7\r\n\r\n",
    "uhttp://user:p%40@[fe80::1%25eth0]:8080/a/./b/../c?d=e f#g\n../x\n?y\n//other/z\nhttps://h\n#f\n/é%zz",
    "uhttp://169.254.169.254/latest/meta-data/\ninstance-id",
    "cnameserver 10.0.0.1\nnameserver fe80::1%eth0\nsearch a.example b.example\noptions ndots:2 timeout:1 attempts:3 use-vc\n127.0.0.1 host localhost # x\n::1 host\n",
];

/// Requests to a metadata service; the first letter says to whose.
const IMDS: &[&str] = &[
    "@GET /latest/meta-data/ HTTP/1.1\r\nHost: 169.254.169.254\0HEAD /2009-04-04/user-data HTTP/1.0\0GET /latest/dynamic/instance-identity/document HTTP/1.1",
    "BPUT /latest/api/token HTTP/1.1\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\0GET /latest/user-data HTTP/1.1\r\nX-aws-ec2-metadata-token: BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBw==",
    "BGET http://169.254.169.254//latest/%6deta-data/public-keys/0/?x#y HTTP/1.1\nX-Forwarded-For: a\0POST /latest HTTP/1.1",
    "AGET /2010-01-01/meta-data/network/interfaces/macs/0A:01:23:45:67:89/ HTTP/1.1\0GET / HTTP/1.1\0GET /1.0/user-data HTTP/1.1",
];

/// Windows of a console.
const WINDOWS: &[&str] = &[
    "k[    0.0] Linux version 6.1\r\nline one of the boot\r\nline two of the boot\r\n\0lline two of the boot\r\nline three of the boot\r\nweb login: \0l",
    "laaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\0kaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\0laaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
    "lthe end of this is cut in the middle of a letter, which has more bytes than one: \u{fffd}\0lthe end of this is cut in the middle of a letter, which has more bytes than one: ä and goes on",
    "l\u{1b}[2J\u{9b}31mone\n-----BEGIN HARDTACK CREDENTIALS-----\r\nYour new secret key is: A\r\n\0l-----END HARDTACK CREDENTIALS-----\n12345678\n",
];

/// Templates with user-data.
const TEMPLATES: &[&str] = &[
    "{\"Parameters\": {\"A\": {\"Type\": \"String\", \"Default\": \"x\"}}, \"Resources\": {\"I\": {\"Type\": \"AWS::EC2::Instance\", \"Properties\": {\"UserData\": \"\"}}}}\0#cloud-config\nhostname: {\"Ref\": \"A\"}\n",
    "Resources:\n  L: # one\n    Type: AWS::AutoScaling::LaunchConfiguration\n    Properties:\n      ImageId: !Ref A\n      UserData: !Base64 |\n        old\n        text\n  B: {Type: AWS::S3::Bucket}\n\0#!/bin/sh\necho {\"Fn::GetAtt\": [\"B\", \"Arn\"]}\n",
    "Resources:\n  T:\n    Type: AWS::EC2::LaunchTemplate\n    Properties: {LaunchTemplateData: {}}\n\0\u{1f}\u{8b}",
    "{\"Resources\":{\"I\":{\"Type\":\"AWS::EC2::Instance\"}}}\0#cloud-config\n",
];

/// Frames of a guest: what the switch answers, and damage.
fn guest_frames() -> Vec<Vec<u8>> {
    let ethernet = |to: [u8; 6], kind: [u8; 2], rest: &[u8]| {
        [&to[..], &[0x0e, 0x68, 0x74, 0xdf, 0x3d, 0x0a], &kind, rest].concat()
    };
    let own = [0x0e, 0x68, 0x74, 0xdf, 0x3d, 0x01];
    let arp = [&[0, 1, 8, 0, 6, 4, 0, 1][..], &[2; 10], &[0; 6], &[10, 0xdf, 0x3d, 1]].concat();
    // A head of IPv4 with its checksum, from .10 to `to`.
    let ip = |to: [u8; 4], protocol: u8, body: &[u8]| {
        let length = (body.len() as u16 + 20).to_be_bytes();
        let mut head =
            vec![0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0xdf, 0x3d, 10];
        head.extend(to);
        let sum: u32 = head.chunks(2).map(|two| u32::from(two[0]) << 8 | u32::from(two[1])).sum();
        let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
        head[10..12].copy_from_slice(&sum.to_be_bytes());
        head.extend(body);
        head
    };
    let mut dhcp = vec![0; 236];
    dhcp[..8].copy_from_slice(&[1, 1, 6, 0, 1, 2, 3, 4]);
    dhcp[28..34].copy_from_slice(&[0x0e, 0x68, 0x74, 0xdf, 0x3d, 0x0a]);
    dhcp.extend([99, 130, 83, 99, 53, 1, 3, 54, 4, 10, 0xdf, 0x3d, 1, 50, 4, 10, 0xdf, 0x3d, 10, 255]);
    let length = (dhcp.len() as u16 + 8).to_be_bytes();
    let dhcp = [&[0, 68, 0, 67, length[0], length[1], 0, 0][..], &dhcp].concat();
    // Its checksum is right: all of it is 0 but for the kind.
    let ping = [8, 0, 0xf7, 0xff, 0, 0, 0, 0];
    vec![
        ethernet([0xff; 6], [8, 6], &arp),
        ethernet([0xff; 6], [8, 0], &ip([255; 4], 17, &dhcp)),
        ethernet(own, [8, 0], &ip([10, 0xdf, 0x3d, 1], 1, &ping)),
        ethernet([2; 6], [0x86, 0xdd], &[0x60]),
        vec![1],
    ]
}

/// Flags, the number of records, and these: addresses, and an alias that points into the question.
const DNS: &[&[u8]] = &[
    b"\x80\x01\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\0\0\x01",
    b"\x80\x01\xc0\x0c\0\x1c\0\x01\0\0\0\x3c\0\x10\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01",
    b"\x80\x02\xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x04\x01A\xc0\x11\x01a\xc0\x11\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\0\0\x01",
    b"\x80\x01\xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x09\x05other\xc0\x1c",
    b"\x83\0",
    b"\x12\x34\x81\x81\0\0\0\0\0\0\0\0",
];

/// Small images as our own writers make them.
fn whole(folder: &Path) -> std::io::Result<()> {
    let fail = |error: hardtack_disk::Error| std::io::Error::other(error);
    let mut disk = vec![0_u8; 20_480];
    disk[..9].copy_from_slice(b"the start");
    for (at, byte) in disk.iter_mut().enumerate().skip(10_000).take(2000) {
        *byte = ((at * 7) >> 3) as u8;
    }
    for (name, cluster_size, compression) in [
        ("own-512", 512, Compression::None),
        ("own-512-zlib", 512, Compression::Zlib),
        ("own-1k-zstd", 1024, Compression::Zstd),
    ] {
        let mut out = scratch()?;
        let options = Qcow2Options { cluster_size, compression, threads: 1 };
        write_qcow2(&disk, &mut out, &options, &|_, _| {}).map_err(fail)?;
        keep(&out, &folder.join(name))?;
    }
    Ok(())
}

fn scratch() -> std::io::Result<AtomicFile> {
    AtomicFile::create(&PathBuf::from("/dev/shm/corpus")).map_err(std::io::Error::other)
}

fn keep(out: &AtomicFile, path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::FileExt;
    let mut bytes = vec![0; out.file().metadata()?.len() as usize];
    out.file().read_exact_at(&mut bytes, 0)?;
    let mut input = vec![0xff];
    input.extend(bytes);
    fs::write(path, input)
}
