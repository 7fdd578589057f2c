use super::super::*;
use super::{answer, aws, done, euca, pairs};
use crate::Error;
use crate::served::{given, ok, refused};

fn ebs() -> RegisterImage {
    RegisterImage {
        name: "my-image (1)".to_owned(),
        description: Some("d".to_owned()),
        architecture: "x86_64".to_owned(),
        virtualization: Some("hvm".to_owned()),
        root_device: Some("/dev/xvda".to_owned()),
        mappings: vec![
            Mapping {
                device: "/dev/xvda".to_owned(),
                snapshot: Some("snap-1234567890abcdef0".to_owned()),
                size: Some(16),
                volume_type: Some("gp3".to_owned()),
                delete_on_termination: Some(true),
                iops: Some(3000),
                throughput: Some(125),
                encrypted: Some(true),
                ..Mapping::default()
            },
            Mapping {
                device: "/dev/sdb".to_owned(),
                virtual_name: Some("ephemeral0".to_owned()),
                ..Mapping::default()
            },
            Mapping { device: "/dev/sdc".to_owned(), none: true, ..Mapping::default() },
        ],
        boot_mode: Some(BootMode::UefiPreferred),
        ena: true,
        sriov: true,
        imds_v2: true,
        tpm: true,
        tags: pairs(&[("hardtack:journal", "j")]),
        ..RegisterImage::default()
    }
}

#[test]
fn an_image_of_a_snapshot_is_registered() {
    let served = aws([answer("RegisterImage", "<imageId>ami-1a2b3c4d5e6f7g8h9</imageId>")]);
    assert_eq!(register_image(&served.client(), &ebs()).unwrap(), "ami-1a2b3c4d5e6f7g8h9");
    let expected = [
        "Name=my-image (1)",
        "Description=d",
        "Architecture=x86_64",
        "VirtualizationType=hvm",
        "RootDeviceName=/dev/xvda",
        "BlockDeviceMapping.1.DeviceName=/dev/xvda",
        "BlockDeviceMapping.1.Ebs.SnapshotId=snap-1234567890abcdef0",
        "BlockDeviceMapping.1.Ebs.VolumeSize=16",
        "BlockDeviceMapping.1.Ebs.VolumeType=gp3",
        "BlockDeviceMapping.1.Ebs.Iops=3000",
        "BlockDeviceMapping.1.Ebs.Throughput=125",
        "BlockDeviceMapping.1.Ebs.DeleteOnTermination=true",
        "BlockDeviceMapping.2.DeviceName=/dev/sdb",
        "BlockDeviceMapping.2.VirtualName=ephemeral0",
        "BlockDeviceMapping.3.DeviceName=/dev/sdc",
        "BlockDeviceMapping.3.NoDevice=true",
        "BootMode=uefi-preferred",
        "EnaSupport=true",
        "SriovNetSupport=simple",
        "ImdsSupport=v2.0",
        "TpmSupport=v2.0",
        "TagSpecification.1.ResourceType=image",
        "TagSpecification.1.Tag.1.Key=hardtack:journal",
        "TagSpecification.1.Tag.1.Value=j",
    ];
    assert_eq!(served.only().form(), expected);
}

#[test]
fn eucalyptus_is_sent_nothing_that_it_does_not_know() {
    let served = euca([answer("RegisterImage", "<imageId>emi-12345678</imageId>")]);
    let request = RegisterImage {
        location: Some("images/a/b.manifest.xml".to_owned()),
        kernel: Some("eki-1".to_owned()),
        ramdisk: Some("eri-1".to_owned()),
        platform: Some("windows".to_owned()),
        tpm: false,
        tags: Vec::new(),
        mappings: Vec::new(),
        root_device: None,
        ..ebs()
    };
    assert_eq!(register_image(&served.client(), &request).unwrap(), "emi-12345678");
    let expected = [
        "ImageLocation=images/a/b.manifest.xml",
        "Name=my-image (1)",
        "Description=d",
        "Architecture=x86_64",
        "VirtualizationType=hvm",
        "KernelId=eki-1",
        "RamdiskId=eri-1",
        "Platform=windows",
    ];
    assert_eq!(served.only().form(), expected);
    for wrong in [
        RegisterImage { tpm: true, ..request.clone() },
        RegisterImage { tags: pairs(&[("a", "b")]), ..request },
    ] {
        assert!(matches!(register_image(&served.client(), &wrong), Err(Error::Usage(_))));
    }
    assert!(!takes_tags(&served.client()));
}

#[test]
fn an_answer_without_an_id_is_no_image() {
    for body in [
        "<RegisterImageResponse><imageId/></RegisterImageResponse>",
        "<RegisterImageResponse><imageId>  </imageId></RegisterImageResponse>",
        "<RegisterImageResponse><imageId>ami-1\u{1b}[2J</imageId></RegisterImageResponse>",
        "<RegisterImageResponse><imageId>ami 1</imageId></RegisterImageResponse>",
        "<RegisterImageResponse/>",
        "<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>",
        "<RegisterImageResponse><imageId>ami-1",
        "ami-1",
        "",
    ] {
        for served in [aws([ok(body)]), euca([ok(body)])] {
            let request = RegisterImage { tpm: false, tags: Vec::new(), ..ebs() };
            let error = register_image(&served.client(), &request).unwrap_err();
            assert!(matches!(error, Error::Answer { .. }), "{body}: {error}");
            assert!(error.to_string().contains("RegisterImage"), "{error}");
            assert!(!error.to_string().contains('\u{1b}'), "{error:?}");
        }
    }
}

