use super::super::*;
use super::{answer, aws, euca, pairs};
use crate::Error;
use crate::served::refused;

/// After the example of `DescribeImages` in the API reference.
const IMAGE: &str = "<item><imageId>ami-1234567890EXAMPLE</imageId>
    <imageLocation>amazon/getting-started-with-ebs-boot</imageLocation><imageState>available</imageState>
    <imageOwnerId>123456789012</imageOwnerId><isPublic>true</isPublic><architecture>x86_64</architecture>
    <imageType>machine</imageType><imageOwnerAlias>amazon</imageOwnerAlias><name>getting-started</name>
    <description>Image Description</description><rootDeviceType>ebs</rootDeviceType>
    <rootDeviceName>/dev/sda1</rootDeviceName>
    <blockDeviceMapping>
      <item><deviceName>/dev/sda1</deviceName><ebs><snapshotId>snap-1234567890abcdef0</snapshotId>
        <volumeSize>15</volumeSize><deleteOnTermination>false</deleteOnTermination>
        <volumeType>gp3</volumeType><iops>3000</iops><throughput>125</throughput><encrypted>true</encrypted></ebs></item>
      <item><deviceName>/dev/sdb</deviceName><virtualName>ephemeral0</virtualName></item>
      <item><deviceName>/dev/sdc</deviceName><noDevice/></item>
    </blockDeviceMapping>
    <virtualizationType>hvm</virtualizationType><tagSet><item><key>hardtack:inputs</key><value>d</value></item>
      <item><key>empty</key><value/></item></tagSet>
    <productCodes><item><productCode>abc</productCode><type>marketplace</type></item></productCodes>
    <hypervisor>xen</hypervisor><bootMode>uefi</bootMode><creationDate>2026-01-31T23:59:59.000Z</creationDate></item>";

fn images(content: &str, next: &str) -> crate::served::Given {
    answer("DescribeImages", &format!("<imagesSet>{content}</imagesSet>{next}"))
}

#[test]
fn an_image_is_read_as_the_reference_shows_it() {
    let served = aws([images(IMAGE, "")]);
    let filter = ImageFilter {
        ids: Vec::new(),
        owners: vec!["self".to_owned()],
        filters: vec![
            ("name".to_owned(), vec!["a*".to_owned(), "b".to_owned()]),
            ("state".to_owned(), vec!["x".to_owned()]),
        ],
    };
    let found = describe_images(&served.client(), &filter).unwrap();
    let image = &found[0];
    assert_eq!((image.id.as_str(), image.name.as_str()), ("ami-1234567890EXAMPLE", "getting-started"));
    assert_eq!((image.state.as_str(), image.reason.as_deref()), ("available", None));
    assert_eq!((image.owner.as_str(), image.public), ("123456789012", true));
    assert_eq!(image.created, "2026-01-31T23:59:59.000Z");
    assert_eq!(image.boot_mode.as_deref(), Some("uefi"));
    assert_eq!(image.product_codes, ["abc"]);
    assert_eq!(image.tags, pairs(&[("hardtack:inputs", "d"), ("empty", "")]));
    let root = Mapping {
        device: "/dev/sda1".to_owned(),
        snapshot: Some("snap-1234567890abcdef0".to_owned()),
        size: Some(15),
        volume_type: Some("gp3".to_owned()),
        delete_on_termination: Some(false),
        iops: Some(3000),
        throughput: Some(125),
        encrypted: Some(true),
        ..Mapping::default()
    };
    assert_eq!(image.mappings[0], root);
    assert_eq!(image.mappings[1].virtual_name.as_deref(), Some("ephemeral0"));
    assert!(image.mappings[2].none);
    let expected = [
        "Owner.1=self",
        "Filter.1.Name=name",
        "Filter.1.Value.1=a*",
        "Filter.1.Value.2=b",
        "Filter.2.Name=state",
        "Filter.2.Value.1=x",
        "MaxResults=1000",
    ];
    assert_eq!(served.only().form(), expected);
}

#[test]
fn all_pages_are_read() {
    let one = |id: &str| {
        format!(
            "<item><imageId>{id}</imageId><imageState>failed</imageState><stateReason>\
        <code>Client.X</code><message>why</message></stateReason></item>"
        )
    };
    let served =
        aws([images(&one("ami-1"), "<nextToken>n+/=</nextToken>"), images(&one("ami-2"), "<nextToken/>")]);
    let found = describe_images(&served.client(), &ImageFilter::default()).unwrap();
    assert_eq!(found.iter().map(|image| image.id.as_str()).collect::<Vec<_>>(), ["ami-1", "ami-2"]);
    assert_eq!(found[0].reason.as_deref(), Some("why"));
    let sent = served.sent();
    assert_eq!(sent[0].form(), ["MaxResults=1000"]);
    assert_eq!(sent[1].form(), ["MaxResults=1000", "NextToken=n+/="]);
}

