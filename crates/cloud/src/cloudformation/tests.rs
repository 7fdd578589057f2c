use super::*;
use crate::served::{Given, Served, given, ok};

const ID: &str = "arn:aws:cloudformation:r:1:stack/s/7";

fn aws(answers: impl IntoIterator<Item = Given>) -> Served {
    Served::new(Kind::Aws, answers)
}

fn answer(call: &str, content: &str) -> Given {
    ok(format!(
        "<{call}Response xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><{call}Result>{content}\
         </{call}Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{call}Response>"
    ))
}

fn no(code: &str, message: &str) -> Given {
    given(
        400,
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
             <RequestId>r</RequestId></ErrorResponse>"
        ),
    )
}

fn request() -> CreateStack {
    CreateStack {
        name: "s".to_owned(),
        template: "{}".to_owned(),
        parameters: vec![("Key".to_owned(), "PRIVATE".to_owned())],
        capabilities: vec!["CAPABILITY_IAM".to_owned()],
        notifications: vec!["arn:aws:sns:r:1:t".to_owned()],
        tags: vec![("a".to_owned(), "b".to_owned())],
        timeout: Some(30),
        on_failure: Some("DELETE".to_owned()),
        token: "t".to_owned(),
    }
}

#[test]
fn a_stack_is_made() {
    let made = || answer("CreateStack", &format!("<StackId>{ID}</StackId>"));
    let served = aws([made(), answer("CreateStack", "<StackId/>")]);
    let client = served.client();
    assert_eq!(create_stack(&client, &request()).unwrap(), ID);
    assert!(matches!(create_stack(&client, &request()), Err(Error::Answer { .. })));
    let expected = [
        "StackName=s",
        "TemplateBody={}",
        "Parameters.member.1.ParameterKey=Key",
        "Parameters.member.1.ParameterValue=PRIVATE",
        "Capabilities.member.1=CAPABILITY_IAM",
        "NotificationARNs.member.1=arn:aws:sns:r:1:t",
        "Tags.member.1.Key=a",
        "Tags.member.1.Value=b",
        "TimeoutInMinutes=30",
        "OnFailure=DELETE",
        "ClientRequestToken=t",
    ];
    let sent = served.sent();
    assert_eq!(sent[0].form(), expected);
    assert!(sent[0].header("authorization").contains("/cloudformation/aws4_request"));
    let served = Served::new(Kind::Euca, [made()]);
    create_stack(&served.client(), &request()).unwrap();
    assert_eq!(served.only().form(), expected[..10]);
    assert!(!format!("{:?}", request()).contains("PRIVATE"), "{:?}", request());
}

#[test]
fn a_template_that_is_too_long_is_not_sent() {
    let served = aws([]);
    let template = "x".repeat(TEMPLATE + 1);
    let request = CreateStack { template: template.clone(), ..request() };
    for error in [
        create_stack(&served.client(), &request).unwrap_err(),
        validate_template(&served.client(), &template).unwrap_err(),
    ] {
        assert!(error.to_string().contains("51201 bytes, and 51200 are allowed"), "{error}");
    }
    assert!(served.sent().is_empty());
}

#[test]
fn stacks_are_read_and_missing_ones_known() {
    let stack = format!(
        "<Stacks><member><StackId>{ID}</StackId><StackName>s</StackName><StackStatus>CREATE_COMPLETE</StackStatus>\
         <StackStatusReason>why</StackStatusReason><CreationTime>2026-01-31T23:59:59.000Z</CreationTime>\
         <Outputs><member><OutputKey>Address</OutputKey><OutputValue>192.0.2.1</OutputValue></member></Outputs>\
         <Parameters><member><ParameterKey>P</ParameterKey><ParameterValue/></member></Parameters>\
         <Tags><member><Key>a</Key><Value>b</Value></member></Tags></member></Stacks>"
    );
    let served = aws([
        answer("DescribeStacks", &stack),
        no("ValidationError", "Stack with id s does not exist"),
        no("ValidationError", "1 validation error detected"),
        answer("DescribeStacks", "<Stacks><member/></Stacks>"),
    ]);
    let client = served.client();
    let pair = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
    let expected = Stack {
        id: ID.to_owned(),
        name: "s".to_owned(),
        status: "CREATE_COMPLETE".to_owned(),
        reason: Some("why".to_owned()),
        description: None,
        created: "2026-01-31T23:59:59.000Z".to_owned(),
        outputs: pair("Address", "192.0.2.1"),
        parameters: pair("P", ""),
        tags: pair("a", "b"),
    };
    assert_eq!(find_stack(&client, "s").unwrap(), Some(expected));
    assert_eq!(find_stack(&client, "s").unwrap(), None);
    assert!(find_stack(&client, "s").is_err());
    assert!(find_stack(&client, "s").is_err());
    assert_eq!(served.sent()[0].form(), ["StackName=s"]);
}

