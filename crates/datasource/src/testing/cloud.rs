//! Metadata services, and how they lie.
//!
//! AWS's and Eucalyptus's are modelled by what is known of them: AWS answers only with a token; Eucalyptus 4 knows no
//! tokens, closes after each answer, takes any date for a version and writes network cards' addresses large.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// `GET`.
    pub method: String,
    /// Path and query: `/latest/meta-data/`.
    pub path: String,
    /// Header lines, names in small letters.
    pub headers: Vec<(String, String)>,
}

impl Asked {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An answer.
    Answer {
        /// 200, 404…
        status: u16,
        /// Header lines beside those that every answer has.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// Nothing, and the connection stays open.
    Hang,
    /// The connection is reset.
    Reset,
    /// These bytes instead of an answer.
    Raw(Vec<u8>),
}

impl Reply {
    /// An answer without headers.
    #[must_use]
    pub fn new(status: u16, body: impl AsRef<[u8]>) -> Self {
        Self::Answer { status, headers: Vec::new(), body: body.as_ref().to_vec() }
    }

    /// An answer with status 200.
    #[must_use]
    pub fn ok(body: impl AsRef<[u8]>) -> Self {
        Self::new(200, body)
    }

    /// What Eucalyptus answers to everything while it starts.
    #[must_use]
    pub fn starting() -> Self {
        Self::ok("System is still starting up")
    }

    /// A page to log in, as captive portals have it.
    #[must_use]
    pub fn login_page() -> Self {
        Self::ok("<!DOCTYPE html>\n<html><head><title>Log in</title></head><body>i-0123abcd</body></html>\n")
    }
}

/// Whether there are tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tokens {
    /// The path is unknown.
    None,
    /// Nothing is answered without.
    Required,
}

/// What instead of the true answer comes back for a request, of which it is the so-manieth (from 0).
pub type Fault = dyn Fn(&Asked, u64) -> Option<Reply> + Send + Sync;

/// A metadata service.
pub struct Cloud {
    /// By path below `roots`. Directories list what is in them, unless they have a text of their own.
    tree: BTreeMap<String, Vec<u8>>,
    /// What may stand before: versions.
    is_root: fn(&str) -> bool,
    tokens: Tokens,
    /// A header that every request needs, and every answer has.
    flavor: Option<(&'static str, &'static str)>,
    /// Every path without a file is a directory of files, and those of it are one JSON object: Google's.
    recursive: bool,
    fault: Option<Box<Fault>>,
    asked: Mutex<Vec<Asked>>,
}

/// The token of AWS's.
pub const TOKEN: &str = "AQAEALy-_KtoKeN_0123456789abcdefghijklmnopqrstuvwxyzABCDE==";

impl Cloud {
    fn new(is_root: fn(&str) -> bool, tree: &[(&str, &str)]) -> Self {
        let tree = tree.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
        Self {
            tree,
            is_root,
            tokens: Tokens::None,
            flavor: None,
            recursive: false,
            fault: None,
            asked: Mutex::default(),
        }
    }

    /// AWS, which wants a token.
    #[must_use]
    pub fn aws() -> Self {
        let is_root = |root: &str| {
            ["2021-03-23", "2018-09-24", "2016-09-02", "2009-04-04", "latest", "1.0"].contains(&root)
        };
        let mut cloud = Self::new(is_root, AWS);
        cloud.tokens = Tokens::Required;
        cloud
    }

    /// Eucalyptus 4.
    #[must_use]
    pub fn eucalyptus() -> Self {
        let is_root = |root: &str| {
            root == "latest"
                || root == "1.0"
                || (root.len() == 10 && root.split('-').map(str::len).eq([4, 2, 2]))
        };
        Self::new(is_root, EUCALYPTUS)
    }

    /// OpenStack, with EC2's tree beside its own.
    #[must_use]
    pub fn openstack() -> Self {
        Self::new(|root| root.is_empty(), OPENSTACK)
    }

    /// Google's.
    #[must_use]
    pub fn gce() -> Self {
        let mut cloud = Self::new(|root| root == "computeMetadata", GCE);
        cloud.flavor = Some(("Metadata-Flavor", "Google"));
        cloud.recursive = true;
        cloud
    }

    /// With a file at `path`, which is the one below the version, in place of what is there.
    #[must_use]
    pub fn with(mut self, path: &str, body: impl AsRef<[u8]>) -> Self {
        self.tree.insert(path.to_owned(), body.as_ref().to_vec());
        self
    }

    /// Without what is at `path` or below it.
    #[must_use]
    pub fn without(mut self, path: &str) -> Self {
        let below = format!("{}/", path.trim_end_matches('/'));
        self.tree.retain(|known, _| known != path && !known.starts_with(&below));
        self
    }

    /// That answers with what `fault` has, where it has something.
    #[must_use]
    pub fn lies(mut self, fault: impl Fn(&Asked, u64) -> Option<Reply> + Send + Sync + 'static) -> Self {
        self.fault = Some(Box::new(fault));
        self
    }

