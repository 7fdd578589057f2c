//! The system's settings of data sources, below `datasource:` (`cloudinit/sources/__init__.py`: `get_url_params`;
//! `DataSourceEc2.py`: `read_strict_mode`).

use std::time::Duration;

use hardtack_userdata::truth;
use hardtack_userdata::{Key, Kind, Map, Value, python};

/// The longest wait that anybody can set. A day.
const LONGEST: u64 = 24 * 60 * 60;

/// What somebody set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `Ec2`.
    pub ec2: Ec2,
    /// `OpenStack`.
    pub openstack: OpenStack,
    /// `GCE`.
    pub gce: Gce,
    /// What in the settings counts for nothing.
    pub notes: Vec<String>,
}

/// Waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// `timeout`: of one request.
    pub timeout: Option<Duration>,
    /// `max_wait`: for all of it. Zero for what cloud-init counts as no wait.
    pub max_wait: Option<Duration>,
}

/// `datasource: {Ec2: …}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ec2 {
    /// `metadata_urls`; empty for the usual ones.
    pub metadata_urls: Vec<String>,
    /// `timeout` and `max_wait`.
    pub waits: Waits,
    /// `strict_id: true`: only where the machine has the marks of one of EC2's kind.
    pub strict_id: bool,
    /// `apply_full_imds_network_config: false`: only the first card, and without further addresses.
    pub first_card_only: bool,
}

/// `datasource: {OpenStack: …}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenStack {
    /// `metadata_urls`; empty for the usual ones.
    pub metadata_urls: Vec<String>,
    /// `timeout` and `max_wait`.
    pub waits: Waits,
    /// `apply_network_config: false`.
    pub ignore_network: bool,
}

/// `datasource: {GCE: …}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gce {
    /// `metadata_url`.
    pub metadata_url: Option<String>,
    /// `timeout` and `max_wait`.
    pub waits: Waits,
}

impl Settings {
    /// What the system's configuration says.
    #[must_use]
    pub fn read(config: &Map) -> Self {
        let mut read = Read { notes: Vec::new() };
        let sources = config.get(&Key::text("datasource"));
        let of = |name: &str| sources.and_then(|sources| sources.get(name));
        let (ec2, openstack, gce) = (of("Ec2"), of("OpenStack"), of("GCE"));
        let is_false =
            |of: Option<&Value>, key: &str| of.and_then(|of| of.get(key)).is_some_and(truth::is_false);
        let mut settings = Self {
            ec2: Ec2 {
                metadata_urls: read.urls("Ec2", ec2),
                waits: read.waits("Ec2", ec2),
                strict_id: read.strict_id(ec2),
                first_card_only: ec2
                    .and_then(|of| of.get("apply_full_imds_network_config"))
                    .is_some_and(|value| !truth::translate_bool(value)),
            },
            openstack: OpenStack {
                metadata_urls: read.urls("OpenStack", openstack),
                waits: read.waits("OpenStack", openstack),
                ignore_network: is_false(openstack, "apply_network_config"),
            },
            gce: Gce {
                metadata_url: gce.and_then(|of| of.get("metadata_url")).and_then(Value::as_text).map(url),
                waits: read.waits("GCE", gce),
            },
            notes: Vec::new(),
        };
        settings.notes = read.notes;
        settings
    }
}

fn url(text: &str) -> String {
    python::strip(text).to_owned()
}

struct Read {
    notes: Vec<String>,
}

impl Read {
    fn urls(&mut self, name: &str, settings: Option<&Value>) -> Vec<String> {
        let Some(value) = settings.and_then(|settings| settings.get("metadata_urls")) else {
            return Vec::new();
        };
        let texts: Vec<String> = match &value.kind {
            Kind::Text(text) => vec![url(text)],
            Kind::List(items) => items.iter().filter_map(Value::as_text).map(url).collect(),
            _ => Vec::new(),
        };
        if texts.is_empty() {
            self.notes
                .push(format!("datasource: {name}: metadata_urls is no list of URLs; the usual ones count"));
        }
        texts
    }

