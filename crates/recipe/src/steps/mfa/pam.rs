//! PAM's part: where the code is asked, and the proof that nothing goes around it.

use hardtack_guest::Set;
use hardtack_guest::pam::{
    self, Answer, Block, Entry, Facility, Outcome, PASSWORD_MODULES, Step, ThreeLines, can_succeed,
    service_path, steps, three_lines, without_block,
};

use super::STEP;
use crate::model::{Console, Factor, MfaStep, Scope};
use crate::{Context, StepError};

const MODULE: &str = "pam_google_authenticator.so";
/// `noskewadj`: without it three old codes, one per 30 s, let the third one in.
const MODULE_LINE: &str = "pam_google_authenticator.so noskewadj";
const COMMON: &str = "common-auth";
const PROFILE: &str = "/usr/share/pam-configs/hardtack";
const PROFILE_TEXT: &str = "Name: One-time code at every login (hardtack)
Default: yes
Priority: 1024
Auth-Type: Additional
Auth:
\trequired\tpam_google_authenticator.so noskewadj
";

/// What a hand-written line of the module may have beside `noskewadj`: nothing that changes who is
/// asked, for what, or by which file.
const HARMLESS_ARGUMENTS: &[&str] =
    &["noskewadj", "debug", "echo_verification_code", "echo-verification-code"];

/// The module is a file of the image.
pub(super) fn require_module(cx: &Context<'_, '_>) -> Result<(), StepError> {
    for base in ["/lib", "/usr/lib", "/lib64", "/usr/lib64"] {
        if cx.stage.stat(&format!("{base}/security/{MODULE}"))?.is_some() {
            return Ok(());
        }
        if cx.stage.stat(base)?.is_none() {
            continue;
        }
        for entry in cx.stage.list(base)? {
            let multiarch = entry.name.contains("-linux-gnu");
            if multiarch && cx.stage.stat(&format!("{base}/{}/security/{MODULE}", entry.name))?.is_some() {
                return Ok(());
            }
        }
    }
    Err(StepError::refused(STEP, format!("{MODULE} is neither in the image nor in a given package"))
        .hint("add the files of libpam-google-authenticator and libqrencode4 to the packages step"))
}

/// `nullok` on the module lets users without a secret through.
pub(super) fn refuse_nullok(cx: &Context<'_, '_>) -> Result<(), StepError> {
    for directory in ["/etc/pam.d", "/usr/lib/pam.d", pam::PROFILES] {
        if cx.stage.stat(directory)?.is_none() {
            continue;
        }
        for entry in cx.stage.list(directory)? {
            let path = format!("{directory}/{}", entry.name);
            let file = cx.stage.stat(&path)?.is_some_and(|f| f.kind == hardtack_guest::FileType::Regular);
            let text = if file { cx.stage.read(&path)?.unwrap_or_default() } else { Vec::new() };
            for (index, line) in String::from_utf8_lossy(&text).lines().enumerate() {
                let line = line.split('#').next().unwrap_or_default();
                if line.contains("pam_google_authenticator") && line.split_whitespace().any(|w| w == "nullok")
                {
                    let what = format!(
                        "{path}:{}: nullok on {MODULE} lets everybody in who has no secret",
                        index + 1
                    );
                    return Err(StepError::refused(STEP, what).hint("take the word out of the image"));
                }
            }
        }
    }
    Ok(())
}

pub(super) fn write(step: &MfaStep, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let codes = step.factors.contains(&Factor::Totp);
    if step.scope == Scope::Login {
        write_common(cx)?;
    }
    if codes {
        let how = if step.factors.contains(&Factor::Password) { Ask::Code } else { Ask::CodeOnly };
        // With the code in common-auth the include brings it.
        if step.scope == Scope::Sshd || how == Ask::CodeOnly {
            put(cx, "sshd", how)?;
        } else {
            restore(cx, "sshd")?;
        }
    } else {
        restore(cx, "sshd")?;
    }
    match step.console {
        Console::Locked => put(cx, "login", Ask::Nothing),
        Console::Totp if step.scope == Scope::Sshd => put(cx, "login", Ask::Code),
        Console::Totp | Console::Password => restore(cx, "login"),
    }
}

