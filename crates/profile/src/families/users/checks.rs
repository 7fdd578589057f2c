//! What must hold of users and groups.

use std::collections::{HashMap, HashSet};

use hardtack_report::Place;

use super::database::{
    GROUP, GSHADOW, Line, PASSWD, SHADOW, TOLD, first_person, is_closed, lines, login_defs,
};
use crate::{Error, Finding, Measure, View, merged};

/// What is wrong, and where.
type Faults = Vec<(Place, String)>;

/// Looks at the files.
pub(super) struct Look(pub(super) fn(&View<'_>) -> Result<Faults, Error>);

impl Measure for Look {
    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if view.stage.stat(PASSWD)?.is_none() {
            return Ok(Finding::NotApplicable(format!("the image has no {PASSWD}")));
        }
        let mut faults = (self.0)(view)?;
        let more = faults.len().saturating_sub(TOLD);
        faults.truncate(TOLD);
        if let Some((_, what)) = faults.last_mut().filter(|_| more > 0) {
            what.push_str(&format!("; and {more} more"));
        }
        Ok(Finding::of(faults))
    }
}

fn each(lines: Vec<Line>, look: impl Fn(&Line) -> Option<String>) -> Faults {
    lines.iter().filter_map(|line| Some(line.fault(look(line)?))).collect()
}

pub(super) fn uid0(view: &View<'_>) -> Result<Faults, Error> {
    Ok(each(lines(view.stage, PASSWD)?, |user| {
        (user.id() == Some(0) && user.name() != "root")
            .then(|| "has the user number 0: it is root".to_owned())
    }))
}

pub(super) fn gid0_users(view: &View<'_>) -> Result<Faults, Error> {
    let exempt = ["root", "sync", "shutdown", "halt", "operator"];
    Ok(each(lines(view.stage, PASSWD)?, |user| {
        let is_root = user.field(3).parse() == Ok(0_u32);
        (is_root && !exempt.contains(&user.name())).then(|| "has root's group for its own".to_owned())
    }))
}

pub(super) fn gid0_group(view: &View<'_>) -> Result<Faults, Error> {
    Ok(each(lines(view.stage, GROUP)?, |group| {
        (group.id() == Some(0) && group.name() != "root").then(|| "has the group number 0".to_owned())
    }))
}

pub(super) fn root_path(view: &View<'_>) -> Result<Faults, Error> {
    let mut found: Vec<(Place, String)> = Vec::new();
    let defs = "/etc/login.defs";
    if let Some(value) = login_defs(view.stage, "ENV_SUPATH") {
        found.push((Place::file(defs), value));
    }
    for path in ["/root/.profile", "/root/.bash_profile", "/root/.bashrc"] {
        for (index, line) in merged::text(view.stage, path).unwrap_or_default().lines().enumerate() {
            let line = line.trim();
            let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
            if line.starts_with("PATH=") {
                found.push((Place { path: path.to_owned(), line: Some(index + 1) }, line.to_owned()));
            }
        }
    }
    let mut faults = Vec::new();
    for (place, value) in found {
        let value = value.strip_prefix("PATH=").unwrap_or(&value);
        let value = value.split([';', '#']).next().unwrap_or_default().trim().replace(['"', '\''], "");
        for directory in value.split(':') {
            if let Some(what) = path_fault(view, directory)? {
                faults.push((place.clone(), what));
            }
        }
    }
    Ok(faults)
}

/// What is wrong with a directory of root's PATH.
fn path_fault(view: &View<'_>, directory: &str) -> Result<Option<String>, Error> {
    if directory.starts_with(['$', '~']) {
        return Ok(None);
    }
    if directory.is_empty() || !directory.starts_with('/') {
        return Ok(Some(format!(
            "root's PATH has {directory:?}: where root stands, somebody else's program would run"
        )));
    }
    let Some(found) = view.stage.stat(directory)? else {
        return Ok(Some(format!("root's PATH has {directory}, which is missing")));
    };
    Ok(if found.kind != hardtack_guest::FileType::Directory {
        Some(format!("root's PATH has {directory}, which is no directory"))
    } else if found.uid != 0 {
        Some(format!("root's PATH has {directory}, which belongs to user {}", found.uid))
    } else if found.mode & 0o022 != 0 && (found.gid != 0 || found.mode & 0o002 != 0) {
        Some(format!("root's PATH has {directory}, which others can write to ({:04o})", found.mode))
    } else {
        None
    })
}

pub(super) fn system_shells(view: &View<'_>) -> Result<Faults, Error> {
    let first = first_person(view.stage);
    let exempt = ["root", "sync", "shutdown", "halt"];
    Ok(each(lines(view.stage, PASSWD)?, |user| {
        let is_system = user.id().is_some_and(|id| id < first || id == 65_534);
        (is_system && !exempt.contains(&user.name()) && !is_closed(user.shell()))
            .then(|| format!("is no person, and has the shell {}", user.shell()))
    }))
}

pub(super) fn no_shell_locked(view: &View<'_>) -> Result<Faults, Error> {
    let text = merged::text(view.stage, "/etc/shells").unwrap_or_default();
    let shells: HashSet<&str> = text.lines().map(str::trim).filter(|line| line.starts_with('/')).collect();
    let passwords: HashMap<String, String> = lines(view.stage, SHADOW)?
        .iter()
        .map(|line| (line.name().to_owned(), line.field(1).to_owned()))
        .collect();
    Ok(each(lines(view.stage, PASSWD)?, |user| {
        let open = passwords.get(user.name()).is_some_and(|field| !field.starts_with(['!', '*']));
        let no_shell = !shells.contains(user.shell()) || is_closed(user.shell());
        (no_shell && open && user.name() != "root")
            .then(|| "has no shell, and a password that is not locked".to_owned())
    }))
}

pub(super) fn shadowed(view: &View<'_>) -> Result<Faults, Error> {
    Ok(each(lines(view.stage, PASSWD)?, |user| {
        (user.field(1) != "x").then(|| "has its password in a file that everybody reads".to_owned())
    }))
}

pub(super) fn no_empty_password(view: &View<'_>) -> Result<Faults, Error> {
    Ok(each(lines(view.stage, SHADOW)?, |line| {
        line.field(1).is_empty().then(|| "needs no password".to_owned())
    }))
}

pub(super) fn groups_exist(view: &View<'_>) -> Result<Faults, Error> {
    let groups: HashSet<u32> = lines(view.stage, GROUP)?.iter().filter_map(Line::id).collect();
    Ok(each(lines(view.stage, PASSWD)?, |user| match user.field(3).parse::<u32>() {
        Ok(gid) if groups.contains(&gid) => None,
        _ => Some(format!("is in group {}, which is missing", user.field(3))),
    }))
}

pub(super) fn shadow_group_empty(view: &View<'_>) -> Result<Faults, Error> {
    let groups = lines(view.stage, GROUP)?;
    let Some(group) = groups.iter().find(|group| group.name() == "shadow") else { return Ok(Vec::new()) };
    let mut faults: Faults =
        group.members().map(|member| (group.place(), format!("{member} is in the group shadow"))).collect();
    faults.extend(each(lines(view.stage, PASSWD)?, |user| {
        (group.id().is_some() && user.field(3).parse().ok() == group.id())
            .then(|| "has the group shadow for its own".to_owned())
    }));
    Ok(faults)
}

/// The same value twice in a file.
fn twice(view: &View<'_>, path: &'static str, field: usize, what: &str) -> Result<Faults, Error> {
    let mut seen: HashMap<String, String> = HashMap::new();
    let mut faults = Vec::new();
    for line in lines(view.stage, path)? {
        let text = line.field(field);
        // The system reads 00 as 0.
        let number = (field == 2).then(|| text.parse::<u32>().ok()).flatten();
        let value = number.map_or_else(|| text.to_owned(), |number| number.to_string());
        match seen.get(&value) {
            Some(other) => faults.push(line.fault(format!("has the {what} {value}, as {other} has"))),
            None => {
                seen.insert(value, line.name().to_owned());
            }
        }
    }
    Ok(faults)
}

pub(super) fn dup_uid(view: &View<'_>) -> Result<Faults, Error> {
    twice(view, PASSWD, 2, "number")
}

pub(super) fn dup_gid(view: &View<'_>) -> Result<Faults, Error> {
    twice(view, GROUP, 2, "number")
}

pub(super) fn dup_user(view: &View<'_>) -> Result<Faults, Error> {
    twice(view, PASSWD, 0, "name")
}

pub(super) fn dup_group(view: &View<'_>) -> Result<Faults, Error> {
    twice(view, GROUP, 0, "name")
}

/// What grpck(8) complains about.
pub(super) fn group_gshadow(view: &View<'_>) -> Result<Faults, Error> {
    let groups = lines(view.stage, GROUP)?;
    let users: HashSet<String> =
        lines(view.stage, PASSWD)?.iter().map(|user| user.name().to_owned()).collect();
    let mut faults = Vec::new();
    for group in &groups {
        for member in group.members().filter(|member| !users.contains(*member)) {
            faults.push(group.fault(format!("has the member {member}, who is no user")));
        }
    }
    if view.stage.stat(GSHADOW)?.is_none() {
        return Ok(faults);
    }
    let shadows = lines(view.stage, GSHADOW)?;
    let names = |lines: &[Line]| lines.iter().map(|line| line.name().to_owned()).collect::<HashSet<_>>();
    let (in_group, in_shadow) = (names(&groups), names(&shadows));
    let missing = groups.iter().filter(|group| !in_shadow.contains(group.name()));
    faults.extend(missing.map(|group| group.fault(format!("has no line in {GSHADOW}"))));
    let extra = shadows.iter().filter(|group| !in_group.contains(group.name()));
    faults.extend(extra.map(|group| group.fault(format!("has no line in {GROUP}"))));
    Ok(faults)
}
