//! Texts without what is different in every run: times, random keys and salts, and the words of an error.

use std::path::Path;

use serde_json::Value;

/// What the seed says; what stands there is not random.
pub(crate) struct Seed(String);

impl Seed {
    pub(crate) fn read(directory: &Path) -> Self {
        let read = |name: &str| std::fs::read(directory.join(name)).unwrap_or_default();
        let bytes = ["user-data", "meta-data", "vendor-data"].map(read).concat();
        Self(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The text of the file `path` for comparing.
    pub(crate) fn normal(&self, path: &str, bytes: &[u8]) -> String {
        let Ok(text) = std::str::from_utf8(bytes) else { return hexadecimal(bytes) };
        let name = path.rsplit('/').next().unwrap_or_default();
        if path.contains("/sem/") {
            return "the number of a process, and a time".to_owned();
        }
        match name {
            "shadow" => text.lines().map(|line| self.account(line) + "\n").collect(),
            // Python keeps the keys in a set.
            "authorized_keys" => {
                let mut lines: Vec<&str> = text.lines().collect();
                lines.sort_unstable();
                lines.join("\n")
            }
            "boot-finished" => {
                let words: Vec<&str> = text.trim().split(" - ").collect();
                format!("{} words, {}", words.len(), words.last().map_or("", |word| &word[..2]))
            }
            "90-cloud-init-users" => {
                let (_, rules) = text.split_once('\n').unwrap();
                format!("a comment with version and time\n{rules}")
            }
            "result.json" | "status.json" => outcome(text),
            _ if name.starts_with("ssh_host_") => self.host_key(text),
            _ => text.to_owned(),
        }
    }

    /// A line of shadow: hashes with random salts by their kind, the day of the change as `today`.
    fn account(&self, line: &str) -> String {
        let mut fields: Vec<String> = line.split(':').map(str::to_owned).collect();
        let Some([_, hash, day, ..]) = fields.first_chunk_mut::<3>() else { return line.to_owned() };
        let (locks, rest) = hash.split_at(hash.len() - hash.trim_start_matches('!').len());
        if rest.starts_with('$') && !self.0.contains(rest) {
            let kind = rest.split('$').nth(1).unwrap_or_default();
            *hash = format!("{locks}${kind}$random");
        }
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() / 86_400;
        if day.parse().is_ok_and(|day: u64| day == now || day + 1 == now) {
            "today".clone_into(day);
        }
        fields.join(":")
    }

    /// A key of the SSH server that nobody gave, without what is random in it.
    fn host_key(&self, text: &str) -> String {
        if self.0.contains(text.lines().nth(usize::from(text.starts_with("---"))).unwrap_or_default().trim())
        {
            return text.to_owned();
        }
        match text.strip_prefix("-----BEGIN ") {
            Some(behind) => behind.lines().next().unwrap_or_default().to_owned(),
            None => {
                let words: Vec<&str> = text.split_whitespace().collect();
                match words[..] {
                    [kind, _, ref comment @ ..] => format!("{kind} random {}", comment.join(" ")),
                    _ => text.to_owned(),
                }
            }
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A line for the data source, and one for each module that failed, behind its stage. 22.4 has neither
/// `recoverable_errors` nor, with a meaning, `modules-init`.
fn outcome(text: &str) -> String {
    let value: Value = serde_json::from_str(text).unwrap();
    let mut lines = Vec::new();
    for (key, value) in value["v1"].as_object().unwrap() {
        let errors = match value {
            Value::Array(errors) => Some(errors),
            Value::Object(stage) if key != "modules-init" => stage["errors"].as_array(),
            Value::Object(_) => None,
            other => {
                lines.push(format!("{key}: {other}"));
                None
            }
        };
        for error in errors.into_iter().flatten() {
            lines.push(format!("{key}: {} failed", module(error.as_str().unwrap())));
        }
    }
    lines.sort_unstable();
    lines.join("\n")
}

/// `('write-files', OSError('…'))`: the module.
fn module(error: &str) -> String {
    error.split('\'').nth(1).unwrap_or(error).replace('-', "_")
}
