//! EC2's metadata service, and those like it (`cloudinit/sources/DataSourceEc2.py`, `sources/helpers/ec2.py`).
//!
//! A token is asked for everywhere, as AWS wants it (IMDSv2); where that request is answered with 404 or 405 (Eucalyptus,
//! and most others) the service is asked without. Other refusals end it on AWS and nowhere else. Other
//! than in cloud-init,
//!
//! * nothing is believed before an id came that can be one, and after the last answer it has to be the same;
//! * one name that is listed and not there, or not to be had, does not cost the whole tree;
//! * `latest` and `1.0` are tried where no dated version is there;
//! * user-data ends at 1 MiB.

use std::collections::BTreeMap;

use hardtack_http::Method;
use hardtack_modules::ec2_metadata::{self, Metadata};
use serde_json::{Value as Json, json};

use crate::found::{Found, Known, Source};
use crate::instance_id;
use crate::platform::Platform;
use crate::service::{Failure, Got, Service, Trouble, USER_DATA, VALUE};

/// Where the service is.
pub const ADDRESSES: [&str; 2] = ["http://169.254.169.254", "http://[fd00:ec2::254]"];

/// The versions, best first. IPv6 came with 2016-09-02, tags with 2021-03-23.
const VERSIONS: [&str; 6] = ["2021-03-23", "2018-09-24", "2016-09-02", "2009-04-04", "latest", "1.0"];
const TOKEN: &str = "latest/api/token";
const TOKEN_HEADER: &str = "X-aws-ec2-metadata-token";
const TTL: (&str, &str) = ("X-aws-ec2-metadata-token-ttl-seconds", "21600");
/// AWS's tokens have 56 characters.
const LONGEST_TOKEN: usize = 1024;
/// Names of one crawl. A machine with 30 network cards on AWS has about 900.
const MOST_NAMES: u32 = 2000;
/// All values of one crawl together.
const MOST_BYTES: usize = 2 << 20;
/// Directories in directories. EC2 has five.
const DEEPEST: usize = 9;
/// Names that could not be had before it is the service that is away.
const MOST_MISSING: usize = 8;
/// What is told of one crawl.
const MOST_NOTES: usize = 16;
/// What is read where the tree has no end.
const ESSENTIAL: &str = "ami-id\nami-launch-index\nblock-device-mapping/\nhostname\ninstance-id\ninstance-type\n\
                         local-hostname\nlocal-ipv4\nmac\nplacement/\npublic-hostname\npublic-ipv4\npublic-keys/\n\
                         reservation-id\nsecurity-groups\n";
/// Names of one of those directories.
const MOST_ESSENTIAL: usize = 64;

/// Reads the service at `base` once.
pub(crate) fn attempt(service: &mut Service<'_>, base: &str, platform: Platform) -> Result<Got, Failure> {
    let mut crawl = Crawl::begin(service, base, platform)?;
    let (version, id) = crawl.identity()?;
    let user_data = crawl.user_data(version)?;
    let metadata = crawl.metadata(version)?;
    let identity = if platform == Platform::Aws { crawl.instance_identity(version)? } else { None };
    // What was read while the service changed its mind belongs to nobody.
    if crawl.id_at(version)? != Some(Ok(id.clone())) {
        return Err(Failure::Later(format!("{base} no longer calls this machine {id}")));
    }
    let Crawl { notes, missing, .. } = crawl;
    let found = found(base, platform, version, &id, &metadata, identity, user_data, notes)
        .ok_or_else(|| Failure::Later(format!("{base} has no instance-id {id} among its metadata")))?;
    Ok(Got { found, missing })
}

/// The id that the service at `base` has for this machine.
pub(crate) fn identity(service: &mut Service<'_>, base: &str, platform: Platform) -> Result<String, Failure> {
    Ok(Crawl::begin(service, base, platform)?.identity()?.1)
}

struct Crawl<'a, 'b> {
    service: &'a mut Service<'b>,
    base: &'a str,
    platform: Platform,
    token: Option<String>,
    notes: Vec<String>,
    /// What is listed and could not be had this time.
    missing: Vec<String>,
}

impl<'a, 'b> Crawl<'a, 'b> {
    /// With a token, where there are tokens.
    fn begin(service: &'a mut Service<'b>, base: &'a str, platform: Platform) -> Result<Self, Failure> {
        let mut crawl = Self { service, base, platform, token: None, notes: Vec::new(), missing: Vec::new() };
        // The others identified by marks never had tokens, and a request with PUT is nothing that they know.
        if matches!(platform, Platform::Aws | Platform::Unknown) {
            crawl.ask_token()?;
        }
        Ok(crawl)
    }

