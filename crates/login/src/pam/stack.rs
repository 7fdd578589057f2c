//! PAM's stacks: the lines of a service with what it includes, and what they can answer.
//!
//! From pam.conf(5), and libpam's `pam_handlers.c` and `pam_dispatch.c`.

use super::control::{Action, Answer, actions, overflows};
use super::line::{Entry, Facility, read};
use crate::files::{Fault, Files};

/// Modules that ask for, or look up, a password.
pub const PASSWORD_MODULES: &[&str] = &[
    "pam_unix.so",
    "pam_sss.so",
    "pam_ldap.so",
    "pam_krb5.so",
    "pam_winbind.so",
    "pam_systemd_home.so",
    "pam_radius_auth.so",
    "pam_tacplus.so",
    "pam_userdb.so",
    "pam_pwdb.so",
];

/// Where services are looked for, in this order.
const DIRECTORIES: &[&str] = &["/etc/pam.d", "/usr/lib/pam.d"];

/// `PAM_SUBSTACK_MAX_LEVEL`, and a sane end for includes.
const DEPTH_LIMIT: usize = 16;

/// A service file is no longer than this.
const LARGEST: u64 = 64 << 10;

/// A control is no longer than this (pam.conf(5) knows 32 names of results).
const CONTROL_LIMIT: usize = 2048;

/// States of a stack that are followed at one place; a stack with more of them is nobody's.
const STATE_LIMIT: usize = 512;

/// Files that one stack can include, repeated ones counted.
const FILE_LIMIT: usize = 1000;

/// Lines that one stack can have.
const LINE_LIMIT: usize = 1000;

/// The path of a service's file, if there is one.
///
/// # Errors
/// The directories cannot be read.
pub fn service_path<F: Files>(files: &F, service: &str) -> Result<Option<String>, F::Error> {
    if service.starts_with('/') {
        return Ok(files.kind(service)?.map(|_| service.to_owned()));
    }
    for directory in DIRECTORIES {
        let path = format!("{directory}/{service}");
        if files.kind(&path)?.is_some() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// A module in a stack, includes followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its file.
    pub file: String,
    /// Its line.
    pub line: usize,
    /// The control as written.
    pub control: String,
    /// The module's file name without directory.
    pub module: String,
    /// The module as written.
    pub written: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// How many substacks are around it.
    level: u8,
    /// A substack begins here: it has no module, and jumps count it.
    enters: bool,
}

impl Step {
    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> crate::sshd::Place {
        crate::sshd::Place { file: self.file.clone(), line: self.line }
    }
}

/// The modules of one stack of a service in the order in which they are asked.
///
/// # Errors
/// A file cannot be read, an included one is missing, or includes go on without end.
pub fn steps<F: Files>(files: &F, service: &str, facility: Facility) -> Result<Vec<Step>, F::Error> {
    let mut flat = Flat { files, facility, steps: Vec::new(), read: 0 };
    flat.read(service, 0, 0)?;
    Ok(flat.steps)
}

struct Flat<'f, F> {
    files: &'f F,
    facility: Facility,
    steps: Vec<Step>,
    read: usize,
}

