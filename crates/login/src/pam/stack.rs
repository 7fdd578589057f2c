//! PAM service files: lines, includes, and what a stack can answer.
//!
//! Syntax from pam.conf(5) and libpam's `pam_handlers.c`, the dispatch from `pam_dispatch.c`.

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

/// Lines that one stack can have.
const LINE_LIMIT: usize = 1000;

/// Which of the four stacks a line belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Facility {
    /// Who is it.
    Auth,
    /// May they.
    Account,
    /// Changing the password.
    Password,
    /// Before and after.
    Session,
}

impl Facility {
    fn parse(word: &str) -> Option<Self> {
        let word = word.strip_prefix('-').unwrap_or(word);
        [
            ("auth", Self::Auth),
            ("account", Self::Account),
            ("password", Self::Password),
            ("session", Self::Session),
        ]
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(word))
        .map(|(_, facility)| facility)
    }
}

/// What a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// `auth required pam_x.so args`.
    Module {
        /// The stack.
        facility: Facility,
        /// The control as written ("required", "[success=1 default=ignore]").
        control: String,
        /// The module as written.
        module: String,
        /// Its arguments.
        arguments: Vec<String>,
    },
    /// `auth include X`, `auth substack X`, `@include X` (no facility).
    Include {
        /// `None`: all of them.
        facility: Option<Facility>,
        /// A substack keeps `done` and `die` to itself.
        substack: bool,
        /// The service.
        service: String,
    },
}

/// One logical line with what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The physical line it starts on, from 1.
    pub number: usize,
    /// How many physical lines it takes (backslash at the end).
    pub height: usize,
    /// What it says.
    pub entry: Entry,
}

/// The lines of a service file. Comments, empty lines and what PAM cannot read are left out.
#[must_use]
pub fn parse(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut physical = text.lines().enumerate();
    while let Some((index, first)) = physical.next() {
        let mut logical = uncomment(first).to_owned();
        let mut height = 1;
        while logical.ends_with('\\') {
            logical.pop();
            logical.push(' ');
            let Some((_, more)) = physical.next() else { break };
            logical.push_str(uncomment(more));
            height += 1;
        }
        if let Some(entry) = parse_entry(&logical) {
            lines.push(Line { number: index + 1, height, entry });
        }
    }
    lines
}

fn uncomment(line: &str) -> &str {
    line.split_once('#').map_or(line, |(before, _)| before).trim_end()
}

fn parse_entry(line: &str) -> Option<Entry> {
    let mut words = words(line).into_iter();
    let first = words.next()?;
    if first.eq_ignore_ascii_case("@include") {
        return Some(Entry::Include { facility: None, substack: false, service: words.next()? });
    }
    let facility = Facility::parse(&first)?;
    let control = words.next()?;
    let module = words.next()?;
    Some(match control.to_ascii_lowercase().as_str() {
        "include" => Entry::Include { facility: Some(facility), substack: false, service: module },
        "substack" => Entry::Include { facility: Some(facility), substack: true, service: module },
        _ => Entry::Module { facility, control, module, arguments: words.collect() },
    })
}

/// Splits at blanks; `[…]` is one word.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let end = if rest.starts_with('[') {
            rest.find(']').map_or(rest.len(), |end| end + 1)
        } else {
            rest.find(char::is_whitespace).unwrap_or(rest.len())
        };
        words.push(rest[..end].to_owned());
        rest = rest[end..].trim_start();
    }
    words
}

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
    /// Numbers of the substacks around it, outermost first.
    substacks: Vec<usize>,
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
    let mut flat = Flat { files, facility, steps: Vec::new(), substacks: 0 };
    flat.read(service, &[], 0)?;
    Ok(flat.steps)
}

struct Flat<'f, F> {
    files: &'f F,
    facility: Facility,
    steps: Vec<Step>,
    substacks: usize,
}

