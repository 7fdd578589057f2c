//! A repository by `dpkg-deb`, `apt-ftparchive` and `gpg`, with throwaway keys.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// False, and told, when a program is not there.
pub fn have(test: &str, programs: &[&str]) -> bool {
    for program in programs {
        let found =
            ["/usr/bin", "/usr/sbin", "/bin"].iter().any(|folder| Path::new(folder).join(program).exists());
        if !found {
            assert!(std::env::var_os("CI").is_none(), "{program} is missing");
            eprintln!("SKIPPED: {test}: no {program} here");
            return false;
        }
    }
    true
}

pub fn run(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

pub struct Made {
    pub folder: tempfile::TempDir,
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").env("GNUPGHOME", self.home()).args(["--kill", "all"]).status();
    }
}

impl Default for Made {
    fn default() -> Self {
        Self::new()
    }
}

impl Made {
    /// With the folders of suite `stable`: no key and no package yet.
    pub fn new() -> Self {
        // GnuPG's sockets need a short path.
        let folder = tempfile::Builder::new().prefix("hr").tempdir_in("/tmp").unwrap();
        let made = Self { folder };
        for directory in ["g", "r/pool", "r/dists/stable/main/binary-amd64"] {
            std::fs::create_dir_all(made.path(directory)).unwrap();
        }
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(made.home(), mode).unwrap();
        made
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    fn home(&self) -> PathBuf {
        self.path("g")
    }

    pub fn gpg(&self, arguments: &[&str]) -> Output {
        let mut gpg = Command::new("gpg");
        gpg.env("GNUPGHOME", self.home()).args([
            "--batch",
            "--yes",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
        ]);
        run(gpg.args(arguments))
    }

    /// A key, and its ring as `NAME.gpg`.
    pub fn key(&self, name: &str, algorithm: &str, more: &[&str], life: &str) {
        let user = format!("{name} <{name}@example.org>");
        self.gpg(&[more, &["--quick-gen-key", &user, algorithm, "sign", life]].concat());
        self.export(name);
    }

    pub fn export(&self, name: &str) {
        let ring = self.path(&format!("{name}.gpg"));
        self.gpg(&["--output", ring.to_str().unwrap(), "--export", &format!("{name}@example.org")]);
    }

    pub fn ring(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(&format!("{name}.gpg"))).unwrap()
    }

