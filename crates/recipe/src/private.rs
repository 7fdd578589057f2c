//! What of the image's files may be shown: what everybody in the guest may read, and nothing else.
//!
//! Plans and judgements are printed, kept and sent around; a host key or a seed in one is lost.

use hardtack_guest::{Error, FileType, GuestPath, Metadata, Stage};

use crate::REDACTED;

/// The databases whose lines are shown without the field that holds the password.
const PASSWORDS: [&str; 4] = ["/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-"];

/// Whether `path` is such a database.
pub(crate) fn holds_passwords(path: &GuestPath) -> bool {
    PASSWORDS.contains(&path.as_str())
}

/// Such a line, after the sign of a difference, without the password: any text that is not one of the marks of an
/// account without one.
pub(crate) fn without_password(line: &str) -> String {
    let mut fields: Vec<&str> = line.split(':').collect();
    if let Some(field) = fields.get_mut(1).filter(|field| !["", "!", "*", "!!", "!*", "x"].contains(*field)) {
        *field = REDACTED;
    }
    fields.join(":")
}

/// Why the content of `path` is not shown: not everybody may read it, before or after. `None` when
/// everybody may, or when it is shown without passwords.
pub(crate) fn withheld(
    stage: &Stage<'_>,
    path: &GuestPath,
    states: [Option<Metadata>; 2],
) -> Result<Option<String>, Error> {
    // What a file held before is not of this recipe.
    let is_new = states[0].is_none();
    if holds_passwords(path) || is_new && stage.may_be_shown(path) {
        return Ok(None);
    }
    let mut modes = states.into_iter().flatten().filter(|found| found.kind == FileType::Regular);
    if let Some(private) = modes.find(|found| found.mode & 0o004 == 0) {
        return Ok(Some(format!("{:04o}", private.mode)));
    }
    let mut above = path.parent();
    while let Some(directory) = above {
        for found in
            [stage.original_stat(&directory)?, stage.lstat(directory.as_str())?].into_iter().flatten()
        {
            if found.kind == FileType::Directory && found.mode & 0o001 == 0 {
                return Ok(Some(format!("{directory} is {:04o}", found.mode)));
            }
        }
        above = directory.parent();
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_of_any_kind_goes_and_marks_stay() {
        assert_eq!(without_password("a:abJnggxhB/yWI:1::"), format!("a:{REDACTED}:1::"));
        assert_eq!(without_password("a:!:1::"), "a:!:1::");
        assert_eq!(without_password("a"), "a");
    }
}
