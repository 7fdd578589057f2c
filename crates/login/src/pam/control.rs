//! The control of a line: what becomes of what a module answers (`_pam_parse_control`).

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
pub(super) enum Action {
    Ignore,
    Ok,
    Done,
    Bad,
    Die,
    Reset,
    Jump(usize),
}

const WORDS: [(&str, Action); 6] = [
    ("ignore", Action::Ignore),
    ("ok", Action::Ok),
    ("done", Action::Done),
    ("bad", Action::Bad),
    ("die", Action::Die),
    ("reset", Action::Reset),
];

/// A jump has no more digits: libpam counts in an `int`, which overflows.
const DIGITS: usize = 9;

/// What the control makes of an answer. A failure can be any of PAM's codes, so that every token
/// of a bracket that is not a success counts, and the default.
pub(super) fn actions(control: &str, answer: Answer) -> Vec<Action> {
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
    let inside = control.strip_prefix('[').map_or(control, |rest| rest.strip_suffix(']').unwrap_or(rest));
    // What it cannot read is bad, whatever happens.
    let pairs = pairs(inside).unwrap_or_default();
    // Of a name the last one counts, of the default the first: it is for what has no action yet.
    let of = |wanted: &str| pairs.iter().rev().find(|(name, _)| *name == wanted).map(|(_, action)| *action);
    let default =
        pairs.iter().find(|(name, _)| *name == "default").map_or(Action::Bad, |(_, action)| *action);
    match answer {
        Answer::Success => vec![of("success").unwrap_or(default)],
        Answer::NewTokenRequired => vec![of("new_authtok_reqd").unwrap_or(default)],
        Answer::Ignore => vec![of("ignore").unwrap_or(default)],
        Answer::Failure => {
            let named = pairs
                .iter()
                .filter(|(name, _)| !matches!(*name, "success" | "new_authtok_reqd" | "ignore" | "default"))
                .map(|(_, action)| *action);
            named.chain([default]).collect()
        }
    }
}

/// Whether a jump in it is too long for libpam.
pub(super) fn overflows(control: &str) -> bool {
    control.split(|c: char| !c.is_ascii_digit()).any(|number| number.len() > DIGITS)
}

/// Names and actions: blanks may stand around `=`, and need not stand between pairs.
fn pairs(text: &str) -> Option<Vec<(&str, Action)>> {
    let blank = |c: char| c.is_ascii_whitespace() || c == '\u{b}';
    let mut pairs = Vec::new();
    let mut rest = text.trim_start_matches(blank);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len());
        let (name, tail) = rest.split_at(end);
        rest = tail.trim_start_matches(blank).strip_prefix('=')?.trim_start_matches(blank);
        if name.is_empty() {
            return None;
        }
        let word = WORDS.iter().find_map(|(word, action)| Some((*action, rest.strip_prefix(word)?)));
        let action = match word {
            Some((action, tail)) => {
                rest = tail;
                action
            }
            None => {
                let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                let (number, tail) = rest.split_at(end);
                rest = tail;
                Action::Jump(number.parse().ok().filter(|count| *count > 0)?)
            }
        };
        pairs.push((name, action));
        rest = rest.trim_start_matches(blank);
    }
    Some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_are_read_as_libpam_reads_them() {
        for (control, success, failure) in [
            ("[success=1 default=ignore]", Action::Jump(1), Action::Ignore),
            ("[success = done default = ignore]", Action::Done, Action::Ignore),
            ("[success=okdefault=ignore]", Action::Ok, Action::Ignore),
            ("[success=ok success=done]", Action::Done, Action::Bad),
            ("[default=ignore success=done default=die]", Action::Done, Action::Ignore),
            ("success=done", Action::Done, Action::Bad),
            ("[success=0 default=ignore]", Action::Bad, Action::Bad),
            ("[success]", Action::Bad, Action::Bad),
            ("[]", Action::Bad, Action::Bad),
        ] {
            assert_eq!(actions(control, Answer::Success), [success], "{control}");
            assert_eq!(actions(control, Answer::Failure), [failure], "{control}");
        }
        assert!(overflows("[success=4294967297]") && !overflows("[success=1 default=2]"));
    }
}
