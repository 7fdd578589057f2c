//! Account and keys of bundles: the environment, and the files of euca2ools.
//!
//! The first that has a value wins: the file of `--eucarc`, the environment, `~/.euca/*.ini`, the eucarc that
//! lies at home. Source: euca2ools 3.4.1 (`commands/bundle/mixins.py`).

use std::path::PathBuf;

use super::Euca;
use crate::credentials::files::expand;
use crate::{Environment, Error, PlaceOptions};

/// Where account and keys stand.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The account's number.
    pub account: Option<String>,
    /// The user's certificate.
    pub certificate: Option<PathBuf>,
    /// The user's private key.
    pub private_key: Option<PathBuf>,
    /// The cloud's certificate.
    pub cloud_certificate: Option<PathBuf>,
    /// Where the cloud's certificate can be asked for.
    pub bootstrap_url: Option<String>,
}

impl Settings {
    /// Looks everywhere.
    ///
    /// # Errors
    /// A file that cannot be read, a region on the command line that no file knows.
    pub fn find(options: &PlaceOptions, environment: &Environment) -> Result<Self, Error> {
        let euca = Euca::read(options, environment)?;
        let value = |variables: &[&str], of_files: Option<String>| {
            let named = euca.named.as_ref().and_then(|file| file.first(variables));
            named
                .or_else(|| environment.first(variables).map(str::to_owned))
                .or(of_files)
                .or_else(|| euca.found.as_ref().and_then(|file| file.first(variables)))
        };
        let path =
            |variables: &[&str], of_files| value(variables, of_files).map(|path| expand(&path, environment));
        Ok(Self {
            account: value(&["EC2_USER_ID", "EC2_ACCOUNT_NUMBER"], euca.of_user("account-id")),
            certificate: path(&["EC2_CERT", "EUCA_CERT"], euca.of_user("certificate")),
            private_key: path(&["EC2_PRIVATE_KEY", "EUCA_PRIVATE_KEY"], euca.of_user("private-key")),
            cloud_certificate: path(&["EUCALYPTUS_CERT"], euca.of_region("certificate")),
            bootstrap_url: euca.address(environment, &["EUCA_BOOTSTRAP_URL"], &["bootstrap-url"]),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::credentials::tests::environment;

    const INI: &str = "# a cloud\n[global]\ndefault-region = here\n\n[region here]\nuser = 1234:me\n\
        certificate = ~/cloud.pem\nbootstrap-url = http://b\n[user 1234*]\naccount-id: 1234\n\
        private-key = /k.pem\n[user 1234:me]\ncertificate = /c.pem\n[region other]\nuser=you\n\
        [user you]\naccount-id = 5678\n";
    const EUCARC: &str = "EUCA_KEY_DIR=$(cd $(dirname ${BASH_SOURCE:-$0}); pwd -P)\n\
        export EC2_CERT=${EUCA_KEY_DIR}/euca2-cert.pem\nexport EC2_PRIVATE_KEY=\"$EUCA_KEY_DIR/pk.pem\"\n\
        export EUCALYPTUS_CERT='/cloud-cert.pem'\nexport EUCA_BOOTSTRAP_URL=http://e\nexport EC2_USER_ID='000123'\n\
        alias ec2-bundle-image=\"ec2-bundle-image --cert ${EC2_CERT}\"\nexport X=$(rm -rf /)\n";

    #[test]
    fn files_of_euca2ools_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let try_find = |options: &PlaceOptions, extra: &[(&str, &str)]| {
            Settings::find(options, &environment(folder.path(), extra))
        };
        let find = |options: &PlaceOptions, extra: &[(&str, &str)]| try_find(options, extra).unwrap();
        let region = |name: &str| PlaceOptions { region: Some(name.to_owned()), ..PlaceOptions::default() };
        assert_eq!(find(&PlaceOptions::default(), &[]), Settings::default());
        std::fs::create_dir(at(".euca")).unwrap();
        std::fs::write(at(".euca/a.ini"), INI).unwrap();
        let expected = Settings {
            account: Some("1234".to_owned()),
            certificate: Some("/c.pem".into()),
            private_key: Some("/k.pem".into()),
            cloud_certificate: Some(at("cloud.pem")),
            bootstrap_url: Some("http://b".to_owned()),
        };
        assert_eq!(find(&PlaceOptions::default(), &[]), expected);
        let other = region("other");
        assert_eq!(find(&other, &[]).account.as_deref(), Some("5678"));
        let you = region("you@here");
        assert_eq!(find(&you, &[]).account.as_deref(), Some("5678"));
        let found = find(&PlaceOptions::default(), &[("EC2_PRIVATE_KEY", "k"), ("EUCA_CERT", "c")]);
        assert_eq!(found.private_key, Some("k".into()));
        assert_eq!(found.certificate, Some("c".into()));
        let found = find(&PlaceOptions::default(), &[("EUCA_BOOTSTRAP_URL", "http://v")]);
        assert_eq!(found.bootstrap_url.as_deref(), Some("http://v"));
        let missing = region("nowhere");
        assert!(try_find(&missing, &[]).is_err());

        std::fs::write(at("eucarc"), EUCARC).unwrap();
        std::fs::remove_file(at(".euca/a.ini")).unwrap();
        let given = PlaceOptions { eucarc: Some(at("eucarc")), ..PlaceOptions::default() };
        let expected = Settings {
            account: Some("000123".to_owned()),
            certificate: Some(at("euca2-cert.pem")),
            private_key: Some(at("pk.pem")),
            cloud_certificate: Some("/cloud-cert.pem".into()),
            bootstrap_url: Some("http://e".to_owned()),
        };
        assert_eq!(find(&given, &[]), expected);
        std::fs::rename(at("eucarc"), at(".euca/eucarc")).unwrap();
        assert_eq!(find(&PlaceOptions::default(), &[]).private_key, Some(at(".euca/pk.pem")));
        assert!(try_find(&given, &[]).is_err());
    }
}
