//! Google's metadata service (`cloudinit/sources/DataSourceGCE.py`).

use hardtack_http::Response;
use hardtack_modules::pytext;
use hardtack_userdata::lenient_base64;
use serde_json::{Map, Value as Json, json};

use crate::ec2::address;
use crate::found::{Found, Known, Source};
use crate::instance_id;
use crate::service::{Failure, Got, Service, Trouble, VALUE};

/// Where the service is, and where it is too, should nobody know the name.
pub const ADDRESSES: [&str; 2] =
    ["http://metadata.google.internal/computeMetadata/v1/", "http://169.254.169.254/computeMetadata/v1/"];

const FLAVOR: (&str, &str) = ("Metadata-Flavor", "Google");
/// One answer with all attributes of an instance or its project, user-data among them. Google allows 512 KiB.
const ATTRIBUTES: usize = 2 << 20;

/// What is asked, besides where.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The machine has Google's marks. Without them an answer must have Google's header.
    pub(crate) marked: bool,
    /// Whose keys count.
    pub(crate) default_user: Option<&'a str>,
    /// Seconds since 1970, when keys may have expired.
    pub(crate) now: Option<u64>,
}

/// The id that the service at `base` has for this machine.
pub(crate) fn identity(service: &mut Service<'_>, base: &str, marked: bool) -> Result<String, Failure> {
    let url = format!("{base}instance/id");
    let answer = service.get(&url, &[FLAVOR], VALUE)?;
    if answer.status != 200 {
        return Err(Failure::Later(format!("{url} answers with status {}", answer.status)));
    }
    if !marked && !is_google(&answer) {
        return Err(Failure::Later(format!("{url} answers without the header Metadata-Flavor: Google")));
    }
    let text = String::from_utf8_lossy(&answer.body);
    let id = text.trim();
    if instance_id::is_plausible(id) {
        Ok(id.to_owned())
    } else {
        Err(Failure::Later(format!("{url} answers {}, which is no id", instance_id::shown(&answer.body))))
    }
}

/// Reads the service at `base`, which ends with a slash, once.
pub(crate) fn attempt(service: &mut Service<'_>, base: &str, asked: &Asked<'_>) -> Result<Got, Failure> {
    let id = identity(service, base, asked.marked)?;
    let mut read = Read { service, base, notes: Vec::new(), missing: Vec::new() };
    let zone = read.required("instance/zone")?;
    let hostname = read.required("instance/hostname")?;
    let instance = read.attributes("instance/attributes")?;
    let project = read.attributes("project/attributes")?;
    let card = "instance/network-interfaces/0";
    let public = read.optional(&format!("{card}/access-configs/0/external-ip"))?;
    let private = read.optional(&format!("{card}/ip"))?;
    let user_data = read.user_data(&instance);
    let Read { notes, missing, .. } = read;

    let keys_data = keys_data(&instance, &project);
    let zone = zone.rsplit('/').next().unwrap_or_default().to_owned();
    let known = Known {
        // Google's names are long, and it asks for short ones.
        local_hostname: hostname.split('.').next().filter(|name| !name.is_empty()).map(str::to_owned),
        public_keys: public_keys(&keys_data, asked.default_user, asked.now),
        region: Some(zone.rsplit_once('-').map_or(zone.as_str(), |(region, _)| region).to_owned()),
        availability_zone: Some(zone.clone()),
        addresses: [address(public.as_deref()), address(private.as_deref()), String::new(), String::new()],
        ..Known::default()
    };
    let found = Found {
        source: Source::Gce,
        shown: "DataSourceGCELocal".to_owned(),
        cloud_name: "gce".to_owned(),
        platform: "gce".to_owned(),
        subplatform: format!("metadata ({base})"),
        instance_id: id.clone(),
        metadata: json!({
            "instance-id": id,
            "availability-zone": zone,
            "local-hostname": hostname,
            "instance-data": instance,
            "project-data": project,
            "public-keys-data": keys_data,
        }),
        extra: Json::Null,
        user_data,
        vendor_data: None,
        vendor_data2: None,
        network: None,
        files: Vec::new(),
        maybe_base64: false,
        known,
        notes,
    };
    Ok(Got { found, missing })
}

fn is_google(answer: &Response) -> bool {
    answer.headers.iter().any(|(name, value)| name == "metadata-flavor" && value.trim() == "Google")
}

