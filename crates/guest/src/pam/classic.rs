//! The classic edit of common-auth where no tool manages it: three lines for pam_unix's one.

use super::{Entry, Facility, parse};

/// What became of the edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ThreeLines {
    /// The new text.
    Done(String),
    /// The module is there already (its line, from 1).
    Present(usize),
    /// It cannot be done here, and why.
    Impossible(String),
}

/// Replaces `auth [success=N default=ignore] pam_unix.so ARGUMENTS` by
///
/// ```text
/// auth requisite pam_unix.so ARGUMENTS
/// auth requisite MODULE
/// auth [success=N default=ignore] pam_permit.so
/// ```
///
/// and lengthens the jumps of earlier lines that go over it. Other ways to prove a password beside
/// pam_unix would end with it, so a stack that has them is left alone.
#[must_use]
pub fn three_lines(text: &str, module: &str) -> ThreeLines {
    let auth: Vec<_> = parse(text)
        .into_iter()
        .filter_map(|line| match line.entry {
            Entry::Module { facility: Facility::Auth, control, module, arguments } => {
                Some((line.number, line.height, control, module, arguments))
            }
            _ => None,
        })
        .collect();
    let name = module.split_whitespace().next().unwrap_or_default();
    if let Some((number, ..)) = auth.iter().find(|(_, _, _, found, _)| found.ends_with(name)) {
        return ThreeLines::Present(*number);
    }
    let Some(at) = auth.iter().position(|(_, _, _, found, _)| found.ends_with("pam_unix.so")) else {
        return ThreeLines::Impossible("it has no line with pam_unix.so".to_owned());
    };
    let (number, height, control, unix, arguments) = &auth[at];
    let Some(jump) = success_jump(control) else {
        return ThreeLines::Impossible(format!(
            "line {number}: the control {control} of pam_unix.so is not [success=N default=ignore]"
        ));
    };
    // The lines that a good password jumps over are the fallback; another module there, or a jump
    // to the same place before, is another way to prove the password.
    let skipped = auth.iter().skip(at + 1).take(jump);
    let rival = skipped.chain(&auth[..at]).find(|(_, _, control, module, _)| {
        !module.ends_with("pam_deny.so") && success_jump(control).is_some()
    });
    if let Some((number, _, _, module, _)) = rival {
        return ThreeLines::Impossible(format!(
            "line {number}: {module} is another way to prove the password"
        ));
    }
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let words = arguments.iter().map(|word| format!(" {word}")).collect::<String>();
    let new = [
        format!("auth\trequisite\t\t\t{unix}{words}"),
        format!("auth\trequisite\t\t\t{module}"),
        format!("auth\t{control}\tpam_permit.so"),
    ];
    lines.splice(number - 1..number - 1 + height, new);
    ThreeLines::Done(lines.join("\n") + "\n")
}

/// N of `[success=N default=ignore]`.
fn success_jump(control: &str) -> Option<usize> {
    let inner = control.strip_prefix('[')?.strip_suffix(']')?;
    inner.split_whitespace().find_map(|pair| pair.strip_prefix("success=")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULE: &str = "pam_google_authenticator.so noskewadj";

    #[test]
    fn ubuntu_14_04_gets_the_three_lines() {
        let text = "# x\nauth\t[success=1 default=ignore]\tpam_unix.so nullok_secure\nauth\trequisite\tpam_deny.so\nauth\trequired\tpam_permit.so\n";
        let wanted = "# x\nauth\trequisite\t\t\tpam_unix.so nullok_secure\nauth\trequisite\t\t\tpam_google_authenticator.so noskewadj\n\
                      auth\t[success=1 default=ignore]\tpam_permit.so\nauth\trequisite\tpam_deny.so\nauth\trequired\tpam_permit.so\n";
        assert_eq!(three_lines(text, MODULE), ThreeLines::Done(wanted.to_owned()));
        assert_eq!(three_lines(wanted, MODULE), ThreeLines::Present(3));
    }

    #[test]
    fn other_proofs_are_left_alone() {
        for text in [
            "auth [success=2 default=ignore] pam_unix.so\nauth [success=1 default=ignore] pam_ldap.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n",
            "auth sufficient pam_unix.so\n",
            "auth required pam_permit.so\n",
        ] {
            assert!(matches!(three_lines(text, MODULE), ThreeLines::Impossible(_)), "{text}");
        }
    }
}
