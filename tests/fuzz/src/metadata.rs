//! Metadata services that answer anything at all: the input is what they answer.
//!
//! The first line says who asks (`Ec2`, `OpenStack` or `GCE`, with `aws` for the machine's marks). Then come
//! answers, each with a line `== PATH STATUS` before its body; the last line end is none of it. `*` is the
//! path of what is answered where nothing else is.

use std::time::Duration;

use hardtack_datasource::clock::Clock;
use hardtack_datasource::ec2_network::{self, Card};
use hardtack_datasource::found::{Found, Source};
use hardtack_datasource::platform::Platform;
use hardtack_datasource::search::{Candidate, Means, Question, check_cached, search};
use hardtack_datasource::settings::Settings;
use hardtack_datasource::testing::VirtualClock;
use hardtack_http::{Error, Method, Request, Response, Transport};

use crate::memory::bounded;

/// What reading a service may take: the tree, its JSON, the user-data, and the same of the attempt before.
const MEMORY: usize = 64 << 20;
/// Steps of one search, so that an input does not take minutes.
const STEPS: u64 = 20_000;

struct Answers<'a> {
    answers: Vec<(&'a [u8], u16, &'a [u8])>,
    clock: &'a VirtualClock,
}

impl<'a> Answers<'a> {
    fn read(input: &'a [u8], clock: &'a VirtualClock) -> Self {
        let mut answers = Vec::new();
        let mut rest = input;
        while let Some(at) = rest.windows(4).position(|four| four == b"\n== ") {
            let after = &rest[at + 4..];
            let end = after.iter().position(|byte| *byte == b'\n').unwrap_or(after.len());
            let (line, body) = (&after[..end], after.get(end + 1..).unwrap_or_default());
            // The line end before the next one belongs to it.
            let body_end =
                after[end..].windows(4).position(|four| four == b"\n== ").unwrap_or(after.len() - end);
            let body = &body[..body_end.saturating_sub(1).min(body.len())];
            let space = line.iter().rposition(|byte| *byte == b' ').unwrap_or(line.len());
            let status = std::str::from_utf8(line.get(space + 1..).unwrap_or_default()).unwrap_or_default();
            answers.push((&line[..space], status.parse().unwrap_or(200), body));
            rest = &after[end..];
        }
        Self { answers, clock }
    }
}

impl Transport for Answers<'_> {
    fn send(&self, request: &Request<'_>) -> Result<Response, Error> {
        // Time goes on while one asks.
        self.clock.sleep(Duration::from_millis(1));
        let host = || "service".to_owned();
        let path = request.url.strip_prefix("http://service").unwrap_or(request.url);
        let named = |name: &[u8]| self.answers.iter().find(|(path, ..)| *path == name);
        let asked = if request.method == Method::Put { b"PUT".as_slice() } else { path.as_bytes() };
        let Some((_, status, body)) = named(asked).or_else(|| named(b"*")) else {
            return Ok(Response { status: 404, headers: Vec::new(), body: Vec::new() });
        };
        match status {
            0 => Err(Error::Connection { host: host(), why: "the connection broke".to_owned() }),
            1 => Err(Error::Timeout { host: host(), seconds: 1 }),
            2 => Err(Error::Answer { host: host(), why: "no answer of HTTP".to_owned() }),
            _ if body.len() > request.limits.body => {
                Err(Error::Answer { host: host(), why: "the body is too large".to_owned() })
            }
            status => {
                let headers = vec![("metadata-flavor".to_owned(), "Google".to_owned())];
                Ok(Response { status: *status, headers, body: body.to_vec() })
            }
        }
    }
}

/// A search, and a later boot; whatever is believed must be an identity.
pub fn metadata(input: &[u8]) {
    let line = input.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let has = |word: &[u8]| line.windows(word.len()).any(|window| window == word);
    let source = if has(b"OpenStack") {
        Source::OpenStack
    } else if has(b"GCE") {
        Source::Gce
    } else {
        Source::Ec2
    };
    let platform = if has(b"aws") { Platform::Aws } else { Platform::Unknown };
    let clock = VirtualClock::new();
    let mut settings = Settings::default();
    settings.ec2.metadata_urls = vec!["http://service".to_owned()];
    settings.openstack.metadata_urls = settings.ec2.metadata_urls.clone();
    settings.gce.metadata_url = Some("http://service/computeMetadata/v1/".to_owned());
    let question = Question {
        settings: &settings,
        platform,
        interface: None,
        default_user: Some("debian"),
        now: Some(1_700_000_000),
    };
    let (found, notes) = bounded(MEMORY, || {
        let answers = Answers::read(input, &clock);
        let means = Means { transport: &answers, clock: &clock, tell: &|_| {} };
        let candidate = Candidate { source, marked: has(b"marked") };
        let outcome = search(&[candidate], &question, &means, Duration::from_millis(STEPS));
        if let Some(found) = &outcome.found {
            let _ = check_cached(found, &question, &means, clock.now() + Duration::from_secs(1));
        }
        (outcome.found, outcome.notes)
    });
    for note in &notes {
        assert!(!note.chars().any(char::is_control), "{note:?}");
    }
    if let Some(found) = found {
        bounded(MEMORY, || believed(&found));
    }
}

fn believed(found: &Found) {
    assert!(hardtack_datasource::instance_id::is_plausible(&found.instance_id), "{:?}", found.instance_id);
    let text = serde_json::to_string(found).unwrap_or_default();
    assert!(serde_json::from_str::<Found>(&text).is_ok(), "what was found does not survive a reboot");
    let _ = found.facts();
    let cards = [("eth0", "0a:00:00:00:00:01"), ("eth1", "0a:00:00:00:00:02")];
    let cards = cards.map(|(name, mac)| Card { name, mac, driver: None });
    for options in [
        ec2_network::Options::default(),
        ec2_network::Options {
            netplan: true,
            gateway: Some(&|_| Some("10.0.0.1".to_owned())),
            ..Default::default()
        },
    ] {
        if let Some(hardtack_datasource::found::Network::Yaml(text)) =
            ec2_network::network(&found.metadata, &cards, &options)
        {
            assert!(hardtack_userdata::Value::load(&text, 0).is_ok(), "{text}");
        }
    }
}
