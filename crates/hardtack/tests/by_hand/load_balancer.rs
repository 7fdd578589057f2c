//! Eucalyptus' load balancer: an image in a .tgz in an .rpm gets other time-outs and comes out as a .tgz again.

use std::process::{Command, Output};

use hardtack_tests::image::sha256;

use crate::scene::{FileSystem, Scene, have, recipe};

const IMAGE: &str = "eucalyptus-load-balancer-image.img";
const TARBALL: &str = "eucalyptus-load-balancer-image-1.1.0-212.tgz";
const TEMPLATE: &str = "/etc/load-balancer-servo/haproxy_template.conf";

/// As load-balancer-servo brings it.
const OLD: &str = "#template\nglobal\n maxconn 100000\n ulimit-n 655360\n pidfile /var/run/haproxy.pid\n\ndefaults\n mode http\n \
log 127.0.0.1 local0\n contimeout      1000\n clitimeout      10000\n srvtimeout      10000\n option tcplog\n \
option http-server-close # affects KA on/off\n";

/// What the servo makes of a listener, below its template.
const LISTENER: &str = "\nfrontend http-80\n bind 127.0.0.1:8080\n default_backend backend-http-80\n\nbackend backend-http-80\n \
balance roundrobin\n server i-1 10.0.0.1:80 check\n";

const SPEC: &str = "Name: eucalyptus-load-balancer-image\nVersion: 1.1.0\nRelease: 0.212.el6\nSummary: s\nLicense: BSD\n\
BuildArch: noarch\n%description\nd\n%install\nmkdir -p %{buildroot}/usr/share/eucalyptus-load-balancer-image\n\
cp FOLDER/TARBALL %{buildroot}/usr/share/eucalyptus-load-balancer-image/\n%files\n\
/usr/share/eucalyptus-load-balancer-image\n";

const TOOLS: &[&str] = &["mke2fs", "sfdisk", "qemu-img", "debugfs", "e2fsck", "tar", "rpmbuild"];

/// The package, with an image like CentOS 6 in it.
fn package(scene: &Scene) -> std::path::PathBuf {
    scene.mbr(
        IMAGE,
        32,
        "-L root -O ^metadata_csum,^64bit",
        &[
            ("/etc/redhat-release", "CentOS release 6.5 (Final)\n"),
            ("/etc/fstab", "LABEL=root / ext4 defaults 1 1\n"),
            ("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\nservo:x:500:500::/var/lib/load-balancer-servo:/sbin/nologin\n"),
            ("/etc/group", "root:x:0:\n"),
            ("/etc/shadow", "root:*:16000:0:99999:7:::\n"),
            ("/etc/sysctl.conf", "net.ipv4.ip_forward = 0\n"),
            ("/etc/init/rc.conf", "start on runlevel [0123456]\n"),
            ("/sbin/init", "#!upstart"),
            ("/bin/bash", "#!stand-in"),
            ("/var/lib/rpm/", ""),
            (TEMPLATE, OLD),
        ],
    );
    let here = scene.path(".").canonicalize().unwrap().display().to_string();
    scene.write("spec", &SPEC.replace("FOLDER", &here).replace("TARBALL", TARBALL));
    scene.sh(&format!(
        "tar -czSf {TARBALL} {IMAGE}; mv {IMAGE} before.img; rpmbuild -bb --quiet --define \"_topdir $PWD/top\" spec 2> rpmbuild.log"
    ));
    scene.path("top/RPMS/noarch/eucalyptus-load-balancer-image-1.1.0-0.212.el6.noarch.rpm")
}

/// The image in a .tgz, as GNU tar unpacks it: it alone, under its name.
fn unpacked(scene: &Scene, archive: &str) -> FileSystem {
    assert_eq!(scene.sh(&format!("tar -tzf {archive}")), format!("{IMAGE}\n"));
    scene.sh(&format!(
        "rm -rf out; mkdir out; tar -xzf {archive} -C out; cp --sparse=always out/{IMAGE} {archive}.img"
    ));
    assert_eq!(
        std::fs::metadata(scene.path(&format!("{archive}.img"))).unwrap().len(),
        std::fs::metadata(scene.path("before.img")).unwrap().len()
    );
    scene.partition(&format!("{archive}.img"), 1)
}

