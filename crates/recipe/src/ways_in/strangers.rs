//! Names that are to log in and that nobody has: most are misspelt.

use hardtack_guest::{Stage, accounts};
use hardtack_yaml::did_you_mean;

use super::cloud_default_user;
use crate::model::{Naming, Recipe};
use crate::{StepError, steps};

/// Users below this are the system's own (Debian policy 9.2.2), and nobody meant one of them.
const FIRST_UID: u32 = 1000;

/// A name that the recipe lets in, of a user whom nobody makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stranger {
    pub(super) named: Naming,
    /// Whom it may have meant.
    pub(super) near: Option<String>,
}

impl Stranger {
    /// "recipe.yaml:7:16: no step `user` makes maria, and the image has no such user"
    pub(super) fn sentence(&self) -> String {
        let Naming { user, by, place } = &self.named;
        format!("{place}: `{by}` names {user}: no step `user` makes {user}, and the image has no such user")
    }

    pub(super) fn hint(&self) -> Option<String> {
        self.near.as_ref().map(|near| format!("did you mean `{near}`?"))
    }
}

/// All of them. Users whom the launch brings are known by nobody: a name alone is no mistake.
pub(super) fn find(recipe: &Recipe, stage: &Stage<'_>) -> Result<Vec<Stranger>, StepError> {
    if recipe.namings.is_empty() {
        return Ok(Vec::new());
    }
    let users = accounts::users(stage)?;
    let mut people: Vec<String> = recipe.users().map(|user| user.name.clone()).collect();
    people.extend(users.iter().filter(|user| user.uid >= FIRST_UID).map(|user| user.name.clone()));
    people.extend(cloud_default_user(stage)?);
    let agent = steps::agent::known(stage)?;
    people.extend(agent.into_iter().flat_map(|agent| agent.accounts).map(|account| account.name));
    let unknown =
        |name: &str| !people.iter().any(|known| known == name) && !users.iter().any(|user| user.name == name);
    let stranger = |named: &Naming| Stranger {
        named: named.clone(),
        near: did_you_mean(&named.user, people.iter().map(String::as_str)).map(str::to_owned),
    };
    Ok(recipe.namings.iter().filter(|named| unknown(&named.user)).map(stranger).collect())
}
