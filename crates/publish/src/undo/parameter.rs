//! A parameter: what it was before, if it is still what the run made of it.

use hardtack_cloud::ssm::{delete_parameter, get_parameter, put_parameter};

use super::{Fate, Task};
use crate::Error;

impl Task<'_, '_> {
    /// `made`: the run has seen its value. Else the service may still be looking at it, and store it later.
    pub(super) fn parameter(
        &mut self,
        name: &str,
        before: Option<&str>,
        after: &str,
        made: bool,
    ) -> Result<Fate, Error> {
        let text = format!("parameter {name} in {}", self.region());
        let mut now = get_parameter(self.client, name)?;
        while !made && now.as_deref() == before && before != Some(after) && self.fresh.again() {
            now = get_parameter(self.client, name)?;
        }
        match (now, before) {
            (None, _) => Ok(Fate::Gone(text)),
            (Some(now), Some(before)) if now == before => Ok(Fate::Gone(text)),
            (Some(now), _) if now != after => {
                Ok(Fate::Left(format!("{text}: somebody has changed it since, to {now}")))
            }
            (Some(_), Some(before)) => {
                // The service refuses what is no image's id, where it is told to look: also that of an image that
                // was deregistered since.
                let image = before.starts_with("ami-");
                match put_parameter(self.client, name, before, image) {
                    Err(error) if image && error.is("ValidationException") => {
                        put_parameter(self.client, name, before, false)?;
                    }
                    result => result?,
                }
                Ok(Fate::Removed(format!("{text}: it is {before} again")))
            }
            (Some(_), None) => {
                delete_parameter(self.client, name)?;
                Ok(Fate::Removed(text))
            }
        }
    }
}
