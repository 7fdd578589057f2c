//! What is found wrong before anything is made, keys that are names and files, and options of euca-run-instances.

use hardtack_fake_cloud::{Fault, FaultKind, Service};
use serde_json::Value;

use crate::{euca_scene, ids, scene};

const ON: &str = "--on aws --region us-east-1";
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ops\n";

#[test]
fn a_key_is_a_file_with_a_public_key_or_the_clouds_pair() {
    let (folder, cloud, _) = scene(|options| options.key_pairs = vec!["web-key".to_owned()]);
    let private = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
    folder.write("web-key", private);
    folder.write("other", "notes\n");
    folder.write("public", KEY);
    let launch = |key: &str| format!("launch web -f web.yaml {ON} -k {key}");
    folder.expect_at(&cloud, 0, &launch("web-key"));
    assert_eq!(cloud.instances()[0].key_name.as_deref(), Some("web-key"));
    for (key, told) in [
        ("./web-key", "this is a private key"),
        ("web-key.pub", "web-key.pub"),
        ("other", "no public key in OpenSSH's format"),
        ("nothing", "no such key pair"),
    ] {
        let ran = crate::workshop::Ran::of(&folder.command_at(&cloud, &launch(key)).output().unwrap());
        assert!(ran.code != Some(0) && ran.err.contains(told), "{key}: {}", ran.err);
    }
    assert_eq!(cloud.instances().len(), 1);
    folder.expect_at(&cloud, 0, &launch("public"));
    assert!(cloud.key_pairs().iter().any(|pair| pair.name == "ops"), "{:?}", cloud.key_pairs());
    // This machine has no pairs.
    let here = folder.run("launch web -f web.yaml -k web-key");
    assert!(here.code == Some(2) && here.err.contains("this is a private key"), "{}", here.err);
}

#[test]
fn type_zone_and_profile_are_looked_at_before_a_key_pair_or_group_is_made() {
    let (folder, cloud, _) = scene(|_| {});
    let all = [
        ("-t t3.smal", "t3.small"),
        ("-t t4g.small", "the image is of x86_64"),
        ("-z us-east-1x", "us-east-1a"),
        ("-p nobody", "instance profile"),
    ];
    for (options, told) in all {
        let line = format!("launch web -f web.yaml {ON} --new-key new.pem --ssh-from 192.0.2.0/24 {options}");
        let ran = folder.expect_at(&cloud, 3, &line);
        assert!(ran.err.contains(told), "{options}: {}", ran.err);
        let made = ["ImportKeyPair", "CreateSecurityGroup"];
        let log = cloud.log();
        assert!(!log.iter().any(|entry| made.contains(&entry.action.as_str())), "{options}: {log:?}");
        assert!(!folder.path("new.pem").exists(), "{options}");
        assert!(folder.names(".").iter().all(|name| !name.ends_with(".journal")), "{options}");
    }
    let line =
        format!("launch web -f web.yaml {ON} --new-key new.pem -t t3.micro -z us-east-1a -p a-profile");
    folder.expect_at(&cloud, 0, &line);
    let (folder, cloud, image) = euca_scene(|_| {});
    let (types, zones) = ("-t m1.smal", "-z nowhere");
    for (options, told) in [(types, "m1.small"), (zones, "there is no such zone")] {
        let line = format!("launch {image} -f web.yaml --on euca --ssh-from 192.0.2.0/24 {options}");
        let ran = folder.expect_at(&cloud, 3, &line);
        assert!(ran.err.contains(told), "{options}: {}", ran.err);
        assert!(!cloud.log().iter().any(|entry| entry.action == "CreateSecurityGroup"), "{options}");
    }
}

#[test]
fn groups_and_volumes_are_told_from_the_first_run_on() {
    let (folder, cloud, _) = scene(|options| options.groups = vec!["web-servers".to_owned()]);
    let line = format!("launch web -f web.yaml {ON} -g web-servers --volume 2G:/dev/vdc --json");
    let told: Value = serde_json::from_str(&folder.expect_at(&cloud, 0, &line).out).unwrap();
    assert_eq!(
        (told["groups"].as_array().unwrap().len(), &told["groups"][0]["name"]),
        (1, &"web-servers".into())
    );
    assert!(told["groups"][0]["id"].as_str().unwrap().starts_with("sg-"), "{told}");
    let volumes = told["instances"][0]["volumes"].as_array().unwrap();
    let known = cloud.volumes();
    let volume = known.iter().find(|volume| volume.size == 2).unwrap();
    assert_eq!(volumes, &[serde_json::json!({"id": volume.id, "device": "/dev/xvdc"})]);
    let (folder, cloud, _) = euca_scene(|options| options.groups = vec!["web-servers".to_owned()]);
    let zone = cloud.options().zones[0].clone();
    let line =
        format!("launch web -f web.yaml --on euca -z {zone} -g web-servers --volume 2G:/dev/vdc --json");
    let told: Value = serde_json::from_str(&folder.expect_at(&cloud, 0, &line).out).unwrap();
    assert_eq!(told["groups"][0]["name"], "web-servers", "{told}");
    assert!(told["groups"][0]["id"].as_str().unwrap().starts_with("sg-"), "{told}");
    assert!(told["instances"][0]["volumes"][0]["id"].as_str().unwrap().starts_with("vol-"), "{told}");
}

