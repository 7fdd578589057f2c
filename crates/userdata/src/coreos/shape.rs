//! What coreos-cloudinit's configuration looks like: sections, options, their types, and the values
//! that options take (`config/*.go`).

use super::services;

/// The type of an option.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// A string. Any scalar will do: its text is taken as written.
    Text,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// A boolean.
    Bool,
    /// A list of one type.
    List(&'static Shape),
    /// A mapping with known keys.
    Section(&'static [Field]),
}

impl Shape {
    /// The type's name in coreos-cloudinit's messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Int => "int",
            Self::Float => "float64",
            Self::Bool => "bool",
            Self::Section(_) => "struct",
            Self::List(Self::Text) => "[]string",
            Self::List(Self::Section(_)) => "[]struct",
            Self::List(_) => "[]",
        }
    }

    /// The type for people.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int => "a whole number",
            Self::Float => "a number",
            Self::Bool => "`true` or `false`",
            Self::Section(_) => "a mapping",
            Self::List(Self::Text) => "a list of texts",
            Self::List(Self::Section(_)) => "a list of mappings",
            Self::List(_) => "a list",
        }
    }
}

/// An option of a section.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field {
    /// Its key, with underscores.
    pub name: &'static str,
    /// Its type.
    pub shape: Shape,
    /// The environment variable that it becomes; empty for none.
    pub variable: &'static str,
    /// Why it should not be used any more.
    pub deprecated: Option<&'static str>,
    /// What it takes.
    pub valid: Valid,
}

impl Field {
    /// An option.
    #[must_use]
    pub const fn new(name: &'static str, shape: Shape) -> Self {
        Self { name, shape, variable: "", deprecated: None, valid: Valid::Any }
    }

    /// An option that becomes an environment variable.
    #[must_use]
    pub const fn variable(name: &'static str, shape: Shape, variable: &'static str) -> Self {
        Self { variable, ..Self::new(name, shape) }
    }

    /// The option with a reason why it should not be used any more.
    #[must_use]
    pub const fn deprecated(self, why: &'static str) -> Self {
        Self { deprecated: Some(why), ..self }
    }

    /// The option with what it takes.
    #[must_use]
    pub const fn valid(self, valid: Valid) -> Self {
        Self { valid, ..self }
    }

    /// True for an option whose value is not to be shown.
    #[must_use]
    pub fn secret(&self) -> bool {
        self.name == "passwd" || self.name == "etcd_password"
    }
}

/// The values that an option takes. An empty one is always taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Valid {
    /// All.
    Any,
    /// One of these.
    Words(&'static [&'static str]),
    /// Three or four octal digits, a `0` before them or not.
    Permissions,
    /// `Thu 04:00` or `04:00`.
    WindowStart,
    /// A duration as Go writes it: `1h30m`.
    WindowLength,
}

impl Valid {
    /// Whether `text` is taken.
    #[must_use]
    pub fn takes(self, text: &str) -> bool {
        text.is_empty()
            || match self {
                Self::Any => true,
                Self::Words(words) => words.contains(&text),
                Self::Permissions => permissions(text),
                Self::WindowStart => window_start(text),
                Self::WindowLength => window_length(text),
            }
    }

