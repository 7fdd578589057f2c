//! The `mfa` step's settings.

use hardtack_credentials::RandomPassword;
use hardtack_yaml::{Node, Span, Value, did_you_mean};

use super::keys::{Key, Shape};
use super::reader::Reader;
use super::{recipients, user};
use crate::model::{
    Console, Drift, Factor, MatchPolicy, MfaStep, Others, Password, RateLimit, Recovery, Scope, Seal, Totp,
    UserStep,
};

/// The keys of the step.
pub(super) const KEYS: &[Key] = &[
    Key::must("users", Shape::Several(&Shape::Text), "Who logs in with a one-time code."),
    Key::may(
        "scope",
        Shape::Words(&["sshd", "login"]),
        "Which logins ask: SSH, or all that use common-auth.",
    ),
    Key::may(
        "factors",
        Shape::Several(&Shape::Words(&["publickey", "password", "totp"])),
        "What SSH asks for; at least two, `totp` among them.",
    ),
    Key::may("console", Shape::Words(&["totp", "password", "locked"]), "What the console asks for."),
    Key::may(
        "others",
        Shape::Words(&["refuse", "publickey", "enrol"]),
        "What users get that are not listed.",
    ),
    Key::may(
        "seal",
        Shape::OneOf(&[Shape::Words(&["none", "ssh", "auto"]), Shape::Keys(SEAL_KEYS)]),
        "How the secrets are protected in the credentials block on the console.",
    ),
    Key::may(
        "on_drift",
        Shape::Words(&["stop-ssh", "warn"]),
        "When sshd or PAM asks for less than promised.",
    ),
    Key::may("recovery", Shape::Keys(RECOVERY_KEYS), "An account for the day on which nobody else gets in."),
    Key::may("totp", Shape::Keys(TOTP_KEYS), "Parameters of the one-time codes."),
    Key::may(
        "match",
        Shape::Words(&["refuse", "override"]),
        "What happens to the image's `Match` blocks that would weaken the result.",
    ),
];
/// The keys of `seal`, where it is a mapping.
pub(super) const SEAL_KEYS: &[Key] =
    &[Key::must("recipients", RECIPIENTS, "Recipients of age(1), or files that list them.")];
/// Who can open what is sealed.
const RECIPIENTS: Shape = Shape::Several(&Shape::Content);
/// The keys of `recovery`.
pub(super) const RECOVERY_KEYS: &[Key] = &[
    Key::must("user", Shape::Text, "Its login name."),
    Key::may("recipients", RECIPIENTS, "Who alone can open its part of the block."),
    Key::may("authorized_keys", user::AUTHORIZED_KEYS, "Public keys of SSH, or files that hold them."),
    Key::may("sudo", Shape::OneOf(&[Shape::Text, Shape::Bool]), "A rule of sudoers(5), or false for none."),
    Key::may("password", user::PASSWORD, "Where its password comes from."),
];
/// The keys of `totp`.
pub(super) const TOTP_KEYS: &[Key] = &[
    Key::may("window", Shape::Whole(1, 21), "How many codes around the current one are accepted."),
    Key::may(
        "rate_limit",
        Shape::OneOf(&[Shape::Bool, Shape::Keys(RATE_LIMIT_KEYS)]),
        "How many attempts in how many seconds; false for no limit.",
    ),
    Key::may("disallow_reuse", Shape::Bool, "A code works once."),
];
/// The keys of `rate_limit`.
pub(super) const RATE_LIMIT_KEYS: &[Key] = &[
    Key::may("attempts", Shape::Whole(1, 10), "How many attempts."),
    Key::may("seconds", Shape::Whole(15, 600), "In how many seconds."),
];

/// The values of `match`.
pub(super) const MATCH: &[(&str, MatchPolicy)] =
    &[("refuse", MatchPolicy::Refuse), ("override", MatchPolicy::Override)];

/// The step, and the account that its `recovery` asks for.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) step: MfaStep,
    pub(super) account: Option<Account>,
    /// Each of `users` as it stands there.
    pub(super) users: Vec<(String, Span)>,
}

impl PartialEq for Placed {
    fn eq(&self, other: &Self) -> bool {
        self.step == other.step && self.account == other.account
    }
}

/// What a step `user` would have said about the recovery account.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) user: UserStep,
    /// Where its name stands.
    pub(super) span: Span,
}

impl PartialEq for Account {
    fn eq(&self, other: &Self) -> bool {
        self.user == other.user
    }
}