/// What a service is to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    /// The code after what it asks for now.
    Code,
    /// The code instead of the password.
    CodeOnly,
    /// It refuses everybody.
    Nothing,
}

/// Takes our block out of a service.
fn restore(cx: &mut Context<'_, '_>, service: &str) -> Result<(), StepError> {
    let Some(path) = service_path(cx.stage, service)? else { return Ok(()) };
    let text = cx.stage.read_text(&path)?.unwrap_or_default();
    let plain = without_block(&text);
    if plain != text {
        cx.stage.write(&path, plain, Set::default())?;
    }
    Ok(())
}

fn put(cx: &mut Context<'_, '_>, service: &'static str, ask: Ask) -> Result<(), StepError> {
    let Some(path) = service_path(cx.stage, service)? else {
        if service == "login" {
            cx.info(STEP, "no /etc/pam.d/login: the image has no login on its consoles");
            return Ok(());
        }
        return Err(StepError::refused(
            STEP,
            format!("/etc/pam.d/{service} is missing: PAM would not know what to ask"),
        ));
    };
    restore(cx, service)?;
    let text = cx.stage.read_text(&path)?.unwrap_or_default();
    let block = match ask {
        Ask::Nothing => Some(Block {
            lines: ["auth requisite pam_deny.so", "account requisite pam_deny.so"]
                .map(str::to_owned)
                .to_vec(),
            instead_of: None,
            after: 0,
        }),
        Ask::Code => code_block(cx, service, &path, &text)?,
        Ask::CodeOnly => Some(code_only_block(&path, &text)?),
    };
    if let Some(block) = block {
        cx.stage.write(&path, block.put_into(&text), Set::default())?;
    }
    Ok(())
}

/// The code behind everything that proves a password; `None` when it is asked there already.
fn code_block(
    cx: &Context<'_, '_>,
    service: &str,
    path: &str,
    text: &str,
) -> Result<Option<Block>, StepError> {
    let lines = vec![format!("auth required {MODULE_LINE}")];
    let asked = steps(cx.stage, service, Facility::Auth)?;
    let mut present = asked.iter().filter(|step| step.module == MODULE);
    if let Some(first) = present.next() {
        if let Some(second) = present.next() {
            let what = format!("{}:{}: {MODULE} is asked a second time", second.file, second.line);
            return Err(StepError::refused(STEP, what).hint("a code works once: nobody could log in"));
        }
        let skew = first.arguments.iter().any(|word| word == "noskewadj");
        if skew {
            return own_line(first).map(|()| None);
        }
        own_line(first)?;
        if first.file != path {
            let what = format!("{}:{}: {MODULE} without noskewadj takes old codes", first.file, first.line);
            return Err(StepError::refused(STEP, what)
                .hint("add noskewadj there, or take the line out: scope: sshd edits /etc/pam.d/sshd only"));
        }
        let height =
            pam::parse(text).iter().find(|line| line.number == first.line).map_or(1, |line| line.height);
        return Ok(Some(Block { lines, instead_of: Some((first.line, height)), after: 0 }));
    }
    let parsed = pam::parse(text);
    let is_auth = |entry: &Entry| match entry {
        Entry::Module { facility, .. } => *facility == Facility::Auth,
        Entry::Include { facility, .. } => facility.is_none_or(|facility| facility == Facility::Auth),
    };
    // Behind the include that brings the password; behind the last auth line where there is none.
    let password = parsed.iter().find(|line| is_include_of_password(&line.entry));
    let behind = password.or_else(|| parsed.iter().rev().find(|line| is_auth(&line.entry)));
    let Some(behind) = behind else {
        return Err(StepError::refused(STEP, format!("{path}: there is no auth line")));
    };
    Ok(Some(Block { lines, instead_of: None, after: behind.number + behind.height - 1 }))
}

