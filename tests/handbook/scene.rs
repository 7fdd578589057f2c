//! The folder in which a page's commands run: the files that pages speak of, under the names that they have there, and clouds
//! that answer.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use hardtack_fake_cloud::{BucketOwnership, CLOUD_CERTIFICATE, Cloud, USER_CERTIFICATE, USER_KEY};
use hardtack_tests::image::{Images, sha256};
use hardtack_tests::tools::{agent, hardtack, run, top};
use tempfile::TempDir;

use crate::block;

/// For the sample, whose five packages are no Debian.
const SMALL: &str = "\
recipe: 1
steps:
  - user: {name: debian, password: {env: DEBIAN_PASSWORD}, authorized_keys: [id_ed25519.pub]}
  - mfa: {users: [debian], seal: auto}
  - files:
      - {write: /etc/motd, content: \"hardened\\n\"}
  - agent
";
/// Without anything from outside.
const PLAIN: &str = "recipe: 1\nsteps:\n  - files:\n      - {write: /etc/motd, content: \"hardened\\n\"}\n";
/// A disk on which somebody has worked.
const LIVED: &str = "\
recipe: 1
steps:
  - mkdir: /var/cache/app
  - write: {path: /var/cache/app/file, content: x}
  - append-line: {path: /etc/passwd, line: \"debian:x:1000:1000::/home/debian:/bin/bash\"}
  - append-line: {path: /etc/shadow, line: \"debian:*:19700:0:99999:7:::\"}
  - append-line: {path: /etc/group, line: \"debian:x:1000:\"}
  - mkdir: /home/debian
";
const MATRIX: &str = "\
matrix: 1
recipes: [web.yaml]
sources:
  - {source: debian-12-genericcloud-amd64.qcow2, name: debian-12}
output: out/${recipe}-${source}.qcow2
";
const USER_DATA: &str = "#cloud-config\nhostname: web\n";
const PASSWORD: &str = "a long pass-word of the test";
const REGION: &str = "eu-central-1";
const OWNER: &str = "123456789012";

/// Where a page is run.
pub(crate) struct Scene {
    folder: TempDir,
    variables: BTreeMap<String, String>,
    /// What stands on pages, and what it is here.
    names: Vec<(&'static str, String)>,
    _clouds: Vec<Cloud>,
}

impl Scene {
    /// The scene of a page; `None`, said aloud, where this machine has not what it needs.
    pub(crate) fn of(page: &Path) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        for name in ["place", "files", "state", "home/.ssh", "home/.euca"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let mut scene = Self { folder, variables: BTreeMap::new(), names: Vec::new(), _clouds: Vec::new() };
        scene.begin();
        match page.to_str().unwrap() {
            "README.md" | "image-recipes/README.md" => scene.with_debian(page)?,
            "docs/first-image.md" => {}
            "cloud-config/README.md"
            | "docs/customize.md"
            | "docs/look.md"
            | "docs/lost-and-found.md"
            | "docs/plan-and-verify.md"
            | "docs/profiles.md"
            | "docs/sbom.md"
            | "docs/user-data.md" => {
                scene.with_images(true)?;
            }
            _ => {
                scene.with_images(false)?;
                scene.with_archives();
            }
        }
        scene.particular(page.to_str().unwrap());
        match page.to_str().unwrap() {
            "README.md"
            | "docs/audit.md"
            | "docs/aws.md"
            | "docs/bundle.md"
            | "docs/cache.md"
            | "docs/ci.md"
            | "docs/matrix.md"
            | "docs/eucalyptus.md"
            | "docs/publish.md"
            | "docs/service-image.md"
            | "docs/stack.md" => scene.with_clouds(),
            _ => {}
        }
        Some(scene)
    }

    /// What is called otherwise on one page, or is made by its commands.
    fn particular(&mut self, page: &str) {
        let made: &[&str] = match page {
            "docs/cache.md" => &["hard.qcow2"],
            "docs/convert.md" => &["disk.raw", "disk.qcow2", "debian.qcow2"],
            "cloud-config/README.md" => &["user-data.mime"],
            _ => &[],
        };
        for name in made {
            fs::remove_file(self.files().join(name)).unwrap();
        }
        match page {
            "docs/aws.md" | "docs/eucalyptus.md" | "docs/local.md" => self.file("web.yaml", USER_DATA),
            "docs/cache.md" => {
                let digest = sha256(&self.files().join("base.qcow2"));
                self.names.push(("sha256:5faa90f7…", format!("sha256:{digest}")));
            }
            "docs/console.md" => self.names.push(("--user carol", "--user debian".to_owned())),
            "docs/service-image.md" => self.names.push(("loadbalancer-v3", "loadbalancer-v2".to_owned())),
            _ => {}
        }
    }

    pub(crate) fn place(&self) -> PathBuf {
        self.folder.path().join("place")
    }

    /// What is copied to wherever the page's commands have gone.
    pub(crate) fn files(&self) -> PathBuf {
        self.folder.path().join("files")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// A block with the names of this scene.
    pub(crate) fn put(&self, block: &str) -> String {
        self.names.iter().fold(block.to_owned(), |text, (from, to)| text.replace(from, to))
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.files().join(name), content).unwrap();
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.insert(name.to_owned(), value.into());
    }

    /// What every page has: the programs, a home, keys.
    fn begin(&mut self) {
        let path = format!("{}:{}", programs().display(), std::env::var("PATH").unwrap());
        self.set("PATH", path);
        self.set("HOME", self.home().to_str().unwrap());
        self.set("USER", "tester");
        self.set("CI", "true");
        self.set("DEBIAN_PASSWORD", PASSWORD);
        // Waiting for clouds in milliseconds.
        self.set("HARDTACK_TEST_HASTE", "1");
        let key = self.home().join(".ssh/id_ed25519");
        self.names = vec![("-i KEY", format!("-i {}", key.display())), (" LOG|", " console.log|".to_owned())];
        run(Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "tester", "-f"])
            .arg(&key));
    }

    fn with_keys(&self) {
        for (from, to) in [
            ("id_ed25519", "id_ed25519"),
            ("id_ed25519.pub", "id_ed25519.pub"),
            ("id_ed25519.pub", "id.pub"),
            ("id_ed25519", "aws.pem"),
        ] {
            fs::copy(self.home().join(".ssh").join(from), self.files().join(to)).unwrap();
        }
        let public = fs::read_to_string(self.home().join(".ssh/id_ed25519.pub")).unwrap();
        self.file("serial.log", block::block());
        self.file("console.log", block::sealed_block(&public));
        self.file("launch.yaml", USER_DATA);
        self.file("setup.sh", "#!/bin/sh\necho set up\n");
        self.file("base.yaml", USER_DATA);
        self.file("commands", "hostname web-1\n");
        self.file("web-test.yaml", "timeout: 60\nchecks:\n  - console: Linux version\n");
    }

    /// What most pages speak of, over the sample image or a real Debian.
    fn with_images(&mut self, real: bool) -> Option<()> {
        self.with_keys();
        let files = self.files();
        for folder in ["cloud-config", "image-recipes"] {
            run(Command::new("cp").arg("-r").arg(top().join(folder)).arg(&files));
        }
        if real {
            let images = Images::find()?;
            std::os::unix::fs::symlink(images.disk("debian12"), files.join("base.qcow2")).unwrap();
            std::os::unix::fs::symlink(images.debs("bookworm"), files.join("debs")).unwrap();
            std::os::unix::fs::symlink(images.debs("bookworm"), files.join("image-recipes/debs")).unwrap();
            fs::copy(files.join("id.pub"), files.join("image-recipes/id_ed25519.pub")).unwrap();
            self.file("image-recipes/local-file", "");
        } else {
            fs::copy(top().join("crates/hardtack/demo/sample.qcow2"), files.join("base.qcow2")).unwrap();
        }
        let debs = if real { "  - packages: {debs: [debs/]}\n" } else { "" };
        for name in ["recipe.yaml", "debian-3fa.yaml"] {
            self.file(name, format!("{SMALL}{debs}"));
        }
        self.file("web.yaml", PLAIN);
        self.file("lb.yaml", PLAIN);
        self.file("lived.yaml", LIVED);
        self.ours(&["build", "recipe.yaml", "--source", "base.qcow2", "--output", "hard.qcow2"]);
        self.ours(&["build", "lived.yaml", "--source", "base.qcow2", "--output", "disk.qcow2"]);
        for (from, to) in [
            ("hard.qcow2", "hardened.qcow2"),
            ("base.qcow2", "debian.qcow2"),
            ("base.qcow2", "debian-12-genericcloud-amd64.qcow2"),
        ] {
            std::os::unix::fs::symlink(files.join(from), files.join(to)).unwrap();
        }
        self.ours(&["user-data", "pack", "base.yaml", "setup.sh", "--output", "user-data.mime"]);
        self.file("images.yaml", MATRIX);
        for folder in ["directory", "out", "root"] {
            fs::create_dir(files.join(folder)).unwrap();
        }
        Some(())
    }

    /// Disks in archives.
    fn with_archives(&mut self) {
        self.file("vmlinuz-3.2", vec![7; 100_000]);
        self.ours(&["convert", "base.qcow2", "disk.raw"]);
        let files = self.files();
        let tar = |archive: &str, member: &str| {
            run(Command::new("tar").current_dir(&files).args(["-caf", archive, member]));
        };
        tar("debian-12.tar.xz", "disk.raw");
        tar("eucalyptus-load-balancer-image-1.1.0-212.tgz", "disk.raw");
        // What a file is, is told by its content.
        fs::copy(files.join("debian-12.tar.xz"), files.join("eucalyptus-load-balancer-image.rpm")).unwrap();
        let vmdk = ["convert", "-O", "vmdk", "-o", "subformat=streamOptimized", "disk.raw", "disk.vmdk"];
        run(Command::new("qemu-img").current_dir(&files).args(vmdk));
        run(Command::new("tar").current_dir(&files).args(["-cf", "appliance.ova", "disk.vmdk"]));
        fs::remove_file(files.join("disk.vmdk")).unwrap();
    }

    /// A real Debian, its packages, and the recipes that ship.
    fn with_debian(&mut self, page: &Path) -> Option<()> {
        let images = Images::find()?;
        self.with_keys();
        fs::remove_file(self.files().join("id_ed25519")).unwrap();
        fs::remove_file(self.files().join("id_ed25519.pub")).unwrap();
        for name in ["debian-12-genericcloud-amd64.qcow2", "base.qcow2"] {
            std::os::unix::fs::symlink(images.disk("debian12"), self.files().join(name)).unwrap();
        }
        // It is replaced, and a link would lead to the one that all tests use.
        fs::copy(images.disk("debian12"), self.files().join("disk.qcow2")).unwrap();
        for folder in ["cloud-config", "image-recipes"] {
            run(Command::new("cp").arg("-r").arg(top().join(folder)).arg(self.place()));
        }
        let debs = images.debs("bookworm");
        if page == Path::new("README.md") {
            self.shim("cargo", "exit 0");
            // Beside the clone.
            let image = "debian-12-genericcloud-amd64.qcow2";
            std::os::unix::fs::symlink(images.disk("debian12"), self.folder.path().join(image)).unwrap();
            // It stands for all that people fetch: the packages, and what later blocks have.
            self.shim(
                "apt-get",
                &format!("cp {}/*.deb . && cp -dn {}/. .. -r", debs.display(), self.files().display()),
            );
        } else {
            run(Command::new("cp").arg("-r").arg(debs).arg(self.files().join("debs")));
            fs::copy(top().join("image-recipes/debian-3fa.yaml"), self.files().join("debian-3fa.yaml"))
                .unwrap();
            self.file("local-file", "#!/bin/sh\n");
            for name in ["id_ed25519", "id_ed25519.pub"] {
                fs::copy(self.home().join(".ssh").join(name), self.files().join(name)).unwrap();
            }
        }
        Some(())
    }

    /// A program that stands for one that needs a network, or all of Rust.
    fn shim(&mut self, name: &str, script: &str) {
        let bin = self.folder.path().join("bin");
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", bin.display(), self.variables["PATH"]);
        self.set("PATH", path);
    }

    /// AWS and a Eucalyptus, with an image each.
    fn with_clouds(&mut self) {
        let aws = Cloud::builder()
            .with(|options| {
                REGION.clone_into(&mut options.region);
                options.key_pairs = vec!["ops".to_owned(), "admin".to_owned()];
            })
            .start();
        let euca = Cloud::builder()
            .eucalyptus()
            .with(|options| options.key_pairs = vec!["ops".to_owned(), "admin".to_owned()])
            .start();
        aws.make_bucket("ci-images", BucketOwnership::Enforced);
        let snapshot = aws.make_snapshot(REGION, OWNER, 1, None, false, &[]);
        self.names
            .push(("ami-0123456789abcdef0", aws.make_image(REGION, "an-image", &snapshot, "x86_64", false)));
        let local = self.home().join(".euca");
        for (name, text) in
            [("user.pem", USER_KEY), ("user.crt", USER_CERTIFICATE), ("cloud.crt", CLOUD_CERTIFICATE)]
        {
            fs::write(local.join(name), text).unwrap();
        }
        let mut eucarc = String::new();
        for (name, value) in euca.environment() {
            eucarc += &format!("export {name}='{value}'\n");
        }
        for (name, file) in
            [("EC2_PRIVATE_KEY", "user.pem"), ("EC2_CERT", "user.crt"), ("EUCALYPTUS_CERT", "cloud.crt")]
        {
            eucarc += &format!("export {name}='{}'\n", local.join(file).display());
        }
        eucarc += &format!("export EC2_USER_ID={OWNER}\n");
        fs::write(local.join("eucarc"), eucarc).unwrap();
        let own: Vec<_> = aws.environment().into_iter().collect();
        for (name, value) in own {
            self.set(&name, value);
        }
        // An image of the other one, by its own means.
        let line = ". ~/.euca/eucarc; hardtack install disk.raw -n seed --on euca -b seeds --part-size 1M --journal seed.journal";
        if self.files().join("disk.raw").exists() {
            let printed = run(Command::new("bash")
                .args(["-ec", line])
                .current_dir(self.files())
                .env_clear()
                .envs(&self.variables));
            let id = printed.trim().rsplit('\t').next().unwrap().to_owned();
            fs::remove_file(self.files().join("seed.journal")).unwrap();
            self.names.push(("emi-FF439CBA", id));
        }
        let answers = answers();
        self.names.push(("https://discovery.etcd.io/new", format!("{answers}/new")));
        self.set("HARDTACK_ADDRESS_URL", answers);
        self._clouds = vec![aws, euca];
    }

    /// Runs hardtack beside the files.
    fn ours(&self, arguments: &[&str]) {
        let program = programs().join("hardtack");
        run(Command::new(program)
            .args(arguments)
            .current_dir(self.files())
            .env_clear()
            .envs(&self.variables));
    }
}

/// A folder with both programs, as an installation has them.
fn programs() -> &'static Path {
    static PROGRAMS: OnceLock<TempDir> = OnceLock::new();
    let made = PROGRAMS.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        for (from, name) in [(hardtack(), "hardtack"), (agent(), "hardtack-agent")] {
            let to = folder.path().join(name);
            fs::copy(&from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        }
        folder
    });
    made.path()
}

/// A service that tells everybody an address, and the token of a new cluster: where it is.
fn answers() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let own = url.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            let new = request[..length].starts_with(b"GET /new");
            let body = if new {
                format!("{own}/0123456789abcdef0123456789abcdef")
            } else {
                "203.0.113.7\n".to_owned()
            };
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n";
            // Who has gone away gets nothing.
            let _ = write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    url
}
