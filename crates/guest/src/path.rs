//! Paths inside the guest.

use std::fmt;

/// An absolute path inside the guest, normalised: it starts with `/`, has no empty, `.` or `..`
/// component and no trailing slash. It says nothing about symbolic links.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuestPath(String);

impl GuestPath {
    /// The root directory.
    #[must_use]
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// Normalises `text` lexically; a relative path is taken from `/`, and `..` stops at `/`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut parts: Vec<&str> = Vec::new();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                name => parts.push(name),
            }
        }
        Self(format!("/{}", parts.join("/")))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The components from the root downwards.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    /// The last component; `None` for `/`.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.components().next_back()
    }

    /// The directory above; `None` for `/`.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (head, name) = self.0.rsplit_once('/')?;
        if name.is_empty() {
            return None;
        }
        Some(if head.is_empty() { Self::root() } else { Self(head.to_owned()) })
    }

    /// This path with one more component; `name` must be a single component.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        debug_assert!(!name.contains('/') && !matches!(name, "" | "." | ".."), "{name:?} is one component");
        if self.0 == "/" { Self(format!("/{name}")) } else { Self(format!("{}/{name}", self.0)) }
    }

    /// True when `self` is `ancestor` or lies below it.
    #[must_use]
    pub fn starts_with(&self, ancestor: &Self) -> bool {
        self.strip_prefix(ancestor).is_some()
    }

    /// What follows `ancestor`, without a leading slash; empty when both are the same.
    #[must_use]
    pub fn strip_prefix(&self, ancestor: &Self) -> Option<&str> {
        if ancestor.0 == "/" {
            return Some(&self.0[1..]);
        }
        let rest = self.0.strip_prefix(&ancestor.0)?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
    }
}

impl fmt::Display for GuestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for GuestPath {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_lexically_and_never_leaves_the_root() {
        for (given, wanted) in [
            ("", "/"),
            ("/", "/"),
            ("etc//ssh/./x", "/etc/ssh/x"),
            ("/../../etc", "/etc"),
            ("/a/b/../c/", "/a/c"),
        ] {
            assert_eq!(GuestPath::new(given).as_str(), wanted, "{given:?}");
        }
    }

    #[test]
    fn parents_and_prefixes() {
        let path = GuestPath::new("/etc/ssh");
        assert_eq!(path.parent(), Some(GuestPath::new("/etc")));
        assert_eq!(GuestPath::root().parent(), None);
        assert_eq!(path.strip_prefix(&GuestPath::new("/etc")), Some("ssh"));
        assert_eq!(path.strip_prefix(&GuestPath::root()), Some("etc/ssh"));
        assert!(!GuestPath::new("/etcetera").starts_with(&GuestPath::new("/etc")));
        assert_eq!(GuestPath::root().join("etc").join("ssh"), path);
    }
}
