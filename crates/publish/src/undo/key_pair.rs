//! A key pair that was imported. The file of its private key is not a thing of the cloud, and not looked at here.

use hardtack_cloud::ec2::{delete_key_pair, describe_key_pairs};

use super::{Fate, Task};
use crate::Error;
use crate::refusal::missing;

impl Task<'_, '_> {
    pub(super) fn key_pair(
        &mut self,
        name: &str,
        fingerprints: &[String],
        made: bool,
    ) -> Result<Fate, Error> {
        let text = format!("key pair {name} in {}", self.region());
        loop {
            let found = match describe_key_pairs(self.client, &[name], &[]) {
                Err(error) if missing(&error) => None,
                found => found?.into_iter().find(|pair| pair.name == name),
            };
            let Some(pair) = found else {
                if self.fresh.again() {
                    continue;
                }
                return Ok(Fate::Gone(text));
            };
            // Eucalyptus has no tags of key pairs.
            let bare = |text: &str| text.trim_start_matches("SHA256:").trim_end_matches('=').to_lowercase();
            let same = fingerprints.iter().any(|one| bare(one) == bare(&pair.fingerprint));
            let ours =
                self.is_tagged(&pair.tags) || same && pair.tags.is_empty() || made && fingerprints.is_empty();
            if !ours {
                return Ok(Fate::Left(format!("{text}: it is not of this journal")));
            }
            delete_key_pair(self.client, name)?;
            return Ok(Fate::Removed(text));
        }
    }
}
