//! Code blocks of Markdown pages: what tests of the documentation look at.

use std::path::{Path, PathBuf};

use crate::tools::top;

/// One fenced block.
#[derive(Clone, Debug)]
pub struct Block {
    /// The line of the opening fence, from 1.
    pub line: usize,
    /// What stands behind the opening fence: `sh`, `sh no-run: WHY`.
    pub info: String,
    /// What is in it, without the indentation of the fence.
    pub text: String,
}

impl Block {
    /// The first word behind the fence.
    pub fn language(&self) -> &str {
        self.info.split([' ', ',']).next().unwrap()
    }

    /// What stands behind `NAME: ` of the fence.
    pub fn mark(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.info.split_once(&format!("{name}: "))?;
        Some(rest.trim())
    }

    /// The commands of a shell in it: lines that go on (`\` at the end) are one, a prompt (`$ `) and what is printed
    /// behind it are left out, and so is what stands in a here-document. Each with its line.
    pub fn commands(&self) -> Vec<(usize, String)> {
        let prompts = self.text.lines().any(|line| line.starts_with("$ "));
        let mut found: Vec<(usize, String)> = Vec::new();
        let mut goes_on = false;
        let mut document: Option<String> = None;
        for (at, line) in self.text.lines().enumerate() {
            if let Some(end) = &document {
                document = Some(end.clone()).filter(|end| line != end);
                continue;
            }
            let line = match line.strip_prefix("$ ") {
                Some(line) => line,
                None if prompts && !goes_on => continue,
                None => line,
            };
            let (text, more) = line.strip_suffix('\\').map_or((line, false), |line| (line, true));
            match found.last_mut().filter(|_| goes_on) {
                Some((_, last)) => last.push_str(text.trim_start()),
                None => found.push((self.line + 1 + at, text.to_owned())),
            }
            goes_on = more;
            if let Some((_, end)) = line.split_once("<<") {
                let end = end.trim().split(' ').next().unwrap().trim_matches(['\'', '"', '-']);
                document = Some(end.to_owned());
            }
        }
        found
    }
}

/// All fenced blocks of a page, in order.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<(usize, Block)> = None;
    for (at, line) in page.lines().enumerate() {
        let body = line.trim_start();
        let indent = line.len() - body.len();
        match &mut open {
            None => {
                if let Some(info) = body.strip_prefix("```") {
                    let block = Block { line: at + 1, info: info.trim().to_owned(), text: String::new() };
                    open = Some((indent, block));
                }
            }
            Some((_, block)) if body == "```" => {
                found.push(block.clone());
                open = None;
            }
            Some((indent, block)) => {
                let cut = line.char_indices().take_while(|(at, char)| at < indent && *char == ' ').count();
                block.text.push_str(&line[cut..]);
                block.text.push('\n');
            }
        }
    }
    assert!(open.is_none(), "a block of code has no end: {open:?}");
    found
}