impl<F: Files> Flat<'_, F> {
    fn read(&mut self, service: &str, around: &[usize], depth: usize) -> Result<(), F::Error> {
        let missing = || Fault {
            path: format!("/etc/pam.d/{service}"),
            line: None,
            what: "no such file or directory".to_owned(),
        };
        let path = service_path(self.files, service)?.ok_or_else(missing)?;
        let refuse =
            |line: usize, what: &str| Fault { path: path.clone(), line: Some(line), what: what.to_owned() };
        let text = self.files.read(&path, LARGEST)?.unwrap_or_default();
        for line in parse(&String::from_utf8_lossy(&text)) {
            match line.entry {
                Entry::Module { facility, control, module, arguments } if facility == self.facility => {
                    if self.steps.len() >= LINE_LIMIT {
                        return Err(refuse(line.number, "the stack has more than 1000 modules").into());
                    }
                    if control.len() > CONTROL_LIMIT {
                        return Err(refuse(line.number, "the control is too long").into());
                    }
                    self.steps.push(Step {
                        file: path.clone(),
                        line: line.number,
                        control,
                        module: module.rsplit('/').next().unwrap_or_default().to_owned(),
                        written: module,
                        arguments,
                        substacks: around.to_vec(),
                    });
                }
                Entry::Include { facility, substack, service }
                    if facility.is_none_or(|f| f == self.facility) =>
                {
                    if depth >= DEPTH_LIMIT {
                        return Err(refuse(line.number, "includes go deeper than 16 levels").into());
                    }
                    let mut inner = around.to_vec();
                    if substack {
                        self.substacks += 1;
                        inner.push(self.substacks);
                    }
                    self.read(&service, &inner, depth + 1)?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// What a module may return, as far as a stack's verdict goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `PAM_SUCCESS`.
    Success,
    /// `PAM_IGNORE`.
    Ignore,
    /// `PAM_NEW_AUTHTOK_REQD`, which counts as success for `required` and `sufficient`.
    NewTokenRequired,
    /// Any failure.
    Failure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Ignore,
    Ok,
    Done,
    Bad,
    Die,
    Reset,
    Jump(usize),
}

/// Whether the stack can end in success when each module answers with one of what `answers` says.
/// A proof of "no" covers every order of events; a "yes" only says that the path exists.
#[must_use]
pub fn can_succeed(steps: &[Step], answers: impl Fn(&Step) -> Vec<Answer>) -> bool {
    // Impression and status of the stack so far, for each step that can be reached.
    let mut reached: Vec<Vec<State>> = vec![Vec::new(); steps.len() + 1];
    push(&mut reached[0], State { impression: Impression::None, good: false });
    for (index, step) in steps.iter().enumerate() {
        for state in std::mem::take(&mut reached[index]) {
            for answer in answers(step) {
                for action in actions(&step.control, answer) {
                    let (next, state) = dispatch(steps, index, state, answer, action);
                    match next {
                        Some(next) => push(&mut reached[next.min(steps.len())], state),
                        None => push(&mut reached[steps.len()], state),
                    }
                }
            }
        }
    }
    // At the end only a positive impression with a good status is success.
    reached[steps.len()].iter().any(|state| state.impression == Impression::Positive && state.good)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Impression {
    None,
    Positive,
    Negative,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    impression: Impression,
    good: bool,
}

fn push(states: &mut Vec<State>, state: State) {
    if !states.contains(&state) {
        states.push(state);
    }
}

/// The index to go on with, `None` at the end of everything.
fn dispatch(
    steps: &[Step],
    index: usize,
    mut state: State,
    answer: Answer,
    action: Action,
) -> (Option<usize>, State) {
    let good = matches!(answer, Answer::Success | Answer::NewTokenRequired);
    let mut next = Some(index + 1);
    match action {
        Action::Ignore => {}
        Action::Reset => state = State { impression: Impression::None, good: false },
        Action::Ok | Action::Done => {
            if state.impression == Impression::None
                || (state.impression == Impression::Positive && state.good)
            {
                // `ok` on a failing return makes the stack positive with that failure as status.
                if answer != Answer::Ignore {
                    state = State { impression: Impression::Positive, good };
                }
            }
            if action == Action::Done && state.impression == Impression::Positive {
                next = after_substack(steps, index);
            }
        }
        Action::Bad | Action::Die => {
            if state.impression != Impression::Negative {
                state = State { impression: Impression::Negative, good: false };
            }
            if action == Action::Die {
                next = after_substack(steps, index);
            }
        }
        Action::Jump(count) => {
            // A jump over the end is an error of the stack: counted as an end without more.
            let inside = |other: &&Step| other.substacks.starts_with(&steps[index].substacks);
            let mut left = count;
            let mut target = index + 1;
            while left > 0 && target < steps.len() {
                if steps.get(target).as_ref().is_some_and(inside) {
                    left -= 1;
                }
                target += 1;
            }
            next = Some(target);
        }
    }
    (next, state)
}

/// The first step behind the innermost substack of `index`; `None` outside of substacks.
fn after_substack(steps: &[Step], index: usize) -> Option<usize> {
    let substack = *steps[index].substacks.last()?;
    Some(
        (index + 1..steps.len())
            .find(|&next| !steps[next].substacks.contains(&substack))
            .unwrap_or(steps.len()),
    )
}

/// What the control makes of an answer. A failure can be any of PAM's codes, so that every token
/// of a bracket that is not a success counts, and the default.
fn actions(control: &str, answer: Answer) -> Vec<Action> {
    let simple = |success, ignore, failure| match answer {
        Answer::Success | Answer::NewTokenRequired => vec![success],
        Answer::Ignore => vec![ignore],
        Answer::Failure => vec![failure],
    };
    match control.to_ascii_lowercase().as_str() {
        "required" => return simple(Action::Ok, Action::Ignore, Action::Bad),
        "requisite" => return simple(Action::Ok, Action::Ignore, Action::Die),
        "optional" => return simple(Action::Ok, Action::Ignore, Action::Ignore),
        "sufficient" => return simple(Action::Done, Action::Ignore, Action::Ignore),
        _ => {}
    }
    let pairs: Vec<(String, Action)> = control
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_ascii_lowercase()
        .split_whitespace()
        .filter_map(|pair| {
            let (token, action) = pair.split_once('=')?;
            Some((token.to_owned(), action_of(action)))
        })
        .collect();
    let of = |wanted: &str| pairs.iter().find(|(token, _)| token == wanted).map(|(_, action)| *action);
    // Tokens that are not named, and no default: bad.
    let default = of("default").unwrap_or(Action::Bad);
    match answer {
        Answer::Success => vec![of("success").unwrap_or(default)],
        Answer::NewTokenRequired => vec![of("new_authtok_reqd").unwrap_or(default)],
        Answer::Ignore => vec![of("ignore").unwrap_or(default)],
        Answer::Failure => {
            let named = pairs
                .iter()
                .filter(|(token, _)| {
                    !matches!(token.as_str(), "success" | "new_authtok_reqd" | "ignore" | "default")
                })
                .map(|(_, action)| *action);
            named.chain([default]).collect()
        }
    }
}

fn action_of(text: &str) -> Action {
    match text {
        "ignore" => Action::Ignore,
        "ok" => Action::Ok,
        "done" => Action::Done,
        "die" => Action::Die,
        "reset" => Action::Reset,
        number => number.parse().map_or(Action::Bad, Action::Jump),
    }
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
    fn lines_are_read_as_libpam_reads_them() {
        let lines = parse(
            "# x\nauth\t[success=1 default=ignore]\tpam_a.so one # two\n-session optional /lib/pam_b.so \\\n  three\n@include common-auth\nnonsense\n",
        );
        assert_eq!(lines.len(), 3);
        assert_eq!((lines[1].number, lines[1].height, lines[2].number), (3, 2, 5));
        let Entry::Module { control, arguments, .. } = &lines[0].entry else { panic!("{lines:?}") };
        assert_eq!(
            (control.as_str(), &arguments[..]),
            ("[success=1 default=ignore]", &["one".to_owned()][..])
        );
    }
}
