//! sshd's part: the directives, what may not override them, and what goes around them.

use hardtack_guest::sshd::{self, Config, Directive, Mismatch, Place, Setting, Version};

use super::STEP;
use crate::model::{Factor, MatchPolicy, MfaStep, Others};
use crate::{Context, StepError};

/// What a `Match` block may not set to another value than the global one: who holds a key, which
/// methods there are, whether root gets in.
const SENSITIVE: &[&str] = &[
    "AuthenticationMethods",
    "KbdInteractiveAuthentication",
    "ChallengeResponseAuthentication",
    "PermitRootLogin",
    "AuthorizedKeysFile",
    "AuthorizedKeysCommand",
    "AuthorizedKeysCommandUser",
    "AuthorizedPrincipalsFile",
    "AuthorizedPrincipalsCommand",
    "TrustedUserCAKeys",
    "PubkeyAuthentication",
    "PasswordAuthentication",
    "PermitEmptyPasswords",
    "PAMServiceName",
];

/// The release of the image's server, new enough.
pub(super) fn version(cx: &Context<'_, '_>) -> Result<Version, StepError> {
    let version = sshd::installed(cx.stage)?.ok_or_else(|| {
        StepError::refused(STEP, "the package database (/var/lib/dpkg/status) has no openssh-server")
            .hint("install openssh-server in the image first")
    })?;
    if version < Version::AUTHENTICATION_METHODS {
        let what = format!(
            "openssh-server {version} cannot ask for several factors: AuthenticationMethods came with {}",
            Version::AUTHENTICATION_METHODS
        );
        return Err(StepError::refused(STEP, what).hint("use an image with a newer OpenSSH"));
    }
    Ok(version)
}

pub(super) fn directives(step: &MfaStep) -> Vec<Directive> {
    let key = step.factors.contains(&Factor::Publickey);
    let methods = if key { "publickey,keyboard-interactive" } else { "keyboard-interactive" };
    let mut directives = vec![
        Directive::new("UsePAM", "yes"),
        Directive::new("KbdInteractiveAuthentication", "yes"),
        // The same by its old name: another switch until 8.7, an alias since.
        Directive::new("ChallengeResponseAuthentication", "yes"),
    ];
    if key {
        directives.push(Directive::new("PubkeyAuthentication", "yes"));
    }
    directives.extend([
        Directive::new("PasswordAuthentication", "no"),
        Directive::new("PermitEmptyPasswords", "no"),
        Directive::new("AuthenticationMethods", methods),
    ]);
    directives
}

/// Users that are not listed get by with a key; everybody else is refused by PAM.
fn match_lines(step: &MfaStep) -> Vec<String> {
    if step.others != Others::Publickey {
        return Vec::new();
    }
    let listed: String = step.users.iter().map(|user| format!(",!{user}")).collect();
    vec![format!("Match User *{listed}"), "    AuthenticationMethods publickey".to_owned()]
}

pub(super) fn write(step: &MfaStep, version: Version, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let config = Config::load(cx.stage, version)?;
    for problem in config.problems.iter().filter(|problem| problem.unknown_word.is_some()) {
        cx.warn(STEP, format!("{}: {}", shown(cx, &problem.place), problem.what));
    }
    if step.match_blocks == MatchPolicy::Override {
        override_blocks(step, version, cx)?;
    }
    sshd::write_section(cx.stage, version, STEP, &directives(step), Some(&match_lines(step)))?;
    Ok(())
}

/// Comments out every line of a `Match` block that would replace what the step sets.
fn override_blocks(step: &MfaStep, version: Version, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let config = Config::load(cx.stage, version)?;
    let mut places: Vec<_> = Vec::new();
    for setting in weakening(step, &config) {
        if !places.contains(&setting.place) {
            let place = shown(cx, &setting.place);
            cx.warn(STEP, format!("{place}: {} in a Match block is switched off", setting.keyword));
            places.push(setting.place.clone());
        }
    }
    for place in places {
        sshd::comment_out(cx.stage, &place)?;
    }
    Ok(())
}

/// Lines in `Match` blocks of others that set something that matters to another value.
fn weakening<'c>(step: &MfaStep, config: &'c Config) -> Vec<&'c Setting> {
    let wanted = directives(step);
    let mut found = Vec::new();
    for keyword in SENSITIVE {
        let name = sshd::canonical(keyword, config.version()).map(|keyword| keyword.name);
        let ours = wanted.iter().find(|directive| {
            sshd::canonical(&directive.keyword, config.version()).map(|keyword| keyword.name) == name
        });
        let global = config.global(keyword);
        for setting in config.overrides(keyword).filter(|setting| !setting.ours) {
            let same = match (ours, global.first()) {
                (Some(directive), _) => setting.words.join(" ").eq_ignore_ascii_case(&directive.value),
                (None, Some(global)) => setting.words == global.words,
                (None, None) => false,
            };
            if !same {
                found.push(setting);
            }
        }
    }
    found
}

