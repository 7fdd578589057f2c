//! Instances and what they need.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hardtack_fake_cloud::{Cloud, Console, Fault, FaultKind, Service};

use crate::raw::{Answer, Ask, ec2};

const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDtBiLGGDPl6lzx4ajPYxCWBZTQgGh7UeHRd2LfD7QzA me";

fn encoded(text: &str) -> String {
    text.replace('%', "%25").replace('+', "%2B").replace('/', "%2F").replace('=', "%3D").replace(' ', "%20")
}

fn image(cloud: &Cloud) -> String {
    let region = &cloud.options().region;
    let root = cloud.make_snapshot(region, "123456789012", 8, None, false, &[]);
    cloud.make_image(region, "image-n", &root, "x86_64", false)
}

fn code(answer: &Answer) -> String {
    answer.element("Code")
}

fn all(answer: &Answer, name: &str) -> Vec<String> {
    let text = answer.text();
    let start = format!("<{name}>");
    let parts = text.split(start.as_str()).skip(1);
    parts.map(|part| part.split("</").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_reservation_is_made_once_and_goes_with_all_its_volumes() {
    let cloud = Cloud::start();
    let image = image(&cloud);
    let run = |more: &str| {
        ec2(
            &cloud,
            &format!("Action=RunInstances&ImageId={image}&InstanceType=t3.small&MaxCount=2&MinCount=2{more}"),
        )
    };
    assert_eq!(code(&run("&KeyName=k")), "InvalidKeyPair.NotFound");
    assert_eq!(code(&run("&SecurityGroup.1=g")), "InvalidGroup.NotFound");
    assert_eq!(code(&run("&IamInstanceProfile.Name=nobody")), "InvalidParameterValue");
    assert_eq!(code(&run("&Placement.AvailabilityZone=mars")), "InvalidParameterValue");
    assert_eq!(code(&run("&Frobnicate=1")), "UnknownParameter");
    let disk = "&BlockDeviceMapping.1.DeviceName=%2Fdev%2Fvdc&BlockDeviceMapping.1.Ebs.VolumeSize=20";
    assert_eq!(code(&run(disk)), "InvalidBlockDeviceMapping");
    let key = encoded(&STANDARD.encode(ED25519));
    let import = format!("Action=ImportKeyPair&KeyName=k&PublicKeyMaterial={key}");
    assert_eq!(ec2(&cloud, &import).status, 200);
    assert_eq!(code(&ec2(&cloud, &import)), "InvalidKeyPair.Duplicate");
    let group = ec2(&cloud, "Action=CreateSecurityGroup&GroupDescription=d&GroupName=g").element("groupId");
    let more = format!(
        "&KeyName=k&SecurityGroupId.1={group}&ClientToken=t&TagSpecification.1.ResourceType=volume\
         &TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=b{}",
        disk.replace("vdc", "sdf")
    );
    let answer = run(&more);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let ids = all(&answer, "instanceId");
    assert_eq!(run(&more).element("reservationId"), answer.element("reservationId"));
    assert_eq!((cloud.instances().len(), cloud.volumes().len()), (2, 4));
    assert!(cloud.volumes().iter().all(|volume| volume.tags["a"] == "b"));
    let delete = format!("Action=DeleteSecurityGroup&GroupId={group}");
    assert_eq!(code(&ec2(&cloud, &delete)), "DependencyViolation");
    let found = |filter: &str, value: &str| {
        let query = format!("Action=DescribeInstances&Filter.1.Name={filter}&Filter.1.Value.1={value}");
        all(&ec2(&cloud, &query), "instanceState").len()
    };
    assert_eq!(
        (found("client-token", "t"), found("key-name", "k"), found("instance.group-id", &group)),
        (2, 2, 2)
    );
    assert_eq!(found("instance-state-name", "running"), 2);
    let terminate = format!("Action=TerminateInstances&InstanceId.1={}&InstanceId.2={}", ids[0], ids[2]);
    assert_eq!(ec2(&cloud, &terminate).status, 200);
    assert_eq!(code(&ec2(&cloud, &delete)), "DependencyViolation");
    for _ in 0..2 {
        ec2(&cloud, "Action=DescribeInstances");
    }
    assert!(cloud.volumes().is_empty());
    assert_eq!(ec2(&cloud, &delete).status, 200);
    assert_eq!(ec2(&cloud, "Action=DeleteKeyPair&KeyName=k").status, 200);
    let left = cloud.leftovers();
    assert!(left.iter().all(|what| what.contains(" image ") || what.contains(" snapshot ")), "{left:?}");
}

#[test]
fn accounts_without_a_default_network_need_a_subnet() {
    let cloud = Cloud::builder().with(|options| options.default_vpc = false).start();
    let image = image(&cloud);
    let run = format!("Action=RunInstances&ImageId={image}&InstanceType=t3.small&MaxCount=1&MinCount=1");
    assert_eq!(code(&ec2(&cloud, &run)), "VPCIdNotSpecified");
    let subnet = ec2(&cloud, "Action=DescribeSubnets").element("subnetId");
    assert_eq!(ec2(&cloud, &format!("{run}&SubnetId={subnet}")).status, 200);
    let cloud = Cloud::builder().with(|options| options.default_subnets = false).start();
    let image = self::image(&cloud);
    let run = format!("Action=RunInstances&ImageId={image}&InstanceType=t3.small&MaxCount=1&MinCount=1");
    assert_eq!(code(&ec2(&cloud, &run)), "MissingInput");
    cloud.inject(Fault::new(
        Service::Ec2,
        "RunInstances",
        FaultKind::Code(500, "InsufficientInstanceCapacity"),
    ));
    assert_eq!(code(&ec2(&cloud, &run)), "InsufficientInstanceCapacity");
}

#[test]
fn volumes_are_attached_to_what_runs_in_their_zone() {
    let cloud = Cloud::start();
    let image = image(&cloud);
    let run = format!(
        "Action=RunInstances&ImageId={image}&InstanceType=t3.small&MaxCount=1&MinCount=1\
         &Placement.AvailabilityZone=us-east-1b"
    );
    let instance = ec2(&cloud, &run).element("instanceId");
    let make = |zone: &str| {
        let query =
            format!("Action=CreateVolume&AvailabilityZone=us-east-1{zone}&ClientToken={zone}&Size=20");
        ec2(&cloud, &query).element("volumeId")
    };
    let (other, volume) = (make("a"), make("b"));
    assert_eq!(make("b"), volume, "the same token");
    let attach = |id: &str| {
        let query = format!("Action=AttachVolume&Device=%2Fdev%2Fsdf&InstanceId={instance}&VolumeId={id}");
        code(&ec2(&cloud, &query))
    };
    assert_eq!(attach(&other), "InvalidVolume.ZoneMismatch");
    assert_eq!(attach(&volume), "IncorrectState", "creating");
    ec2(&cloud, "Action=DescribeVolumes");
    ec2(&cloud, "Action=DescribeVolumes");
    assert_eq!(attach(&volume), "IncorrectState", "pending");
    ec2(&cloud, "Action=DescribeInstances");
    ec2(&cloud, "Action=DescribeInstances");
    assert_eq!(attach(&volume), "");
    assert_eq!(attach(&volume), "VolumeInUse");
    let delete = format!("Action=DeleteVolume&VolumeId={volume}");
    assert_eq!(code(&ec2(&cloud, &delete)), "VolumeInUse");
    cloud.fail_instance(&instance, "Server.SpotInstanceTermination", "gone");
    let answer = ec2(&cloud, &format!("Action=DescribeInstances&InstanceId.1={instance}"));
    assert!(answer.text().contains("Server.SpotInstanceTermination"), "{}", answer.text());
    assert_eq!(ec2(&cloud, &delete).status, 200);
}

#[test]
fn rules_are_kept_by_the_permission() {
    let cloud = Cloud::start();
    let group = ec2(&cloud, "Action=CreateSecurityGroup&GroupDescription=d&GroupName=g").element("groupId");
    let rule = |range: &str| {
        let query = format!(
            "Action=AuthorizeSecurityGroupIngress&GroupId={group}&IpPermissions.1.FromPort=22\
             &IpPermissions.1.IpProtocol=tcp&IpPermissions.1.{range}&IpPermissions.1.ToPort=22"
        );
        code(&ec2(&cloud, &query))
    };
    assert_eq!(rule("IpRanges.1.CidrIp=192.0.2.7%2F24"), "");
    assert_eq!(rule("IpRanges.1.CidrIp=192.0.2.0%2F24"), "InvalidPermission.Duplicate");
    assert_eq!(rule("IpRanges.1.CidrIp=192.0.2.0"), "InvalidParameterValue");
    assert_eq!(rule("Ipv6Ranges.1.CidrIpv6=2001%3Adb8%3A%3A%2F32"), "");
    assert_eq!(rule(&format!("Groups.1.GroupId={group}")), "");
    let rules: Vec<String> = cloud.groups().remove(0).rules.into_iter().collect();
    let own = format!("tcp 22-22 123456789012/{group}");
    assert_eq!(rules, [own.as_str(), "tcp 22-22 192.0.2.0/24", "tcp 22-22 2001:db8::/32"]);
    assert_eq!(
        code(&ec2(&cloud, "Action=CreateSecurityGroup&GroupDescription=d&GroupName=g")),
        "InvalidGroup.Duplicate"
    );
}

#[test]
fn consoles_are_as_the_type_has_them() {
    let console = Console::new().boot(2, 100 * 1024);
    let cloud = Cloud::builder()
        .with(|options| {
            options.consoles = vec![console, Console::of(b"\xff")];
            (options.console_empty, options.console_first) = (1, 1);
        })
        .start();
    let image = image(&cloud);
    let run = |kind: &str| {
        let query = format!("Action=RunInstances&ImageId={image}&InstanceType={kind}&MaxCount=1&MinCount=1");
        ec2(&cloud, &query).element("instanceId")
    };
    let (new, old) = (run("t3.small"), run("t2.small"));
    let look = |id: &str, more: &str| ec2(&cloud, &format!("Action=GetConsoleOutput&InstanceId={id}{more}"));
    let bytes = |answer: &Answer| STANDARD.decode(answer.element("output")).unwrap();
    assert_eq!(code(&look(&old, "&Latest=true")), "UnsupportedOperation");
    assert_eq!((bytes(&look(&old, "")).len(), bytes(&look(&old, ""))), (0, vec![0xff]));
    assert!(bytes(&look(&new, "")).is_empty());
    assert_eq!(bytes(&look(&new, "&Latest=true")).len(), 50 * 1024);
    assert_eq!(bytes(&look(&new, "")).len(), 50 * 1024, "the first part");
    assert_eq!(bytes(&look(&new, "")).len(), 64 * 1024, "the last part");
}

#[test]
fn eucalyptus_has_its_own_ways() {
    let cloud = Cloud::builder().eucalyptus().with(|options| options.cores = 4).start();
    let image = image(&cloud);
    let query = |text: &str| {
        let text = format!("{text}&Version=2016-11-15");
        let mut pairs: Vec<&str> = text.split('&').collect();
        pairs.sort_unstable();
        Ask { path: "/services/compute", query: &pairs.join("&"), ..Ask::default() }.send(&cloud)
    };
    let key = encoded(&STANDARD.encode(ED25519));
    let answer = query(&format!("Action=ImportKeyPair&KeyName=k&PublicKeyMaterial={key}"));
    assert_eq!(code(&answer), "InvalidKey.Format");
    let group = query("Action=CreateSecurityGroup&GroupDescription=d&GroupName=g").element("groupId");
    let run = format!("Action=RunInstances&ImageId={image}&InstanceType=m1.small&MaxCount=3&MinCount=1");
    for more in ["MetadataOptions.HttpTokens=required", "TagSpecification.1.ResourceType=instance"] {
        assert_eq!(code(&query(&format!("{run}&{more}"))), "UnknownParameter");
    }
    assert_eq!(query(&format!("{run}&SecurityGroup.1=g&Placement.AvailabilityZone=two")).status, 200);
    assert_eq!(code(&query("Action=DeleteSecurityGroup&GroupName=g")), "InvalidGroup.InUse", "{group}");
    let types = query("Action=DescribeInstanceTypes&Availability=true&InstanceType.1=m1.small");
    assert_eq!(all(&types, "available"), ["4", "1"]);
    assert_eq!(
        code(&query(
            &run.replace("MinCount=1", "MinCount=3")
                .replace("MaxCount", "Placement.AvailabilityZone=two&MaxCount")
        )),
        "InsufficientInstanceCapacity"
    );
}
