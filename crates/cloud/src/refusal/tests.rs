//! Refusals as the services write them.

use super::*;

fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
    Response {
        status,
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: body.as_bytes().to_vec(),
    }
}

fn refused(service: Service, status: u16, headers: &[(&str, &str)], body: &str) -> Error {
    error(service, "Call", "POST", "us-east-1", &response(status, headers, body))
}

#[test]
fn queries_refuse_in_xml() {
    let ec2 = refused(
        Service::Ec2,
        400,
        &[],
        "<?xml version=\"1.0\"?><Response><Errors><Error><Code>InvalidAMIName.Duplicate</Code>\
         <Message>AMI name x is already in use by AMI ami-1</Message></Error></Errors>\
         <RequestID>r-1</RequestID></Response>",
    );
    assert_eq!(
        ec2.to_string(),
        "EC2 refuses Call: AMI name x is already in use by AMI ami-1 (InvalidAMIName.Duplicate, status 400, request r-1)"
    );
    let sts = refused(
        Service::Sts,
        403,
        &[],
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
         <Code>AccessDenied</Code><Message>not\nyou</Message></Error><RequestId>r-2</RequestId></ErrorResponse>",
    );
    assert_eq!(sts.to_string(), "STS refuses Call: not you (AccessDenied, status 403, request r-2)");
    let soap = refused(
        Service::Ec2,
        500,
        &[],
        "<soapenv:Envelope xmlns:soapenv='x'><soapenv:Body><soapenv:Fault><faultcode>soapenv:Server</faultcode>\
         <faultstring>no</faultstring></soapenv:Fault></soapenv:Body></soapenv:Envelope>",
    );
    assert_eq!(soap.code(), Some("soapenv:Server"));
}

#[test]
fn s3_refuses_in_xml_or_by_the_status_alone() {
    let denied = refused(
        Service::S3,
        403,
        &[],
        "<Error><Code>AccessDenied</Code><Message>Access Denied</Message><RequestId>r</RequestId><HostId>h</HostId></Error>",
    );
    assert_eq!((denied.status(), denied.code()), (Some(403), Some("AccessDenied")));
    let head = error(Service::S3, "HeadObject", "HEAD", "us-east-1", &response(404, &[], ""));
    assert_eq!(head.to_string(), "S3 refuses HeadObject: it does not say why (NotFound, status 404)");
    let malformed = refused(
        Service::S3,
        400,
        &[],
        "<Error><Code>AuthorizationHeaderMalformed</Code><Message>wrong</Message><Region>eu-west-1</Region></Error>",
    );
    assert!(malformed.to_string().contains("the bucket is in the region eu-west-1"), "{malformed}");
    // Every answer of a bucket names its region.
    let here = refused(
        Service::S3,
        400,
        &[("x-amz-bucket-region", "us-east-1")],
        "<Error><Code>InvalidArgument</Code><Message>wrong</Message></Error>",
    );
    assert!(here.to_string().contains("wrong"), "{here}");
}

#[test]
fn json_refuses_by_header_or_type_with_reasons() {
    let ebs = refused(
        Service::Ebs,
        404,
        &[
            ("x-amzn-errortype", "ResourceNotFoundException:http://internal.amazon.com/x/"),
            ("x-amzn-requestid", "r"),
        ],
        "{\"Message\":\"The snapshot snap-1 does not exist.\",\"Reason\":\"SNAPSHOT_NOT_FOUND\"}",
    );
    assert_eq!((ebs.code(), ebs.reason()), (Some("ResourceNotFoundException"), Some("SNAPSHOT_NOT_FOUND")));
    assert_eq!(
        ebs.to_string(),
        "EBS refuses Call: The snapshot snap-1 does not exist. (ResourceNotFoundException/SNAPSHOT_NOT_FOUND, \
         status 404, request r)"
    );
    let kms = refused(
        Service::Kms,
        400,
        &[],
        "{\"__type\":\"com.amazonaws.kms#NotFoundException\",\"message\":\"no key\"}",
    );
    assert_eq!(kms.code(), Some("NotFoundException"));
}

#[test]
fn what_no_service_says_is_no_refusal() {
    for (status, body) in
        [(403, "<html><body>no</body></html>"), (502, ""), (400, "{\"a\":1}"), (500, "\u{0}")]
    {
        let error = refused(Service::Ec2, status, &[], body);
        assert!(matches!(error, Error::Answer { .. }), "{error}");
        assert!(error.to_string().contains(&format!("status {status}")), "{error}");
    }
}

#[test]
fn messages_are_one_line_of_bounded_length() {
    let long = format!("\u{1b}[31m{}", "ä".repeat(5_000));
    let body = format!("{{\"__type\":\"X\",\"message\":{}}}", serde_json::json!(long));
    let text = refused(Service::Ssm, 400, &[], &body).to_string();
    assert!(!text.contains('\u{1b}') && text.chars().count() < 1_100 && text.contains('…'));
}

#[test]
fn an_error_inside_of_success_is_one() {
    let root = xml::parse(
        b"<Response><Errors><Error><Code>X</Code><Message>y</Message></Error></Errors></Response>",
    );
    assert!(hidden(Service::Ec2, "Call", 200, &root.unwrap()).unwrap().is("X"));
    // An image may have a message of its own.
    let root = xml::parse(b"<DescribeImagesResponse><item><Code>X</Code></item></DescribeImagesResponse>");
    assert!(hidden(Service::Ec2, "Call", 200, &root.unwrap()).is_none());
}