/// What haproxy says of a template with a listener.
fn haproxy(scene: &Scene, template: &str) -> Output {
    scene.write("haproxy.conf", &format!("{template}{LISTENER}"));
    Command::new("haproxy").args(["-c", "-f"]).arg(scene.path("haproxy.conf")).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[test]
fn its_time_outs_are_others_and_it_is_a_tgz_again() {
    if !have(TOOLS) {
        return;
    }
    let scene = Scene::new();
    let package = package(&scene);
    scene.build(&recipe("load-balancer.yaml"), &package, "new.tgz", &[]);
    let made = unpacked(&scene, "new.tgz");
    let template = made.cat(TEMPLATE);
    let wanted = OLD
        .replace(" contimeout      1000\n", " timeout connect 5s\n")
        .replace(" clitimeout      10000\n", " timeout client 2m\n")
        .replace(
            " srvtimeout      10000\n",
            " timeout server 2m\n timeout http-keep-alive 10s\n timeout queue 1m\n timeout check 5s\n retries 3\n \
             option dontlognull\n option redispatch\n",
        );
    assert_eq!(template, wanted);
    let sysctl = made.cat("/etc/sysctl.conf");
    assert!(sysctl.starts_with("net.ipv4.ip_forward = 0\n"), "{sysctl}");
    assert_eq!(sysctl.matches("net.ipv4.tcp_keepalive_").count(), 3, "{sysctl}");
    // Built once more, from its own .tgz: the same disk.
    scene.expect(
        0,
        &[
            "build",
            &recipe("load-balancer.yaml"),
            "--source",
            "new.tgz",
            "--output",
            "twice.tgz",
            "--no-sync",
        ],
    );
    unpacked(&scene, "twice.tgz");
    assert_eq!(sha256(&scene.path("new.tgz.img")), sha256(&scene.path("twice.tgz.img")));
    if have(&["haproxy"]) {
        // Those of today know the old words no more, which shows that they look.
        let old = haproxy(&scene, OLD);
        let is_new = said(&old).contains("'contimeout' directive is not supported");
        assert!(is_new || old.status.success(), "{}", said(&old));
        let new = haproxy(&scene, &template);
        assert!(new.status.success(), "{}", said(&new));
    }
    // Time-outs that somebody has set already are not overwritten in silence.
    scene.expect(
        0,
        &[
            "build",
            &recipe("load-balancer.yaml"),
            "--source",
            "before.img",
            "--output",
            "other.raw",
            "--no-sync",
        ],
    );
    let others = OLD.replace("      10000", " 60000");
    scene.mbr(
        "set.raw",
        16,
        "",
        &[
            ("/etc/redhat-release", "CentOS release 6.5\n"),
            ("/etc/passwd", "root:x:0:0::/root:/bin/sh\n"),
            (TEMPLATE, &others),
        ],
    );
    let told = scene.expect(3, &["build", &recipe("load-balancer.yaml"), "--source", "set.raw", "--plan"]);
    assert!(told.contains("clitimeout") && told.contains("matches 0 times"), "{told}");
}

#[test]
fn a_page_of_statistics_asks_who_is_there() {
    if !have(TOOLS) || !have(&["openssl"]) {
        return;
    }
    const HASH: &str = "$6$CANARYsalt$hash.of.the.test/made.up";
    let scene = Scene::new().with("STATISTICS_HASH", HASH);
    let package = package(&scene);
    let said_of_it = scene.build(&recipe("load-balancer-statistics.yaml"), &package, "new.tgz", &[]);
    assert!(!said_of_it.contains("CANARYsalt"), "{said_of_it}");
    let template = unpacked(&scene, "new.tgz").cat(TEMPLATE);
    // What the other recipe does, it does too.
    assert!(template.contains("\n timeout connect 5s\n") && !template.contains("contimeout"), "{template}");
    let listen = template.split_once("\nlisten HAProxy-Statistics\n").unwrap().1;
    assert!(listen.contains(" bind *:81\n") && listen.contains(" stats uri /haproxy?stats\n"), "{template}");
    assert!(
        template.contains(&format!("\nuserlist operators\n user operator password {HASH}\n")),
        "{template}"
    );
    assert_eq!(template.matches("HAProxy-Statistics").count(), 1, "{template}");
    if have(&["haproxy"]) {
        let new = haproxy(&scene, &template);
        assert!(new.status.success() && !said(&new).contains("missing timeouts"), "{}", said(&new));
    }
}

/// What the cloud gets is what `build` makes, whether the .tgz or the package with the recipe is sent.
#[test]
fn the_cloud_takes_the_tgz() {
    if !have(TOOLS) {
        return;
    }
    let scene = Scene::new();
    let package = package(&scene);
    scene.build(&recipe("load-balancer.yaml"), &package, "eucalyptus-load-balancer-image.tgz", &[]);
    let cloud = hardtack_fake_cloud::Cloud::builder()
        .eucalyptus()
        .with(|options| {
            options.completion_polls = 0;
            options.image_polls = 0;
        })
        .start();
    scene.write("user.pem", hardtack_fake_cloud::USER_KEY);
    scene.write("user.crt", hardtack_fake_cloud::USER_CERTIFICATE);
    let output = Command::new(env!("CARGO_BIN_EXE_hardtack"))
        .args(["service-image", "install", "eucalyptus-load-balancer-image.tgz"])
        .args(["--on", "euca", "-k", "user.pem", "-c", "user.crt"])
        .current_dir(scene.path("."))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", scene.path("."))
        .env("HARDTACK_CATALOG", scene.path("catalog"))
        .envs(cloud.environment())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let image = cloud.property("loadbalancing.loadbalancer_emi").unwrap();
    assert!(said(&output).contains(&image), "{}", said(&output));
    for key in cloud.keys("loadbalancer-v1") {
        std::fs::write(scene.path(&key), cloud.object("loadbalancer-v1", &key).unwrap()).unwrap();
    }
    scene.expect(0, &["unbundle", &format!("{IMAGE}.manifest.xml"), "-o", "sent.img", "-k", "user.pem"]);
    scene.sh("mkdir out; tar -xzf eucalyptus-load-balancer-image.tgz -C out");
    assert_eq!(sha256(&scene.path("sent.img")), sha256(&scene.path(&format!("out/{IMAGE}"))));
}
