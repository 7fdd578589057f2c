//! `/etc/cloud/cloud.cfg` and `cloud.cfg.d`, read without a YAML parser as ds-identify reads them
//! (`check_config`, `get_value`, `get_single_line_flow_sequence`, `parse_yaml_array`).

use hardtack_modules::Machine;

use super::shell;

const MAIN: &str = "/etc/cloud/cloud.cfg";
const DIRECTORY: &str = "/etc/cloud/cloud.cfg.d";

/// What the last line with the key `key` says in all files: everything behind the first colon and blank. A
/// comment alone does not count, blanks before a comment do.
pub(super) fn value(machine: &dyn Machine, key: &str) -> Option<String> {
    last(machine, key, |name| name.ends_with(".cfg"))
}

/// [`value`], of `cloud.cfg` and the files that have `ec2` in their name.
pub(super) fn value_for_ec2(machine: &dyn Machine, key: &str) -> Option<String> {
    last(machine, key, |name| {
        let stem = name.strip_suffix(".cfg").unwrap_or_default();
        stem.to_ascii_lowercase().contains("ec2")
    })
}

fn last(machine: &dyn Machine, key: &str, wanted: impl Fn(&str) -> bool) -> Option<String> {
    let mut names = machine.list(DIRECTORY);
    names.retain(|name| !name.starts_with('.') && wanted(name));
    names.sort_unstable();
    let files =
        std::iter::once(MAIN.to_owned()).chain(names.iter().map(|name| format!("{DIRECTORY}/{name}")));
    let mut found = None;
    for path in files {
        let Some(bytes) = machine.read(&path) else { continue };
        for line in String::from_utf8_lossy(&bytes).split('\n').filter(|line| has_key(line, key)) {
            // grep writes the file's name before the line; a `#` in it begins a comment too.
            let named = format!("{path}:{line}");
            let line = named.split('#').next().unwrap_or_default();
            let line = line.split_once(':').map_or(line, |(_, line)| line);
            if !line.is_empty() {
                found = Some(line.split_once(": ").map_or(line, |(_, value)| value).to_owned());
            }
        }
    }
    found
}

/// grep for the key, quotes behind it, blanks, a colon: anywhere in the line.
fn has_key(line: &str, key: &str) -> bool {
    line.match_indices(key).any(|(at, _)| {
        let behind = line.get(at + key.len()..).unwrap_or_default();
        let behind = behind.trim_start_matches(['"', '\'', '\\']);
        behind.trim_start_matches([' ', '\t', '\r', '\u{b}', '\u{c}']).starts_with(':')
    })
}

/// `get_value`: what stands behind the last colon, if anything does.
pub(super) fn behind_colon(value: &str) -> Option<&str> {
    let value = shell::trim(value.rsplit(':').next().unwrap_or_default());
    (!value.is_empty()).then_some(value)
}

/// `datasource_list`, from the command line's `cc:` or the files; blanks between the names.
pub(super) fn datasource_list(machine: &dyn Machine, command_line: &str, named: &str) -> String {
    const KEY: &str = "datasource_list";
    let mut list = named.to_owned();
    if let Some((_, behind)) = command_line.split_once("cc:")
        && behind.contains(KEY)
    {
        let text = command_line.rsplit(KEY).next().unwrap_or_default();
        let text = text.split(']').next().unwrap_or_default();
        list = array(text.rsplit('[').next().unwrap_or_default());
    }
    if list.is_empty()
        && let Some(value) = value(machine, KEY)
        && let Some(value) = behind_colon(&value)
    {
        let inside = value.strip_suffix(']').unwrap_or(value);
        if !shell::trim(inside.strip_prefix('[').unwrap_or(inside)).is_empty() {
            list = array(value);
        }
    }
    list
}

/// `parse_yaml_array`.
fn array(text: &str) -> String {
    let text = text.strip_prefix('[').unwrap_or(text);
    let text = text.strip_suffix(']').unwrap_or(text);
    let names: Vec<&str> =
        shell::fields(text).into_iter().map(|name| shell::unquote(shell::trim(name))).collect();
    names.join(" ")
}

#[cfg(test)]
mod tests {
    use super::has_key;

    #[test]
    fn a_key_is_found_where_grep_finds_it() {
        for (line, wanted) in [
            ("NoCloud:", true),
            ("  \"NoCloud\" \t: x", true),
            ("MyNoCloud: x", true),
            ("NoCloudNoCloud:", true),
            ("NoCloudy:", false),
            ("NoCloud", false),
            ("NoCloud, x: y", false),
            ("NoCloud'\"\\ :", true),
            ("NoCloud '\":", false),
        ] {
            assert_eq!(has_key(line, "NoCloud"), wanted, "{line:?}");
        }
    }
}