    /// What it was asked, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers.
    pub fn reply(&self, asked: &Asked) -> Reply {
        let number = {
            let mut list = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            list.push(asked.clone());
            u64::try_from(list.len()).unwrap_or(u64::MAX).saturating_sub(1)
        };
        let reply = self.fault.as_ref().and_then(|fault| fault(asked, number));
        let mut reply = reply.unwrap_or_else(|| self.truth(asked));
        if let (Reply::Answer { headers, .. }, Some((name, value))) = (&mut reply, self.flavor) {
            headers.push((name.to_owned(), value.to_owned()));
        }
        reply
    }

    fn truth(&self, asked: &Asked) -> Reply {
        let missing = || Reply::new(404, "<?xml version=\"1.0\"?><title>404 - Not Found</title>");
        if self.tokens == Tokens::Required {
            if asked.path == "/latest/api/token" {
                let ttl = asked.header("x-aws-ec2-metadata-token-ttl-seconds");
                return match (asked.method.as_str(), ttl) {
                    ("PUT", Some(_)) => Reply::ok(TOKEN),
                    ("PUT", None) => Reply::new(400, ""),
                    _ => Reply::new(405, ""),
                };
            }
            if asked.header("x-aws-ec2-metadata-token") != Some(TOKEN) {
                return Reply::new(401, "");
            }
        }
        if let Some((name, value)) = self.flavor
            && asked.header(&name.to_lowercase()) != Some(value)
        {
            return Reply::new(403, "Missing Metadata-Flavor:Google header.");
        }
        if asked.method != "GET" {
            return missing();
        }
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        let path = path.strip_prefix('/').unwrap_or(path);
        let (root, path) =
            if (self.is_root)("") { ("", path) } else { path.split_once('/').unwrap_or((path, "")) };
        if !(self.is_root)(root) {
            return missing();
        }
        if self.recursive && query == "recursive=True" {
            return self.object(path);
        }
        if let Some(body) = self.tree.get(path) {
            return Reply::ok(body);
        }
        match self.list(path) {
            list if list.is_empty() => missing(),
            list => Reply::ok(list),
        }
    }