struct Read<'a, 'b> {
    service: &'a mut Service<'b>,
    base: &'a str,
    notes: Vec<String>,
    missing: Vec<String>,
}

impl Read<'_, '_> {
    fn required(&mut self, path: &str) -> Result<String, Failure> {
        let url = format!("{}{path}", self.base);
        let answer = self.service.get(&url, &[FLAVOR], VALUE)?;
        if answer.status != 200 {
            return Err(Failure::Later(format!("{url} answers with status {}", answer.status)));
        }
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        if text.len() > 1024
            || text.chars().any(|c| c.is_control() && !c.is_whitespace())
            || text.contains('<')
        {
            return Err(Failure::Later(format!("{url} answers {}", instance_id::shown(&answer.body))));
        }
        Ok(text.trim().to_owned())
    }

    fn optional(&mut self, path: &str) -> Result<Option<String>, Failure> {
        match self.service.get(&format!("{}{path}", self.base), &[FLAVOR], VALUE) {
            Ok(answer) if answer.status == 200 => Ok(String::from_utf8(answer.body).ok()),
            Err(Trouble::Over) => Err(Trouble::Over.into()),
            Ok(_) | Err(_) => Ok(None),
        }
    }

    /// All attributes at once.
    fn attributes(&mut self, path: &str) -> Result<Map<String, Json>, Failure> {
        let url = format!("{}{path}/?recursive=True", self.base);
        let answer = match self.service.get(&url, &[FLAVOR], ATTRIBUTES) {
            Ok(answer) if answer.status == 200 => answer,
            Ok(_) => return Ok(Map::new()),
            Err(Trouble::Over) => return Err(Trouble::Over.into()),
            Err(Trouble::Unusable(why)) => {
                self.notes.push(format!("{path} count for nothing, since they cannot be read: {why}"));
                return Ok(Map::new());
            }
            Err(trouble) => {
                self.missing.push(format!("{path}: {}", trouble.text()));
                return Ok(Map::new());
            }
        };
        match serde_json::from_slice(&answer.body) {
            Ok(Json::Object(map)) => Ok(map),
            Ok(_) => {
                self.notes.push(format!("{path} are no JSON object, and count for nothing"));
                Ok(Map::new())
            }
            // They hold passwords: only the place is told.
            Err(error) => {
                self.notes.push(format!(
                    "{path} are not valid JSON in line {}, column {}, and count for nothing",
                    error.line(),
                    error.column()
                ));
                Ok(Map::new())
            }
        }
    }

    fn user_data(&mut self, instance: &Map<String, Json>) -> Option<Vec<u8>> {
        let text = match instance.get("user-data")? {
            Json::String(text) => text.as_bytes().to_vec(),
            _ => {
                self.notes.push("the attribute user-data is no text, and counts for nothing".to_owned());
                return None;
            }
        };
        let bytes = match instance.get("user-data-encoding").and_then(Json::as_str).unwrap_or_default() {
            "" => text,
            "base64" => match lenient_base64::decode(&text) {
                Ok(bytes) => bytes,
                Err(_) => {
                    self.notes
                        .push("the attribute user-data is no base64, and counts for nothing".to_owned());
                    return None;
                }
            },
            other => {
                let other = instance_id::shown(other.as_bytes());
                self.notes.push(format!(
                    "user-data-encoding {other} is none that is known: the text counts as it is"
                ));
                text
            }
        };
        Some(bytes).filter(|bytes| !bytes.is_empty())
    }
}