/// The programs that a line of a shell starts, each with its arguments, as far as that is seen without running it: quotes,
/// pipes, lists, redirections, comments, `$(…)`; variables stay as they are written.
pub fn programs(line: &str) -> Vec<Vec<String>> {
    let (mut all, mut words, mut word) = (Vec::new(), Vec::new(), None::<String>);
    // The next word is the file of a redirection.
    let mut redirected = false;
    let mut chars = line.chars().peekable();
    let end = |word: &mut Option<String>, words: &mut Vec<String>, redirected: &mut bool| {
        if let Some(word) = word.take()
            && !std::mem::take(redirected)
        {
            words.push(word);
        }
    };
    while let Some(char) = chars.next() {
        match char {
            ' ' | '\t' => end(&mut word, &mut words, &mut redirected),
            '#' if word.is_none() => break,
            '\'' => word.get_or_insert_default().extend(chars.by_ref().take_while(|char| *char != '\'')),
            '"' => {
                let word = word.get_or_insert_default();
                while let Some(char) = chars.next().filter(|char| *char != '"') {
                    word.extend(if char == '\\' { chars.next() } else { Some(char) });
                }
            }
            '\\' => word.get_or_insert_default().extend(chars.next()),
            '$' if chars.peek() == Some(&'(') => {
                let inner: String = chars.by_ref().skip(1).take_while(|char| *char != ')').collect();
                all.extend(programs(&inner));
                word.get_or_insert_default().push_str("$()");
            }
            '<' | '>' => {
                word = word.filter(|word| !word.chars().all(|char| char.is_ascii_digit()));
                end(&mut word, &mut words, &mut redirected);
                while chars.next_if(|char| matches!(char, '<' | '>' | '&')).is_some() {}
                redirected = true;
            }
            ';' | '|' | '&' | '(' | ')' => {
                end(&mut word, &mut words, &mut redirected);
                all.push(std::mem::take(&mut words));
            }
            char => word.get_or_insert_default().push(char),
        }
    }
    end(&mut word, &mut words, &mut redirected);
    all.push(words);
    for words in &mut all {
        let set = |word: &String| word.split_once('=').is_some_and(|(name, _)| is_variable(name));
        let before =
            words.iter().take_while(|word| set(word) || ["sudo", "!", "time"].contains(&word.as_str()));
        let before = before.count();
        words.drain(..before);
    }
    all.retain(|words| !words.is_empty());
    all
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && name.chars().all(|char| char.is_ascii_uppercase() || char.is_ascii_digit() || char == '_')
}

/// The pages that people read for commands: README, the handbook, and those beside the examples. Sorted, from the top.
pub fn pages() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        ["README.md", "cloud-config/README.md", "image-recipes/README.md"].map(PathBuf::from).into();
    let mut pending = vec![PathBuf::from("docs")];
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(top().join(&folder)).unwrap() {
            let path = folder.join(entry.unwrap().file_name());
            if top().join(&path).is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The text of a page that is named from the top.
pub fn read(page: &Path) -> String {
    std::fs::read_to_string(top().join(page)).unwrap_or_else(|error| panic!("{}: {error}", page.display()))
}

/// Asserts that `page` (a path in the repository) is `wanted`, which the program's own tables say; with
/// `HARDTACK_WRITE_DOCS` in the environment it is written first. `writer`: the arguments of the `cargo test` that does so.
#[track_caller]
pub fn assert_generated(page: &str, wanted: &str, writer: &str) {
    let path = top().join(page);
    if std::env::var_os("HARDTACK_WRITE_DOCS").is_some() {
        std::fs::write(&path, wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "{page} is not what the program says: HARDTACK_WRITE_DOCS=1 cargo test {writer} writes it"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_their_lines_and_commands() {
        let page = "a\n\n```sh no-run: it boots\na \\\n  b\ncat > f <<'E'\nnot me\nE\nc\n```\n  ```console\n  $ x\n  said\n  ```\n";
        let found = blocks(page);
        assert_eq!(
            (found[0].line, found[0].language(), found[0].mark("no-run")),
            (3, "sh", Some("it boots"))
        );
        let commands: Vec<(usize, String)> = found[0].commands();
        let texts: Vec<&str> = commands.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["a b", "cat > f <<'E'", "c"]);
        assert_eq!(commands[2].0, 9);
        assert_eq!(found[1].commands(), [(12, "x".to_owned())]);
        assert_eq!(found[1].text, "$ x\nsaid\n");
    }

    #[test]
    fn programs_have_their_words() {
        let found =
            programs("A=1 sudo x -a 'b c' \"d \\\" e\" > f 2>&1 | (y g\\ h < i; z) && echo $(w --j) # k");
        let wanted: [&[&str]; 5] =
            [&["x", "-a", "b c", "d \" e"], &["y", "g h"], &["z"], &["w", "--j"], &["echo", "$()"]];
        assert_eq!(found, wanted);
        assert_eq!(programs("# nothing"), [[""; 0]; 0]);
    }
}
