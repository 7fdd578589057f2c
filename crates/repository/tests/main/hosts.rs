//! Over HTTP, from a small server of the test's own.

use std::time::{Duration, SystemTime};

use hardtack_repository::{Catalogue, Error, Network, Settings};

use hardtack_tests::repository::serve;

use crate::made::{Made, architectures, have};

#[test]
fn hosts_are_asked_within_bounds_and_the_cache_serves_without_them() {
    if !have("hosts", &["gpg", "apt-ftparchive", "dpkg-deb", "xz", "zstd", "gzip"]) {
        return;
    }
    let made = Made::new();
    made.key("good", "ed25519", &[], "0");
    made.deb("a", "1.0", "");
    made.index("");
    made.sign(&["good"], &[]);
    let host = serve(made.path("r"));
    let mut settings = Settings::new(SystemTime::now());
    settings.cache = Some(made.path("cache"));
    settings.network = Some(Network { patience: Duration::from_secs(60), ..Network::default() });
    let open = |below: &str, settings: &Settings| {
        let mut source = made.source("good");
        source.uri = format!("{host}{below}");
        Catalogue::open(&[source], &architectures(), settings, None)
    };
    for below in ["", "/on"] {
        assert_eq!(open(below, &settings).unwrap().offers().len(), 1, "{below}");
    }
    let said = |below: &str| open(below, &settings).unwrap_err();
    let error = said("/loop");
    assert!(
        matches!(error, Error::Network { .. }) && error.to_string().contains("more than 5 times"),
        "{error}"
    );
    let error = said("/zero");
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    let error = said("/login");
    assert!(matches!(error, Error::Untrusted { .. }) && error.to_string().contains("login"), "{error}");
    let error = said("/broken");
    assert!(error.to_string().contains("status 403"), "{error}");
    let error = said("/none");
    assert!(error.to_string().contains("suite's name"), "{error}");
    // What was fetched stays, for when nobody may be asked; without the cache nothing comes.
    settings.network = None;
    assert_eq!(open("", &settings).unwrap().offers().len(), 1);
    settings.cache = None;
    assert!(matches!(open("", &settings), Err(Error::Offline { .. })));
}
