//! Which directives get their way, and what decides instead of those that do not.

use super::words::words;
use super::{Config, Keyword, Kind, Place, Setting, Version, canonical};

/// Our drop-in. `0` sorts before everything that distributions and cloud-init write.
pub const DROP_IN: &str = "/etc/ssh/sshd_config.d/00-hardtack.conf";

/// Our lines in the main file begin behind this one.
pub const BEGIN: &str = "# hardtack: begin";
/// And end before this one.
pub const END: &str = "# hardtack: end";

/// A directive to set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// As it is to be written.
    pub keyword: String,
    /// As it is to be written.
    pub value: String,
}

impl Directive {
    /// `keyword value`.
    #[must_use]
    pub fn new(keyword: impl Into<String>, value: impl Into<String>) -> Self {
        Self { keyword: keyword.into(), value: value.into() }
    }
}

/// A directive that does not get its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// What was wanted.
    pub directive: Directive,
    /// The line that decides instead; `None`: nothing sets it (our own line is not read).
    pub found: Option<Setting>,
    /// The `Match` line of the block that the line stands in.
    pub block: Option<Place>,
}

/// What of `directives` does not hold, globally or in some `Match` block that is not ours.
#[must_use]
pub fn mismatches(config: &Config, directives: &[Directive]) -> Vec<Mismatch> {
    let mut found = Vec::new();
    for directive in directives {
        let Some(keyword) = canonical(&directive.keyword, config.version()) else { continue };
        if keyword.without_effect(config.version()) {
            continue;
        }
        if let Some(winner) = global_mismatch(config, keyword, directive, directives) {
            found.push(Mismatch { directive: directive.clone(), found: winner.cloned(), block: None });
        }
        for setting in config.overrides(keyword.name) {
            if !setting.ours && !same_value(keyword, &setting.words, &directive.value) {
                let block = setting.block.map(|block| config.blocks[block].place.clone());
                found.push(Mismatch { directive: directive.clone(), found: Some(setting.clone()), block });
            }
        }
    }
    found
}

/// `Some(winner)` when the directive does not hold.
fn global_mismatch<'c>(
    config: &'c Config,
    keyword: &Keyword,
    directive: &Directive,
    all: &[Directive],
) -> Option<Option<&'c Setting>> {
    let lines = config.global(keyword.name);
    let holds = |setting: &&&Setting| same_value(keyword, &setting.words, &directive.value);
    match keyword.kind {
        // Lists that only add: one more line of somebody else's takes nothing away.
        Kind::Patterns if matches!(keyword.name, "AcceptEnv" | "DenyUsers" | "DenyGroups") => {
            lines.iter().find(holds).is_none().then(|| lines.first().copied())
        }
        Kind::Subsystem => {
            let name = words(&directive.value).and_then(|words| words.into_iter().next());
            let same_name = |setting: &&&Setting| setting.words.first() == name.as_ref();
            let first = lines.iter().find(same_name).copied();
            if first.is_none_or(|first| !holds(&&first)) {
                return Some(first);
            }
            // A second definition stopped sshd until 9.5.
            let rival = config.settings.iter().find(|setting| {
                setting.keyword == keyword.name && setting.words.first() == name.as_ref() && !setting.ours
            });
            (config.version() < Version::new(9, 5)).then_some(rival).flatten().map(Some)
        }
        // Lists in which every line counts: all of them must be wanted.
        Kind::Port | Kind::Repeat | Kind::Patterns => {
            let wanted = |setting: &&&Setting| {
                all.iter().any(|other| {
                    canonical(&other.keyword, config.version()).map(|k| k.name) == Some(keyword.name)
                        && same_value(keyword, &setting.words, &other.value)
                })
            };
            let stranger = lines.iter().find(|setting| !wanted(setting)).copied();
            if stranger.is_some() {
                return Some(stranger);
            }
            lines.iter().find(holds).is_none().then_some(None)
        }
        _ => match lines.first() {
            Some(first) if holds(&first) => None,
            winner => Some(winner.copied()),
        },
    }
}

/// Whether a line's words say what `wanted` says.
#[must_use]
pub fn same_value(keyword: &Keyword, found: &[String], wanted: &str) -> bool {
    let wanted = words(wanted).unwrap_or_default();
    let fold = |word: &String| {
        let word = if keyword.value_ignores_case() { word.to_ascii_lowercase() } else { word.clone() };
        if keyword.kind == Kind::RootLogin && word == "without-password" {
            "prohibit-password".to_owned()
        } else {
            word
        }
    };
    found.iter().map(fold).eq(wanted.iter().map(fold))
}

/// Whether a line is one that a build wrote.
#[must_use]
pub fn is_ours(setting: &Setting) -> bool {
    setting.ours
}
