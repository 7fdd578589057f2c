//! Text in YAML, in a shell's command, in the templates of engines.

/// A double-quoted scalar of YAML 1.1 and 1.2, and of JSON where it is ASCII.
pub(super) fn yaml(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        let number = u32::from(character);
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\n' => out += "\\n",
            ' '..='~' => out.push(character),
            // Letters stay readable; what is not seen, or turns the line around, does not.
            other if other.is_alphanumeric() => out.push(other),
            _ if number <= 0xffff => out += &format!("\\u{number:04X}"),
            _ => out += &format!("\\U{number:08X}"),
        }
    }
    out.push('"');
    out
}

/// A word of POSIX's shell.
pub(super) fn shell(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,:@%".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Text in which GitHub finds no expression.
pub(super) fn github(text: &str) -> String {
    text.replace("${{", "${{ '${{' }}")
}

/// An argument in which Kubernetes finds no variable: `$(NAME)` is one, and `$$` a `$`.
pub(super) fn kubernetes(text: &str) -> String {
    text.replace('$', "$$")
}

/// Text in a comment of one line. What YAML, or somebody's reader of it, takes for the end of a line is not in it.
pub(super) fn comment(text: &str) -> String {
    let seen = |character: char| matches!(character, ' '..='~') || character.is_alphanumeric();
    text.chars().map(|character| if seen(character) { character } else { '?' }).collect()
}