#[test]
fn options_of_euca_run_instances_are_taken() {
    let (folder, cloud, image) = scene(|_| {});
    let line = format!(
        "launch {image} -d #cloud-config {ON} --associate-public-ip-address false --private-ip-address 172.31.0.9 -m \
         --instance-initiated-shutdown-behavior terminate --tenancy default --ebs-optimized --placement-group a \
         --disable-api-termination --client-token my-own --show-empty-fields"
    );
    let ran = folder.expect_at(&cloud, 0, &line);
    assert!(!cloud.instances()[0].public && ran.out.contains("\t(nil)\t"), "{}", ran.out);
    let line = format!("launch {image} -d #cloud-config {ON} --client-token my-own");
    let bad = folder.expect_at(&cloud, 2, &format!("{line} -I AKIAEXAMPLE -S secret+of/mine"));
    assert!(bad.err.contains("AWS_SECRET_ACCESS_KEY") && !bad.err.contains("secret+of/mine"), "{}", bad.err);
    let bad = folder.expect_at(&cloud, 2, &format!("{line} --addressing private"));
    assert!(bad.err.contains("--no-public-ip"), "{}", bad.err);
    let bad = folder.expect_at(&cloud, 2, &format!("launch {image} {ON} --volume 20:/dev/vdc"));
    assert!(bad.err.contains("give a unit: 20G"), "{}", bad.err);
    let bad = folder.expect_at(&cloud, 2, &format!("launch {image} {ON} -S"));
    assert!(bad.out.is_empty(), "{}", bad.out);
    let (folder, cloud, image) = euca_scene(|_| {});
    let line = format!(
        "launch {image} -d #cloud-config --on euca -m --kernel eki-12345678 --ramdisk eri-12345678 --client-token my-own"
    );
    let first = folder.expect_at(&cloud, 0, &line);
    let second = folder.expect_at(&cloud, 0, &line);
    assert_eq!(ids(&first.out), ids(&second.out), "one token, one instance");
}

#[test]
fn without_subnets_the_advice_is_the_clouds() {
    let (folder, cloud, image) = euca_scene(|_| {});
    let ran = folder.expect_at(
        &cloud,
        3,
        &format!("launch {image} -f web.yaml --on euca --ssh-from 192.0.2.0/24 -s subnet-0123abcd"),
    );
    assert!(ran.err.contains("no such subnet") && !ran.err.contains("aws ec2"), "{}", ran.err);
}

#[test]
fn what_is_waited_for_in_vain_is_looked_at_where_it_is() {
    let (folder, cloud, _) = scene(|_| {});
    let line = format!("launch web -f web.yaml {ON} --wait=ssh --timeout 1s");
    let ran = crate::workshop::Ran::of(
        &folder.command_at(&cloud, &line).env("HARDTACK_TEST_HASTE", "1").output().unwrap(),
    );
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let id = &cloud.instances()[0].id;
    assert!(ran.err.contains(&format!("`hardtack console {id} {ON} --wait`")), "{}", ran.err);
}

#[test]
fn undo_ends_instances_that_the_journal_does_not_know() {
    for (place, (folder, cloud, image)) in [(ON, scene(|_| {})), ("--on euca", euca_scene(|_| {}))] {
        let ran = folder.expect_at(
            &cloud,
            0,
            &format!("launch {image} -f web.yaml {place} -n 2 --journal two.journal"),
        );
        let all = ids(&ran.out);
        let known = std::fs::read_to_string(folder.path("two.journal")).unwrap();
        // As after a try whose answer was lost.
        let one = known.replace(&format!("\"{}\"", all.join(",")), &format!("\"{}\"", all[0]));
        assert_ne!(one, known);
        folder.write("two.journal", &one);
        let undone = folder.expect_at(&cloud, 0, "undo two.journal");
        assert!(cloud.instances().iter().all(|one| one.state == "terminated"), "{}", undone.out);
    }
}

#[test]
fn a_launch_that_cannot_be_mended_is_undone_first() {
    let (folder, cloud, _) = scene(|_| {});
    let refusal = FaultKind::Code(400, "Unsupported");
    cloud.inject(Fault::new(Service::Ec2, "RunInstances", refusal));
    let line = format!("launch web -f web.yaml {ON} --ssh-from 192.0.2.0/24 --journal a.journal");
    let ran = folder.expect_at(&cloud, 3, &line);
    let at = |text: &str| ran.err.find(text).unwrap_or_else(|| panic!("{text}: {}", ran.err));
    assert!(at("hardtack undo a.journal") < at("run the same command"), "{}", ran.err);
    cloud.inject(Fault::new(
        Service::Ec2,
        "RunInstances",
        FaultKind::Code(400, "InsufficientInstanceCapacity"),
    ));
    let ran = folder.expect_at(&cloud, 5, &line);
    let at = |text: &str| ran.err.find(text).unwrap_or_else(|| panic!("{text}: {}", ran.err));
    assert!(at("hardtack undo a.journal") > at("run the same command"), "{}", ran.err);
    folder.expect_at(&cloud, 0, "undo a.journal");
}

#[test]
fn a_plain_text_is_refused_with_what_sends_it() {
    let (folder, cloud, image) = scene(|_| {});
    let ran = folder.expect_at(&cloud, 1, &format!("launch {image} -d plain {ON}"));
    assert!(ran.err.contains("--force launches all the same"), "{}", ran.err);
    let here = folder.run("launch --netboot --network lab --kernel eki-12345678");
    assert!(here.code == Some(2) && here.err.contains("--kernel is for clouds"), "{}", here.err);
}