    /// What is taken, for people.
    #[must_use]
    pub fn describe(self) -> String {
        match self {
            Self::Any => "anything".to_owned(),
            Self::Words(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
            Self::Permissions => "three or four octal digits such as `0644`".to_owned(),
            Self::WindowStart => {
                "a time such as `04:00`, a day of the week before it or not: `Thu 04:00`".to_owned()
            }
            Self::WindowLength => "a duration such as `30m` or `1h30m`".to_owned(),
        }
    }
}

/// `^0?[0-7]{3,4}$`.
fn permissions(text: &str) -> bool {
    let octal = text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    octal && (matches!(text.len(), 3 | 4) || text.len() == 5 && text.starts_with('0'))
}

/// A day's first three letters and a blank or neither, hours, a colon, minutes; zeros before both.
fn window_start(text: &str) -> bool {
    const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    let time = match text.split_once(' ') {
        None => text,
        Some((day, time)) if DAYS.iter().any(|name| name.eq_ignore_ascii_case(day)) => time,
        Some(_) => return false,
    };
    let below = |digits: &str, limit: u32| {
        let significant = digits.trim_start_matches('0');
        !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && significant.len() <= 2
            && significant.parse().unwrap_or(0) < limit
    };
    time.split_once(':').is_some_and(|(hour, minute)| below(hour, 24) && below(minute, 60))
}

/// `^[-+]?([0-9]*(\.[0-9]*)?[a-z]+)+$`.
fn window_length(text: &str) -> bool {
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    loop {
        rest = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
        if let Some(fraction) = rest.strip_prefix('.') {
            rest = fraction.trim_start_matches(|letter: char| letter.is_ascii_digit());
        }
        let behind = rest.trim_start_matches(|letter: char| letter.is_ascii_lowercase());
        if behind.len() == rest.len() {
            return false;
        }
        if behind.is_empty() {
            return true;
        }
        rest = behind;
    }
}

const NOT_SHIPPED: &str = "Container Linux stopped shipping it";
const REMOTE_KEYS: &str = "keys that must be fetched at every boot are missing whenever the other side is";

/// The whole configuration (`CloudConfig`).
pub static CLOUD_CONFIG: &[Field] = &[
    Field::new("ssh_authorized_keys", Shape::List(&Shape::Text)),
    Field::new("coreos", Shape::Section(COREOS)),
    Field::new("write_files", Shape::List(&Shape::Section(FILE))),
    Field::new("hostname", Shape::Text),
    Field::new("users", Shape::List(&Shape::Section(USER))),
    Field::new("manage_etc_hosts", Shape::Text),
];

/// `coreos` (`CoreOS`).
pub static COREOS: &[Field] = &[
    Field::new("etcd", Shape::Section(services::ETCD)).deprecated(NOT_SHIPPED),
    Field::new("etcd2", Shape::Section(services::ETCD2)).deprecated(NOT_SHIPPED),
    Field::new("flannel", Shape::Section(services::FLANNEL)),
    Field::new("fleet", Shape::Section(services::FLEET)).deprecated(NOT_SHIPPED),
    Field::new("locksmith", Shape::Section(services::LOCKSMITH)),
    Field::new("oem", Shape::Section(OEM)),
    Field::new("update", Shape::Section(UPDATE)),
    Field::new("units", Shape::List(&Shape::Section(UNIT))),
];

/// `coreos.oem` (`OEM`).
pub static OEM: &[Field] = &[
    Field::new("id", Shape::Text),
    Field::new("name", Shape::Text),
    Field::new("version_id", Shape::Text),
    Field::new("home_url", Shape::Text),
    Field::new("bug_report_url", Shape::Text),
];

/// `coreos.update` (`Update`).
pub static UPDATE: &[Field] = &[
    Field::variable("reboot_strategy", Shape::Text, "REBOOT_STRATEGY").valid(Valid::Words(&[
        "etcd-lock",
        "reboot",
        "off",
    ])),
    Field::variable("group", Shape::Text, "GROUP"),
    Field::variable("server", Shape::Text, "SERVER"),
];

/// The commands that a unit takes.
pub const COMMANDS: &[&str] =
    &["start", "stop", "restart", "reload", "try-restart", "reload-or-restart", "reload-or-try-restart"];

/// `coreos.units[]` (`Unit`).
pub static UNIT: &[Field] = &[
    Field::new("name", Shape::Text),
    Field::new("mask", Shape::Bool),
    Field::new("enable", Shape::Bool),
    Field::new("runtime", Shape::Bool),
    Field::new("content", Shape::Text),
    Field::new("command", Shape::Text).valid(Valid::Words(COMMANDS)),
    Field::new("drop_ins", Shape::List(&Shape::Section(DROP_IN))),
];

/// `coreos.units[].drop_ins[]` (`UnitDropIn`).
pub static DROP_IN: &[Field] = &[Field::new("name", Shape::Text), Field::new("content", Shape::Text)];

/// `write_files[]` (`File`).
pub static FILE: &[Field] = &[
    Field::new("encoding", Shape::Text).valid(Valid::Words(&[
        "base64",
        "b64",
        "gz",
        "gzip",
        "gz+base64",
        "gzip+base64",
        "gz+b64",
        "gzip+b64",
    ])),
    Field::new("content", Shape::Text),
    Field::new("owner", Shape::Text),
    Field::new("path", Shape::Text),
    Field::new("permissions", Shape::Text).valid(Valid::Permissions),
];

/// `users[]` (`User`).
pub static USER: &[Field] = &[
    Field::new("name", Shape::Text),
    Field::new("passwd", Shape::Text),
    Field::new("ssh_authorized_keys", Shape::List(&Shape::Text)),
    Field::new("coreos_ssh_import_github", Shape::Text).deprecated(REMOTE_KEYS),
    Field::new("coreos_ssh_import_github_users", Shape::List(&Shape::Text)).deprecated(REMOTE_KEYS),
    Field::new("coreos_ssh_import_url", Shape::Text).deprecated(REMOTE_KEYS),
    Field::new("gecos", Shape::Text),
    Field::new("homedir", Shape::Text),
    Field::new("no_create_home", Shape::Bool),
    Field::new("primary_group", Shape::Text),
    Field::new("groups", Shape::List(&Shape::Text)),
    Field::new("no_user_group", Shape::Bool),
    Field::new("system", Shape::Bool),
    Field::new("no_log_init", Shape::Bool),
    Field::new("shell", Shape::Text),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_three_to_five_octal_digits() {
        for (text, taken) in [
            ("644", true),
            ("0644", true),
            ("4755", true),
            ("04755", true),
            ("", true),
            ("14755", false),
            ("64", false),
            ("0o644", false),
            ("u=rw", false),
            ("648", false),
        ] {
            assert_eq!(Valid::Permissions.takes(text), taken, "{text}");
        }
    }

    #[test]
    fn reboot_windows_are_a_time_and_a_duration() {
        for (text, taken) in [
            ("04:00", true),
            ("Thu 4:0", true),
            ("sAt 0023:00059", true),
            ("24:00", false),
            ("4:60", false),
            ("Thursday 04:00", false),
            ("Thu  04:00", false),
            ("04", false),
            (":00", false),
        ] {
            assert_eq!(Valid::WindowStart.takes(text), taken, "{text}");
        }
        for (text, taken) in [
            ("1h", true),
            ("-1.5h30m", true),
            ("h", true),
            (".h", true),
            ("1", false),
            ("1h30", false),
            ("+", false),
            ("1H", false),
            ("1..h", false),
        ] {
            assert_eq!(Valid::WindowLength.takes(text), taken, "{text}");
        }
    }
}
