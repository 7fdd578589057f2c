//! `install`, `launch`, `stack create` and `service-image install` are killed (SIGKILL) at any moment; then it goes on, or is undone, and `undo` is killed, too.
//!
//! Moments: after the n-th request that the cloud has seen; while the n-th is carried out and not answered; any
//! microsecond of a whole run. Debug builds only, because only they can be told to wait less (`HARDTACK_TEST_HASTE`).

mod local;
mod run;
mod scenario;
mod signals;

use hardtack_fake_cloud::{FaultKind, RandomFaults};

use self::run::Killing;
use self::scenario::SCENARIOS;

/// One scenario, so many times.
fn kill(name: &str, times: u64) {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name).unwrap();
    // Another sequence for each.
    let seed = name.bytes().fold(times, |seed, byte| seed.rotate_left(5) ^ u64::from(byte));
    let mut killing = Killing::new(scenario, seed, None);
    for turn in 0..times {
        killing.turn(turn, times);
    }
    eprintln!("{}", killing.numbers);
}

macro_rules! scenarios {
    ($($test:ident: $name:literal, $times:literal;)*) => {$(
        #[test]
        #[cfg_attr(not(debug_assertions), ignore = "release builds wait as long as a cloud may need")]
        fn $test() {
            kill($name, $times);
        }
    )*};
}

scenarios! {
    a_plain_snapshot: "plain", 7;
    an_encrypted_snapshot_that_is_copied_shared_and_announced: "everything", 9;
    a_public_image_is_the_source: "public source", 7;
    an_own_image_is_the_parent: "own source", 5;
    a_bundle_and_its_bucket: "bundle", 7;
    a_bundle_in_a_bucket_that_is_there: "bundle in a bucket", 5;
    a_cloud_that_does_not_know_at_once_what_it_has_made: "slow", 6;
    instances_with_all_that_they_need: "launch", 12;
    instances_on_a_cloud_that_does_not_know_them_at_once: "launch on a slow cloud", 6;
    an_instance_and_a_volume_that_is_attached: "launch on eucalyptus", 12;
    a_cluster: "stack", 10;
    a_cluster_of_a_cloud_without_tokens_for_calls: "stack on eucalyptus", 10;
    an_image_of_a_service: "service image", 7;
}

#[test]
#[ignore = "the full suite: hundreds of moments, with faults of all kinds at random"]
fn hundreds_of_moments_with_faults_of_all_kinds() {
    let number = |name, usual| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let times = number("HARDTACK_MOMENTS", 400_u64);
    let first = number("HARDTACK_SEED", 100);
    // Names of scenarios with commas between them, where not all are wanted.
    let wanted = std::env::var("HARDTACK_SCENARIOS").unwrap_or_default();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.split(',').any(|one| one == name);
    let count = SCENARIOS.iter().filter(|scenario| is_wanted(scenario.name)).count();
    assert!(count > 0, "HARDTACK_SCENARIOS names none: {wanted}");
    let each = times / count as u64 + 1;
    std::thread::scope(|scope| {
        for (seed, scenario) in (first..).zip(SCENARIOS).filter(|(_, scenario)| is_wanted(scenario.name)) {
            scope.spawn(move || {
                let faults = RandomFaults {
                    seed,
                    per_mille: 60,
                    kinds: vec![
                        FaultKind::Status(500),
                        FaultKind::Status(503),
                        FaultKind::Reset,
                        FaultKind::CloseAfterRequest,
                    ],
                };
                let mut killing = Killing::new(scenario, seed, Some(faults));
                for turn in 0..each {
                    killing.turn(turn, each);
                }
                eprintln!("{}", killing.numbers);
            });
        }
    });
}