    pub fn deb(&self, name: &str, version: &str, more: &str) {
        let root = self.path(&format!("build/{name}_{version}"));
        std::fs::create_dir_all(root.join("DEBIAN")).unwrap();
        let control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: T <t@example.org>\n{more}Description: {name}\n"
        );
        std::fs::write(root.join("DEBIAN/control"), control).unwrap();
        let data = root.join("usr/share").join(name);
        std::fs::create_dir_all(&data).unwrap();
        std::fs::write(data.join("version"), version).unwrap();
        let to = self.path(&format!("r/pool/{name}_{version}_all.deb"));
        run(Command::new("dpkg-deb").args(["--root-owner-group", "-Znone", "--build"]).arg(&root).arg(to));
    }

    /// `Packages` and `Release` of what is in the pool. Lines of `more` replace fields or are added.
    pub fn index(&self, more: &str) {
        let root = self.path("r");
        let packages =
            run(Command::new("apt-ftparchive").current_dir(&root).args(["packages", "pool"])).stdout;
        let folder = root.join("dists/stable/main/binary-amd64");
        std::fs::write(folder.join("Packages"), packages).unwrap();
        for (tool, option) in [("xz", "-kf"), ("gzip", "-kfn"), ("zstd", "-kfq")] {
            run(Command::new(tool).arg(option).arg(folder.join("Packages")));
        }
        self.release(more);
    }

    pub fn release(&self, more: &str) {
        let folder = self.path("r/dists/stable");
        for name in ["Release", "InRelease", "Release.gpg"] {
            let _ = std::fs::remove_file(folder.join(name));
        }
        let made = run(Command::new("apt-ftparchive").current_dir(&folder).args([
            "-o",
            "APT::FTPArchive::Release::Suite=stable",
            "-o",
            "APT::FTPArchive::Release::Codename=book",
            "-o",
            "APT::FTPArchive::Release::Components=main",
            "-o",
            "APT::FTPArchive::Release::Architectures=amd64",
            "release",
            ".",
        ]))
        .stdout;
        let mut text = String::from_utf8(made).unwrap();
        for line in more.lines() {
            let field = line.split_once(':').unwrap().0;
            let known = format!("{field}:");
            text =
                text.lines().filter(|old| !old.starts_with(&known)).map(|old| format!("{old}\n")).collect();
            text = format!("{line}\n{text}");
        }
        std::fs::write(folder.join("Release"), text).unwrap();
    }

    /// `InRelease`, by these keys.
    pub fn sign(&self, keys: &[&str], more: &[&str]) {
        let folder = self.path("r/dists/stable");
        let users: Vec<String> = keys.iter().map(|name| format!("{name}@example.org")).collect();
        let mut arguments = more.to_vec();
        for user in &users {
            arguments.extend(["--local-user", user]);
        }
        let (to, from) = (folder.join("InRelease"), folder.join("Release"));
        arguments.extend(["--output", to.to_str().unwrap(), "--clearsign", from.to_str().unwrap()]);
        self.gpg(&arguments);
    }

    pub fn uri(&self) -> String {
        format!("file://{}", self.path("r").display())
    }

    /// gpgv's verdict as apt reads it: a good signature and no bad one.
    pub fn gpgv(&self, ring: &str) -> bool {
        let output = Command::new("gpgv")
            .args(["--status-fd", "1", "--weak-digest", "SHA1", "--weak-digest", "RIPEMD160", "--keyring"])
            .arg(self.path(&format!("{ring}.gpg")))
            .arg(self.path("r/dists/stable/InRelease"))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.contains("] GOODSIG ") && !text.contains("] BADSIG ")
    }
}

/// Serves a directory. `/loop/…` redirects to itself, `/on/…` to the file, `/zero/…` never ends.
pub fn serve(root: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let root = root.clone();
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let first = lines.next().unwrap().unwrap();
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                let path = first.split(' ').nth(1).unwrap().to_owned();
                let close = "Connection: close\r\n";
                let _ = if path.starts_with("/loop/") {
                    write!(
                        stream,
                        "HTTP/1.1 302 Found\r\nLocation: {path}\r\n{close}Content-Length: 0\r\n\r\n"
                    )
                } else if let Some(rest) = path.strip_prefix("/on/") {
                    write!(
                        stream,
                        "HTTP/1.1 301 Moved\r\nLocation: /{rest}\r\n{close}Content-Length: 0\r\n\r\n"
                    )
                } else if path.starts_with("/zero/") {
                    let _ = write!(stream, "HTTP/1.1 200 OK\r\n{close}\r\n");
                    while stream.write_all(&[0; 65536]).is_ok() {}
                    Ok(())
                } else if path.starts_with("/login/") {
                    write!(stream, "HTTP/1.1 200 OK\r\n{close}Content-Length: 6\r\n\r\n<html>")
                } else if path.starts_with("/broken/") {
                    write!(stream, "HTTP/1.1 403 No\r\n{close}Content-Length: 0\r\n\r\n")
                } else {
                    match std::fs::read(root.join(path.trim_start_matches('/'))) {
                        Ok(content) => {
                            let _ = write!(
                                stream,
                                "HTTP/1.1 200 OK\r\n{close}Content-Length: {}\r\n\r\n",
                                content.len()
                            );
                            stream.write_all(&content)
                        }
                        Err(_) => write!(stream, "HTTP/1.1 404 No\r\n{close}Content-Length: 0\r\n\r\n"),
                    }
                };
            });
        }
    });
    address
}