pub(super) fn prove(step: &MfaStep, version: Version, cx: &Context<'_, '_>) -> Result<(), StepError> {
    let config = Config::load(cx.stage, version)?;
    if let Some(setting) = weakening(step, &config).first() {
        let block = setting.block.map(|block| &config.blocks[block]);
        let what = format!(
            "{}: {} {} in the block \"Match {}\"{} overrides the global value{}",
            shown(cx, &setting.place),
            setting.written,
            setting.value,
            block.map(|block| block.criteria.as_str()).unwrap_or_default(),
            block.map(|block| format!(" ({})", shown(cx, &block.place))).unwrap_or_default(),
            if setting.words.iter().any(|word| word == "any") {
                ", and AuthenticationMethods any beside it stops sshd from starting"
            } else {
                ""
            },
        );
        return Err(StepError::refused(STEP, what)
            .hint("take the line out of the image, or say match: override to have it switched off"));
    }
    refuse_problem(STEP, &config, cx)?;
    if let Some(mismatch) = sshd::mismatches(&config, &directives(step)).first() {
        return Err(refuse_mismatch(STEP, mismatch, cx));
    }
    if let Some(service) = config.global("PAMServiceName").first().filter(|s| s.words != ["sshd"]) {
        let place = shown(cx, &service.place);
        let what = format!("{place}: PAMServiceName {} leads past /etc/pam.d/sshd", service.value);
        return Err(StepError::refused(STEP, what).hint("take the line out of the image"));
    }
    refuse_command_line(cx)
}

/// The place as the image has it: our lines at the top of the main file move what stands below.
pub(crate) fn shown(cx: &Context<'_, '_>, place: &Place) -> Place {
    in_image(cx, place).unwrap_or_else(|| place.clone())
}

fn in_image(cx: &Context<'_, '_>, place: &Place) -> Option<Place> {
    let before = cx.stage.original(&cx.stage.resolve(&place.file).ok()?, 1 << 20).ok()??;
    let now = cx.stage.read(&place.file).ok()??;
    let now: Vec<&[u8]> = now.split(|byte| *byte == b'\n').collect();
    let (text, above) = now.get(..place.line)?.split_last()?;
    // Equal lines keep their order.
    let rank = above.iter().filter(|line| *line == text).count();
    let mut equal = before.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| line == text);
    Some(Place { file: place.file.clone(), line: equal.nth(rank)?.0 + 1 })
}

/// The first thing that sshd would not start with.
pub(crate) fn refuse_problem(
    step: &'static str,
    config: &Config,
    cx: &Context<'_, '_>,
) -> Result<(), StepError> {
    match config.problems.iter().find(|problem| problem.unknown_word.is_none()) {
        None => Ok(()),
        Some(problem) => {
            let what = format!("{}: {}", shown(cx, &problem.place), problem.what);
            Err(StepError::refused(step, what).hint("take the line out of the image"))
        }
    }
}

/// Words a directive that does not hold.
pub(crate) fn refuse_mismatch(step: &'static str, mismatch: &Mismatch, cx: &Context<'_, '_>) -> StepError {
    let Directive { keyword, value } = &mismatch.directive;
    match (&mismatch.found, &mismatch.block) {
        (Some(found), Some(block)) => StepError::refused(
            step,
            format!(
                "{}: {} {} in the Match block of {} overrides {keyword} {value}",
                shown(cx, &found.place),
                found.written,
                found.value,
                shown(cx, block)
            ),
        )
        .hint("take the line out of the image, or say match: override to have it switched off"),
        (Some(found), None) => StepError::refused(
            step,
            format!(
                "{}: {} {} is read before {keyword} {value} and wins",
                shown(cx, &found.place),
                found.written,
                found.value
            ),
        )
        .hint("take the line out of the image, or rename the file so that it sorts behind 00-hardtack.conf"),
        (None, _) => StepError::refused(step, format!("{keyword} {value} is nowhere in force")),
    }
}

/// Options on sshd's command line come before every file.
fn refuse_command_line(cx: &Context<'_, '_>) -> Result<(), StepError> {
    for path in ["/etc/default/ssh", "/etc/sysconfig/sshd"] {
        for (number, line) in lines(cx, path)? {
            let Some((_, value)) =
                line.split_once('=').filter(|(name, _)| matches!(*name, "SSHD_OPTS" | "OPTIONS"))
            else {
                continue;
            };
            if changes_configuration(value) {
                return Err(command_line(path, number));
            }
        }
    }
    for directory in ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"] {
        for unit in ["ssh.service", "sshd.service", "ssh@.service", "sshd@.service"] {
            let mut files = vec![format!("{directory}/{unit}")];
            let drop_ins = format!("{directory}/{unit}.d");
            if cx.stage.stat(&drop_ins)?.is_some() {
                files.extend(cx.stage.list(&drop_ins)?.into_iter().map(|e| format!("{drop_ins}/{}", e.name)));
            }
            for path in files {
                for (number, line) in lines(cx, &path)? {
                    let starts = line.starts_with("ExecStart=") && line.contains("sshd");
                    let options = line.starts_with("Environment=") && line.contains("SSHD_OPTS");
                    if (starts || options) && changes_configuration(&line) {
                        return Err(command_line(&path, number));
                    }
                }
            }
        }
    }
    Ok(())
}

fn changes_configuration(text: &str) -> bool {
    text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '='))
        .any(|word| word.starts_with("-o") || word.starts_with("-f"))
}

fn command_line(path: &str, number: usize) -> StepError {
    StepError::refused(STEP, format!("{path}:{number}: options for sshd (-o, -f) win over its configuration"))
        .hint("take the options out of the image")
}

fn lines(cx: &Context<'_, '_>, path: &str) -> Result<Vec<(usize, String)>, StepError> {
    let file = cx.stage.stat(path)?.is_some_and(|found| found.kind == hardtack_guest::FileType::Regular);
    let text = if file { cx.stage.read(path)?.unwrap_or_default() } else { Vec::new() };
    Ok(String::from_utf8_lossy(&text)
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim().to_owned()))
        .filter(|(_, line)| !line.starts_with(['#', ';']))
        .collect())
}
