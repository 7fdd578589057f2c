//! `hardtack stack create` and `undo`, with the example that ships.

use hardtack_fake_cloud::{Cloud, Console, Fault, FaultKind, Options, Service};
use serde_json::Value;

use crate::block::{SECRET, block};
use crate::workshop::{Folder, Ran};
use crate::{euca_scene, scene};

const AWS: &str = "--on aws --region us-east-1 -p VmType=t3.small";

/// The line that makes the example's cluster of two.
fn line(folder: &Folder, image: &str, rest: &str) -> String {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../cloud-config");
    for name in ["coreos-cluster.template", "coreos-cluster.yaml"] {
        std::fs::copy(format!("{examples}/{name}"), folder.path(name)).unwrap();
    }
    format!(
        "stack create coreos-cluster.template --user-data coreos-cluster.yaml --name coreos -p \
         CoreOSImageId={image};UserKeyPair=admin -p AcctId=123456789012;ClusterSize=2 {rest}"
    )
}

fn admin(options: &mut Options) {
    options.key_pairs.push("admin".to_owned());
    options.consoles = vec![Console::new().boot(6, 100_000).then(block())];
}

fn hasty(folder: &Folder, cloud: &Cloud, code: i32, line: &str) -> Ran {
    let ran = Ran::of(&folder.command_at(cloud, line).env("HARDTACK_TEST_HASTE", "1").output().unwrap());
    assert_eq!(ran.code, Some(code), "{line}: {}{}", ran.out, ran.err);
    ran
}

/// Two members with the example's user-data and key.
fn judge(folder: &Folder, cloud: &Cloud, ran: &Ran) {
    let groups: Vec<&str> = ran.out.lines().filter(|line| line.starts_with("AUTO-SCALING-GROUP\t")).collect();
    let members: Vec<&str> = ran.out.lines().filter(|line| line.starts_with("INSTANCE\ti-")).collect();
    assert!(ran.out.starts_with("STACK\tcoreos\tCREATE_COMPLETE\t"), "{}", ran.out);
    assert_eq!((groups.len(), members.len()), (1, 2), "{}", ran.out);
    let user_data = std::fs::read(folder.path("coreos-cluster.yaml")).unwrap();
    let started: Vec<_> = cloud.instances().into_iter().filter(|one| one.state != "terminated").collect();
    assert_eq!(started.len(), 2);
    for one in started {
        assert_eq!(one.key_name.as_deref(), Some("admin"));
        assert!(one.user_data == user_data, "{}", String::from_utf8_lossy(&one.user_data));
        assert!(ran.out.contains(&format!("INSTANCE\t{}\t", one.id)), "{}", ran.out);
    }
}

#[test]
fn the_example_becomes_a_cluster_on_both_clouds() {
    for (place, (folder, cloud, image)) in
        [(AWS, scene(admin)), ("--on euca -p VmType=m1.small", euca_scene(admin))]
    {
        let before = cloud.leftovers();
        let line = line(&folder, &image, place);
        let ran = hasty(&folder, &cloud, 0, &line);
        judge(&folder, &cloud, &ran);
        let events = ran.err.lines().filter(|line| line.starts_with("note: 20")).count();
        assert!(
            events > 8 && ran.err.contains("CREATE_COMPLETE coreos AWS::CloudFormation::Stack"),
            "{}",
            ran.err
        );
        // Its members' consoles, by the group's name.
        let group = ran.out.lines().find_map(|line| line.strip_prefix("AUTO-SCALING-GROUP\t")).unwrap();
        let group = group.split('\t').next().unwrap();
        let on = place.split(" -p").next().unwrap();
        let console = hasty(&folder, &cloud, 0, &format!("console asg:{group} --wait {on}"));
        assert!(console.out.matches(SECRET).count() >= 2, "{}", console.out);
        assert_eq!(console.out.matches("==> i-").count(), 2, "{}", console.out);
        let none = hasty(&folder, &cloud, 3, &format!("console asg:{group}x {on}"));
        assert!(none.err.contains("no such auto scaling group"), "{}", none.err);
        // The same again makes nothing.
        let looks = || cloud.log().iter().filter(|entry| entry.action == "DescribeAutoScalingGroups").count();
        let before_looking = looks();
        assert_eq!(hasty(&folder, &cloud, 0, &line).out, ran.out);
        assert!(looks() > before_looking, "states are those of now");
        let json: Value =
            serde_json::from_str(&hasty(&folder, &cloud, 0, &format!("{line} --json")).out).unwrap();
        assert_eq!(json["groups"][0]["instances"].as_array().unwrap().len(), 2, "{json}");
        assert_eq!(cloud.stacks().len(), 1);
        hasty(&folder, &cloud, 0, "undo coreos.journal");
        assert_eq!(cloud.leftovers(), before);
    }
}