    fn waits(&mut self, name: &str, settings: Option<&Value>) -> Waits {
        let mut seconds = |key: &str| {
            let value = settings.and_then(|settings| settings.get(key))?;
            let number = match &value.kind {
                Kind::Int(number) => Some(*number),
                Kind::Bool(value) => Some(i128::from(*value)),
                #[allow(clippy::cast_possible_truncation)]
                Kind::Float(number) => Some(*number as i128),
                Kind::Text(text) => python::strip(text).parse().ok(),
                _ => None,
            };
            let Some(number) = number else {
                self.notes
                    .push(format!("datasource: {name}: {key} is no whole number; the usual time counts"));
                return None;
            };
            Some(Duration::from_secs(u64::try_from(number.max(0)).unwrap_or(LONGEST).min(LONGEST)))
        };
        // A request that has no time at all would never be answered.
        let timeout = seconds("timeout").filter(|timeout| !timeout.is_zero());
        Waits { timeout, max_wait: seconds("max_wait") }
    }

    fn strict_id(&mut self, settings: Option<&Value>) -> bool {
        let Some(value) = settings.and_then(|settings| settings.get("strict_id")) else { return false };
        match &value.kind {
            Kind::Bool(strict) => *strict,
            Kind::Text(text) => match text.split(',').next().unwrap_or_default() {
                "true" => true,
                "" | "false" | "warn" => false,
                _ => {
                    self.notes.push("datasource: Ec2: strict_id is none of true, false and warn".to_owned());
                    false
                }
            },
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> Settings {
        let value = Value::load(text, 0).unwrap();
        Settings::read(value.as_map().unwrap())
    }

    #[test]
    fn what_cloud_init_takes() {
        let settings = read(
            "datasource:\n  Ec2:\n    metadata_urls: ['http://10.0.0.1:8773 ', http://b]\n    timeout: '5'\n    \
             max_wait: 30\n    strict_id: true\n    apply_full_imds_network_config: false\n  OpenStack: \
             {max_wait: -1, apply_network_config: false}\n  GCE: {metadata_url: http://m/, timeout: 0}\n",
        );
        assert_eq!(settings.ec2.metadata_urls, ["http://10.0.0.1:8773", "http://b"]);
        assert_eq!(settings.ec2.waits.timeout, Some(Duration::from_secs(5)));
        assert_eq!(settings.ec2.waits.max_wait, Some(Duration::from_secs(30)));
        assert!(settings.ec2.strict_id && settings.ec2.first_card_only && settings.openstack.ignore_network);
        assert_eq!(settings.openstack.waits.max_wait, Some(Duration::ZERO));
        assert_eq!(settings.gce.metadata_url.as_deref(), Some("http://m/"));
        assert_eq!(settings.gce.waits.timeout, None);
        assert_eq!(settings.notes, Vec::<String>::new());
    }

    #[test]
    fn what_is_wrong_counts_for_nothing_and_is_told() {
        for (text, notes) in [
            ("a: 1\n", 0),
            ("datasource: x\n", 0),
            ("datasource: {Ec2: [], GCE: 5}\n", 0),
            ("datasource: {Ec2: {metadata_urls: 5, timeout: soon, max_wait: [1], strict_id: perhaps}}\n", 4),
            ("datasource: {Ec2: {strict_id: 'warn,10'}}\n", 0),
        ] {
            let settings = read(text);
            assert_eq!(settings.notes.len(), notes, "{text}: {:?}", settings.notes);
            assert_eq!(Settings { notes: Vec::new(), ..settings }, Settings::default(), "{text}");
        }
        let far = read("datasource: {Ec2: {max_wait: 99999999999999999999999}}\n");
        assert_eq!(far.ec2.waits.max_wait, Some(Duration::from_secs(LONGEST)));
    }
}
