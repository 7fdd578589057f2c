//! Passwords in /etc/shadow: shadow(5), under the lock that the shadow tools take.

use super::create::{Database, lock};
use crate::error::AgentError;
use crate::host::Host;

const PATH: &str = "/etc/shadow";

/// /etc/shadow.
pub(crate) struct Shadow;

impl Shadow {
    /// The second field of a user's line: a hash, or what is none.
    pub(crate) fn field(host: &Host, name: &str) -> Result<Option<String>, AgentError> {
        let text = host.read_text(PATH)?.unwrap_or_default();
        Ok(text.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(name)).then(|| fields.next().unwrap_or_default().to_owned())
        }))
    }

    /// Sets it, and the day of the change, where there is one to set; an empty one is none.
    pub(crate) fn set(host: &Host, name: &str, hash: &str, changed: Option<&str>) -> Result<(), AgentError> {
        if hash.contains([':', '\n']) {
            return Err(AgentError::text(format!("what is to be the password of {name} is no hash")));
        }
        let _lock = lock(host)?;
        let mut shadow = Database::read(host, PATH, 0o640)?;
        let Some(line) = shadow.line_of(name) else {
            shadow.push(format!("{name}:{hash}:{}:0:99999:7:::", changed.unwrap_or_default()));
            return shadow.write(host);
        };
        let mut fields: Vec<&str> = line.split(':').collect();
        // Damage is made whole: nine fields.
        fields.resize(fields.len().max(9), "");
        fields[1] = hash;
        if let Some(changed) = changed {
            fields[2] = changed;
        }
        *line = fields.join(":");
        shadow.write(host)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::Tree;

    #[test]
    fn one_line_is_changed_and_the_others_are_kept() {
        let tree =
            Tree::new().file("etc/shadow", "root:*:19000:0:99999:7:::\nann:!:19000:0:99999:7::20000:\nbob\n");
        let host = tree.host();
        Shadow::set(&host, "ann", "$6$a$b", Some("0")).unwrap();
        assert_eq!(
            tree.read("etc/shadow"),
            "root:*:19000:0:99999:7:::\nann:$6$a$b:0:0:99999:7::20000:\nbob\n"
        );
        assert_eq!(Shadow::field(&host, "ann").unwrap().as_deref(), Some("$6$a$b"));
        Shadow::set(&host, "ann", "!", None).unwrap();
        Shadow::set(&host, "bob", "!", Some("20000")).unwrap();
        Shadow::set(&host, "eve", "!", Some("")).unwrap();
        assert_eq!(
            tree.read("etc/shadow"),
            "root:*:19000:0:99999:7:::\nann:!:0:0:99999:7::20000:\nbob:!:20000::::::\neve:!::0:99999:7:::\n"
        );
        assert_eq!(Shadow::field(&host, "joe").unwrap(), None);
        assert!(Shadow::set(&host, "ann", "x:y", None).is_err());
    }
}
