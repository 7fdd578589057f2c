//! Which operations virt-sysprep is asked for.

use std::collections::BTreeSet;

use serde_yaml::{Mapping, Value};

use super::options::Given;
use super::{ImportError, step};
use crate::model::generalize::{TABLE, operation};

/// The operation that takes virt-customize's options.
const CUSTOMIZE: &str = "customize";

/// What was chosen.
#[derive(Debug, Default)]
pub(super) struct Selection {
    enable: Option<Vec<String>>,
    operations: Option<Vec<String>>,
    keep: Vec<String>,
    remove: Vec<String>,
}

impl Selection {
    /// Takes an option that is about operations; false for others.
    pub(super) fn take(&mut self, given: &Given) -> Result<bool, ImportError> {
        let names = || given.value.split(',').filter(|name| !name.is_empty()).map(str::to_owned);
        match given.name {
            "enable" if self.enable.is_some() => {
                return Err(ImportError::new("`--enable` can be given once"));
            }
            "enable" => self.enable = Some(names().collect()),
            "operation" | "operations" => self.operations.get_or_insert_default().extend(names()),
            "keep-user-accounts" => self.keep.extend(names()),
            "remove-user-accounts" => self.remove.extend(names()),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The step for it.
    pub(super) fn steps(
        &self,
        steps: &mut Vec<Value>,
        notes: &mut Vec<String>,
        customizes: bool,
    ) -> Result<(), ImportError> {
        if self.enable.is_some() && self.operations.is_some() {
            return Err(ImportError::new("`--enable` and `--operations` say the same in two ways"));
        }
        let defaults: BTreeSet<&'static str> = names(|peer| peer);
        let mut chosen: BTreeSet<&'static str> = BTreeSet::new();
        // What was named and not only meant by a word for many.
        let mut named: BTreeSet<&'static str> = BTreeSet::new();
        match (&self.enable, &self.operations) {
            (None, None) => chosen = defaults,
            (Some(list), _) => {
                for name in list {
                    named.insert(known(name)?);
                }
                chosen.clone_from(&named);
            }
            (None, Some(list)) => {
                for word in list {
                    let (removes, name) = match word.strip_prefix('-') {
                        Some(name) => (true, name),
                        None => (false, word.as_str()),
                    };
                    let these: BTreeSet<&'static str> = match name {
                        "defaults" => defaults.clone(),
                        "all" => names(|_| true),
                        name => BTreeSet::from([known(name)?]),
                    };
                    for one in these {
                        if removes {
                            chosen.remove(one);
                            named.remove(one);
                        } else {
                            chosen.insert(one);
                            if one == name {
                                named.insert(one);
                            }
                        }
                    }
                }
                if chosen.is_empty() {
                    notes.push("--operations: nothing is left; the list starts empty (`defaults,-NAME` takes one out)".to_owned());
                }
            }
        }
        if customizes && !chosen.remove(CUSTOMIZE) {
            return Err(ImportError::new(
                "options of virt-customize, and the operation `customize` is left out",
            )
            .hint("add `customize` to the operations"));
        }
        chosen.remove(CUSTOMIZE);
        let users_are_named = !self.keep.is_empty() || !self.remove.is_empty();
        if users_are_named && !chosen.contains("user-account") {
            return Err(ImportError::new("users are named, and the operation `user-account` is left out")
                .hint("--operations defaults,user-account"));
        }
        for name in chosen.clone() {
            let Some(reason) = operation(name).and_then(|operation| operation.refused) else { continue };
            if named.contains(name) {
                return Err(ImportError::new(format!("the operation `{name}` is not done: {reason}")));
            }
            notes.push(format!("{name} is not done: {reason}"));
            chosen.remove(name);
        }
        if chosen.remove("user-account") {
            let list =
                |names: &[String]| Value::Sequence(names.iter().map(|name| name.as_str().into()).collect());
            let mut settings = Mapping::new();
            if !self.keep.is_empty() {
                settings.insert("keep".into(), list(&self.keep));
            }
            if !self.remove.is_empty() {
                settings.insert("remove".into(), list(&self.remove));
            }
            steps.push(step("user-account", settings));
        }
        if !chosen.is_empty() {
            let only = Value::Sequence(chosen.into_iter().map(Value::from).collect());
            steps.insert(0, step("generalize", super::mapping(&[("only", only)])));
        }
        Ok(())
    }
}

/// The operations that virt-sysprep has, those whose default `wanted` wants.
fn names(wanted: impl Fn(bool) -> bool) -> BTreeSet<&'static str> {
    let listed = TABLE.iter().filter(|one| one.peer.is_some_and(&wanted)).map(|one| one.name);
    listed.chain([CUSTOMIZE]).collect()
}

fn known(name: &str) -> Result<&'static str, ImportError> {
    let all = || TABLE.iter().map(|one| one.name).chain([CUSTOMIZE]);
    all().find(|known| *known == name).ok_or_else(|| {
        let error = ImportError::new(format!("`{name}` is no operation"));
        match hardtack_yaml::did_you_mean(name, all()) {
            Some(meant) => error.hint(format!("did you mean `{meant}`?")),
            None => error.hint("`hardtack sysprep --list-operations` lists them"),
        }
    })
}