    fn ask_token(&mut self) -> Result<(), Failure> {
        let aws = self.platform == Platform::Aws;
        let url = format!("{}/{TOKEN}", self.base);
        let answer = match self.service.ask(Method::Put, &url, &[TTL], VALUE) {
            Ok(answer) => answer,
            Err(Trouble::Over) => return Err(Trouble::Over.into()),
            // On AWS nothing is answered without a token. Elsewhere the request itself may be what hangs.
            Err(trouble) if aws => return Err(trouble.into()),
            Err(trouble @ (Trouble::Away(_) | Trouble::Name(_) | Trouble::Starting(_)))
                if self.token.is_none() =>
            {
                self.notes.push(format!("without a token: {}", trouble.text()));
                return Ok(());
            }
            Err(_) => return Ok(()),
        };
        if answer.status == 200 {
            self.token = token(&answer.body);
            if self.token.is_none() {
                let shown = instance_id::shown(&answer.body);
                let text = format!("{url} answers {shown}, which is no token");
                if aws {
                    return Err(Failure::Later(text));
                }
                self.notes.push(text);
            }
            return Ok(());
        }
        self.token = None;
        match answer.status {
            404 | 405 | 501 if aws => {
                self.notes.push(format!(
                    "the machine's UUID looks like AWS, and {url} answers with status {}: this is another cloud, asked \
                     without a token",
                    answer.status
                ));
                Ok(())
            }
            403 if aws => Err(Failure::Never(format!(
                "{url} answers with status 403: the metadata service is switched off"
            ))),
            status if aws => {
                Err(Failure::Never(format!("{url} answers with status {status}: there is no token")))
            }
            _ => Ok(()),
        }
    }

    /// What `path` has: `None` where there is nothing, the status where it is refused.
    fn get(&mut self, path: &str, body: usize) -> Result<Result<Vec<u8>, u16>, Trouble> {
        let url = format!("{}/{path}", self.base);
        let mut refused = 0;
        loop {
            let answer = match &self.token {
                Some(token) => self.service.get(&url, &[(TOKEN_HEADER, token)], body)?,
                None => self.service.get(&url, &[], body)?,
            };
            match answer.status {
                200 => return Ok(Ok(answer.body)),
                401 if refused < 3 && self.token.is_some() => {
                    refused += 1;
                    // Of an old token; or the service answers so every now and then, and a new token is none the better.
                    if refused != 2 {
                        let old = self.token.take();
                        if self.ask_token().is_err() || self.token.is_none() {
                            self.token = old;
                        }
                    }
                }
                401 => return Err(Trouble::Away(format!("{url} answers with status 401: it wants a token"))),
                status => return Ok(Err(status)),
            }
        }
    }

    /// The id at `version`: `None` where there is no such version, the answer where it is no id.
    fn id_at(&mut self, version: &str) -> Result<Option<Result<String, String>>, Trouble> {
        let Ok(body) = self.get(&format!("{version}/meta-data/instance-id"), VALUE)? else { return Ok(None) };
        let text = String::from_utf8_lossy(&body);
        let id = text.trim();
        let plausible = match self.platform {
            Platform::Aws | Platform::Unknown => instance_id::is_ec2(id),
            _ => instance_id::is_plausible(id),
        };
        Ok(Some(if plausible { Ok(id.to_owned()) } else { Err(instance_id::shown(&body)) }))
    }

    /// The best version and the machine's id.
    fn identity(&mut self) -> Result<(&'static str, String), Failure> {
        let mut heard = None;
        for version in VERSIONS {
            match self.id_at(version)? {
                Some(Ok(id)) => return Ok((version, id)),
                Some(Err(shown)) if heard.is_none() => {
                    heard = Some(format!(
                        "{}/{version}/meta-data/instance-id answers {shown}, which is no instance-id",
                        self.base
                    ));
                }
                Some(Err(_)) | None => {}
            }
        }
        Err(Failure::Later(
            heard.unwrap_or_else(|| format!("{} answers, and has no metadata of EC2's kind", self.base)),
        ))
    }

    fn user_data(&mut self, version: &str) -> Result<Option<Vec<u8>>, Failure> {
        let path = format!("{version}/user-data");
        match self.get(&path, USER_DATA) {
            Ok(Ok(body)) => Ok(Some(body).filter(|body| !body.is_empty())),
            Ok(Err(404)) => Ok(None),
            Ok(Err(status)) => {
                self.notes.push(format!("{}/{path} answers with status {status}: no user-data", self.base));
                Ok(None)
            }
            Err(Trouble::Over) => Err(Trouble::Over.into()),
            Err(Trouble::Unusable(why)) => {
                self.notes.push(format!(
                    "the user-data counts for nothing, since it cannot be read (at most {} KiB are): {why}",
                    USER_DATA >> 10
                ));
                Ok(None)
            }
            Err(trouble) => {
                self.missing.push(format!("user-data: {}", trouble.text()));
                Ok(None)
            }
        }
    }

