//! `console`, `instances`, `types` and `terminate` against the fake cloud.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

// Not all of it is used here.
#[allow(dead_code)]
mod block;
mod consoles;
mod here;
mod lists;
#[path = "../install/workshop.rs"]
#[allow(dead_code)]
mod workshop;

use hardtack_cloud::credentials::Provider;
use hardtack_cloud::ec2::{RunInstances, run_instances};
use hardtack_cloud::{Client, Environment, Kind, Patience, Place, PlaceOptions};
use hardtack_fake_cloud::{Cloud, Options};

/// A cloud with an image, and a client of it.
pub(crate) struct Site {
    pub(crate) cloud: Cloud,
    client: Client,
    image: String,
}

impl Site {
    pub(crate) fn new(euca: bool, change: impl FnOnce(&mut Options)) -> Self {
        let cloud = workshop::cloud_with(euca, change);
        let region = cloud.options().region.clone();
        let owner = cloud.options().accounts[0].number.clone();
        let snapshot = cloud.make_snapshot(&region, &owner, 1, None, false, &[]);
        let image = cloud.make_image(&region, "web", &snapshot, "x86_64", false);
        let environment = std::sync::Arc::new(Environment {
            variables: cloud.environment(),
            home: None,
            now: std::time::SystemTime::now,
            sleep: |_| {},
            random: |bytes| bytes.fill(7),
            trace: None,
        });
        let kind = if euca { Kind::Euca } else { Kind::Aws };
        let options = PlaceOptions::default();
        let place = Place::find(kind, &options, &environment).unwrap();
        let provider = Provider::find(kind, &options, environment.clone(), false);
        Self { cloud, client: Client::new(place, provider, environment, Patience::default()), image }
    }

    /// Starts `count` instances of a type; their ids.
    pub(crate) fn run(&self, kind: &str, count: u32, token: &str, name: Option<&str>) -> Vec<String> {
        let request = RunInstances {
            image: self.image.clone(),
            count: (count, count),
            instance_type: kind.to_owned(),
            token: token.to_owned(),
            tags: name.map(|name| ("Name".to_owned(), name.to_owned())).into_iter().collect(),
            ..RunInstances::default()
        };
        let made = run_instances(&self.client, &request).unwrap();
        made.instances.into_iter().map(|instance| instance.id).collect()
    }

    /// `aws` or `euca`.
    pub(crate) fn on(&self) -> &'static str {
        if self.client.place().kind == Kind::Euca { "euca" } else { "aws" }
    }
}
