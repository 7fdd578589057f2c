//! The image's files of users and groups, line by line: what a tool would pass over is told, too.

use hardtack_guest::{READ_LIMIT, Stage};
use hardtack_report::Place;

use crate::key_file::{self, Form};
use crate::{Error, merged};

pub(super) const PASSWD: &str = "/etc/passwd";
pub(super) const SHADOW: &str = "/etc/shadow";
pub(super) const GROUP: &str = "/etc/group";
pub(super) const GSHADOW: &str = "/etc/gshadow";

/// Lines that are told of one file; a hostile one could have any number.
pub(super) const TOLD: usize = 50;

/// A line of one of the files.
#[derive(Clone, Debug)]
pub(super) struct Line {
    path: &'static str,
    number: usize,
    fields: Vec<String>,
}

impl Line {
    pub(super) fn field(&self, index: usize) -> &str {
        self.fields.get(index).map_or("", String::as_str)
    }

    pub(super) fn name(&self) -> &str {
        self.field(0)
    }

    /// The third field of passwd and of group.
    pub(super) fn id(&self) -> Option<u32> {
        self.field(2).parse().ok()
    }

    /// The members of a group.
    pub(super) fn members(&self) -> impl Iterator<Item = &str> {
        self.field(3).split(',').filter(|member| !member.is_empty())
    }

    /// The shell of a user; passwd(5): an empty one is /bin/sh.
    pub(super) fn shell(&self) -> &str {
        if self.field(6).is_empty() { "/bin/sh" } else { self.field(6) }
    }

    pub(super) fn place(&self) -> Place {
        Place { path: self.path.to_owned(), line: Some(self.number) }
    }

    /// The name with what is wrong about it.
    pub(super) fn fault(&self, what: impl std::fmt::Display) -> (Place, String) {
        (self.place(), format!("{} {what}", self.name()))
    }
}

/// The lines of a file; none where it is not there. Lines of the network's services (`+`) are nobody of the image's.
pub(super) fn lines(stage: &Stage<'_>, path: &'static str) -> Result<Vec<Line>, Error> {
    let bytes = stage.read_limited(path, READ_LIMIT)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let used =
        text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with(['#', '+', '-']));
    Ok(used
        .map(|(index, line)| Line {
            path,
            number: index + 1,
            fields: line.split(':').map(str::to_owned).collect(),
        })
        .collect())
}

/// A number of login.defs.
pub(super) fn login_defs(stage: &Stage<'_>, key: &str) -> Option<String> {
    let path = "/etc/login.defs";
    let text = merged::text(stage, path)?;
    Some(key_file::all(Form::Blank, path, &text, key).pop()?.value)
}

/// The lowest number of people's accounts.
pub(super) fn first_person(stage: &Stage<'_>) -> u32 {
    login_defs(stage, "UID_MIN").and_then(|value| value.parse().ok()).unwrap_or(1000)
}

/// nobody's number.
const NOBODY: u32 = 65_534;

/// The account of a person, who gets a shell.
pub(super) fn is_person(user: &Line, first: u32) -> bool {
    user.id().is_some_and(|id| id >= first && id < NOBODY) && !is_closed(user.shell())
}

/// A shell that ends at once.
pub(super) fn is_closed(shell: &str) -> bool {
    matches!(shell.rsplit('/').next(), Some("nologin" | "false"))
}
