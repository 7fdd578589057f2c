//! What the files of euca2ools and eucarc say: regions, users, keys, addresses.
//!
//! Sources: euca2ools 3.4.1 (`commands/bundle/mixins.py`), requestbuilder (`config.py`, `auth/aws.py`,
//! `service.py`), Eucalyptus' eucarc.

mod eucarc;
mod ini;
mod keys;
mod settings;

pub(crate) use keys::{credential_file, pair};
pub use settings::Settings;

use crate::{Environment, Error, PlaceOptions};
use eucarc::Eucarc;
use ini::Ini;

/// All files of euca2ools, and eucarc.
pub(crate) struct Euca {
    ini: Ini,
    /// The region's name, where one is named.
    pub(crate) region: Option<String>,
    /// The user's, of `USER@REGION` or of the region's section.
    user: Option<String>,
    /// Region or user stood on the command line.
    asked: Asked,
    /// The file of `--eucarc`.
    named: Option<Eucarc>,
    /// The file that lies in the home directory.
    found: Option<Eucarc>,
}

/// What the command line names.
#[derive(Clone, Copy, Default)]
struct Asked {
    region: bool,
    user: bool,
}

impl Euca {
    /// Reads what is there.
    ///
    /// # Errors
    /// A file that cannot be read, a region on the command line that no file knows.
    pub(crate) fn read(options: &PlaceOptions, environment: &Environment) -> Result<Self, Error> {
        let ini = Ini::read(environment)?;
        let named = match &options.eucarc {
            Some(path) => Some(Eucarc::read(path, environment)?),
            None => None,
        };
        let found = match &named {
            Some(_) => None,
            None => Eucarc::find(environment)?,
        };
        let given = options.region.clone().filter(|region| !region.is_empty());
        let variable =
            || environment.first(&["EUCA_DEFAULT_REGION", "AWS_DEFAULT_REGION"]).map(str::to_owned);
        let all = given.clone().or_else(variable).or_else(|| ini.get("global", "default-region"));
        let (user, region) = match all.as_deref().map(|all| all.split_once('@').ok_or(all)) {
            Some(Ok((user, region))) => (some(user), some(region)),
            Some(Err(region)) => (None, some(region)),
            None => (None, None),
        };
        let asked =
            Asked { region: given.is_some() && region.is_some(), user: given.is_some() && user.is_some() };
        let region =
            region.or_else(|| ini.get("global", "default-region").filter(|name| !name.contains('@')));
        let mut this = Self { ini, region, user, asked, named, found };
        // With addresses of its own it needs none of the files.
        let addressed = options.ec2_url.is_some() || options.s3_url.is_some();
        if let (true, Some(region)) = (asked.region && !addressed, &this.region)
            && !this.ini.knows(&format!("region {region}"))
        {
            return Err(Error::Usage(format!(
                "--region {region}: no file of euca2ools knows that region; ~/.euca/*.ini has sections \
                 [region NAME]"
            )));
        }
        this.user = this.user.take().or_else(|| this.of_region("user"));
        Ok(this)
    }

    /// What the region's section says.
    pub(crate) fn of_region(&self, name: &str) -> Option<String> {
        self.ini.get(&format!("region {}", self.region.as_deref()?), name)
    }

    /// What the user's section says.
    fn of_user(&self, name: &str) -> Option<String> {
        self.ini.get(&format!("user {}", self.user.as_deref()?), name)
    }

    /// An address: by the region on the command line, the file of `--eucarc`, the environment, the region
    /// that is named elsewhere, the eucarc that lies at home.
    pub(crate) fn address(
        &self,
        environment: &Environment,
        variables: &[&str],
        settings: &[&str],
    ) -> Option<String> {
        let of_region = || settings.iter().find_map(|name| self.of_region(name));
        let asked = if self.asked.region { of_region() } else { None };
        asked
            .or_else(|| self.named.as_ref().and_then(|file| file.first(variables)))
            .or_else(|| environment.first(variables).map(str::to_owned))
            .or_else(of_region)
            .or_else(|| self.found.as_ref().and_then(|file| file.first(variables)))
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}
