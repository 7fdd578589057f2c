//! Lists of exceptions for what people run on hardened machines.

/// What to leave out for one use of a machine, each with its reason.
#[derive(Debug, PartialEq, Eq)]
pub struct Tailoring {
    /// Its name.
    pub name: &'static str,
    /// For whom it is.
    pub about: &'static str,
    /// Rules by their ids, and why they are left out.
    pub exceptions: &'static [(&'static str, &'static str)],
}

impl Tailoring {
    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        TAILORINGS.iter().find(|tailoring| tailoring.name == name)
    }

    /// Why it leaves out this rule.
    #[must_use]
    pub fn reason(&self, rule: &str) -> Option<&'static str> {
        self.exceptions.iter().find(|(id, _)| *id == rule).map(|(_, reason)| *reason)
    }
}

/// All of them.
pub const TAILORINGS: &[Tailoring] = &[];

#[cfg(test)]
mod tests {
    use super::TAILORINGS;
    use crate::rule::rule;

    #[test]
    fn they_name_rules() {
        for tailoring in TAILORINGS {
            for (id, reason) in tailoring.exceptions {
                assert!(rule(id).is_some() && !reason.is_empty(), "{}: {id}", tailoring.name);
            }
        }
    }
}
