//! The banner's words.

use crate::Settings;

/// lynis (BANN-7126, BANN-7130) takes a banner for a strong one from so many of its words on.
pub(super) const ENOUGH: usize = 5;
const LYNIS: &[&str] = &[
    "audit",
    "access",
    "authori",
    "condition",
    "connect",
    "consent",
    "continu",
    "criminal",
    "enforce",
    "evidence",
    "forbidden",
    "intrusion",
    "law",
    "legal",
    "legislat",
    "log",
    "monitor",
    "owner",
    "penal",
    "policy",
    "policies",
    "privacy",
    "private",
    "prohibited",
    "record",
    "restricted",
    "secure",
    "subject",
    "system",
    "terms",
    "warning",
];
const OURS: &str = "\
This is a private system. Access is for authorised users only, and subject to the policy of its owner.
Everything that is done here is monitored and recorded, and can be evidence in legal proceedings.
Unauthorised use is prohibited. Leave now if you are not authorised.
";
/// Nobody reads more.
const LONGEST: usize = 16 << 10;

/// What the files say, with a newline at the end.
pub(super) fn wanted(settings: &Settings) -> String {
    match &settings.banner {
        Some(banner) => format!("{}\n", banner.trim_end()),
        None => OURS.to_owned(),
    }
}

/// How many of lynis' words are in it.
pub(super) fn key_words(text: &str) -> usize {
    let text = text.to_lowercase();
    LYNIS.iter().filter(|word| text.contains(**word)).count()
}

/// What tells about the system, or does more than to be read.
pub(super) fn fault(text: &str, systems: &[String]) -> Option<String> {
    if text.len() > LONGEST {
        return Some(format!("has {} bytes; at most {LONGEST}", text.len()));
    }
    if let Some(bad) = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Some(format!("has the control character {bad:?}"));
    }
    if let Some(at) = text.find('\\') {
        let escape: String = text[at..].chars().take(2).collect();
        return Some(format!("has {escape}, which the console replaces by facts about the system"));
    }
    let words = text.to_lowercase();
    let words: Vec<&str> = words.split(|c: char| !c.is_alphanumeric()).collect();
    let named = systems.iter().find(|system| words.contains(&system.to_lowercase().as_str()));
    named.map(|system| format!("names the system: {system}"))
}