    fn metadata(&mut self, version: &str) -> Result<Metadata, Failure> {
        match self.tree(&format!("{version}/meta-data/"), false) {
            Err(End::Endless) => {}
            other => return other.map_err(End::failure),
        }
        self.missing.clear();
        self.notes.push(format!(
            "{}/{version}/meta-data/ lists names without end: only the usual ones are read",
            self.base
        ));
        self.tree(&format!("{version}/meta-data/"), true).map_err(End::failure)
    }

    /// `document`, `signature` and others; AWS has them.
    fn instance_identity(&mut self, version: &str) -> Result<Option<Json>, Failure> {
        match self.tree(&format!("{version}/dynamic/instance-identity"), false) {
            Ok(tree) => Ok(Some(tree.to_json())),
            Err(End::Over) => Err(Trouble::Over.into()),
            Err(End::Endless | End::Away(_)) => Ok(None),
        }
    }

    /// The tree at `top`, without what is not there. `essential`: only what a machine cannot do without.
    fn tree(&mut self, top: &str, essential: bool) -> Result<Metadata, End> {
        let mut names = 0_u32;
        let mut bytes = 0_usize;
        let mut missing = 0_usize;
        // A tree without end may answer slowly; something is left for the usual names then.
        let half = self.service.clock.now() + self.service.left() / 2;
        let tree = ec2_metadata::crawl_present(&mut |path| {
            let directory = path.is_empty() || path.ends_with('/');
            if essential && path.is_empty() {
                return Ok(Some(ESSENTIAL.as_bytes().to_vec()));
            }
            let odd = path.split('/').any(|name| matches!(name, "." | ".."));
            if odd || path.len() > 512 || path.matches('/').count() > DEEPEST {
                if self.notes.len() < MOST_NOTES {
                    let shown = instance_id::shown(path.as_bytes());
                    self.notes.push(format!("{} lists {shown}, which is left out", self.base));
                }
                return Ok(None);
            }
            names += 1;
            if names > MOST_NAMES || bytes > MOST_BYTES || self.service.clock.now() > half {
                return Err(End::Endless);
            }
            let url = if path.is_empty() {
                top.to_owned()
            } else {
                format!("{}/{path}", top.trim_end_matches('/'))
            };
            match self.get(&url, VALUE) {
                Ok(Ok(body)) if directory => {
                    bytes = bytes.saturating_add(body.len());
                    let Ok(text) = std::str::from_utf8(&body) else { return Ok(None) };
                    if !essential {
                        return Ok(Some(body));
                    }
                    let lines = text.lines().filter(|line| !line.trim().ends_with('/')).take(MOST_ESSENTIAL);
                    Ok(Some(lines.flat_map(|line| [line, "\n"]).collect::<String>().into_bytes()))
                }
                Ok(Ok(body)) => {
                    bytes = bytes.saturating_add(body.len());
                    Ok(Some(body))
                }
                Ok(Err(_)) => Ok(None),
                Err(Trouble::Over) => Err(End::Over),
                // More names than anybody has; or a value that is no value.
                Err(Trouble::Unusable(_)) if path.is_empty() => Err(End::Endless),
                Err(Trouble::Unusable(why)) => {
                    if self.notes.len() < MOST_NOTES {
                        self.notes.push(format!("{path} is left out: {why}"));
                    }
                    Ok(None)
                }
                Err(trouble) => {
                    missing += 1;
                    if path.is_empty() || missing > MOST_MISSING {
                        return Err(End::Away(trouble.text()));
                    }
                    self.missing.push(format!("{path}: {}", trouble.text()));
                    Ok(None)
                }
            }
        });
        tree.map_err(|error| match error {
            ec2_metadata::Error::Get { source, .. } => source,
            ec2_metadata::Error::Endless | ec2_metadata::Error::List { .. } => End::Endless,
        })
    }
}

/// How a crawl ended early.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Over,
    Away(String),
    Endless,
}

impl End {
    fn failure(self) -> Failure {
        match self {
            Self::Over => Trouble::Over.into(),
            Self::Away(why) => Failure::Later(why),
            Self::Endless => Failure::Later("the metadata service's tree of names has no end".to_owned()),
        }
    }
}

/// A token, which becomes a header's value.
fn token(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim_end_matches(['\r', '\n']);
    let fits =
        !text.is_empty() && text.len() <= LONGEST_TOKEN && text.bytes().all(|byte| byte.is_ascii_graphic());
    // What looks like a page is none.
    (fits && !text.starts_with('<')).then(|| text.to_owned())
}