/// The lines `user:key` that count: the project's too, unless the instance says otherwise.
fn keys_data(instance: &Map<String, Json>, project: &Map<String, Json>) -> Vec<String> {
    let text = |of: &Map<String, Json>, key: &str| {
        of.get(key).and_then(Json::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let blocked = text(instance, "block-project-ssh-keys").is_some_and(|text| text.to_lowercase() == "true");
    let mut texts = vec![text(instance, "sshKeys"), text(instance, "ssh-keys")];
    if !blocked && texts.first().is_some_and(Option::is_none) {
        texts.extend([text(project, "ssh-keys"), text(project, "sshKeys")]);
    }
    let texts: Vec<String> = texts.into_iter().flatten().collect();
    pytext::lines(&texts.join("\n")).into_iter().map(str::to_owned).collect()
}

/// The keys of `cloudinit` and the default user that have not expired.
fn public_keys(lines: &[String], default_user: Option<&str>, now: Option<u64>) -> Vec<String> {
    let own = |user: &str| user == "cloudinit" || Some(user) == default_user;
    lines
        .iter()
        .filter(|line| line.is_ascii())
        .filter_map(|line| line.split_once(':'))
        .filter(|(user, key)| own(user) && !has_expired(key, now))
        .map(|(_, key)| key.to_owned())
        .collect()
}

/// Whether a key has a comment `google-ssh {"expireOn": …}` of the past.
fn has_expired(key: &str, now: Option<u64>) -> bool {
    let words = pytext::split_words(key, 3);
    let [_, _, "google-ssh", json] = words.as_slice() else { return false };
    let Ok(json) = serde_json::from_str::<Json>(json) else { return false };
    let expires = json.get("expireOn").and_then(Json::as_str).and_then(seconds);
    match (expires, now.and_then(|now| i64::try_from(now).ok())) {
        (Some(expires), Some(now)) => now > expires,
        _ => false,
    }
}

/// `2038-01-19T03:14:08+0000` as seconds since 1970 (`%Y-%m-%dT%H:%M:%S%z`).
fn seconds(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T')?;
    let (time, zone) = match time.find(['Z', '+', '-']) {
        Some(at) => (time.get(..at)?, time.get(at..)?),
        None => return None,
    };
    let [year, month, day] = numbers::<3>(date, '-')?;
    let [hour, minute, second] = numbers::<3>(time, ':')?;
    let year_fits = date.split('-').next().is_some_and(|year| year.len() == 4);
    let fits = year_fits
        && year >= 1
        && (1..=12).contains(&month)
        && (1..=days(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 62;
    if !fits {
        return None;
    }
    let offset = match zone.get(..1)? {
        "Z" => (zone.len() == 1).then_some(0)?,
        sign => {
            let digits = zone.get(1..)?;
            let [hours, minutes] = match digits.len() {
                4 => [digits.get(..2)?, digits.get(2..)?],
                5 => {
                    let (hours, minutes) = digits.split_once(':')?;
                    [hours, minutes]
                }
                _ => return None,
            };
            let (hours, minutes) = (number(hours)?, number(minutes)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours * 3600 + minutes * 60;
            if sign == "-" { -offset } else { offset }
        }
    };
    // Days since 1970 by the calendar of Gregory, years beginning in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second - offset)
}

fn days(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// `N` numbers between separators.
fn numbers<const N: usize>(text: &str, separator: char) -> Option<[i64; N]> {
    let numbers: Vec<i64> = text.split(separator).map(number).collect::<Option<_>>()?;
    numbers.try_into().ok()
}

/// Up to four digits.
fn number(text: &str) -> Option<i64> {
    let fits = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, expected) in [
            ("1970-01-01T00:00:00+0000", Some(0)),
            ("2038-01-19T03:14:08Z", Some(2_147_483_648)),
            ("2018-12-04T20:12:00+0000", Some(1_543_954_320)),
            ("2018-12-04T22:12:00+02:00", Some(1_543_954_320)),
            ("2018-12-04T15:12:00-0500", Some(1_543_954_320)),
            ("2000-02-29T00:00:00Z", Some(951_782_400)),
            ("1900-02-29T00:00:00Z", None),
            ("2018-12-04T20:12:00", None),
            ("2018-13-04T20:12:00Z", None),
            ("2018-12-04 20:12:00Z", None),
            ("2018-12-04T20:12:00+é0", None),
            ("", None),
            ("T", None),
            ("99999-12-04T20:12:00Z", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn keys_expire() {
        let key = |json: &str| format!("ssh-rsa AAA google-ssh {json}");
        let past = key(r#"{"userName":"a","expireOn":"2018-12-04T20:12:00+0000"}"#);
        assert!(has_expired(&past, Some(1_543_954_321)));
        assert!(!has_expired(&past, Some(1_543_954_320)));
        assert!(!has_expired(&past, None));
        for other in [
            key("{}"),
            key("[]"),
            key("{"),
            key(r#"{"expireOn": 5}"#),
            key(r#"{"expireOn": "soon"}"#),
            r#"ssh-rsa AAA other {"expireOn":"2018-12-04T20:12:00+0000"}"#.to_owned(),
            r#"ssh-rsa google-ssh {"expireOn":"2018-12-04T20:12:00+0000"}"#.to_owned(),
            String::new(),
        ] {
            assert!(!has_expired(&other, Some(4_000_000_000)), "{other}");
        }
    }
}
