//! PAM's part: where the code is asked, and the proof that nothing goes around it.

use hardtack_guest::Set;
use hardtack_guest::pam::{
    self, Block, Entry, Facility, Outcome, Step, ThreeLines, service_path, steps, three_lines, without_block,
};
use hardtack_login::{ServicePromise, promise};

use super::{STEP, aside};
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

/// The module is a file of the image.
pub(super) fn require_module(cx: &Context<'_, '_>) -> Result<(), StepError> {
    if promise::module_path(&*cx.stage)?.is_some() {
        return Ok(());
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

/// A service is again as its package has it, where an earlier build put our block into it.
fn restore(cx: &mut Context<'_, '_>, service: &str) -> Result<(), StepError> {
    let Some(path) = service_path(cx.stage, service)? else { return Ok(()) };
    // A diversion without a block of ours is an administrator's.
    if take_out(cx, &path)? { aside::give_back(cx, &path) } else { Ok(()) }
}

/// Takes our block out of a file, and says whether there was one.
fn take_out(cx: &mut Context<'_, '_>, path: &str) -> Result<bool, StepError> {
    let text = cx.stage.read_text(path)?.unwrap_or_default();
    let plain = without_block(&text);
    let found = plain != text;
    if found {
        cx.stage.write(path, plain, Set::default())?;
    }
    Ok(found)
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
    take_out(cx, &path)?;
    aside::set_aside(cx, &path)?;
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
    match promise::own_line_fault(step, &step.place()) {
        None => Ok(()),
        Some((what, "")) => Err(StepError::refused(STEP, what)),
        Some((what, hint)) => Err(StepError::refused(STEP, what).hint(format!("{hint} of the image"))),
    }
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

/// What the services ask for that the step speaks for.
pub(super) fn services(step: &MfaStep, cx: &Context<'_, '_>) -> Result<Vec<ServicePromise>, StepError> {
    let asks = |service: &str, code: bool, password: bool, locked: bool| ServicePromise {
        service: service.to_owned(),
        code,
        password,
        locked,
    };
    let (code, password) = (step.factors.contains(&Factor::Totp), step.factors.contains(&Factor::Password));
    let mut found = vec![asks("sshd", code, password, false)];
    if service_path(cx.stage, "login")?.is_some() {
        match step.console {
            Console::Totp => found.push(asks("login", true, true, false)),
            Console::Locked => found.push(asks("login", false, false, true)),
            Console::Password => {}
        }
    }
    if step.scope == Scope::Login {
        // su, sudo and all others that ask for the code now; what is not proven is not promised.
        for entry in cx.stage.list("/etc/pam.d")? {
            let known = found.iter().any(|known| known.service == entry.name);
            if known || entry.name.contains('.') || entry.name == "other" {
                continue;
            }
            if let Ok(Some((true, password))) = promise::asks_for_code(&*cx.stage, &entry.name) {
                found.push(asks(&entry.name, true, password, false));
            }
        }
    }
    Ok(found)
}
