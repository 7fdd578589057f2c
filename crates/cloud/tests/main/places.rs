//! Clients of a cloud that runs here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hardtack_cloud::credentials::{Credentials, Provider};
use hardtack_cloud::{Client, Environment, Kind, Patience, Place, Scheme, Service};
use hardtack_fake_cloud::{Cloud, Dialect};
use zeroize::Zeroizing;

/// A client of the first account.
pub(crate) fn client(cloud: &Cloud) -> Client {
    let account = &cloud.options().accounts[0];
    with(cloud, &account.key, &account.secret, Scheme::V4)
}

/// A client of the second account.
pub(crate) fn other(cloud: &Cloud) -> Client {
    let account = &cloud.options().accounts[1];
    with(cloud, &account.key, &account.secret, Scheme::V4)
}

/// A client with these keys.
pub(crate) fn with(cloud: &Cloud, id: &str, secret: &str, scheme: Scheme) -> Client {
    let euca = cloud.options().dialect == Dialect::Euca;
    let kind = if euca { Kind::Euca } else { Kind::Aws };
    let mut place = Place::new(kind, &cloud.options().region);
    place.scheme = scheme;
    let paths = [
        (Service::Ec2, "/services/compute"),
        (Service::S3, "/services/objectstorage"),
        (Service::Sts, "/services/Tokens"),
        (Service::Bootstrap, "/services/Empyrean"),
        (Service::Ebs, ""),
        (Service::Ssm, ""),
        (Service::Kms, ""),
        (Service::CloudFormation, "/services/CloudFormation"),
        (Service::AutoScaling, "/services/AutoScaling"),
        (Service::Properties, "/services/Properties"),
    ];
    for (service, path) in paths {
        place.given.insert(service, format!("{}{}", cloud.url(), if euca { path } else { "" }));
    }
    let credentials = Credentials {
        id: id.to_owned(),
        secret: Zeroizing::new(secret.to_owned()),
        token: None,
        expires: None,
        origin: "the test".to_owned(),
    };
    let environment = Environment {
        variables: BTreeMap::new(),
        home: None,
        now: SystemTime::now,
        sleep: |_| {},
        random: |bytes| bytes.fill(1),
        trace: None,
    };
    let patience = Patience { pause: Duration::ZERO, ..Patience::default() };
    Client::new(place, Provider::fixed(credentials), Arc::new(environment), patience)
}
