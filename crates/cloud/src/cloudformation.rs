//! CloudFormation, of version 2010-05-15: stacks made, watched and removed.
//!
//! Sources: botocore's model of it; for Eucalyptus `CloudFormationMessages.groovy`, which has the same names, no
//! `ClientRequestToken`, and the same limit of a template (`request_template_body_max_length_bytes`).

use crate::call::{self, Call};
use crate::query::Query;
use crate::xml::Element;
use crate::{Client, Error, Kind, Service};

const CREATE: Call = Call(Service::CloudFormation, "CreateStack");
const STACKS: Call = Call(Service::CloudFormation, "DescribeStacks");
const EVENTS: Call = Call(Service::CloudFormation, "DescribeStackEvents");
const RESOURCES: Call = Call(Service::CloudFormation, "DescribeStackResources");
const DELETE: Call = Call(Service::CloudFormation, "DeleteStack");
const VALIDATE: Call = Call(Service::CloudFormation, "ValidateTemplate");

/// Bytes of a template that is sent with the call.
pub const TEMPLATE: usize = 51_200;

/// A stack to make.
#[derive(Clone, Default)]
pub struct CreateStack {
    /// Its name.
    pub name: String,
    /// The template's text, JSON or YAML.
    pub template: String,
    /// Parameters. They may be secret.
    pub parameters: Vec<(String, String)>,
    /// `CAPABILITY_IAM` ….
    pub capabilities: Vec<String>,
    /// Topics that events are sent to.
    pub notifications: Vec<String>,
    /// Tags.
    pub tags: Vec<(String, String)>,
    /// Minutes after which it has failed.
    pub timeout: Option<u32>,
    /// What becomes of what was made when it fails: `ROLLBACK`, `DELETE`, `DO_NOTHING`.
    pub on_failure: Option<String>,
    /// Another call with the same token makes nothing. AWS.
    pub token: String,
}

impl std::fmt::Debug for CreateStack {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("CreateStack").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// `arn:aws:cloudformation:…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `CREATE_IN_PROGRESS`, `CREATE_COMPLETE`, `ROLLBACK_COMPLETE` ….
    pub status: String,
    /// Why.
    pub reason: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// When it was made, as the service writes it (ISO 8601).
    pub created: String,
    /// Outputs: name, value.
    pub outputs: Vec<(String, String)>,
    /// Parameters: name, value; stars for those that are not shown.
    pub parameters: Vec<(String, String)>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// Something that happened to a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StackEvent {
    /// Its id: each has another one.
    pub id: String,
    /// When, as the service writes it (ISO 8601).
    pub time: String,
    /// The resource's name in the template; the stack's own name for the stack.
    pub logical: String,
    /// The resource's id, where it has one yet.
    pub physical: Option<String>,
    /// `AWS::EC2::Instance`.
    pub kind: String,
    /// `CREATE_IN_PROGRESS` ….
    pub status: String,
    /// Why.
    pub reason: Option<String>,
}

/// A resource of a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StackResource {
    /// Its name in the template.
    pub logical: String,
    /// Its id, where it has one.
    pub physical: Option<String>,
    /// `AWS::AutoScaling::AutoScalingGroup`.
    pub kind: String,
    /// `CREATE_COMPLETE` ….
    pub status: String,
    /// Why.
    pub reason: Option<String>,
}

/// What a template asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// What it is for.
    pub description: Option<String>,
    /// Its parameters.
    pub parameters: Vec<TemplateParameter>,
    /// What must be allowed: `CAPABILITY_IAM` ….
    pub capabilities: Vec<String>,
}

/// A parameter of a template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateParameter {
    /// Its name.
    pub name: String,
    /// Its value where nobody gives one.
    pub default: Option<String>,
    /// It is not shown.
    pub hidden: bool,
    /// What it is for.
    pub description: Option<String>,
}