#[test]
fn yaml_goes_to_eucalyptus_as_json() {
    let (folder, cloud, image) = euca_scene(admin);
    folder.write(
        "one.yaml",
        "Parameters:\n  Image: {Type: String}\nResources:\n  One:\n    Type: AWS::EC2::Instance\n    Properties:\n      \
         ImageId: !Ref Image # the newest\n      InstanceType: m1.small\n      KeyName: admin\n",
    );
    let before = cloud.leftovers();
    let line = format!("stack create one.yaml --user-data web.yaml -n one -p Image={image} --on euca");
    let ran = hasty(&folder, &cloud, 0, &line);
    assert!(ran.err.contains("JSON"), "{}", ran.err);
    let started = cloud.instances();
    assert_eq!(started.len(), 1);
    assert_eq!(started[0].user_data, crate::USER_DATA.as_bytes());
    assert!(ran.out.ends_with(&format!("INSTANCE\t{}\n", started[0].id)), "{}", ran.out);
    hasty(&folder, &cloud, 0, "undo one.journal");
    assert_eq!(cloud.leftovers(), before);
    folder.write("odd.yaml", "Resources:\n  One:\n    Type: !a/b AWS::EC2::Instance\n");
    let ran = hasty(&folder, &cloud, 3, "stack create odd.yaml -n odd --on euca");
    assert!(ran.err.contains("line 3") && ran.err.contains("!a/b"), "{}", ran.err);
    assert!(!folder.path("odd.journal").exists(), "{:?}", folder.names("."));
}

#[test]
fn throttling_and_lost_answers_make_no_second_stack() {
    for (place, (folder, cloud, image)) in
        [(AWS, scene(admin)), ("--on euca -p VmType=m1.small", euca_scene(admin))]
    {
        let before = cloud.leftovers();
        let of = |action, kind| Fault::new(Service::CloudFormation, action, kind);
        cloud.inject(of("CreateStack", FaultKind::CloseAfterRequest));
        cloud.inject(of("DescribeStacks", FaultKind::Status(400)).after(1).times(7));
        cloud.inject(of("DescribeStackEvents", FaultKind::Status(503)).times(7));
        cloud.inject(of("DescribeStackEvents", FaultKind::Reset).after(1).times(3));
        cloud.inject(of("DescribeStackResources", FaultKind::Status(400)).times(3));
        cloud.inject(
            Fault::new(Service::AutoScaling, "DescribeAutoScalingGroups", FaultKind::Status(400)).times(5),
        );
        let ran = hasty(&folder, &cloud, 0, &line(&folder, &image, place));
        judge(&folder, &cloud, &ran);
        assert_eq!(cloud.stacks().len(), 1);
        cloud.heal();
        cloud.inject(of("DeleteStack", FaultKind::CloseAfterRequest));
        cloud.inject(of("DescribeStacks", FaultKind::Status(400)).after(2).times(7));
        hasty(&folder, &cloud, 0, "undo coreos.journal");
        assert_eq!(cloud.leftovers(), before);
    }
}

#[test]
fn what_a_stack_fails_of_is_told_and_undone() {
    let (folder, cloud, image) = scene(|options| {
        admin(options);
        options.stack_fails = Some(("CoreOsGroup".to_owned(), "no more of them".to_owned()));
    });
    let before = cloud.leftovers();
    let ran = hasty(&folder, &cloud, 1, &line(&folder, &image, AWS));
    assert!(ran.err.contains("CoreOsGroup") && ran.err.contains("no more of them"), "{}", ran.err);
    assert!(ran.out.is_empty());
    let at = |text: &str| ran.err.find(text).unwrap_or_else(|| panic!("{text}: {}", ran.err));
    assert!(at("hint: take away what was made") < at("run the same command"), "{}", ran.err);
    hasty(&folder, &cloud, 0, "undo coreos.journal");
    assert_eq!(cloud.leftovers(), before);
    // Without the right parameters nothing begins.
    let ran = hasty(&folder, &cloud, 2, &format!("stack create coreos-cluster.template -n other {AWS}"));
    assert!(ran.err.contains("AcctId, CoreOSImageId, UserKeyPair"), "{}", ran.err);
    assert!(!folder.path("other.journal").exists());
}
