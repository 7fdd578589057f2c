//! A setting of Eucalyptus: what it was before, if it is still what the run made of it.

use hardtack_cloud::properties::{property_value, reset_property, set_property};

use super::{Fate, Task};
use crate::Error;
use crate::service_image::is_unset;

impl Task<'_, '_> {
    pub(super) fn property(&self, name: &str, before: &str, after: &str) -> Result<Fate, Error> {
        let text = format!("property {name}");
        let Some(now) = property_value(self.client, name)? else { return Ok(Fate::Gone(text)) };
        if now.value == before || is_unset(&now.value) && is_unset(before) {
            return Ok(Fate::Gone(text));
        }
        if now.value != after {
            return Ok(Fate::Left(format!("{text}: somebody has changed it since, to {}", now.value)));
        }
        if is_unset(before) {
            // It takes ids of images only; nothing is what it has by itself.
            reset_property(self.client, name)?;
            return Ok(Fate::Removed(format!("{text}: it has no value again")));
        }
        set_property(self.client, name, before)?;
        Ok(Fate::Removed(format!("{text}: it is {before} again")))
    }
}