impl<F: Files> Flat<'_, F> {
    fn read(&mut self, service: &str, level: u8, depth: usize) -> Result<(), F::Error> {
        let missing = || Fault {
            path: format!("/etc/pam.d/{service}"),
            line: None,
            what: "no such file or directory".to_owned(),
        };
        let path = service_path(self.files, service)?.ok_or_else(missing)?;
        let refuse =
            |line: usize, what: &str| Fault { path: path.clone(), line: Some(line), what: what.to_owned() };
        self.read += 1;
        if self.read > FILE_LIMIT {
            return Err(refuse(1, "the stack includes more than 1000 files").into());
        }
        let text = self.files.read(&path, LARGEST)?.unwrap_or_default();
        let (lines, fault) = read(&String::from_utf8_lossy(&text));
        if let Some((line, what)) = fault {
            return Err(refuse(line, what).into());
        }
        for line in lines {
            match line.entry {
                Entry::Module { facility, control, module, arguments } if facility == self.facility => {
                    if control.len() > CONTROL_LIMIT {
                        return Err(refuse(line.number, "the control is too long").into());
                    }
                    if overflows(&control) {
                        return Err(refuse(line.number, "a jump is too long for PAM to count").into());
                    }
                    self.push(Step {
                        file: path.clone(),
                        line: line.number,
                        control,
                        module: module.rsplit('/').next().unwrap_or_default().to_owned(),
                        written: module,
                        arguments,
                        level,
                        enters: false,
                    })?;
                }
                Entry::Include { facility, substack, service }
                    if facility.is_none_or(|f| f == self.facility) =>
                {
                    if depth >= DEPTH_LIMIT {
                        return Err(refuse(line.number, "includes go deeper than 16 levels").into());
                    }
                    if substack {
                        self.push(Step {
                            file: path.clone(),
                            line: line.number,
                            control: "substack".to_owned(),
                            module: String::new(),
                            written: service.clone(),
                            arguments: Vec::new(),
                            level,
                            enters: true,
                        })?;
                    }
                    self.read(&service, level + u8::from(substack), depth + 1)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn push(&mut self, step: Step) -> Result<(), F::Error> {
        if self.steps.len() >= LINE_LIMIT {
            let what = "the stack has more than 1000 modules".to_owned();
            return Err(Fault { path: step.file, line: Some(step.line), what }.into());
        }
        self.steps.push(step);
        Ok(())
    }
}

/// Whether the stack can end in success when each module answers with one of what `answers` says.
/// A proof of "no" covers every order of events; a "yes" only says that the path exists.
#[must_use]
pub fn can_succeed(steps: &[Step], answers: impl Fn(&Step) -> Vec<Answer>) -> bool {
    // Impressions of the stack so far, for each step that can be reached.
    let mut reached: Vec<Vec<State>> = vec![Vec::new(); steps.len() + 1];
    push(&mut reached[0], State { now: Impression::None, saved: Vec::new() });
    for (index, step) in steps.iter().enumerate() {
        for mut state in std::mem::take(&mut reached[index]) {
            // What holds before a substack is what `reset` in it goes back to.
            let level = usize::from(step.level);
            state.saved.truncate(level);
            while state.saved.len() < level {
                state.saved.push(state.now);
            }
            if step.enters {
                push(&mut reached[index + 1], state);
                continue;
            }
            let answers = if step.module.is_empty() { vec![Answer::Failure] } else { answers(step) };
            for answer in answers {
                for action in actions(&step.control, answer) {
                    let (next, state) = dispatch(steps, index, state.clone(), answer, action);
                    let next = &mut reached[next.min(steps.len())];
                    push(next, state);
                    if next.len() > STATE_LIMIT {
                        return true;
                    }
                }
            }
        }
    }
    // At the end only a positive impression with a good status is success.
    reached[steps.len()].iter().any(|state| state.now == Impression::Positive)
}

/// The impression, and with a positive one the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Impression {
    None,
    /// And its status is success.
    Positive,
    /// Positive, and its status is a failure: nothing but `reset` changes that.
    Spoilt,
    Negative,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    now: Impression,
    /// What it was before each of the substacks that are being read.
    saved: Vec<Impression>,
}

fn push(states: &mut Vec<State>, state: State) {
    if !states.contains(&state) {
        states.push(state);
    }
}

/// The index to go on with, and the state there.
fn dispatch(
    steps: &[Step],
    index: usize,
    mut state: State,
    answer: Answer,
    action: Action,
) -> (usize, State) {
    let level = steps[index].level;
    let mut next = index + 1;
    match action {
        Action::Ignore => {}
        Action::Reset => state.now = state.saved.last().copied().unwrap_or(Impression::None),
        Action::Ok | Action::Done => {
            // `ok` on a failing return makes the stack positive with that failure as status.
            if matches!(state.now, Impression::None | Impression::Positive) && answer != Answer::Ignore {
                state.now = match answer {
                    Answer::Success => Impression::Positive,
                    // It is no success of the stack, but modules of their own may take it for one.
                    Answer::NewTokenRequired => Impression::Positive,
                    Answer::Ignore | Answer::Failure => Impression::Spoilt,
                };
            }
            if action == Action::Done && matches!(state.now, Impression::Positive | Impression::Spoilt) {
                next = behind(steps, index, level);
            }
        }
        Action::Bad | Action::Die => {
            state.now = Impression::Negative;
            if action == Action::Die {
                next = behind(steps, index, level);
            }
        }
        Action::Jump(count) => {
            // A substack is jumped over as one.
            let mut left = count;
            while left > 0 && steps.get(next).is_some_and(|step| step.level >= level) {
                next += 1;
                while steps.get(next).is_some_and(|step| step.level > level) {
                    next += 1;
                }
                left -= 1;
            }
            if left > 0 {
                state.now = Impression::Negative;
            }
        }
    }
    (next, state)
}

/// The first step behind the substack that `index` stands in.
fn behind(steps: &[Step], index: usize, level: u8) -> usize {
    let end = steps.iter().skip(index + 1).position(|step| step.level < level);
    end.map_or(steps.len(), |end| index + 1 + end)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::memory::MemoryFiles;

    const DEBIAN: &str = "auth\t[success=1 default=ignore]\tpam_unix.so nullok\n\
                          auth\trequisite\t\t\tpam_deny.so\n\
                          auth\trequired\t\t\tpam_permit.so\n";

    /// Whether a login can succeed with a wrong code, and with a right one.
    fn verdict(common: &str, sshd: &str) -> (bool, bool) {
        let files = MemoryFiles::new().file("/etc/pam.d/common-auth", common).file("/etc/pam.d/sshd", sshd);
        let steps = steps(&files, "sshd", Facility::Auth).unwrap();
        let run = |code: Answer| {
            can_succeed(&steps, |step| match step.module.as_str() {
                "pam_deny.so" => vec![Answer::Failure],
                "pam_permit.so" => vec![Answer::Success],
                "pam_google_authenticator.so" => vec![code],
                _ => vec![Answer::Success, Answer::Ignore, Answer::Failure],
            })
        };
        (run(Answer::Failure), run(Answer::Success))
    }

    #[test]
    fn a_required_module_behind_the_include_is_always_asked() {
        let code = "auth required pam_google_authenticator.so\n";
        for (common, sshd, wanted) in [
            (DEBIAN, format!("@include common-auth\n{code}"), (false, true)),
            (DEBIAN, format!("auth substack common-auth\n{code}"), (false, true)),
            (DEBIAN, format!("auth include common-auth\n{code}"), (false, true)),
            (DEBIAN, code.to_owned(), (false, true)),
            (DEBIAN, "@include common-auth\n".to_owned(), (true, true)),
            // Ends the whole stack, unless it is a substack.
            ("auth sufficient pam_unix.so\n", format!("@include common-auth\n{code}"), (true, true)),
            ("auth sufficient pam_unix.so\n", format!("auth substack common-auth\n{code}"), (false, true)),
            (
                "auth [success=done default=die] pam_unix.so\n",
                format!("@include common-auth\n{code}"),
                (true, true),
            ),
            // Jumps over our module.
            (
                "auth [success=3 default=ignore] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n",
                format!("@include common-auth\n{code}auth required pam_permit.so\n"),
                (true, true),
            ),
            (
                DEBIAN,
                "@include common-auth\nauth optional pam_google_authenticator.so\n".to_owned(),
                (true, true),
            ),
            (
                DEBIAN,
                "@include common-auth\nauth [success=ok default=ignore] pam_google_authenticator.so\n"
                    .to_owned(),
                (true, true),
            ),
            // by-hand's three lines.
            (
                "auth requisite pam_unix.so\nauth requisite pam_google_authenticator.so\n\
              auth [success=1 default=ignore] pam_permit.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n",
                "@include common-auth\n".to_owned(),
                (false, true),
            ),
        ] {
            assert_eq!(verdict(common, &sshd), wanted, "{common}---\n{sshd}");
        }
    }

    #[test]
    fn substacks_are_jumped_over_as_one_and_reset_goes_back_to_what_was_before() {
        let code = "auth required pam_google_authenticator.so\n";
        let verdict = |sshd: &str, inner: &str| {
            let files = MemoryFiles::new().file("/etc/pam.d/inner", inner).file("/etc/pam.d/sshd", sshd);
            can_succeed(&steps(&files, "sshd", Facility::Auth).unwrap(), |step| match step.module.as_str() {
                "pam_permit.so" => vec![Answer::Success],
                "pam_google_authenticator.so" | "pam_deny.so" => vec![Answer::Failure],
                _ => vec![Answer::Success, Answer::Failure],
            })
        };
        let permit = "auth required pam_permit.so\n";
        let jump = "auth [success=1 default=die] pam_unix.so\n";
        assert!(verdict(&format!("{jump}auth substack inner\n{permit}"), &format!("{permit}{code}")));
        assert!(!verdict(&format!("{jump}auth include inner\n{permit}"), &format!("{permit}{code}")));
        let reset = format!("{code}auth [default=reset] pam_env.so\n");
        assert!(verdict(&format!("{permit}auth substack inner\n"), &reset));
        assert!(!verdict("auth substack inner\n", &reset));
        // A line that libpam cannot read is one to jump over, too.
        let sshd = format!(
            "auth [success=2 default=ignore] pam_unix.so\nbogus\nauth requisite pam_deny.so\nauth sufficient pam_permit.so\n{code}"
        );
        assert!(verdict(&sshd, ""));
        // A jump over the end fails.
        assert!(!verdict(&format!("{permit}auth [default=9] pam_env.so\n{permit}"), ""));
    }
}
