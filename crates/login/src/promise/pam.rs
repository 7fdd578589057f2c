//! PAM's part of a promise.

use super::{About, Found, Promise, ServicePromise};
use crate::files::{self, Files, Kind};
use crate::pam::{Answer, Facility, PASSWORD_MODULES, Step, can_succeed, service_path, steps};
use crate::sshd::Place;

/// The module that asks for one-time codes.
pub const CODES: &str = "pam_google_authenticator.so";

/// What a line of the module may have beside `noskewadj`: nothing that changes who is asked, for what, or by
/// which file.
const HARMLESS_ARGUMENTS: &[&str] =
    &["noskewadj", "debug", "echo_verification_code", "echo-verification-code"];

/// Where lines of PAM stand: services, and the profiles that make some of them.
const FOLDERS: &[&str] = &["/etc/pam.d", "/usr/lib/pam.d", "/usr/share/pam-configs"];

/// A file of PAM is no longer than this.
const LARGEST: u64 = 1 << 20;

/// The file of the module that asks for codes, where PAM finds it.
///
/// # Errors
/// A directory cannot be read.
pub fn module_path<F: Files>(files: &F) -> Result<Option<String>, F::Error> {
    for base in ["/lib", "/usr/lib", "/lib64", "/usr/lib64"] {
        if files.kind(base)? != Some(Kind::Directory) {
            continue;
        }
        let mut folders = vec![format!("{base}/security")];
        let multiarch = files.names(base)?.into_iter().filter(|name| name.contains("-linux-gnu"));
        folders.extend(multiarch.map(|name| format!("{base}/{name}/security")));
        for folder in folders {
            let path = format!("{folder}/{CODES}");
            if files.kind(&path)?.is_some() {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

/// Whether nobody gets through the service `service` without a code, and without a password; `None` where the
/// service is missing, or lets nobody through.
///
/// # Errors
/// Its files cannot be read.
pub fn asks_for_code<F: Files>(files: &F, service: &str) -> Result<Option<(bool, bool)>, F::Error> {
    if service_path(files, service)?.is_none() {
        return Ok(None);
    }
    let stack = Stack { service, steps: &steps(files, service, Facility::Auth)? };
    let open = stack.succeeds(&|_| false, None);
    Ok(open.then(|| (!stack.succeeds(&is_code, None), !stack.succeeds(&is_password, None))))
}

pub(super) fn check<F: Files>(promise: &Promise, files: &F, found: &mut Found<'_>) -> Result<(), F::Error> {
    if promise.services.iter().any(|service| service.code) {
        nullok(files, found)?;
        if module_path(files)?.is_none() {
            let what = format!("{CODES} is nowhere: PAM refuses everybody that it is to ask for a code");
            found.add(About::Pam, None, what, "install libpam-google-authenticator again");
        }
    }
    for promised in &promise.services {
        let name = &promised.service;
        if service_path(files, name)?.is_none() {
            let what = format!("/etc/pam.d/{name} is missing: PAM asks what /etc/pam.d/other says");
            found.add(About::Pam, None, what, "restore the file");
            continue;
        }
        let steps = steps(files, name, Facility::Auth)?;
        Stack { service: name, steps: &steps }.check(promised, found);
    }
    Ok(())
}

/// `nullok` on the module lets users without a secret through.
fn nullok<F: Files>(files: &F, found: &mut Found<'_>) -> Result<(), F::Error> {
    for directory in FOLDERS {
        if files.kind(directory)? != Some(Kind::Directory) {
            continue;
        }
        for name in files.names(directory)? {
            // What package managers and editors leave there is no service.
            if [".dpkg-", ".ucf-", ".rpm", ".pam-"].iter().any(|part| name.contains(part))
                || name.ends_with('~')
            {
                continue;
            }
            let path = format!("{directory}/{name}");
            let text = files::content(files, &path, LARGEST)?;
            for (index, line) in String::from_utf8_lossy(&text).lines().enumerate() {
                let line = line.split('#').next().unwrap_or_default();
                if line.contains("pam_google_authenticator") && line.split_whitespace().any(|w| w == "nullok")
                {
                    let place = Place { file: path.clone(), line: index + 1 };
                    let what = format!(
                        "{}: nullok on {CODES} lets everybody in who has no secret",
                        found.at(&place)
                    );
                    found.add(About::Pam, Some(&place), what, "take the word out");
                }
            }
        }
    }
    Ok(())
}

fn is_code(step: &Step) -> bool {
    step.module == CODES
}

fn is_password(step: &Step) -> bool {
    PASSWORD_MODULES.contains(&step.module.as_str())
}

/// The auth stack of a service.
struct Stack<'s> {
    service: &'s str,
    steps: &'s [Step],
}

impl Stack<'_> {
    fn check(&self, promised: &ServicePromise, found: &mut Found<'_>) {
        let service = self.service;
        if promised.locked {
            let denied = self
                .steps
                .first()
                .is_some_and(|step| step.module == "pam_deny.so" && step.control == "requisite");
            if !denied {
                let what = format!("/etc/pam.d/{service}: console: locked is not in force");
                found.add(About::Pam, None, what, "restore the file");
            }
            return;
        }
        if promised.code {
            self.code(found);
        }
        if promised.password {
            if !self.steps.iter().any(is_password) {
                let what = format!("/etc/pam.d/{service} asks for no password");
                found.add(About::Pam, None, what, "restore the file");
            } else if self.succeeds(&is_password, None) {
                let (culprit, place) = self.culprit(&is_password, found);
                let what = format!("{culprit} lets {service} succeed without the password");
                found.add(About::Pam, place.as_ref(), what, "restore the file");
            }
            for step in self.steps.iter().filter(|step| is_password(step)) {
                self.stranger(step, found);
            }
        }
        if !self.succeeds(&|_| false, None) {
            let what = format!("/etc/pam.d/{service} refuses everybody");
            found.add(About::Pam, None, what, "restore the file");
        }
    }

    fn code(&self, found: &mut Found<'_>) {
        let service = self.service;
        let mut asked = self.steps.iter().filter(|step| is_code(step));
        let Some(line) = asked.next() else {
            let what = format!("/etc/pam.d/{service} asks for no code");
            found.add(About::Pam, None, what, "restore the file, or take out what came in its place");
            return;
        };
        own_line(line, found);
        self.stranger(line, found);
        if let Some(second) = asked.next() {
            let place = second.place();
            let what = format!("{}: {CODES} is asked a second time", found.at(&place));
            found.add(About::Pam, Some(&place), what, "a code works once: nobody could log in");
        }
        if !line.arguments.iter().any(|word| word == "noskewadj") {
            let place = line.place();
            let what = format!("{}: {CODES} without noskewadj takes old codes", found.at(&place));
            found.add(About::Pam, Some(&place), what, "add noskewadj there");
        }
        if self.succeeds(&is_code, None) {
            let (culprit, place) = self.culprit(&is_code, found);
            let what = format!("{culprit} lets {service} succeed without the code");
            found.add(
                About::Pam,
                place.as_ref(),
                what,
                "restore the package's file, or put the code in by hand",
            );
        }
    }

    /// A module of the name that counts, from a directory of somebody's own.
    fn stranger(&self, step: &Step, found: &mut Found<'_>) {
        if !is_usual(step) {
            let place = step.place();
            let what = format!("{}: {} is not the module of the package", found.at(&place), step.written);
            found.add(About::Pam, Some(&place), what, "take the line out");
        }
    }

    /// Whether the stack can end in success when the modules that `wrong` names fail, and so does the line
    /// `never`.
    fn succeeds(&self, wrong: &dyn Fn(&Step) -> bool, never: Option<usize>) -> bool {
        // Who calls su or sudo is not root; sshd and login are.
        let by_root = matches!(self.service, "sshd" | "login" | "common-auth");
        can_succeed(self.steps, |step| {
            let never =
                never.and_then(|index| self.steps.get(index)).is_some_and(|never| std::ptr::eq(never, step));
            let others = is_usual(step)
                && (step.module == "pam_deny.so" || (step.module == "pam_rootok.so" && !by_root));
            if others || wrong(step) || never {
                vec![Answer::Failure]
            } else if step.module == "pam_permit.so" || step.module == CODES {
                vec![Answer::Success]
            } else {
                vec![Answer::Success, Answer::NewTokenRequired, Answer::Ignore, Answer::Failure]
            }
        })
    }

    /// Of the lines that can end the stack or jump, the last one without which nothing is wrong.
    fn culprit(&self, wrong: &dyn Fn(&Step) -> bool, found: &Found<'_>) -> (String, Option<Place>) {
        let index = (0..self.steps.len())
            .rev()
            .filter(|&index| {
                let control = &self.steps[index].control;
                control == "sufficient" || control.starts_with('[')
            })
            .find(|&index| !self.succeeds(wrong, Some(index)));
        match index.and_then(|index| self.steps.get(index)) {
            Some(step) => {
                let place = step.place();
                (format!("{}: {} ({})", found.at(&place), step.module, step.control), Some(place))
            }
            None => (format!("/etc/pam.d/{}", self.service), None),
        }
    }
}

/// Whether the module is one of those that packages bring.
fn is_usual(step: &Step) -> bool {
    let folder = step.written.rsplit_once('/').map_or("", |(folder, _)| folder);
    let parts = || folder.split('/');
    folder.is_empty()
        || ((folder.starts_with("/lib") || folder.starts_with("/usr/lib"))
            && parts().next_back() == Some("security")
            && !parts().any(|part| part == ".."))
}

/// A line of the module that changes what is asked.
fn own_line(step: &Step, found: &mut Found<'_>) {
    if let Some((what, hint)) = own_line_fault(step, &found.at(&step.place())) {
        // Told already.
        if !step.arguments.iter().any(|word| word == "nullok") {
            found.add(About::Pam, Some(&step.place()), what, hint);
        }
    }
}

/// Why a hand-written line of the module may not stay, and what to do.
#[must_use]
pub fn own_line_fault(step: &Step, shown: &Place) -> Option<(String, &'static str)> {
    if !matches!(step.control.as_str(), "required" | "requisite") {
        return Some((format!("{shown}: {CODES} is {}, not required", step.control), ""));
    }
    let word = step.arguments.iter().find(|word| !HARMLESS_ARGUMENTS.contains(&word.as_str()))?;
    let what =
        format!("{shown}: {CODES} has the option {word}, which changes what is asked or where the secret is");
    Some((what, "take the line out"))
}
