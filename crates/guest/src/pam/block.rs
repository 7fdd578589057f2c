//! Marked blocks in service files: what we put in, and what stood there before.
//!
//! ```text
//! # hardtack: begin
//! # hardtack: was: @include common-auth
//! auth required pam_google_authenticator.so noskewadj
//! # hardtack: end
//! ```

const BEGIN: &str = "# hardtack: begin";
const END: &str = "# hardtack: end";
const WAS: &str = "# hardtack: was: ";

/// What to put into a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The new lines.
    pub lines: Vec<String>,
    /// The physical lines (first, how many) that the block stands for; they are kept as comments.
    pub instead_of: Option<(usize, usize)>,
    /// Behind which physical line the block goes when it stands for none; 0: the top.
    pub after: usize,
}

impl Block {
    /// The text with the block in it. Line numbers are those of `text`.
    #[must_use]
    pub fn put_into(&self, text: &str) -> String {
        let lines: Vec<&str> = text.lines().collect();
        let (first, count) = self.instead_of.unwrap_or((self.after + 1, 0));
        let at = first.saturating_sub(1).min(lines.len());
        let end = (at + count).min(lines.len());
        let mut out: Vec<String> = lines[..at].iter().map(|&line| line.to_owned()).collect();
        out.push(BEGIN.to_owned());
        out.extend(lines[at..end].iter().map(|line| format!("{WAS}{line}")));
        out.extend(self.lines.iter().cloned());
        out.push(END.to_owned());
        out.extend(lines[end..].iter().map(|&line| line.to_owned()));
        out.join("\n") + "\n"
    }
}

/// The text as it was before any block of ours.
#[must_use]
pub fn without_block(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for line in text.split_inclusive('\n') {
        if line.starts_with(BEGIN) {
            inside = true;
        } else if inside && line.starts_with(END) {
            inside = false;
        } else if inside {
            out.push_str(line.strip_prefix(WAS).unwrap_or_default());
        } else {
            out.push_str(line);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_go_in_and_come_out() {
        let text = "a\n@include common-auth\nb\n";
        for (block, wanted) in [
            (
                Block { lines: vec!["x".into()], instead_of: None, after: 2 },
                "a\n@include common-auth\n# hardtack: begin\nx\n# hardtack: end\nb\n",
            ),
            (
                Block { lines: vec!["x".into()], instead_of: Some((2, 1)), after: 0 },
                "a\n# hardtack: begin\n# hardtack: was: @include common-auth\nx\n# hardtack: end\nb\n",
            ),
            (
                Block { lines: vec!["x".into()], instead_of: None, after: 0 },
                "# hardtack: begin\nx\n# hardtack: end\na\n@include common-auth\nb\n",
            ),
        ] {
            assert_eq!(block.put_into(text), wanted);
            assert_eq!(without_block(wanted), text);
        }
    }
}
