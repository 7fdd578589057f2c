//! What guards a login: any configuration of sshd, units and stacks of PAM. The verdict comes, or a reason why there
//! is none.
//!
//! The input is a machine's files, laid over one that keeps its promise: `== PATH` before the content of a file,
//! `== PATH -> TARGET` for a link. What stands before the first of them is the promise in JSON; where it is none,
//! the usual one counts.

use std::collections::BTreeMap;

use hardtack_login::promise::kept;
use hardtack_login::{Fault, Files, Kind, Promise, ServicePromise};

use crate::memory::bounded;

/// What the verdict on 8 KiB of files may take.
const MEMORY: usize = 32 << 20;
/// Links that are followed.
const LINKS: usize = 40;

const BASE: &str = "
== /var/lib/dpkg/status
Package: openssh-server
Status: install ok installed
Version: 1:9.2p1-2+deb12u5
== /etc/ssh/sshd_config
Include /etc/ssh/sshd_config.d/*.conf
UsePAM yes
== /etc/ssh/sshd_config.d/00-hardtack.conf
UsePAM yes
KbdInteractiveAuthentication yes
PasswordAuthentication no
AuthenticationMethods publickey,keyboard-interactive
== /lib/systemd/system/ssh.service
[Service]
EnvironmentFile=-/etc/default/ssh
ExecStart=/usr/sbin/sshd -D $SSHD_OPTS
== /etc/pam.d/common-auth
auth [success=1 default=ignore] pam_unix.so nullok
auth requisite pam_deny.so
auth required pam_permit.so
== /etc/pam.d/other
@include common-auth
== /etc/pam.d/sshd
@include common-auth
auth required pam_google_authenticator.so noskewadj
== /etc/pam.d/su
auth sufficient pam_rootok.so
@include common-auth
== /usr/lib/x86_64-linux-gnu/security/pam_google_authenticator.so
";

enum Node {
    File(Vec<u8>),
    Link(String),
}

#[derive(Default)]
struct Tree(BTreeMap<String, Node>);

impl Tree {
    /// Adds the files of `text`, and returns what stands before them.
    fn add<'a>(&mut self, text: &'a str) -> &'a str {
        let mut parts = text.split("\n== ");
        let head = parts.next().unwrap_or_default();
        for part in parts {
            let (line, content) = part.split_once('\n').unwrap_or((part, ""));
            match line.split_once(" -> ") {
                Some((path, target)) => self.0.insert(path.to_owned(), Node::Link(target.to_owned())),
                None => self.0.insert(line.to_owned(), Node::File(format!("{content}\n").into_bytes())),
            };
        }
        head
    }

    fn resolve(&self, path: &str) -> Result<String, Fault> {
        let mut at = path.to_owned();
        for _ in 0..LINKS {
            match self.0.get(&at) {
                Some(Node::Link(target)) if target.starts_with('/') => at.clone_from(target),
                Some(Node::Link(target)) => {
                    at = format!("{}/{target}", at.rsplit_once('/').map_or("", |(folder, _)| folder));
                }
                _ => return Ok(at),
            }
        }
        Err(fault(path, "too many links"))
    }
}

fn fault(path: &str, what: &str) -> Fault {
    Fault { path: path.to_owned(), line: None, what: what.to_owned() }
}

impl Files for Tree {
    type Error = Fault;

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, Fault> {
        match self.0.get(&self.resolve(path)?) {
            Some(Node::File(content)) if content.len() as u64 > limit => Err(fault(path, "too long")),
            Some(Node::File(content)) => Ok(Some(content.clone())),
            _ => Ok(None),
        }
    }

    fn kind(&self, path: &str) -> Result<Option<Kind>, Fault> {
        let path = self.resolve(path)?;
        if self.0.contains_key(&path) {
            return Ok(Some(Kind::Regular));
        }
        let below = format!("{}/", path.trim_end_matches('/'));
        let directory =
            self.0.range(below.clone()..).next().is_some_and(|(known, _)| known.starts_with(&below));
        Ok(directory.then_some(Kind::Directory))
    }

    fn link(&self, path: &str) -> Result<Option<String>, Fault> {
        Ok(match self.0.get(path) {
            Some(Node::Link(target)) => Some(target.clone()),
            _ => None,
        })
    }

    fn names(&self, path: &str) -> Result<Vec<String>, Fault> {
        let below = format!("{}/", self.resolve(path)?.trim_end_matches('/'));
        let known = self.0.range(below.clone()..).map_while(|(known, _)| known.strip_prefix(&below));
        let mut names: Vec<String> =
            known.map(|rest| rest.split('/').next().unwrap_or_default().to_owned()).collect();
        names.dedup();
        Ok(names)
    }
}

/// The verdict on any machine.
pub fn promise(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    bounded(MEMORY, || {
        let mut files = Tree::default();
        files.add(BASE);
        let usual = usual(&files);
        if text.is_empty() {
            assert_eq!(usual.check(&files).map(|found| found.len()), Ok(0));
        }
        let head = files.add(&text);
        let promise = serde_json::from_str(head).unwrap_or(usual);
        let _ = kept(&files);
        for weakness in promise.check(&files).unwrap_or_default() {
            assert!(!weakness.what.is_empty());
            // Files are of any length; what is told of them is not.
            assert!(weakness.what.len() < 16 << 10, "{} bytes", weakness.what.len());
        }
    });
}

fn usual(files: &Tree) -> Promise {
    let line = |(keyword, value): (&str, &str)| (keyword.to_owned(), value.to_owned());
    let asks = |service: &str| ServicePromise {
        service: service.to_owned(),
        code: true,
        password: true,
        locked: false,
    };
    Promise {
        sshd: [
            ("UsePAM", "yes"),
            ("KbdInteractiveAuthentication", "yes"),
            ("PasswordAuthentication", "no"),
            ("AuthenticationMethods", "publickey,keyboard-interactive"),
        ]
        .map(line)
        .to_vec(),
        blocks: Vec::new(),
        kept: kept(files).unwrap_or_default(),
        services: vec![asks("sshd")],
    }
}
