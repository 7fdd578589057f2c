//! Copies, sharing, roles, and everything that is there.

use hardtack_fake_cloud::{Cloud, FaultKind, RandomFaults};

use crate::raw::{Answer, Ask, ec2};

const AWS_KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/0a0a0a0a-123456789012-aws-ebs";

fn there(cloud: &Cloud, region: &str, query: &str) -> Answer {
    let query = format!("{query}&Version=2016-11-15");
    let mut pairs: Vec<&str> = query.split('&').collect();
    pairs.sort_unstable();
    Ask { query: &pairs.join("&"), region, ..Ask::default() }.send(cloud)
}

#[test]
fn images_are_copied_once_per_token() {
    let cloud = Cloud::start();
    let block = vec![1; 512 * 1024];
    let snapshot = cloud.make_snapshot("us-east-1", "123456789012", 1, None, false, &[(0, &block)]);
    let image = cloud.make_image("us-east-1", "an image", &snapshot, "x86_64", false);
    let copy = format!(
        "Action=CopyImage&ClientToken=t&Name=an%20image&SourceImageId={image}&SourceRegion=us-east-1"
    );
    let id = there(&cloud, "eu-west-1", &copy).element("imageId");
    assert_eq!(there(&cloud, "eu-west-1", &copy).element("imageId"), id, "the same token");
    let other = copy.replace("Name=an", "Name=another");
    assert_eq!(there(&cloud, "eu-west-1", &other).element("Code"), "IdempotentParameterMismatch");
    let other = copy.replace("ClientToken=t", "ClientToken=u");
    assert_eq!(there(&cloud, "eu-west-1", &other).element("Code"), "InvalidAMIName.Duplicate");
    let describe = format!("Action=DescribeImages&ImageId.1={id}");
    for state in ["pending", "pending", "available"] {
        assert_eq!(there(&cloud, "eu-west-1", &describe).element("imageState"), state);
    }
    assert_eq!(ec2(&cloud, &describe).element("Code"), "InvalidAMIID.NotFound", "another region");
    let copied = cloud.snapshots().into_iter().find(|have| have.region == "eu-west-1").unwrap();
    assert_eq!(copied.state, "completed");
    assert_eq!(cloud.read_snapshot(&copied.id).unwrap().block(0), block);
    assert_eq!(cloud.leftovers().len(), 4);
}

#[test]
fn what_is_encrypted_with_awss_own_key_is_not_shared() {
    let cloud = Cloud::start();
    for (key, public, status) in [
        (None, false, 200),
        (None, true, 200),
        (Some(AWS_KEY), false, 400),
        (Some("arn:aws:kms:us-east-1:123456789012:key/mine"), false, 200),
        (Some("arn:aws:kms:us-east-1:123456789012:key/mine"), true, 400),
    ] {
        let snapshot = cloud.make_snapshot("us-east-1", "123456789012", 1, key, false, &[]);
        let image = cloud.make_image("us-east-1", "an image", &snapshot, "x86_64", false);
        let whom = if public { "Group=all" } else { "UserId=210987654321" };
        let text = format!("Action=ModifyImageAttribute&ImageId={image}&LaunchPermission.Add.1.{whom}");
        assert_eq!(ec2(&cloud, &text).status, status, "{key:?} {public}");
        let text = format!(
            "Action=ModifySnapshotAttribute&SnapshotId={snapshot}&CreateVolumePermission.Add.1.{whom}"
        );
        assert_eq!(ec2(&cloud, &text).status, status, "{key:?} {public}");
    }
    cloud.block_public_access("us-east-1", true, true);
    let snapshot = cloud.make_snapshot("us-east-1", "123456789012", 1, None, false, &[]);
    let image = cloud.make_image("us-east-1", "another image", &snapshot, "x86_64", false);
    let text = format!("Action=ModifyImageAttribute&ImageId={image}&LaunchPermission.Add.1.Group=all");
    assert_eq!(ec2(&cloud, &text).element("Code"), "OperationNotPermitted");
}