/// A hand-written line of the module that may stay.
fn own_line(step: &Step) -> Result<(), StepError> {
    let place = format!("{}:{}", step.file, step.line);
    if !matches!(step.control.as_str(), "required" | "requisite") {
        let what = format!("{place}: {MODULE} is {}, not required", step.control);
        return Err(StepError::refused(STEP, what));
    }
    if let Some(word) = step.arguments.iter().find(|word| !HARMLESS_ARGUMENTS.contains(&word.as_str())) {
        let what = format!(
            "{place}: {MODULE} has the option {word}, which changes what is asked or where the secret is"
        );
        return Err(StepError::refused(STEP, what).hint("take the line out of the image"));
    }
    Ok(())
}

fn is_include_of_password(entry: &Entry) -> bool {
    let Entry::Include { facility, service, .. } = entry else { return false };
    facility.is_none_or(|facility| facility == Facility::Auth)
        && matches!(
            service.as_str(),
            "common-auth" | "password-auth" | "system-auth" | "system-login" | "system-remote-login"
        )
}

/// The code in place of the include that asks for the password.
fn code_only_block(path: &str, text: &str) -> Result<Block, StepError> {
    let parsed = pam::parse(text);
    let mut includes = parsed.iter().filter(|line| is_include_of_password(&line.entry));
    let (Some(line), None) = (includes.next(), includes.next()) else {
        let what = format!("{path}: no single line includes common-auth; the password cannot be taken out");
        return Err(StepError::refused(STEP, what).hint(
            "restore the package's file, or ask for the password too (factors: [publickey, password, totp])",
        ));
    };
    Ok(Block {
        lines: vec![format!("auth required {MODULE_LINE}")],
        instead_of: Some((line.number, line.height)),
        after: 0,
    })
}

/// `scope: login`: the code in common-auth.
fn write_common(cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let path = format!("/etc/pam.d/{COMMON}");
    if cx.stage.stat(&path)?.is_none() {
        let what = format!("{path} is missing: scope: login knows only Debian's way of sharing a stack");
        return Err(StepError::refused(STEP, what).hint("say scope: sshd"));
    }
    let managed = cx.stage.stat(pam::TOOL)?.is_some();
    let by_us = cx.stage.stat(PROFILE)?.is_some();
    if !(managed && by_us)
        && let Some(step) = steps(cx.stage, COMMON, Facility::Auth)?.iter().find(|step| step.module == MODULE)
    {
        own_line(step)?;
        if step.arguments.iter().any(|word| word == "noskewadj") {
            return Ok(());
        }
        let what = format!("{}:{}: {MODULE} without noskewadj takes old codes", step.file, step.line);
        return Err(StepError::refused(STEP, what).hint("add noskewadj there, or take the line out"));
    }
    if managed {
        cx.stage.write(PROFILE, PROFILE_TEXT, Set::default())?;
        return match pam::update(cx.stage, "hardtack")? {
            Outcome::Done => Ok(()),
            Outcome::Unmanaged(found) => {
                let line = found.line.map(|line| format!(":{line}")).unwrap_or_default();
                let what = format!(
                    "{}{line}: {}; pam-auth-update would leave the stack alone",
                    found.path, found.what
                );
                Err(StepError::refused(STEP, what)
                    .hint("undo the edit (pam-auth-update --force in the image), or say scope: sshd"))
            }
        };
    }
    let text = cx.stage.read_text(&path)?.unwrap_or_default();
    match three_lines(&text, MODULE_LINE) {
        ThreeLines::Done(text) => Ok(cx.stage.write(&path, text, Set::default())?),
        ThreeLines::Present(_) => Ok(()),
        ThreeLines::Impossible(why) => {
            Err(StepError::refused(STEP, format!("{path}: {why}")).hint("say scope: sshd"))
        }
    }
}