pub(super) fn read(reader: &mut Reader<'_>, node: &Node, at: Span) -> Option<Placed> {
    let fields = reader.keyed(node, "step `mfa`", KEYS)?;
    let mut step = MfaStep::default();
    let mut users = Vec::new();
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
                users.push((name.clone(), item.span));
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
        step.seal = seal(reader, value).unwrap_or(step.seal);
    }
    if let Some(value) = fields.get("on_drift") {
        let words = [Drift::StopSsh, Drift::Warn].map(|drift| (drift.as_str(), drift));
        step.on_drift = reader.word(value, "on_drift", &words).unwrap_or(step.on_drift);
    }
    if let Some(value) = fields.get("totp") {
        step.totp = totp(reader, value);
    }
    if let Some(value) = fields.get("match") {
        step.match_blocks = reader.word(value, "match", MATCH).unwrap_or_default();
    }
    let mut account = None;
    if let (Some(value), Some(at)) = (fields.get("recovery"), fields.key_span("recovery"))
        && let Some((recovery, made)) = recovery(reader, value, at)
    {
        if step.users.contains(&recovery.user) {
            reader.error_hint(
                made.span,
                format!("`{}` is in `users`, and the recovery account is one of its own", recovery.user),
                "give it another name; it is enrolled without standing in `users`",
            );
        } else {
            step.users.push(recovery.user.clone());
        }
        step.recovery = Some(recovery);
        account = Some(made);
    }
    Some(Placed { step, account, users })
}

fn seal(reader: &mut Reader<'_>, node: &Node) -> Option<Seal> {
    const WORDS: [&str; 3] = ["none", "ssh", "auto"];
    if node.as_mapping().is_some() {
        let fields = reader.keyed(node, "`seal`", SEAL_KEYS)?;
        let value = reader.required(&fields, "recipients", node.span)?;
        return Some(Seal::Recipients(recipients::list(reader, value)));
    }
    match node.text().filter(|_| node.tag.is_none()) {
        Some("none") => return Some(Seal::None),
        Some("ssh") => return Some(Seal::Ssh),
        Some("auto") => return Some(Seal::Auto),
        Some(text) if recipients::is_private(text) => {
            reader.mask(node);
            reader.error_hint(node.span, recipients::PRIVATE, recipients::PUBLIC_HALF);
            return None;
        }
        _ => {}
    }
    let message =
        format!("`seal` takes `none`, `ssh`, `auto` or `{{recipients: […]}}`, found {}", node.describe());
    let hint = match node.text().and_then(|text| did_you_mean(text, WORDS)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "recipients stand in a mapping: `seal: {recipients: [FILE or KEY, …]}`".to_owned(),
    };
    reader.error_hint(node.span, message, hint);
    None
}

fn recovery(reader: &mut Reader<'_>, node: &Node, at: Span) -> Option<(Recovery, Account)> {
    let fields = reader.keyed(node, "`recovery`", RECOVERY_KEYS)?;
    let mut user = UserStep {
        password: Some(Password::Random(RandomPassword::default())),
        sudo: Some("ALL=(ALL) ALL".to_owned()),
        ..UserStep::default()
    };
    let mut span = at;
    if let Some(value) = reader.required(&fields, "user", at) {
        span = value.span;
        user.name = user::name(reader, value, "user").unwrap_or_default();
    }
    let recipients = fields.get("recipients").map(|value| recipients::list(reader, value));
    if let Some(value) = fields.get("authorized_keys") {
        user.authorized_keys = user::keys(reader, value);
    }
    if let Some(value) = fields.get("sudo") {
        let none = value.text().is_some() && matches!(value.value(), Ok(Value::Bool(false)));
        user.sudo = if none { None } else { reader.line(value, "sudo").map(str::to_owned) };
    }
    if let Some(value) = fields.get("password") {
        user.password = user::password(reader, value);
    }
    // Without a name the finding stands already.
    let made = (!user.name.is_empty()).then_some(user)?;
    Some((
        Recovery { user: made.name.clone(), recipients: recipients.unwrap_or_default() },
        Account { user: made, span },
    ))
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
    let Some(fields) = reader.keyed(node, "`totp`", TOTP_KEYS) else { return totp };
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
    let fields = reader.keyed(node, "`rate_limit`", RATE_LIMIT_KEYS)?;
    let mut limit = RateLimit { attempts: 3, seconds: 30 };
    if let Some(value) = fields.get("attempts") {
        limit.attempts = reader.number(value, "attempts", 1..=10).unwrap_or(limit.attempts);
    }
    if let Some(value) = fields.get("seconds") {
        limit.seconds = reader.number(value, "seconds", 15..=600).unwrap_or(limit.seconds);
    }
    Some(limit)
}