/// As `aws ec2 modify-snapshot-attribute` asks with `--operation-type add --user-ids …`.
#[test]
fn sharing_may_be_asked_for_as_of_old() {
    let cloud = Cloud::start();
    let snapshot = cloud.make_snapshot("us-east-1", "123456789012", 1, None, false, &[]);
    let image = cloud.make_image("us-east-1", "an image", &snapshot, "x86_64", false);
    let ask = |what: &str, rest: &str| ec2(&cloud, &format!("Action={what}&{rest}")).element("Code");
    let snapshot = format!("Attribute=createVolumePermission&SnapshotId={snapshot}&UserId.1=210987654321");
    assert_eq!(ask("ModifySnapshotAttribute", &snapshot), "MissingParameter");
    assert_eq!(
        ask("ModifySnapshotAttribute", &format!("{snapshot}&OperationType=more")),
        "InvalidParameterValue"
    );
    assert_eq!(ask("ModifySnapshotAttribute", &format!("{snapshot}&OperationType=add")), "");
    let permissions = || {
        let query = format!("Action=DescribeImageAttribute&Attribute=launchPermission&ImageId={image}");
        ec2(&cloud, &query).element("userId")
    };
    let user = format!("Attribute=launchPermission&ImageId={image}&UserId.1=210987654321&UserGroup.1=all");
    assert_eq!(ask("ModifyImageAttribute", &format!("{user}&OperationType=add")), "");
    assert_eq!(permissions(), "210987654321");
    assert_eq!(ask("ModifyImageAttribute", &format!("{user}&OperationType=remove")), "");
    assert_eq!(permissions(), "");
}

#[test]
fn a_role_gives_keys_that_need_their_token() {
    let cloud = Cloud::start();
    let role = "Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A210987654321%3Arole%2Fbuilder&RoleSessionName=me\
                &Version=2011-06-15";
    let answer = Ask { query: role, service: "sts", ..Ask::default() }.send(&cloud);
    let (id, secret) = (answer.element("AccessKeyId"), answer.element("SecretAccessKey"));
    let token = answer.element("SessionToken");
    let identity = Ask {
        query: "Action=GetCallerIdentity&Version=2011-06-15",
        service: "sts",
        id: &id,
        secret: &secret,
        ..Ask::default()
    };
    assert_eq!(identity.send(&cloud).element("Code"), "InvalidClientTokenId");
    let answer = Ask { token: Some(&token), ..identity }.send(&cloud);
    assert_eq!(answer.element("Account"), "210987654321", "{}", answer.text());
    let forbidden = role.replace("builder", "forbidden");
    let answer = Ask { query: &forbidden, service: "sts", ..Ask::default() }.send(&cloud);
    assert_eq!((answer.status, answer.element("Code").as_str()), (403, "AccessDenied"));
}

#[test]
fn the_same_seed_gives_the_same_faults() {
    let run = || {
        let cloud = Cloud::start();
        let kinds = vec![FaultKind::Status(500), FaultKind::Reset, FaultKind::CloseAfterRequest];
        cloud.random_faults(Some(RandomFaults { seed: 7, per_mille: 500, kinds }));
        let statuses: Vec<u16> = (0..20).map(|_| ec2(&cloud, "Action=DescribeRegions").status).collect();
        cloud.heal();
        assert_eq!(ec2(&cloud, "Action=DescribeRegions").status, 200);
        statuses
    };
    let statuses = run();
    assert_eq!(run(), statuses);
    assert!([0, 200, 500].iter().all(|status| statuses.contains(status)), "{statuses:?}");
}

#[test]
fn what_was_just_made_may_not_be_seen_yet() {
    let cloud = Cloud::builder().with(|options| options.describe_misses = 1).start();
    let snapshot = cloud.make_snapshot("us-east-1", "123456789012", 1, None, false, &[]);
    let register = format!(
        "Action=RegisterImage&Architecture=x86_64&BlockDeviceMapping.1.DeviceName=%2Fdev%2Fsda1\
         &BlockDeviceMapping.1.Ebs.SnapshotId={snapshot}&Name=image&VirtualizationType=hvm"
    );
    let id = ec2(&cloud, &register).element("imageId");
    let describe = format!("Action=DescribeImages&ImageId.1={id}");
    assert_eq!(ec2(&cloud, &describe).element("Code"), "InvalidAMIID.NotFound");
    assert_eq!(ec2(&cloud, &describe).element("imageState"), "pending");
    assert_eq!(ec2(&cloud, &describe).element("imageState"), "available");
    cloud.fail_image(&id, "Client.Why");
    let answer = ec2(&cloud, &describe);
    assert_eq!(
        (answer.element("imageState"), answer.element("message")),
        ("failed".to_owned(), "Client.Why".to_owned())
    );
}
