//! Lines of PAM's service files, split as libpam does it (`_pam_assemble_line`, `_pam_StrTok` and
//! `_pam_parse_conf_file`).

/// A line with those that continue it is no longer than this: libpam read them into 1024 bytes, and took what
/// was left of a longer line for the next one (up to 1.5).
const LONGEST: usize = 1000;

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
        /// The module as written; empty where libpam cannot read the line, and fails when it comes to it.
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

/// The lines of a service file. Comments and empty lines are left out.
#[must_use]
pub fn parse(text: &str) -> Vec<Line> {
    read(text).0
}

/// The lines, and the first one that releases of libpam read differently, with why.
pub(super) fn read(text: &str) -> (Vec<Line>, Option<(usize, &'static str)>) {
    let mut lines = Vec::new();
    let mut fault = None;
    let mut physical = text.split('\n').enumerate();
    while let Some((index, first)) = physical.next() {
        let mut doubt = |what| {
            fault.get_or_insert((index + 1, what));
        };
        if first.contains('\0') {
            doubt("a NUL in a line: PAM reads no further there");
        }
        let (mut length, mut height) = (first.len(), 1);
        let (mut logical, mut goes_on) = one(first, &mut doubt);
        while goes_on {
            let Some((_, more)) = physical.next() else {
                doubt("a backslash ends the file: PAM refuses it");
                break;
            };
            height += 1;
            length += more.len();
            if more.contains('\0') {
                doubt("a NUL in a line: PAM reads no further there");
            }
            let (text, again) = one(more, &mut doubt);
            if text.is_empty() && !again {
                // It is passed over, and what follows it is the rest of the line.
                doubt(
                    "an empty line or a comment follows a backslash: not all of PAM takes that for the line's end",
                );
                continue;
            }
            logical.push(' ');
            logical.push_str(&text);
            goes_on = again;
        }
        if length > LONGEST {
            doubt("the line has more than 1000 bytes: PAM takes what is too much for a line of its own");
        }
        if let Some(entry) = parse_entry(&logical) {
            lines.push(Line { number: index + 1, height, entry });
        }
    }
    (lines, fault)
}

/// A physical line without its comment and its backslash, and whether the next one belongs to it.
fn one(line: &str, doubt: &mut dyn FnMut(&'static str)) -> (String, bool) {
    let blank = |c: char| matches!(c, ' ' | '\t');
    let (text, comment) = line.split_once('#').map_or((line, false), |(before, _)| (before, true));
    let text = text.trim_matches(blank);
    match text.strip_suffix('\\') {
        Some(_) if comment => {
            doubt("a comment stands behind a backslash: not all of PAM goes on with the next line");
            (text.to_owned(), false)
        }
        Some(text) => (text.to_owned(), true),
        None => (text.to_owned(), false),
    }
}

fn parse_entry(line: &str) -> Option<Entry> {
    let mut words = words(line).into_iter();
    let first = words.next()?.text;
    if first.eq_ignore_ascii_case("@include") {
        return Some(Entry::Include { facility: None, substack: false, service: words.next()?.text });
    }
    // libpam takes a type that it does not know for the most sensitive one, and fails when it comes to the
    // module; but it follows an include.
    let known = Facility::parse(&first);
    let facility = known.unwrap_or(Facility::Auth);
    let broken =
        |control: String| Entry::Module { facility, control, module: String::new(), arguments: Vec::new() };
    let Some(control) = words.next() else { return Some(broken("required".to_owned())) };
    let module = words.next().map(|word| word.text);
    let simple = control.text.to_ascii_lowercase();
    if let "include" | "substack" = simple.as_str() {
        let Some(service) = module else { return Some(broken("required".to_owned())) };
        return Some(Entry::Include { facility: Some(facility), substack: simple == "substack", service });
    }
    let is_simple = matches!(simple.as_str(), "required" | "requisite" | "optional" | "sufficient");
    let control = match control.bracketed && !is_simple {
        true => format!("[{}]", control.text),
        false => control.text,
    };
    Some(match module {
        Some(module) if known.is_some() => {
            Entry::Module { facility, control, module, arguments: words.map(|word| word.text).collect() }
        }
        _ => broken(control),
    })
}

struct Word {
    text: String,
    bracketed: bool,
}

/// Splits at blanks; `[…]` is one word, and loses its brackets wherever it stands.
fn words(line: &str) -> Vec<Word> {
    let blank = |c: char| matches!(c, ' ' | '\t' | '\n');
    let mut words = Vec::new();
    let mut rest = line.trim_start_matches(blank);
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let mut text = String::new();
            let mut chars = inside.chars();
            while let Some(c) = chars.next() {
                match c {
                    ']' => break,
                    '\\' if chars.as_str().starts_with(']') => {
                        chars.next();
                        text.push(']');
                    }
                    c => text.push(c),
                }
            }
            rest = chars.as_str();
            words.push(Word { text, bracketed: true });
        } else {
            let (word, tail) = rest.split_at(rest.find(blank).unwrap_or(rest.len()));
            rest = tail;
            words.push(Word { text: word.to_owned(), bracketed: false });
        }
        rest = rest.trim_start_matches(blank);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(text: &str) -> Option<(String, String, Vec<String>)> {
        match parse(text).into_iter().next()?.entry {
            Entry::Module { control, module, arguments, .. } => Some((control, module, arguments)),
            Entry::Include { .. } => None,
        }
    }

    #[test]
    fn lines_are_read_as_libpam_reads_them() {
        let lines = parse(
            "# x\nauth\t[success=1 default=ignore]\tpam_a.so one # two\n-session optional /lib/pam_b.so \\\n  three\n@include common-auth\n",
        );
        assert_eq!(lines.len(), 3);
        assert_eq!((lines[1].number, lines[1].height, lines[2].number), (3, 2, 5));
        let first = module("auth\t[success=1 default=ignore]\tpam_a.so one # two\n");
        assert_eq!(
            first,
            Some(("[success=1 default=ignore]".into(), "pam_a.so".into(), vec!["one".to_owned()]))
        );
    }

    #[test]
    fn brackets_around_any_word_are_taken_off() {
        assert_eq!(
            module("[auth] [sufficient] [pam_permit.so]").map(|m| (m.0, m.1)),
            Some(("sufficient".into(), "pam_permit.so".into()))
        );
        let include = parse("auth [include] other").remove(0).entry;
        assert!(matches!(include, Entry::Include { substack: false, .. }), "{include:?}");
    }

    #[test]
    fn what_libpam_cannot_read_stands_in_the_stack_and_fails() {
        for text in ["autth required pam_permit.so", "auth", "auth sufficient", "auth include"] {
            assert_eq!(module(text).map(|(_, module, _)| module).as_deref(), Some(""), "{text}");
        }
        let include = parse("nonsense include x").remove(0).entry;
        assert!(matches!(include, Entry::Include { facility: Some(Facility::Auth), .. }), "{include:?}");
    }

    #[test]
    fn other_blanks_are_none() {
        let Some((_, name, arguments)) = module("auth required pam_x.so a\u{b}b c\r\n") else { panic!() };
        assert_eq!(
            (name.as_str(), &arguments[..]),
            ("pam_x.so", &["a\u{b}b".to_owned(), "c\r".to_owned()][..])
        );
    }

    #[test]
    fn lines_that_releases_read_differently_are_told() {
        let long = format!("# {}\n", "x".repeat(2000));
        for (text, line) in [
            (
                "auth required pam_a.so\nauth required pam_x.so \\ # c\nauth sufficient pam_permit.so\n",
                Some(2),
            ),
            ("auth required pam_x.so \\\n# c\nauth required pam_y.so\n", Some(1)),
            ("auth required pam_x.so \\\n\nauth required pam_y.so\n", Some(1)),
            ("auth required pam_x.so \\", Some(1)),
            ("auth required\0 pam_x.so", Some(1)),
            (&long, Some(1)),
            ("auth required pam_x.so \\\n one \\\n two\n# \\\n", None),
        ] {
            assert_eq!(read(text).1.map(|(line, _)| line), line, "{text:?}");
        }
    }
}
