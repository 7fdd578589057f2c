//! Paths below a version, what is at them, and how directories are listed: names in order, a line each, directories with
//! a slash, no newline at the end.

use std::collections::{BTreeMap, BTreeSet};

/// Files by path: `meta-data/instance-id`.
#[derive(Default)]
pub(super) struct Tree {
    files: BTreeMap<String, Vec<u8>>,
    /// Listings that are none of names: `public-keys/`.
    lists: BTreeMap<String, String>,
}

impl Tree {
    /// A file.
    pub(super) fn put(&mut self, path: impl Into<String>, body: impl Into<Vec<u8>>) {
        self.files.insert(path.into(), body.into());
    }

    /// Another listing for the directory at `path`.
    pub(super) fn list_as(&mut self, path: impl Into<String>, list: impl Into<String>) {
        self.lists.insert(path.into(), list.into());
    }

    /// What is at `path`, a file or the listing of a directory. Slashes at the end do not count.
    pub(super) fn get(&self, path: &str) -> Option<Vec<u8>> {
        let path = path.trim_matches('/');
        if let Some(body) = self.files.get(path) {
            return Some(body.clone());
        }
        if let Some(list) = self.lists.get(path) {
            return Some(list.clone().into_bytes());
        }
        let names = self.names(path);
        (!names.is_empty()).then(|| names.into_iter().collect::<Vec<_>>().join("\n").into_bytes())
    }

    fn names(&self, path: &str) -> BTreeSet<String> {
        let above = if path.is_empty() { String::new() } else { format!("{path}/") };
        let below = self.files.range(above.clone()..).map_while(|(known, _)| known.strip_prefix(&above));
        below
            .map(|rest| match rest.split_once('/') {
                // The first level has directories without a slash: `dynamic`, `meta-data`, `user-data`.
                Some((directory, _)) if path.is_empty() => directory.to_owned(),
                Some((directory, _)) => format!("{directory}/"),
                None => rest.to_owned(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_listed_as_ec2_does() {
        let mut tree = Tree::default();
        for path in [
            "meta-data/ami-id",
            "meta-data/placement/region",
            "meta-data/public-keys/0/openssh-key",
            "user-data",
        ] {
            tree.put(path, "x");
        }
        tree.list_as("meta-data/public-keys", "0=key");
        let text = |path: &str| tree.get(path).map(|body| String::from_utf8(body).unwrap());
        assert_eq!(text("").as_deref(), Some("meta-data\nuser-data"));
        assert_eq!(text("meta-data/").as_deref(), Some("ami-id\nplacement/\npublic-keys/"));
        assert_eq!(text("meta-data/public-keys/").as_deref(), Some("0=key"));
        assert_eq!(text("meta-data/public-keys/0/").as_deref(), Some("openssh-key"));
        assert_eq!(text("meta-data/placement").as_deref(), Some("region"));
        assert_eq!(text("meta-data/ami"), None);
        assert_eq!(text("meta-data/ami-id/x"), None);
    }
}