#[allow(clippy::too_many_arguments)]
fn found(
    base: &str,
    platform: Platform,
    version: &str,
    id: &str,
    tree: &Metadata,
    identity: Option<Json>,
    user_data: Option<Vec<u8>>,
    notes: Vec<String>,
) -> Option<Found> {
    let facts = tree.facts();
    if facts.instance_id.as_deref().map(str::trim) != Some(id) {
        return None;
    }
    let document = identity.as_ref().and_then(|identity| identity.get("document"));
    let of_document = |key: &str| document.and_then(|document| document.get(key)).and_then(Json::as_str);
    let zone = of_document("availabilityZone").map(str::to_owned).or(facts.availability_zone);
    let address = |name: &str| address(tree.get(name).and_then(Metadata::as_text));
    let mut extra = json!({"_metadata_api_version": version});
    if let (Some(identity), Some(extra)) = (&identity, extra.as_object_mut()) {
        extra.insert("dynamic".to_owned(), json!({"instance-identity": identity}));
    }
    let class = if platform.is_read_early() { "DataSourceEc2Local" } else { "DataSourceEc2" };
    Some(Found {
        source: Source::Ec2,
        shown: class.to_owned(),
        cloud_name: platform.cloud_name().to_owned(),
        platform: "ec2".to_owned(),
        subplatform: format!("metadata ({base})"),
        instance_id: id.to_owned(),
        metadata: tree.to_json(),
        extra,
        user_data,
        vendor_data: None,
        vendor_data2: None,
        network: None,
        files: Vec::new(),
        maybe_base64: true,
        known: Known {
            local_hostname: facts.local_hostname,
            public_keys: facts.public_keys,
            block_devices: facts.block_devices,
            region: of_document("region").map(str::to_owned).or_else(|| zone.as_deref().map(region)),
            availability_zone: zone,
            random_seed: None,
            launch_index: tree
                .get("ami-launch-index")
                .and_then(Metadata::as_text)
                .and_then(|text| text.trim().parse().ok()),
            // As coreos-cloudinit reads it (`datasource/metadata/ec2/metadata.go`), which has none of IPv6.
            addresses: [address("public-ipv4"), address("local-ipv4"), String::new(), String::new()],
            early: false,
        },
        notes,
    })
}

/// On AWS the zone is the region with a letter behind it.
fn region(zone: &str) -> String {
    let mut characters = zone.chars();
    characters.next_back();
    characters.as_str().to_owned()
}

/// An address, if it is one.
pub(crate) fn address(text: Option<&str>) -> String {
    let address = text.and_then(|text| text.trim().parse::<std::net::IpAddr>().ok());
    address.map(|address| address.to_string()).unwrap_or_default()
}

/// `block-device-mapping` of the tree that other clouds' services have beside their own; nothing is made of
/// what goes wrong. The tree as JSON, too.
pub(crate) fn beside(service: &mut Service<'_>, base: &str) -> (Json, BTreeMap<String, String>, Known) {
    let mut crawl = Crawl {
        service,
        base,
        platform: Platform::Unknown,
        token: None,
        notes: Vec::new(),
        missing: Vec::new(),
    };
    let Ok(tree) = crawl.tree("latest/meta-data/", false) else {
        return (json!({}), BTreeMap::new(), Known::default());
    };
    let facts = tree.facts();
    let at = |name: &str| address(tree.get(name).and_then(Metadata::as_text));
    let known = Known {
        addresses: [at("public-ipv4"), at("local-ipv4"), String::new(), String::new()],
        ..Known::default()
    };
    (tree.to_json(), facts.block_devices, known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        let aws = "AQAEAFlMn2yXmFPlGKNvh4LLvzBDHp5IWmaoPG9bPm5OIUbk5MUGAA==";
        assert_eq!(token(aws.as_bytes()).as_deref(), Some(aws));
        assert_eq!(token(format!("{aws}\n").as_bytes()).as_deref(), Some(aws));
        let huge = "a".repeat(1025);
        for wrong in [
            "",
            "\n",
            "a b",
            "a\nb",
            "a\r\nX-Evil: 1",
            "a\x07",
            "é",
            "<html>",
            "System is still starting up",
            &huge,
        ] {
            assert_eq!(token(wrong.as_bytes()), None, "{wrong:?}");
        }
    }

    #[test]
    fn addresses() {
        for (text, expected) in
            [("10.0.0.1", "10.0.0.1"), (" fd00::1\n", "fd00::1"), ("", ""), ("10.0.0", ""), ("$(x)", "")]
        {
            assert_eq!(address(Some(text)), expected);
        }
    }
}