#[test]
fn a_duplicate_name_is_told() {
    let served = aws([refused("InvalidAMIName.Duplicate")]);
    assert!(register_image(&served.client(), &ebs()).unwrap_err().is("InvalidAMIName.Duplicate"));
}

#[test]
fn what_is_gone_already_is_no_error() {
    let gone = ["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"];
    let served = aws(gone.map(refused).into_iter().chain([
        done("DeregisterImage"),
        answer("DeregisterImage", "<return>true</return><deleteSnapshotResultSet/>"),
        refused("UnauthorizedOperation"),
        given(200, "<DeregisterImageResponse><return>false</return></DeregisterImageResponse>"),
    ]));
    let client = served.client();
    for _ in 0..4 {
        deregister_image(&client, "ami-1").unwrap();
    }
    assert!(deregister_image(&client, "ami-1").unwrap_err().is("UnauthorizedOperation"));
    assert!(matches!(deregister_image(&client, "ami-1"), Err(Error::Answer { .. })));
    assert_eq!(served.sent()[0].form(), ["ImageId=ami-1"]);
}

#[test]
fn an_image_is_copied() {
    let served = aws([answer("CopyImage", "<imageId>ami-2</imageId>"), answer("CopyImage", "")]);
    let client = served.client();
    let request = CopyImage {
        image: "ami-1".to_owned(),
        from: "eu-west-1".to_owned(),
        name: "n".to_owned(),
        description: None,
        token: "t".to_owned(),
        encrypted: true,
        kms_key: Some("alias/images".to_owned()),
        tags: pairs(&[("a", "b")]),
    };
    assert_eq!(copy_image(&client, &request).unwrap(), "ami-2");
    assert!(matches!(copy_image(&client, &request), Err(Error::Answer { .. })));
    let expected = [
        "SourceRegion=eu-west-1",
        "SourceImageId=ami-1",
        "Name=n",
        "ClientToken=t",
        "Encrypted=true",
        "KmsKeyId=alias/images",
        "TagSpecification.1.ResourceType=image",
        "TagSpecification.1.Tag.1.Key=a",
        "TagSpecification.1.Tag.1.Value=b",
        "TagSpecification.2.ResourceType=snapshot",
        "TagSpecification.2.Tag.1.Key=a",
        "TagSpecification.2.Tag.1.Value=b",
    ];
    assert_eq!(served.sent()[0].form(), expected);
}

#[test]
fn launch_permissions_are_added_and_removed_by_calls_of_their_own() {
    let served = aws([done("ModifyImageAttribute"), done("ModifyImageAttribute")]);
    let client = served.client();
    let add = Launchers {
        all: true,
        accounts: vec!["111122223333".to_owned(), "444455556666".to_owned()],
        organizations: vec!["arn:aws:organizations::1:organization/o-1".to_owned()],
        units: vec!["arn:aws:organizations::1:ou/o-1/ou-1".to_owned()],
    };
    let remove = Launchers { accounts: vec!["777788889999".to_owned()], ..Launchers::default() };
    modify_launchers(&client, "ami-1", &add, &remove).unwrap();
    modify_launchers(&client, "ami-1", &Launchers::default(), &Launchers::default()).unwrap();
    let sent = served.sent();
    assert_eq!(sent.len(), 2);
    let expected = [
        "ImageId=ami-1",
        "LaunchPermission.Add.1.Group=all",
        "LaunchPermission.Add.2.UserId=111122223333",
        "LaunchPermission.Add.3.UserId=444455556666",
        "LaunchPermission.Add.4.OrganizationArn=arn:aws:organizations::1:organization/o-1",
        "LaunchPermission.Add.5.OrganizationalUnitArn=arn:aws:organizations::1:ou/o-1/ou-1",
    ];
    assert_eq!(sent[0].form(), expected);
    assert_eq!(sent[1].form(), ["ImageId=ami-1", "LaunchPermission.Remove.1.UserId=777788889999"]);
    let served = euca([]);
    assert!(matches!(modify_launchers(&served.client(), "emi-1", &add, &remove), Err(Error::Usage(_))));
}

#[test]
fn launch_permissions_are_read() {
    let list = "<imageId>ami-61a54008</imageId><launchPermission><item><group>all</group></item>\
                <item><userId>495219933132</userId></item>\
                <item><organizationArn>arn:aws:organizations::1:organization/o-1</organizationArn></item>\
                <item><organizationalUnitArn>arn:aws:organizations::1:ou/o-1/ou-1</organizationalUnitArn></item>\
                </launchPermission>";
    let name = "DescribeImageAttribute";
    let served = aws([answer(name, list), answer(name, "<imageId>ami-1</imageId>"), answer(name, "")]);
    let client = served.client();
    let found = launchers(&client, "ami-61a54008").unwrap();
    assert!(found.all);
    assert_eq!(found.accounts, ["495219933132"]);
    assert_eq!(found.organizations, ["arn:aws:organizations::1:organization/o-1"]);
    assert_eq!(found.units, ["arn:aws:organizations::1:ou/o-1/ou-1"]);
    assert_eq!(launchers(&client, "ami-1").unwrap(), Launchers::default());
    assert!(launchers(&client, "ami-1").is_err());
    assert_eq!(served.sent()[0].form(), ["ImageId=ami-61a54008", "Attribute=launchPermission"]);
}
