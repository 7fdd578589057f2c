//! A security group that was made for a launch: its name has the journal's id in it.

use hardtack_cloud::ec2::{delete_security_group, describe_security_groups};

use super::{Fate, Task};
use crate::Error;
use crate::poll::Fresh;
use crate::refusal::missing;

impl Task<'_, '_> {
    pub(super) fn security_group(&mut self, name: &str, id: Option<&str>) -> Result<Fate, Error> {
        let text = format!("security group {name} in {}", self.region());
        let filter = [("group-name".to_owned(), vec![name.to_owned()])];
        let found = loop {
            let found = match describe_security_groups(self.client, &[], &filter) {
                Err(error) if missing(&error) => Vec::new(),
                found => found?,
            };
            let found: Vec<String> =
                found.into_iter().filter(|group| group.name == name).map(|group| group.id).collect();
            if !found.is_empty() || !self.fresh.again() {
                break found;
            }
        };
        if found.is_empty() {
            // Where only the description lags behind, this removes it all the same.
            if let Some(id) = id {
                delete_security_group(self.client, id)?;
            }
            return Ok(Fate::Gone(text));
        }
        for group in &found {
            let mut fresh = Fresh::new(self.client);
            loop {
                match delete_security_group(self.client, group) {
                    // Interfaces of ended instances go a little later than these.
                    Err(error)
                        if (error.is("DependencyViolation") || error.is("InvalidGroup.InUse"))
                            && fresh.again() =>
                    {
                        self.tell.waiting(&format!("{group} is still in use"));
                    }
                    result => break result?,
                }
            }
        }
        Ok(Fate::Removed(text))
    }
}
