use super::super::*;
use super::{answer, aws, done, euca, pairs};
use crate::served::refused;

const VOLUME: &str = "<volumeId>vol-1</volumeId><size>20</size><snapshotId/><availabilityZone>a</availabilityZone>\
    <status>creating</status><createTime>2026-01-31T23:59:59.000Z</createTime><volumeType>gp3</volumeType>";

fn request() -> CreateVolume {
    CreateVolume {
        size: Some(20),
        zone: "a".to_owned(),
        volume_type: Some("gp3".to_owned()),
        token: "t".to_owned(),
        tags: pairs(&[("a", "b")]),
        ..CreateVolume::default()
    }
}

#[test]
fn volumes_are_read() {
    let list = format!(
        "<volumeSet><item>{VOLUME}<attachmentSet><item><volumeId>vol-1</volumeId><instanceId>i-1</instanceId>\
         <device>/dev/vdc</device><status>attached</status></item></attachmentSet></item></volumeSet>"
    );
    let broken = list.replace("<size>20<", "<size>big<");
    let served = aws([answer("DescribeVolumes", &list), answer("DescribeVolumes", &broken)]);
    let client = served.client();
    let expected = Volume {
        id: "vol-1".to_owned(),
        state: "creating".to_owned(),
        size: 20,
        zone: "a".to_owned(),
        volume_type: Some("gp3".to_owned()),
        snapshot: None,
        created: "2026-01-31T23:59:59.000Z".to_owned(),
        attachments: vec![Attachment {
            instance: "i-1".to_owned(),
            device: "/dev/vdc".to_owned(),
            state: "attached".to_owned(),
        }],
        tags: Vec::new(),
    };
    assert_eq!(describe_volumes(&client, &["vol-1"], &[]).unwrap(), [expected]);
    assert!(describe_volumes(&client, &["vol-1"], &[]).is_err());
    assert_eq!(served.sent()[0].form(), ["VolumeId.1=vol-1"]);
}

#[test]
fn a_volume_is_made_with_token_and_tags() {
    let served = aws([answer("CreateVolume", VOLUME)]);
    assert_eq!(create_volume(&served.client(), &request()).unwrap().id, "vol-1");
    let expected = [
        "Size=20",
        "AvailabilityZone=a",
        "VolumeType=gp3",
        "TagSpecification.1.ResourceType=volume",
        "TagSpecification.1.Tag.1.Key=a",
        "TagSpecification.1.Tag.1.Value=b",
        "ClientToken=t",
    ];
    assert_eq!(served.only().form(), expected);
    let served = euca([answer("CreateVolume", VOLUME), done("CreateTags")]);
    assert_eq!(create_volume(&served.client(), &request()).unwrap().tags, pairs(&[("a", "b")]));
    assert_eq!(served.sent()[0].form(), expected[..3]);
}

#[test]
fn a_volume_is_attached_and_removed_once() {
    let served = aws([
        answer(
            "AttachVolume",
            "<volumeId>vol-1</volumeId><instanceId>i-1</instanceId><status>attaching</status>",
        ),
        refused("IncorrectState"),
        done("DeleteVolume"),
        refused("InvalidVolume.NotFound"),
        refused("VolumeInUse"),
    ]);
    let client = served.client();
    attach_volume(&client, "vol-1", "i-1", "/dev/vdc").unwrap();
    assert!(attach_volume(&client, "vol-1", "i-1", "/dev/vdc").unwrap_err().is("IncorrectState"));
    delete_volume(&client, "vol-1").unwrap();
    delete_volume(&client, "vol-1").unwrap();
    assert!(delete_volume(&client, "vol-1").unwrap_err().is("VolumeInUse"));
    assert_eq!(served.sent()[0].form(), ["VolumeId=vol-1", "InstanceId=i-1", "Device=/dev/vdc"]);
    assert_eq!(served.sent()[2].form(), ["VolumeId=vol-1"]);
}
