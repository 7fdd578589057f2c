//! A trial in a cloud: what a run leaves behind that ended in the middle of it.

use std::sync::Arc;
use std::time::Duration;

use hardtack_fake_cloud::{Cloud, Fault, FaultKind, Service};
use hardtack_publish::image::{Existing, register};
use hardtack_publish::trial::{Check, Trial, on_cloud};
use hardtack_publish::{Error, Silent, undo};

use crate::image::{request, snapshot};
use crate::world::World;

fn trial(instance_type: &str) -> Trial {
    let found = |text: &str| text.contains("Linux");
    Trial {
        user_data: b"password".to_vec(),
        instance_type: instance_type.to_owned(),
        key_name: None,
        subnet: None,
        groups: Vec::new(),
        public_address: None,
        timeout: Duration::from_secs(600),
        checks: vec![Check::Console { what: "the console says Linux".to_owned(), found: Arc::new(found) }],
    }
}

fn image(world: &World) -> String {
    let request = request(&snapshot(world));
    register(&world.client, &request, Existing::Refuse, &world.journal(), &Silent).unwrap().id
}

fn run(world: &World, image: &str, instance_type: &str) -> Result<(), Error> {
    let console = world.path().with_extension("console");
    on_cloud(&world.client, image, &trial(instance_type), true, &console, &world.journal(), &Silent)
}

fn states(world: &World) -> Vec<String> {
    world.cloud.instances().into_iter().map(|instance| instance.state).collect()
}

#[test]
fn a_second_trial_has_an_instance_of_its_own() {
    let world = World::new();
    let image = image(&world);
    run(&world, &image, "t3.small").unwrap();
    // The run failed later; the next one tries the image again.
    run(&world, &image, "t3.small").unwrap();
    assert_eq!(states(&world), ["terminated", "terminated"]);
}

#[test]
fn an_instance_whose_answer_was_lost_is_used_or_ended() {
    for other in [false, true] {
        let world = World::of(Cloud::builder().with(|options| options.describe_misses = 2));
        let image = image(&world);
        world.cloud.inject(Fault::new(Service::Ec2, "RunInstances", FaultKind::CloseAfterRequest).times(4));
        run(&world, &image, "t3.small").unwrap_err();
        assert_eq!(states(&world).len(), 1);
        run(&world, &image, if other { "t3.large" } else { "t3.small" }).unwrap();
        let states = states(&world);
        assert_eq!(states.len(), if other { 2 } else { 1 });
        assert!(states.iter().all(|state| state == "terminated" || state == "shutting-down"), "{states:?}");
        assert!(world.journal().standing().iter().all(|standing| standing.id.is_some()));
    }
}

#[test]
fn a_trial_that_the_cloud_ends_early_is_tried_again() {
    let world = World::new();
    let image = image(&world);
    world.cloud.inject(Fault::new(Service::Ec2, "GetConsoleOutput", FaultKind::Status(403)));
    let error = run(&world, &image, "t3.small").unwrap_err();
    assert!(!matches!(error, Error::No(_)), "{error}");
    run(&world, &image, "t3.small").unwrap();
    // A refusal has started nothing, and stands nowhere.
    world.cloud.inject(Fault::new(Service::Ec2, "RunInstances", FaultKind::Status(403)));
    run(&world, &image, "t3.small").unwrap_err();
    assert_eq!(world.journal().standing().len(), 1, "the image");
    undo::undo(&world.journal(), Some(&world.client), &Silent).unwrap();
    assert_eq!(states(&world), ["terminated", "terminated"]);
}
