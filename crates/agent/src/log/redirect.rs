//! Where output goes: the key `output` (`cloudinit/util.py`: `get_output_cfg`, `redirect_output`).

use hardtack_userdata::{Kind, Map, Value};

/// One place for output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// `> FILE`.
    Replace(String),
    /// `>> FILE`, or a file alone.
    Append(String),
    /// `| tee -a FILE`: on, and into the file. The usual one, which takes no program.
    Tee(String),
    /// `| COMMAND`, for a shell.
    Pipe(String),
}

/// Where standard output and standard error go; `None` leaves them where they are.
pub(super) type Targets = (Option<Target>, Option<Target>);

/// What `config` says about `stage` (`init`, `config`, `final`); `None` when it has no word on it.
///
/// # Errors
/// When it says something that cannot be meant.
pub(super) fn targets(config: &Map, stage: &str) -> Result<Option<Targets>, String> {
    let Some(output) = get(config, "output") else { return Ok(None) };
    let Kind::Map(output) = &output.kind else {
        return Err("`output` is not a mapping: write `output: {all: '| tee -a FILE'}`".to_owned());
    };
    let Some(setting) = get(output, stage).or_else(|| get(output, "all")) else { return Ok(None) };
    let (out, error) = match &setting.kind {
        Kind::Text(_) => (Some(setting), Some(setting)),
        Kind::List(items) => (items.first(), items.get(1)),
        Kind::Map(map) => (get(map, "output"), get(map, "error")),
        _ => (None, None),
    };
    let out = words(out)?;
    let error = words(error)?;
    let error = if error.as_deref() == Some("&1") { out.clone() } else { error };
    Ok(Some((out.as_deref().map(target), error.as_deref().map(target))))
}

fn get<'a>(map: &'a Map, key: &str) -> Option<&'a Value> {
    map.iter().find(|(known, _)| known.as_text() == Some(key)).map(|(_, value)| value)
}

fn words(value: Option<&Value>) -> Result<Option<String>, String> {
    match value.map(|value| &value.kind) {
        None | Some(Kind::Null) => Ok(None),
        Some(Kind::Text(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(_) => {
            Err("a value of `output` is not text: write for instance `'>> /var/log/output.log'`".to_owned())
        }
    }
}

fn target(text: &str) -> Target {
    let text = text.trim();
    if let Some(file) = text.strip_prefix(">>") {
        return Target::Append(file.trim().to_owned());
    }
    if let Some(file) = text.strip_prefix('>') {
        return Target::Replace(file.trim().to_owned());
    }
    let Some(command) = text.strip_prefix('|') else { return Target::Append(text.to_owned()) };
    let command = command.trim();
    match command.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["tee", "-a" | "--append", file] if is_plain(file) => Target::Tee((*file).to_owned()),
        _ => Target::Pipe(command.to_owned()),
    }
}

/// A path in which a shell sees nothing of its own.
fn is_plain(path: &str) -> bool {
    path.starts_with('/')
        && path
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-' | b'+'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str, stage: &str) -> Result<Option<Targets>, String> {
        let Kind::Map(map) = Value::load(text, 0).unwrap().kind else { panic!("no mapping") };
        targets(&map, stage)
    }

    #[test]
    fn output_is_read_as_cloud_init_reads_it() {
        let tee = || Some(Target::Tee("/var/log/o.log".to_owned()));
        let append = |file: &str| Some(Target::Append(file.to_owned()));
        let replace = |file: &str| Some(Target::Replace(file.to_owned()));
        let pipe = |command: &str| Some(Target::Pipe(command.to_owned()));
        for (text, stage, expected) in [
            ("x: 1", "init", None),
            ("output: {init: '> /a'}", "final", None),
            ("output: {all: '| tee -a /var/log/o.log'}", "init", Some((tee(), tee()))),
            ("output: {all: '|tee -a /var/log/o.log '}", "init", Some((tee(), tee()))),
            ("output: {all: '> /a', final: '>>/b'}", "final", Some((append("/b"), append("/b")))),
            ("output: {all: '> /a', final: '>>/b'}", "config", Some((replace("/a"), replace("/a")))),
            ("output: {final: ['>> /o', '/e']}", "final", Some((append("/o"), append("/e")))),
            ("output: {final: ['>> /o']}", "final", Some((append("/o"), None))),
            ("output: {final: ['> /o', '&1']}", "final", Some((replace("/o"), replace("/o")))),
            ("output: {final: {error: '> /e'}}", "final", Some((None, replace("/e")))),
            ("output: {init: {output: '> /o', error: '&1'}}", "init", Some((replace("/o"), replace("/o")))),
            // A single text that says &1 names a file of that name only where it stands for output.
            ("output: {init: '&1'}", "init", Some((append("&1"), append("&1")))),
            (
                "output: {all: '| tee -a /a | logger'}",
                "init",
                Some((pipe("tee -a /a | logger"), pipe("tee -a /a | logger"))),
            ),
            ("output: {all: '| tee -a $F'}", "init", Some((pipe("tee -a $F"), pipe("tee -a $F")))),
            ("output: {all: 'tee -a /x'}", "init", Some((append("tee -a /x"), append("tee -a /x")))),
            ("output: {all: null}", "init", Some((None, None))),
            ("output: {all: ''}", "init", Some((None, None))),
            ("output: {all: 5}", "init", Some((None, None))),
        ] {
            assert_eq!(read(text, stage), Ok(expected), "{text}");
        }
        for bad in ["output: true", "output: {all: [5]}", "output: '> /a'"] {
            assert!(read(bad, "init").is_err(), "{bad}");
        }
    }
}
