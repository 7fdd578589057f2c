//! The `mfa` step's settings.

use hardtack_yaml::{Node, Span, Value};

use super::reader::Reader;
use super::user;
use crate::model::{Console, Factor, MatchPolicy, MfaStep, Others, RateLimit, Scope, Seal, Totp};

/// The keys of the step.
pub(super) const KEYS: &[&str] = &["users", "scope", "factors", "console", "others", "seal", "totp", "match"];
/// The keys of `totp`.
pub(super) const TOTP_KEYS: &[&str] = &["window", "rate_limit", "disallow_reuse"];
/// The keys of `rate_limit`.
pub(super) const RATE_LIMIT_KEYS: &[&str] = &["attempts", "seconds"];

/// The values of `match`.
pub(super) const MATCH: &[(&str, MatchPolicy)] =
    &[("refuse", MatchPolicy::Refuse), ("override", MatchPolicy::Override)];

pub(super) fn read(reader: &mut Reader<'_>, node: &Node, at: Span) -> Option<MfaStep> {
    let fields = reader.fields(node, "step `mfa`", KEYS)?;
    let mut step = MfaStep::default();
    if let Some(value) = reader.required(&fields, "users", at) {
        let items = reader.items(value, "users");
        if items.is_empty() && value.as_sequence().is_some() {
            reader.error(value.span, "`users` is empty; it lists who logs in with a one-time code");
        }
        for item in items {
            let Some(name) = user::name(reader, item, "users") else { continue };
            if step.users.contains(&name) {
                reader.error(item.span, format!("the user `{name}` is listed twice"));
            } else {
                step.users.push(name);
            }
        }
    }
    if let Some(value) = fields.get("scope") {
        step.scope = reader
            .word(value, "scope", &[("sshd", Scope::Sshd), ("login", Scope::Login)])
            .unwrap_or(step.scope);
    }
    if let Some(value) = fields.get("factors") {
        step.factors = factors(reader, value).unwrap_or(step.factors);
    }
    if let Some(value) = fields.get("console") {
        let words = [("totp", Console::Totp), ("password", Console::Password), ("locked", Console::Locked)];
        step.console = reader.word(value, "console", &words).unwrap_or(step.console);
    }
    if let (Scope::Login, Console::Password, Some(value)) = (step.scope, step.console, fields.get("console"))
    {
        reader.error_hint(
            value.span,
            "`scope: login` makes every login ask for the code, `console: password` wants one that does not",
            "say `console: totp`, or `scope: sshd`",
        );
    }
    if let Some(value) = fields.get("others") {
        let words = [("refuse", Others::Refuse), ("publickey", Others::Publickey), ("enrol", Others::Enrol)];
        step.others = reader.word(value, "others", &words).unwrap_or(step.others);
    }
    if let Some(value) = fields.get("seal") {
        match value.text() {
            Some(kind @ ("ssh" | "auto")) => {
                reader.error_hint(
                    value.span,
                    format!("`seal: {kind}` comes with a later version"),
                    "use `seal: none`, or leave the key out",
                );
            }
            _ => step.seal = reader.word(value, "seal", &[("none", Seal::None)]).unwrap_or(step.seal),
        }
    }
    if let Some(value) = fields.get("totp") {
        step.totp = totp(reader, value);
    }
    if let Some(value) = fields.get("match") {
        step.match_blocks = reader.word(value, "match", MATCH).unwrap_or_default();
    }
    Some(step)
}

fn factors(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<Factor>> {
    const WORDS: &[(&str, Factor)] =
        &[("publickey", Factor::Publickey), ("password", Factor::Password), ("totp", Factor::Totp)];
    let items = reader.items(node, "factors");
    let mut found = Vec::new();
    let mut failed = false;
    for item in items {
        match reader.word(item, "factors", WORDS) {
            None => failed = true,
            Some(factor) if found.contains(&factor) => {
                failed = true;
                reader.error(
                    item.span,
                    format!("the factor `{}` is listed twice", item.text().unwrap_or_default()),
                );
            }
            Some(factor) => found.push(factor),
        }
    }
    if failed {
        return None;
    }
    let hint = "use [publickey, password, totp], [publickey, totp] or [password, totp]";
    match found.as_slice() {
        [] if node.is_null() => return None,
        [] => reader.error_hint(node.span, "`factors` is empty", hint),
        [_] => reader.error_hint(node.span, "a single factor is no multi-factor login", hint),
        _ if !found.contains(&Factor::Totp) => {
            reader.error_hint(node.span, "`factors` without `totp` is nothing that this step sets up", hint);
        }
        _ => return Some(found),
    }
    None
}

fn totp(reader: &mut Reader<'_>, node: &Node) -> Totp {
    let mut totp = Totp::default();
    let Some(fields) = reader.fields(node, "`totp`", TOTP_KEYS) else { return totp };
    // The ranges are google-authenticator's own.
    if let Some(value) = fields.get("window") {
        totp.window = reader.number(value, "window", 1..=21).unwrap_or(totp.window);
    }
    if let Some(value) = fields.get("disallow_reuse") {
        totp.disallow_reuse = reader.boolean(value, "disallow_reuse").unwrap_or(totp.disallow_reuse);
    }
    if let Some(value) = fields.get("rate_limit") {
        if value.text().is_some() && matches!(value.value(), Ok(Value::Bool(false))) {
            totp.rate_limit = None;
        } else {
            totp.rate_limit = rate_limit(reader, value);
        }
    }
    totp
}

fn rate_limit(reader: &mut Reader<'_>, node: &Node) -> Option<RateLimit> {
    let fields = reader.fields(node, "`rate_limit`", RATE_LIMIT_KEYS)?;
    let mut limit = RateLimit { attempts: 3, seconds: 30 };
    if let Some(value) = fields.get("attempts") {
        limit.attempts = reader.number(value, "attempts", 1..=10).unwrap_or(limit.attempts);
    }
    if let Some(value) = fields.get("seconds") {
        limit.seconds = reader.number(value, "seconds", 15..=600).unwrap_or(limit.seconds);
    }
    Some(limit)
}
