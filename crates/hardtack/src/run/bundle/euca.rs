//! Account and keys: options, the environment, and the files of euca2ools.
//!
//! The first that has a value wins: the option, the environment, `~/.euca/*.ini`, eucarc. Sources:
//! euca2ools 3.4.1 (`commands/bundle/mixins.py`), requestbuilder's `config.py`, Eucalyptus' eucarc.

use std::path::{Path, PathBuf};

use super::{eucarc, ini};
use crate::args::FilesArgs;
use crate::error::CliError;

/// Where account and keys stand.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::run) struct Settings {
    /// The account's number.
    pub(in crate::run) account: Option<String>,
    /// The user's certificate.
    pub(in crate::run) certificate: Option<PathBuf>,
    /// The user's private key.
    pub(in crate::run) private_key: Option<PathBuf>,
    /// The cloud's certificate.
    pub(in crate::run) cloud_certificate: Option<PathBuf>,
}

impl Settings {
    /// Looks everywhere.
    pub(in crate::run) fn find(files: &FilesArgs) -> Result<Self, CliError> {
        let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self::find_with(files, &environment)
    }

    fn find_with(files: &FilesArgs, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, CliError> {
        let path = |names: &[&str]| names.iter().find_map(|name| environment(name)).map(PathBuf::from);
        let given = Self {
            account: environment("EC2_USER_ID"),
            certificate: path(&["EC2_CERT", "EUCA_CERT"]),
            private_key: path(&["EC2_PRIVATE_KEY", "EUCA_PRIVATE_KEY"]),
            cloud_certificate: path(&["EUCALYPTUS_CERT"]),
        };
        let home = environment("HOME").map(PathBuf::from);
        let of_files = ini::settings(files, environment, home.as_deref())?;
        Ok(given.or(of_files).or(eucarc::settings(files, home.as_deref())?))
    }

    /// The values of `self`, and where it has none, those of `other`.
    fn or(self, other: Self) -> Self {
        Self {
            account: self.account.or(other.account),
            certificate: self.certificate.or(other.certificate),
            private_key: self.private_key.or(other.private_key),
            cloud_certificate: self.cloud_certificate.or(other.cloud_certificate),
        }
    }
}

/// A path that begins with `~/` lies in the home directory.
pub(super) fn expand(path: &str, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const INI: &str = "# a cloud\n[global]\ndefault-region = here\n\n[region here]\nuser = 1234:me\n\
        certificate = ~/cloud.pem\nec2-url = http://x\n[user 1234*]\naccount-id: 1234\n\
        private-key = /k.pem\n[user 1234:me]\ncertificate = /c.pem\n[region other]\nuser=you\n\
        [user you]\naccount-id = 5678\n";
    const EUCARC: &str = "EUCA_KEY_DIR=$(cd $(dirname ${BASH_SOURCE:-$0}); pwd -P)\n\
        export EC2_CERT=${EUCA_KEY_DIR}/euca2-cert.pem\nexport EC2_PRIVATE_KEY=\"$EUCA_KEY_DIR/pk.pem\"\n\
        export EUCALYPTUS_CERT='/cloud-cert.pem'\nexport EC2_USER_ID='000123'\n\
        alias ec2-bundle-image=\"ec2-bundle-image --cert ${EC2_CERT}\"\nexport X=$(rm -rf /)\n";

    #[test]
    fn files_of_euca2ools_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let environment = |extra: &'static [(&'static str, &'static str)]| {
            let home = folder.path().display().to_string();
            move |name: &str| match name {
                "HOME" => Some(home.clone()),
                _ => extra.iter().find(|(have, _)| *have == name).map(|(_, value)| (*value).to_owned()),
            }
        };
        let find = |files: &FilesArgs, extra| Settings::find_with(files, &environment(extra)).unwrap();
        assert_eq!(find(&FilesArgs::default(), &[]), Settings::default());
        std::fs::create_dir(at(".euca")).unwrap();
        std::fs::write(at(".euca/a.ini"), INI).unwrap();
        let expected = Settings {
            account: Some("1234".to_owned()),
            certificate: Some("/c.pem".into()),
            private_key: Some("/k.pem".into()),
            cloud_certificate: Some(at("cloud.pem")),
        };
        assert_eq!(find(&FilesArgs::default(), &[]), expected);
        let other = FilesArgs { region: Some("other".to_owned()), eucarc: None };
        assert_eq!(find(&other, &[]).account.as_deref(), Some("5678"));
        let you = FilesArgs { region: Some("you@here".to_owned()), eucarc: None };
        assert_eq!(find(&you, &[]).account.as_deref(), Some("5678"));
        let found = find(&FilesArgs::default(), &[("EC2_PRIVATE_KEY", "k"), ("EUCA_CERT", "c")]);
        assert_eq!(found.private_key, Some("k".into()));
        assert_eq!(found.certificate, Some("c".into()));
        let missing = FilesArgs { region: Some("nowhere".to_owned()), eucarc: None };
        assert!(Settings::find_with(&missing, &environment(&[])).is_err());

        std::fs::write(at("eucarc"), EUCARC).unwrap();
        std::fs::remove_file(at(".euca/a.ini")).unwrap();
        let given = FilesArgs { region: None, eucarc: Some(at("eucarc")) };
        let expected = Settings {
            account: Some("000123".to_owned()),
            certificate: Some(at("euca2-cert.pem")),
            private_key: Some(at("pk.pem")),
            cloud_certificate: Some("/cloud-cert.pem".into()),
        };
        assert_eq!(find(&given, &[]), expected);
        std::fs::rename(at("eucarc"), at(".euca/eucarc")).unwrap();
        assert_eq!(find(&FilesArgs::default(), &[]).private_key, Some(at(".euca/pk.pem")));
        assert!(Settings::find_with(&given, &environment(&[])).is_err());
    }
}
