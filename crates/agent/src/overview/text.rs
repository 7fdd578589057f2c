//! The overview for people, in 80 columns.

use super::{Overview, State};
use crate::guard::Verdict;

const WIDTH: usize = 80;
/// Where the second column begins.
const INDENT: usize = 12;

/// The whole text.
pub(super) fn write(overview: &Overview) -> String {
    let mut out = String::new();
    let state = match overview.state {
        State::Done => "done, and all is well",
        State::Failed => "NOT WELL",
        State::Running => "the boot has not ended",
        State::Unknown => "only root sees everything: run it with sudo",
    };
    row(&mut out, "state", state);
    for problem in &overview.problems {
        row(&mut out, "", &format!("- {problem}"));
    }
    if overview.partial && overview.state != State::Unknown {
        row(&mut out, "", "only root sees everything: run it with sudo");
    }
    let name = overview
        .instance_id
        .as_deref()
        .map_or_else(|| overview.hostname.clone(), |instance| format!("{} ({instance})", overview.hostname));
    row(&mut out, "machine", &name);
    for unit in overview.units.iter().filter(|unit| unit.is_pending()) {
        row(&mut out, "waiting for", &format!("{} ({})", unit.name, unit.state));
    }
    if let Some(packages) = &overview.packages {
        row(&mut out, "packages", &packages.detail);
    }
    for (index, task) in overview.tasks.iter().filter(|task| !task.is_wrong()).enumerate() {
        row(&mut out, if index == 0 { "tasks" } else { "" }, &task.text());
    }
    user_data(&mut out, overview);
    enrolment(&mut out, overview);
    if let Some(guard) = &overview.guard {
        let verdict = match guard.verdict {
            Verdict::Holds => "logins ask for what was promised",
            Verdict::Weaker => "LOGINS ASK FOR LESS THAN WAS PROMISED",
            Verdict::Unknown => "nobody has promised anything that can be judged",
        };
        row(&mut out, "logins", &format!("{verdict} (judged {})", guard.time));
        let done = match (guard.ssh_held, guard.action.as_str()) {
            (true, _) => "SSH is stopped and does not start",
            (false, "warned") => "on_drift: warn, so SSH runs",
            _ => "",
        };
        row(&mut out, "", done);
        for note in &guard.notes {
            row(&mut out, "", note);
        }
    }
    for door in &overview.doors {
        row(&mut out, "door", door);
    }
    let overlay = &overview.overlay;
    let found = match (&overlay.found, &overlay.device) {
        (None, _) => "none".to_owned(),
        (Some(kind), None) => kind.clone(),
        (Some(kind), Some(device)) => format!("{kind} on {device}"),
    };
    if overlay.promised.is_some() || overlay.found.is_some() {
        let as_promised = overlay.promised.is_some() && overlay.wrong.is_none();
        row(&mut out, "overlay", &format!("{found}{}", if as_promised { ", as promised" } else { "" }));
    }
    if let Some(whole) = overview.printed_whole {
        let how = if whole { "printed on the consoles" } else { "printed, and something cut into it" };
        row(&mut out, "block", how);
    }
    out
}

fn user_data(out: &mut String, overview: &Overview) {
    let Some(data) = &overview.user_data else { return };
    let mut counts: Vec<(String, usize)> = Vec::new();
    for key in &data.keys {
        match counts.iter_mut().find(|(state, _)| *state == key.state) {
            Some((_, count)) => *count += 1,
            None => counts.push((key.state.clone(), 1)),
        }
    }
    let mut words: Vec<String> =
        counts.into_iter().map(|(state, count)| format!("{count} {state}")).collect();
    if !data.commands.is_empty() {
        let good = data.commands.iter().filter(|command| command.status == Some(0)).count();
        words.push(format!("{good} of {} commands succeeded", data.commands.len()));
    }
    if words.is_empty() {
        words.push("none".to_owned());
    }
    row(out, "user-data", &words.join(", "));
    for key in data.keys.iter().filter(|key| !matches!(key.state.as_str(), "applied" | "failed")) {
        let why = key.reason.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
        row(out, "", &format!("{} is {}{why}", key.key, key.state));
    }
}

fn enrolment(out: &mut String, overview: &Overview) {
    let Some(enrolment) = &overview.enrolment else { return };
    for user in &enrolment.users {
        let state = match user.state.as_str() {
            "fresh" => "enrolled, no code used yet",
            "used" => "enrolled, a code was used",
            "operator" => "enrolled by the operator",
            other => other,
        };
        let printed = user.printed.as_deref().map(|how| format!(", {how} in the block")).unwrap_or_default();
        row(out, "user", &format!("{}: {state}{printed}", user.name));
    }
    if let Some(why) = &enrolment.dropped {
        row(out, "", &format!("another machine's secrets were dropped: {why}"));
    }
}

/// A name and what there is to say, wrapped. Nothing but printable ASCII, since file names come from user-data.
fn row(out: &mut String, name: &str, text: &str) {
    let ascii: String = text.chars().map(|c| if c.is_ascii_graphic() { c } else { ' ' }).collect();
    let mut line = format!("{name:<INDENT$}");
    let mut empty = true;
    for word in ascii.split_whitespace() {
        let mut rest = word;
        while !rest.is_empty() {
            // ASCII: every place is the border of a character.
            let (part, tail) = rest.split_at(rest.len().min(WIDTH - INDENT));
            rest = tail;
            if !empty && line.len() + 1 + part.len() > WIDTH {
                out.push_str(line.trim_end());
                out.push('\n');
                line = " ".repeat(INDENT);
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(part);
            empty = false;
        }
    }
    if !empty {
        out.push_str(line.trim_end());
        out.push('\n');
    }
}