fn event(id: &str) -> String {
    format!(
        "<member><EventId>{id}</EventId><StackName>s</StackName><LogicalResourceId>Box</LogicalResourceId>\
         <PhysicalResourceId/><ResourceType>AWS::EC2::Instance</ResourceType><Timestamp>2026-01-31T23:59:59.000Z</Timestamp>\
         <ResourceStatus>CREATE_FAILED</ResourceStatus><ResourceStatusReason>no room</ResourceStatusReason></member>"
    )
}

#[test]
fn events_come_in_their_order_up_to_the_last_one_known() {
    let page = |ids: &[&str], next: &str| {
        let events: String = ids.iter().map(|id| event(id)).collect();
        answer("DescribeStackEvents", &format!("<StackEvents>{events}</StackEvents>{next}"))
    };
    let served = aws([
        page(&["4", "3"], "<NextToken>n</NextToken>"),
        page(&["2", "1"], "<NextToken>m</NextToken>"),
        page(&["4", "3"], ""),
        page(&[""], ""),
    ]);
    let client = served.client();
    let ids = |events: Vec<StackEvent>| events.into_iter().map(|event| event.id).collect::<Vec<_>>();
    assert_eq!(ids(stack_events(&client, "s", Some("1")).unwrap()), ["2", "3", "4"]);
    let found = stack_events(&client, "s", None).unwrap();
    assert_eq!((found[0].id.as_str(), found[0].reason.as_deref()), ("3", Some("no room")));
    assert_eq!((found[0].physical.as_deref(), found[0].status.as_str()), (None, "CREATE_FAILED"));
    assert!(stack_events(&client, "s", None).is_err());
    assert_eq!(served.sent()[1].form(), ["StackName=s", "NextToken=n"]);
}

#[test]
fn resources_are_read_and_stacks_removed_once() {
    let resource = "<StackResources><member><LogicalResourceId>Group</LogicalResourceId>\
        <PhysicalResourceId>s-Group-1</PhysicalResourceId><ResourceType>AWS::AutoScaling::AutoScalingGroup</ResourceType>\
        <ResourceStatus>CREATE_COMPLETE</ResourceStatus></member></StackResources>";
    let served = aws([
        answer("DescribeStackResources", resource),
        ok("<DescribeStackResourcesResponse/>"),
        ok("<DeleteStackResponse><ResponseMetadata/></DeleteStackResponse>"),
        no("ValidationError", "Stack s does not exist"),
        no("AccessDenied", "no"),
    ]);
    let client = served.client();
    let expected = StackResource {
        logical: "Group".to_owned(),
        physical: Some("s-Group-1".to_owned()),
        kind: "AWS::AutoScaling::AutoScalingGroup".to_owned(),
        status: "CREATE_COMPLETE".to_owned(),
        reason: None,
    };
    assert_eq!(stack_resources(&client, "s").unwrap(), [expected]);
    assert!(stack_resources(&client, "s").is_err());
    delete_stack(&client, "s").unwrap();
    delete_stack(&client, "s").unwrap();
    assert!(delete_stack(&client, "s").is_err());
}

#[test]
fn a_template_is_looked_at() {
    let result = "<Description>d</Description><Parameters><member><ParameterKey>Key</ParameterKey><NoEcho>true</NoEcho>\
        <DefaultValue>x</DefaultValue></member></Parameters><Capabilities><member>CAPABILITY_IAM</member></Capabilities>";
    let served = aws([answer("ValidateTemplate", result), no("ValidationError", "Template format error")]);
    let client = served.client();
    let found = validate_template(&client, "{}").unwrap();
    assert_eq!(found.capabilities, ["CAPABILITY_IAM"]);
    let key = TemplateParameter {
        name: "Key".to_owned(),
        default: Some("x".to_owned()),
        hidden: true,
        description: None,
    };
    assert_eq!(found.parameters, [key]);
    assert!(validate_template(&client, "{}").unwrap_err().is("ValidationError"));
}