/// `CreateStack`; its id. On AWS the same token makes nothing more: it is sent again where no answer came. On Eucalyptus
/// it is sent once, and who gets [`Error::Transport`] looks for the name.
///
/// # Errors
/// A template that is longer than [`TEMPLATE`]; `AlreadyExistsException`: the name is taken; `ValidationError`:
/// something is wrong with template or parameters; `InsufficientCapabilitiesException`; no answer.
pub fn create_stack(client: &Client, request: &CreateStack) -> Result<String, Error> {
    check_template(CREATE, &request.template)?;
    let aws = client.place().kind == Kind::Aws;
    let mut query = Query::default();
    query.set("StackName", &request.name).set("TemplateBody", &request.template);
    for (index, (key, value)) in request.parameters.iter().enumerate() {
        let prefix = format!("Parameters.member.{}", index + 1);
        query.set(format!("{prefix}.ParameterKey"), key).set(format!("{prefix}.ParameterValue"), value);
    }
    query.list("Capabilities.member", &request.capabilities);
    query.list("NotificationARNs.member", &request.notifications);
    for (index, (key, value)) in request.tags.iter().enumerate() {
        let prefix = format!("Tags.member.{}", index + 1);
        query.set(format!("{prefix}.Key"), key).set(format!("{prefix}.Value"), value);
    }
    query.maybe("TimeoutInMinutes", request.timeout.map(|minutes| minutes.to_string()));
    query.maybe("OnFailure", request.on_failure.as_deref());
    let root = if aws {
        query.maybe("ClientRequestToken", Some(request.token.as_str()).filter(|token| !token.is_empty()));
        CREATE.query(client, &query)?
    } else {
        CREATE.query_once(client, &query)?
    };
    CREATE.id(&root, &["CreateStackResult", "StackId"])
}

/// `DescribeStacks`: the stack of that name or id, or all that are not deleted. A deleted one is found by its id only.
///
/// # Errors
/// `ValidationError`: there is none of that name; no answer.
pub fn describe_stacks(client: &Client, stack: Option<&str>) -> Result<Vec<Stack>, Error> {
    let mut query = Query::default();
    query.maybe("StackName", stack);
    let mut found = Vec::new();
    call::pages(STACKS, client, &query, &["DescribeStacksResult", "NextToken"], |root| {
        for entry in members(STACKS, root, "DescribeStacksResult", "Stacks")? {
            found.push(read_stack(entry)?);
        }
        Ok(true)
    })?;
    Ok(found)
}