/// Evaluates the stacks of every service that the step speaks for.
pub(super) fn prove(step: &MfaStep, cx: &Context<'_, '_>) -> Result<(), StepError> {
    let password = step.factors.contains(&Factor::Password);
    prove_service(cx, "sshd", step.factors.contains(&Factor::Totp), password)?;
    if service_path(cx.stage, "login")?.is_none() {
        return Ok(());
    }
    match step.console {
        Console::Totp => prove_service(cx, "login", true, true)?,
        Console::Locked => {
            let asked = steps(cx.stage, "login", Facility::Auth)?;
            let denied =
                asked.first().is_some_and(|step| step.module == "pam_deny.so" && step.control == "requisite");
            if !denied {
                return Err(StepError::refused(STEP, "/etc/pam.d/login: console: locked is not in force"));
            }
        }
        Console::Password => {}
    }
    Ok(())
}

/// No order of events ends in success with a wrong code (or a wrong password), and one does with
/// everything right.
fn prove_service(cx: &Context<'_, '_>, service: &str, code: bool, password: bool) -> Result<(), StepError> {
    let asked = steps(cx.stage, service, Facility::Auth)?;
    let verdict = |wrong: &dyn Fn(&Step) -> bool, never: Option<usize>| {
        can_succeed(&asked, |step| {
            let never = never.is_some_and(|index: usize| std::ptr::eq(&asked[index], step));
            if step.module == "pam_deny.so" || wrong(step) || never {
                vec![Answer::Failure]
            } else if step.module == "pam_permit.so" || step.module == MODULE {
                vec![Answer::Success]
            } else {
                vec![Answer::Success, Answer::NewTokenRequired, Answer::Ignore, Answer::Failure]
            }
        })
    };
    let culprit = |wrong: &dyn Fn(&Step) -> bool| {
        // Of the lines that can end the stack or jump, the last one without which nothing is wrong.
        (0..asked.len())
            .rev()
            .filter(|&index| asked[index].control == "sufficient" || asked[index].control.starts_with('['))
            .find(|&index| !verdict(wrong, Some(index)))
            .map(|index| {
                format!(
                    "{}:{}: {} ({})",
                    asked[index].file, asked[index].line, asked[index].module, asked[index].control
                )
            })
            .unwrap_or_else(|| format!("/etc/pam.d/{service}"))
    };
    let is_code = |step: &Step| step.module == MODULE;
    let is_password = |step: &Step| PASSWORD_MODULES.contains(&step.module.as_str());
    if code {
        let Some(line) = asked.iter().find(|step| step.module == MODULE) else {
            return Err(StepError::refused(STEP, format!("/etc/pam.d/{service} asks for no code")));
        };
        own_line(line)?;
        if let Some(second) = asked.iter().filter(|step| is_code(step)).nth(1) {
            let what = format!("{}:{}: {MODULE} is asked a second time", second.file, second.line);
            return Err(StepError::refused(STEP, what).hint("a code works once: nobody could log in"));
        }
        if !line.arguments.iter().any(|word| word == "noskewadj") {
            let what = format!("{}:{}: {MODULE} without noskewadj takes old codes", line.file, line.line);
            return Err(StepError::refused(STEP, what));
        }
        if verdict(&is_code, None) {
            let what = format!("{} lets {service} succeed without the code", culprit(&is_code));
            return Err(
                StepError::refused(STEP, what).hint("restore the package's file, or put the code in by hand")
            );
        }
    }
    if password {
        if !asked.iter().any(is_password) {
            return Err(StepError::refused(STEP, format!("/etc/pam.d/{service} asks for no password")));
        }
        if verdict(&is_password, None) {
            let what = format!("{} lets {service} succeed without the password", culprit(&is_password));
            return Err(StepError::refused(STEP, what));
        }
    }
    if !verdict(&|_| false, None) {
        return Err(StepError::refused(STEP, format!("/etc/pam.d/{service} refuses everybody")));
    }
    Ok(())
}