    fn list(&self, path: &str) -> String {
        let above = if path.is_empty() { String::new() } else { format!("{}/", path.trim_end_matches('/')) };
        let mut names: Vec<String> = Vec::new();
        for known in self.tree.keys() {
            let Some(rest) = known.strip_prefix(&above).filter(|rest| !rest.is_empty()) else { continue };
            let name = match rest.split_once('/') {
                Some((directory, _)) => format!("{directory}/"),
                None => rest.to_owned(),
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.join("\n")
    }

    fn object(&self, path: &str) -> Reply {
        let below = format!("{}/", path.trim_end_matches('/'));
        let object: serde_json::Map<String, serde_json::Value> = self
            .tree
            .iter()
            .filter_map(|(known, body)| {
                Some((
                    known.strip_prefix(&below)?.to_owned(),
                    String::from_utf8_lossy(body).into_owned().into(),
                ))
            })
            .collect();
        Reply::ok(serde_json::Value::Object(object).to_string())
    }
}

const AWS: &[(&str, &str)] = &[
    (
        "dynamic/instance-identity/document",
        "{\n  \"accountId\" : \"123456789012\",\n  \"availabilityZone\" : \"us-west-2a\",\n  \"instanceId\" : \"i-0123456789abcdef0\",\n  \"region\" : \"us-west-2\"\n}",
    ),
    ("dynamic/instance-identity/signature", "AAAA\nBBBB"),
    ("meta-data/ami-id", "ami-0123abcd"),
    ("meta-data/ami-launch-index", "2"),
    ("meta-data/block-device-mapping/ami", "/dev/xvda"),
    ("meta-data/block-device-mapping/ephemeral0", "sdb"),
    ("meta-data/hostname", "ip-10-0-0-5.us-west-2.compute.internal"),
    ("meta-data/iam/info", "{\"Code\" : \"Success\"}"),
    ("meta-data/iam/security-credentials/role", "{\"SecretAccessKey\": \"never\"}"),
    ("meta-data/instance-id", "i-0123456789abcdef0"),
    ("meta-data/local-hostname", "ip-10-0-0-5.us-west-2.compute.internal"),
    ("meta-data/local-ipv4", "10.0.0.5"),
    ("meta-data/mac", "0a:00:00:00:00:05"),
    ("meta-data/network/interfaces/macs/0a:00:00:00:00:05/device-number", "0"),
    ("meta-data/network/interfaces/macs/0a:00:00:00:00:05/local-ipv4s", "10.0.0.5\n10.0.0.6"),
    ("meta-data/network/interfaces/macs/0a:00:00:00:00:05/mac", "0a:00:00:00:00:05"),
    ("meta-data/network/interfaces/macs/0a:00:00:00:00:05/subnet-ipv4-cidr-block", "10.0.0.0/20"),
    ("meta-data/network/interfaces/macs/0a:00:00:00:00:05/vpc-id", "vpc-1"),
    ("meta-data/placement/availability-zone", "us-west-2a"),
    ("meta-data/public-ipv4", "54.1.2.3"),
    ("meta-data/public-keys/", "0=my key"),
    ("meta-data/public-keys/0/openssh-key", "ssh-ed25519 AAAA my key\n"),
    ("meta-data/security-groups", "default"),
    ("user-data", "#cloud-config\nruncmd: [a]\n"),
];

const EUCALYPTUS: &[(&str, &str)] = &[
    ("dynamic/instance-identity/document", "{\"instanceId\": \"i-0abc1234\"}"),
    ("meta-data/ami-id", "emi-11111111"),
    ("meta-data/ami-launch-index", "0"),
    ("meta-data/block-device-mapping/ami", "sda"),
    ("meta-data/block-device-mapping/emi", "sda"),
    ("meta-data/block-device-mapping/ephemeral0", "sdb"),
    ("meta-data/block-device-mapping/root", "/dev/sda"),
    ("meta-data/hostname", "euca-172-16-0-9.eucalyptus.internal"),
    ("meta-data/instance-id", "i-0abc1234"),
    ("meta-data/instance-type", "m1.small"),
    ("meta-data/local-hostname", "euca-172-16-0-9.eucalyptus.internal"),
    ("meta-data/local-ipv4", "172.16.0.9"),
    ("meta-data/mac", "D0:0D:0A:BC:12:34"),
    ("meta-data/network/interfaces/macs/D0:0D:0A:BC:12:34/device-number", "0"),
    ("meta-data/network/interfaces/macs/D0:0D:0A:BC:12:34/local-ipv4s", "172.16.0.9"),
    ("meta-data/placement/availability-zone", "one"),
    ("meta-data/public-hostname", "euca-10-1-1-9.eucalyptus.example"),
    ("meta-data/public-ipv4", "10.1.1.9"),
    ("meta-data/public-keys/", "0=admin"),
    ("meta-data/public-keys/0/", "openssh-key"),
    ("meta-data/public-keys/0/openssh-key", "ssh-rsa AAAA admin@eucalyptus"),
    ("meta-data/reservation-id", "r-12345678"),
    ("meta-data/security-groups", "default"),
    ("meta-data/services/domain", "amazonaws.com"),
];

const OPENSTACK: &[(&str, &str)] = &[
    ("latest/meta-data/block-device-mapping/ami", "vda"),
    ("latest/meta-data/block-device-mapping/ephemeral0", "/dev/vdb"),
    ("latest/meta-data/instance-id", "i-00000001"),
    ("latest/meta-data/local-ipv4", "10.0.0.7"),
    ("latest/meta-data/public-ipv4", ""),
    ("openstack", "2012-08-10\n2013-04-04\n2018-08-27\nlatest"),
    (
        "openstack/2018-08-27/meta_data.json",
        "{\"availability_zone\": \"nova\", \"hostname\": \"server.novalocal\", \"launch_index\": 0, \"name\": \"server\", \"public_keys\": {\"mykey\": \"ssh-rsa AAAA mykey\\n\"}, \"random_seed\": \"aGVsbG8=\", \"uuid\": \"83679162-1378-4288-a2d4-70e13ec132aa\"}",
    ),
    (
        "openstack/2018-08-27/network_data.json",
        "{\"links\": [{\"ethernet_mac_address\": \"fa:16:3e:00:00:01\", \"id\": \"tap0\", \"type\": \"ovs\"}], \"networks\": [{\"id\": \"n\", \"link\": \"tap0\", \"type\": \"ipv4_dhcp\"}], \"services\": []}",
    ),
    ("openstack/2018-08-27/user_data", "#!/bin/sh\necho\n"),
    ("openstack/2018-08-27/vendor_data.json", "{\"cloud-init\": \"#cloud-config\\na: 1\\n\"}"),
    ("openstack/2018-08-27/vendor_data2.json", "{}"),
];

const GCE: &[(&str, &str)] = &[
    (
        "v1/instance/attributes/ssh-keys",
        "debian:ssh-rsa AAAA debian\nother:ssh-rsa BBBB other\ncloudinit:ssh-rsa CCCC google-ssh {\"userName\":\"a\",\"expireOn\":\"2018-12-04T20:12:00+0000\"}",
    ),
    ("v1/instance/attributes/user-data", "I2Nsb3VkLWNvbmZpZwphOiAxCg=="),
    ("v1/instance/attributes/user-data-encoding", "base64"),
    ("v1/instance/hostname", "server.europe-west1-b.c.project.internal"),
    ("v1/instance/id", "1234567890123456789"),
    ("v1/instance/network-interfaces/0/access-configs/0/external-ip", "34.1.2.3"),
    ("v1/instance/network-interfaces/0/ip", "10.132.0.2"),
    ("v1/instance/zone", "projects/123/zones/europe-west1-b"),
    ("v1/project/attributes/ssh-keys", "debian:ssh-rsa DDDD project"),
];