#[test]
fn ids_and_eucalyptus_are_asked_without_pages() {
    let filter = ImageFilter { ids: vec!["ami-1".to_owned()], ..ImageFilter::default() };
    let served = aws([images("", "")]);
    assert!(describe_images(&served.client(), &filter).unwrap().is_empty());
    assert_eq!(served.only().form(), ["ImageId.1=ami-1"]);
    let served = euca([images("", "")]);
    let filter = ImageFilter { owners: vec!["self".to_owned()], ..ImageFilter::default() };
    assert!(describe_images(&served.client(), &filter).unwrap().is_empty());
    assert_eq!(served.only().form(), ["Owner.1=self"]);
}

/// Eucalyptus leaves out what it does not know: reasons, boot modes, dates in old versions.
#[test]
fn an_image_of_eucalyptus_is_read() {
    let image = "<item><imageId>emi-0123abcd</imageId><imageLocation>b/i.manifest.xml</imageLocation>\
        <imageState>available</imageState><imageOwnerId>000123456789</imageOwnerId><isPublic>false</isPublic>\
        <productCodes/><architecture>x86_64</architecture><imageType>machine</imageType>\
        <name>n</name><rootDeviceType>instance-store</rootDeviceType><rootDeviceName>/dev/sda</rootDeviceName>\
        <blockDeviceMapping/><virtualizationType>hvm</virtualizationType><tagSet/></item>";
    let found = describe_images(&euca([images(image, "")]).client(), &ImageFilter::default()).unwrap();
    let expected = Image {
        id: "emi-0123abcd".to_owned(),
        name: "n".to_owned(),
        state: "available".to_owned(),
        architecture: "x86_64".to_owned(),
        owner: "000123456789".to_owned(),
        location: "b/i.manifest.xml".to_owned(),
        root_device: Some("/dev/sda".to_owned()),
        root_type: Some("instance-store".to_owned()),
        virtualization: Some("hvm".to_owned()),
        ..Image::default()
    };
    assert_eq!(found, [expected]);
}

#[test]
fn answers_that_cannot_be_are_refused() {
    let item = |content: &str| {
        format!("<item><imageId>ami-1</imageId><imageState>available</imageState>{content}</item>")
    };
    let mapping =
        |ebs: &str| item(&format!("<blockDeviceMapping><item><ebs>{ebs}</ebs></item></blockDeviceMapping>"));
    for answer in [
        answer("DescribeImages", ""),
        images("<item><imageState>available</imageState></item>", ""),
        images("<item><imageId>ami-1</imageId></item>", ""),
        images(&item("<isPublic>perhaps</isPublic>"), ""),
        images(&mapping("<volumeSize>-1</volumeSize>"), ""),
        images(&mapping("<volumeSize>99999999999999999999999</volumeSize>"), ""),
        images(&mapping("<iops>many</iops>"), ""),
        images(&mapping("<encrypted>0x1</encrypted>"), ""),
        images(&mapping("<snapshotId>snap 1</snapshotId>"), ""),
    ] {
        let error = describe_images(&aws([answer]).client(), &ImageFilter::default()).unwrap_err();
        assert!(matches!(error, Error::Answer { .. }), "{error}");
        assert!(error.to_string().contains("DescribeImages"), "{error}");
    }
}

#[test]
fn a_list_without_an_end_ends() {
    let again = || images("", "<nextToken>same</nextToken>");
    let served = aws([again(), again(), again()]);
    assert!(matches!(describe_images(&served.client(), &ImageFilter::default()), Err(Error::Answer { .. })));
    assert_eq!(served.sent().len(), 2);
}

#[test]
fn an_image_that_is_not_there_is_told_by_its_code() {
    let filter = ImageFilter { ids: vec!["ami-1".to_owned()], ..ImageFilter::default() };
    let error = describe_images(&aws([refused("InvalidAMIID.NotFound")]).client(), &filter).unwrap_err();
    assert!(error.is("InvalidAMIID.NotFound"));
}

#[test]
fn pages_without_an_end_take_no_memory_without_an_end() {
    let image = |page: usize| {
        let item = format!("<item><imageId>ami-{page}</imageId><imageState>available</imageState><name>");
        let content = format!("{item}{}</name></item>", "x".repeat(100_000));
        answer("DescribeImages", &format!("<imagesSet>{content}</imagesSet><nextToken>{page}</nextToken>"))
    };
    let served = aws((0..40).map(image));
    let error = describe_images(&served.client(), &ImageFilter::default()).unwrap_err();
    assert!(error.to_string().contains("narrow it down"), "{error}");
    assert_eq!(served.sent().len(), 11);
}