/// The stack of that name or id; `None` where there is none.
///
/// # Errors
/// No right to ask; no answer.
pub fn find_stack(client: &Client, stack: &str) -> Result<Option<Stack>, Error> {
    match describe_stacks(client, Some(stack)) {
        Ok(found) => Ok(found.into_iter().next()),
        Err(error) if missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// `DescribeStackEvents`, the oldest first: those after the event `after`, or all. Pages that are older are not asked for.
///
/// # Errors
/// `ValidationError`: there is no such stack; no answer.
pub fn stack_events(client: &Client, stack: &str, after: Option<&str>) -> Result<Vec<StackEvent>, Error> {
    let mut query = Query::default();
    query.set("StackName", stack);
    let mut found = Vec::new();
    call::pages(EVENTS, client, &query, &["DescribeStackEventsResult", "NextToken"], |root| {
        for entry in members(EVENTS, root, "DescribeStackEventsResult", "StackEvents")? {
            let event = read_event(entry)?;
            if Some(event.id.as_str()) == after {
                return Ok(false);
            }
            found.push(event);
        }
        Ok(true)
    })?;
    found.reverse();
    Ok(found)
}

/// `DescribeStackResources`. AWS gives the first 100.
///
/// # Errors
/// `ValidationError`: there is no such stack; no answer.
pub fn stack_resources(client: &Client, stack: &str) -> Result<Vec<StackResource>, Error> {
    let mut query = Query::default();
    query.set("StackName", stack);
    let root = RESOURCES.query(client, &query)?;
    let resource = |entry: &Element| {
        Ok(StackResource {
            logical: RESOURCES.text(entry, &["LogicalResourceId"])?.to_owned(),
            physical: entry.trimmed(&["PhysicalResourceId"]),
            kind: entry.trimmed(&["ResourceType"]).unwrap_or_default(),
            status: entry.trimmed(&["ResourceStatus"]).unwrap_or_default(),
            reason: entry.trimmed(&["ResourceStatusReason"]),
        })
    };
    members(RESOURCES, &root, "DescribeStackResourcesResult", "StackResources")?.map(resource).collect()
}

/// `DeleteStack`: its removal begins. One that is gone already is no error.
///
/// # Errors
/// No right to do it; it is protected; no answer.
pub fn delete_stack(client: &Client, stack: &str) -> Result<(), Error> {
    let mut query = Query::default();
    query.set("StackName", stack);
    match DELETE.query(client, &query) {
        Err(error) if missing(&error) => Ok(()),
        other => other.map(drop),
    }
}

/// `ValidateTemplate`.
///
/// # Errors
/// A template that is longer than [`TEMPLATE`]; `ValidationError`: it is none; no answer.
pub fn validate_template(client: &Client, template: &str) -> Result<Template, Error> {
    check_template(VALIDATE, template)?;
    let mut query = Query::default();
    query.set("TemplateBody", template);
    let root = VALIDATE.query(client, &query)?;
    let result = root
        .child("ValidateTemplateResult")
        .ok_or_else(|| VALIDATE.wrong("ValidateTemplateResult is missing"))?;
    let parameter = |entry: &Element| {
        Ok(TemplateParameter {
            name: VALIDATE.text(entry, &["ParameterKey"])?.to_owned(),
            default: entry.at(&["DefaultValue"]).map(str::to_owned),
            hidden: VALIDATE.flag(entry, &["NoEcho"])?.unwrap_or(false),
            description: entry.trimmed(&["Description"]),
        })
    };
    let capabilities = result.list("Capabilities", "member").map(|entry| entry.text.trim().to_owned());
    Ok(Template {
        description: result.trimmed(&["Description"]),
        parameters: result.list("Parameters", "member").map(parameter).collect::<Result<_, Error>>()?,
        capabilities: capabilities.filter(|name| !name.is_empty()).collect(),
    })
}

/// Whether an error says that there is no such stack. AWS and Eucalyptus have no code of its own for it.
fn missing(error: &Error) -> bool {
    match error {
        Error::Service { message, .. } => {
            error.is("ValidationError") && message.contains("does not exist")
                || error.is("StackNotFoundException")
        }
        _ => false,
    }
}

fn check_template(call: Call, template: &str) -> Result<(), Error> {
    if template.len() <= TEMPLATE {
        return Ok(());
    }
    Err(call.unusable(format_args!(
        "the template has {} bytes, and {TEMPLATE} are allowed; make it shorter, or its user-data (hardtack packs it)",
        template.len()
    )))
}

fn read_stack(entry: &Element) -> Result<Stack, Error> {
    Ok(Stack {
        id: entry.trimmed(&["StackId"]).unwrap_or_default(),
        name: STACKS.text(entry, &["StackName"])?.to_owned(),
        status: STACKS.text(entry, &["StackStatus"])?.to_owned(),
        reason: entry.trimmed(&["StackStatusReason"]),
        description: entry.trimmed(&["Description"]),
        created: entry.trimmed(&["CreationTime"]).unwrap_or_default(),
        outputs: pairs(entry, "Outputs", "OutputKey", "OutputValue"),
        parameters: pairs(entry, "Parameters", "ParameterKey", "ParameterValue"),
        tags: pairs(entry, "Tags", "Key", "Value"),
    })
}

fn read_event(entry: &Element) -> Result<StackEvent, Error> {
    Ok(StackEvent {
        id: EVENTS.text(entry, &["EventId"])?.to_owned(),
        time: entry.trimmed(&["Timestamp"]).unwrap_or_default(),
        logical: entry.trimmed(&["LogicalResourceId"]).unwrap_or_default(),
        physical: entry.trimmed(&["PhysicalResourceId"]),
        kind: entry.trimmed(&["ResourceType"]).unwrap_or_default(),
        status: entry.trimmed(&["ResourceStatus"]).unwrap_or_default(),
        reason: entry.trimmed(&["ResourceStatusReason"]),
    })
}

/// The entries of the list `name` in the result, which must be there.
fn members<'a>(
    call: Call,
    root: &'a Element,
    result: &str,
    name: &'a str,
) -> Result<impl Iterator<Item = &'a Element>, Error> {
    let result = root.child(result).ok_or_else(|| call.wrong(format!("{result} is missing")))?;
    Ok(result.list(name, "member"))
}

fn pairs(entry: &Element, list: &str, key: &str, value: &str) -> Vec<(String, String)> {
    let pair = |entry: &Element| {
        Some((entry.at(&[key])?.to_owned(), entry.at(&[value]).unwrap_or_default().to_owned()))
    };
    entry.list(list, "member").filter_map(pair).collect()
}

#[cfg(test)]
mod tests;
