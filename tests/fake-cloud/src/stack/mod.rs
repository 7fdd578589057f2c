//! CloudFormation (API reference 2010-05-15), as far as stacks of groups and instances need it. Every look at a stack is
//! a step of what is done with it.

mod make;
mod scaling;
mod template;
mod write;

use std::collections::BTreeMap;

use serde_json::Value;

pub(crate) use scaling::handle as handle_scaling;

use make::Maker;
use template::{Names, Template, invalid, scalar};

use crate::account::Caller;
use crate::cloud::Shared;
use crate::holdings;
use crate::http::{Request, Response};
use crate::params::Params;
use crate::refusal::{Answer, Refusal};
use crate::route::Route;
use crate::world::{Tags, World};
use crate::xml::Xml;

/// A group of instances that scales.
#[derive(Clone, Debug)]
pub(crate) struct Scaling {
    owner: String,
    configuration: String,
    least: u64,
    most: u64,
    desired: u64,
    zones: Vec<String>,
    subnets: Vec<String>,
    tags: Tags,
    created: i64,
}

/// A resource of a stack.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resource {
    logical: String,
    physical: String,
    kind: String,
    status: &'static str,
    reason: Option<String>,
    at: i64,
}

/// Something that happened.
#[derive(Clone, Debug)]
struct Event {
    id: String,
    of: Resource,
}

/// A stack.
#[derive(Clone, Debug)]
pub(crate) struct Stack {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) owner: String,
    pub(crate) status: &'static str,
    reason: Option<String>,
    token: Option<String>,
    template: Template,
    given: BTreeMap<String, String>,
    values: BTreeMap<String, Value>,
    rollback: bool,
    tags: Tags,
    created: i64,
    /// What is still to be made, the next first.
    left: Vec<String>,
    resources: Vec<Resource>,
    /// The newest last.
    events: Vec<Event>,
    outputs: Vec<(String, String, String)>,
}

const KIND: &str = "AWS::CloudFormation::Stack";

impl Stack {
    fn note(&mut self, world: &mut World, of: Resource) {
        let number = world.number();
        let id = format!("{}-{}-{number:08x}", of.logical, of.status);
        self.events.push(Event { id, of });
    }

    /// Another state of the stack itself.
    fn become_(&mut self, world: &mut World, now: i64, status: &'static str, reason: Option<String>) {
        (self.status, self.reason) = (status, reason.clone());
        let (logical, physical) = (self.name.clone(), self.id.clone());
        self.note(world, Resource { logical, physical, kind: KIND.to_owned(), status, reason, at: now });
    }

    fn is_gone(&self) -> bool {
        self.status == "DELETE_COMPLETE"
    }
}

/// Answers.
pub(crate) fn handle(shared: &Shared, route: &Route, request: &Request, caller: &Caller) -> Answer {
    let params = Params::of(request);
    if params.peek("Version") != Some("2010-05-15") {
        return Err(Refusal::bad("InvalidAction", "Could not find operation for this version"));
    }
    let call = Call { shared, caller, params };
    match route.action.as_str() {
        "CreateStack" => create(&call),
        "DescribeStacks" => describe(&call),
        "DescribeStackEvents" => events(&call),
        "DescribeStackResources" => resources(&call, "DescribeStackResources", "StackResources"),
        "ListStackResources" => resources(&call, "ListStackResources", "StackResourceSummaries"),
        "DeleteStack" => delete(&call),
        "ValidateTemplate" => validate(&call),
        action => Err(Refusal::bad("InvalidAction", format!("Could not find operation {action}"))),
    }
}

struct Call<'a> {
    shared: &'a Shared,
    caller: &'a Caller,
    params: Params,
}

fn missing(name: &str) -> Refusal {
    invalid(format!("Stack with id {name} does not exist"))
}

fn create(call: &Call<'_>) -> Answer {
    let params = &call.params;
    let name = params.need("StackName").map_err(|refusal| invalid(refusal.message))?;
    let body = params.get("TemplateBody");
    let mut given = BTreeMap::new();
    for prefix in params.structures("Parameters.member") {
        let key = params.need(&format!("{prefix}.ParameterKey"))?;
        given.insert(key, params.get(&format!("{prefix}.ParameterValue")).unwrap_or_default());
    }
    let mut tags = Tags::new();
    for prefix in params.structures("Tags.member") {
        let key = params.need(&format!("{prefix}.Key"))?;
        tags.insert(key, params.get(&format!("{prefix}.Value")).unwrap_or_default());
    }
    let disabled = params.flag("DisableRollback")?;
    let failure = params.one_of("OnFailure", &["DO_NOTHING", "ROLLBACK", "DELETE"])?;
    let _ = (params.number("TimeoutInMinutes")?, params.list("NotificationARNs.member"));
    let _ = params.list("Capabilities.member");
    let token = if call.shared.euca() { None } else { params.get("ClientRequestToken") };
    params.finish()?;
    let good = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.len() <= 128
        && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '-');
    if !good {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must \
             satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )));
    }
    if disabled.is_some() && failure.is_some() {
        return Err(invalid("Either DisableRollback or OnFailure can be specified, not both"));
    }
    let body = body.ok_or_else(|| invalid("Either Template URL or Template Body must be specified."))?;
    let template = Template::parse(&body)?;
    let mut values = template.parameters(&given)?;
    let order = template.order()?;
    let (account, region) = (&call.caller.account, &call.caller.region);
    let mut world = call.shared.world();
    let world = &mut *world;
    let alive = |stack: &&Stack| stack.owner == *account && stack.name == name && !stack.is_gone();
    if let Some(have) = world.region(region).stacks.iter().find(alive) {
        if token.is_some() && have.token == token {
            return Ok(write::stack_id("CreateStack", &have.id));
        }
        return Err(Refusal::bad("AlreadyExistsException", format!("Stack [{name}] already exists")));
    }
    let number = world.number();
    let id = format!(
        "arn:aws:cloudformation:{region}:{account}:stack/{name}/00000000-0000-4000-8000-{number:012x}"
    );
    for (key, value) in [
        ("AWS::Region", region.clone()),
        ("AWS::AccountId", account.clone()),
        ("AWS::StackName", name.clone()),
        ("AWS::StackId", id.clone()),
    ] {
        values.insert(key.to_owned(), value.into());
    }
    let mut stack = Stack {
        id: id.clone(),
        name,
        owner: account.clone(),
        status: "CREATE_IN_PROGRESS",
        reason: None,
        token,
        template,
        given,
        values,
        rollback: disabled != Some(true) && failure.as_deref() != Some("DO_NOTHING"),
        tags,
        created: call.shared.now(),
        left: order,
        resources: Vec::new(),
        events: Vec::new(),
        outputs: Vec::new(),
    };
    let text = Some("User Initiated".to_owned());
    stack.become_(world, call.shared.now(), "CREATE_IN_PROGRESS", text);
    stack.reason = None;
    world.region(region).stacks.push(stack);
    Ok(write::stack_id("CreateStack", &id))
}

/// A step of what is done with a stack.
fn step(shared: &Shared, world: &mut World, region: &str, id: &str) {
    let Some(index) = world.region(region).stacks.iter().position(|stack| stack.id == id) else { return };
    let mut stack = world.region(region).stacks.remove(index);
    match stack.status {
        "CREATE_IN_PROGRESS" => make_next(shared, world, region, &mut stack),
        "ROLLBACK_IN_PROGRESS" => remove_next(shared, world, region, &mut stack, "ROLLBACK_COMPLETE"),
        "DELETE_IN_PROGRESS" => remove_next(shared, world, region, &mut stack, "DELETE_COMPLETE"),
        _ => {}
    }
    world.region(region).stacks.insert(index, stack);
}

fn make_next(shared: &Shared, world: &mut World, region: &str, stack: &mut Stack) {
    let now = shared.now();
    if stack.left.is_empty() {
        outputs(shared, region, stack);
        return stack.become_(world, now, "CREATE_COMPLETE", None);
    }
    let logical = stack.left.remove(0);
    let kind = stack.template.kind(&logical);
    let mut resource = Resource {
        logical: logical.clone(),
        kind: kind.clone(),
        status: "CREATE_IN_PROGRESS",
        at: now,
        ..Resource::default()
    };
    stack.note(world, resource.clone());
    let zones = holdings::zones(&shared.options, region);
    let names = Names { template: &stack.template, values: &stack.values, zones: &zones };
    let fails = shared.options.stack_fails.as_ref().filter(|(name, _)| *name == logical);
    let maker = Maker { shared, region, account: &stack.owner, stack: &stack.name };
    let made = match fails {
        Some((_, reason)) => Err(reason.clone()),
        None => stack
            .template
            .properties(&logical, &names)
            .map_err(|refusal| refusal.message)
            .and_then(|properties| maker.make(world, &logical, &kind, &properties)),
    };
    match made {
        Ok(physical) => {
            resource.physical = physical.clone();
            resource.reason = Some("Resource creation Initiated".to_owned());
            stack.note(world, resource.clone());
            (resource.status, resource.reason) = ("CREATE_COMPLETE", None);
            stack.note(world, resource.clone());
            stack.resources.push(resource);
            let group = world.region(region).groups.values().find(|group| {
                kind == "AWS::EC2::SecurityGroup" && (group.id == physical || group.name == physical)
            });
            if let Some(group) = group {
                stack.values.insert(format!("{logical}.GroupId"), group.id.clone().into());
            }
            if let Some(instance) = world.region(region).instances.get(&physical) {
                for (name, value) in [
                    ("PrivateIp", instance.private_address.clone()),
                    ("PublicIp", instance.public_address.clone().unwrap_or_default()),
                    ("AvailabilityZone", instance.zone.clone()),
                ] {
                    stack.values.insert(format!("{logical}.{name}"), value.into());
                }
            }
            stack.values.insert(logical, physical.into());
        }
        Err(reason) => {
            (resource.status, resource.reason) = ("CREATE_FAILED", Some(reason));
            stack.note(world, resource.clone());
            stack.resources.push(resource);
            stack.left.clear();
            let text = format!("The following resource(s) failed to create: [{logical}]. ");
            if stack.rollback {
                let text = format!("{text}Rollback requested by user.");
                stack.become_(world, now, "ROLLBACK_IN_PROGRESS", Some(text));
            } else {
                stack.become_(world, now, "CREATE_FAILED", Some(text));
            }
        }
    }
}

fn remove_next(shared: &Shared, world: &mut World, region: &str, stack: &mut Stack, end: &'static str) {
    let now = shared.now();
    let left = stack.resources.iter().rposition(|resource| resource.status != "DELETE_COMPLETE");
    let Some(index) = left else { return stack.become_(world, now, end, None) };
    let Some(mut resource) = stack.resources.get(index).cloned() else { return };
    let (owner, name) = (stack.owner.clone(), stack.name.clone());
    let maker = Maker { shared, region, account: &owner, stack: &name };
    let begun = resource.status == "DELETE_IN_PROGRESS";
    (resource.at, resource.reason) = (now, None);
    if !begun && !resource.physical.is_empty() {
        resource.status = "DELETE_IN_PROGRESS";
        stack.note(world, resource.clone());
    }
    if maker.remove(world, &resource) {
        resource.status = "DELETE_COMPLETE";
        stack.note(world, resource.clone());
    }
    if let Some(have) = stack.resources.get_mut(index) {
        *have = resource;
    }
}

fn outputs(shared: &Shared, region: &str, stack: &mut Stack) {
    let zones = holdings::zones(&shared.options, region);
    let names = Names { template: &stack.template, values: &stack.values, zones: &zones };
    let mut all = Vec::new();
    for (name, output) in stack.template.section("Outputs").into_iter().flatten() {
        let description = output.get("Description").map(scalar).unwrap_or_default();
        let value = output.get("Value").and_then(|value| template::resolve(value, &names, 0).ok());
        all.push((name.clone(), value.as_ref().map(scalar).unwrap_or_default(), description));
    }
    stack.outputs = all;
}

/// The id of the stack with that name, or that id; those that are gone have only their ids.
fn find(call: &Call<'_>, world: &mut World, key: &str) -> Result<String, Refusal> {
    let region = world.region(&call.caller.region);
    let fits = |stack: &&Stack| {
        stack.owner == call.caller.account && (stack.id == key || (stack.name == key && !stack.is_gone()))
    };
    region.stacks.iter().find(fits).map(|stack| stack.id.clone()).ok_or_else(|| missing(key))
}

fn describe(call: &Call<'_>) -> Answer {
    let (name, next) = (call.params.get("StackName"), call.params.get("NextToken"));
    call.params.finish()?;
    if next.is_some() {
        return Err(invalid("The token is invalid."));
    }
    let mut world = call.shared.world();
    let ids = match name {
        Some(name) => vec![find(call, &mut world, &name)?],
        None => {
            let all = world.region(&call.caller.region).stacks.iter();
            let own = all.filter(|stack| stack.owner == call.caller.account && !stack.is_gone());
            own.map(|stack| stack.id.clone()).collect()
        }
    };
    let region = &call.caller.region;
    let mut found = Vec::new();
    for id in &ids {
        found.extend(world.region(region).stacks.iter().find(|stack| stack.id == *id).cloned());
        step(call.shared, &mut world, region, id);
    }
    Ok(write::answer("DescribeStacks", |xml| {
        xml.members("Stacks", &found, write::stack);
    }))
}

fn events(call: &Call<'_>) -> Answer {
    let (name, next) = (call.params.need("StackName")?, call.params.get("NextToken"));
    call.params.finish()?;
    let mut world = call.shared.world();
    let id = find(call, &mut world, &name)?;
    let start: usize = match next {
        None => {
            step(call.shared, &mut world, &call.caller.region, &id);
            0
        }
        Some(text) => text.parse().map_err(|_| invalid("The token is invalid."))?,
    };
    let stacks = &world.region(&call.caller.region).stacks;
    let Some(stack) = stacks.iter().find(|stack| stack.id == id) else { return Err(missing(&name)) };
    let page: Vec<&Event> =
        stack.events.iter().rev().skip(start).take(call.shared.options.page.min(100)).collect();
    let end = start + page.len();
    Ok(write::answer("DescribeStackEvents", |xml| {
        xml.members("StackEvents", page, |xml, event| write::event(xml, stack, event))
            .maybe("NextToken", (end < stack.events.len()).then(|| end.to_string()));
    }))
}

fn resources(call: &Call<'_>, action: &str, list: &str) -> Answer {
    let name = call.params.need("StackName")?;
    let logical = if action.starts_with("List") { None } else { call.params.get("LogicalResourceId") };
    let _ = call.params.get("NextToken").filter(|_| action.starts_with("List"));
    call.params.finish()?;
    let mut world = call.shared.world();
    let id = find(call, &mut world, &name)?;
    let stacks = &world.region(&call.caller.region).stacks;
    let Some(stack) = stacks.iter().find(|stack| stack.id == id) else { return Err(missing(&name)) };
    let wanted =
        stack.resources.iter().filter(|have| logical.as_ref().is_none_or(|name| *name == have.logical));
    Ok(write::answer(action, |xml| {
        xml.members(list, wanted, |xml, resource| write::resource(xml, stack, resource, action));
    }))
}

fn delete(call: &Call<'_>) -> Answer {
    let name = call.params.need("StackName")?;
    if !call.shared.euca() {
        let _ = call.params.get("ClientRequestToken");
    }
    call.params.finish()?;
    let mut world = call.shared.world();
    let now = call.shared.now();
    // One that is not there is no error.
    if let Ok(id) = find(call, &mut world, &name) {
        let stacks = &mut world.region(&call.caller.region).stacks;
        if let Some(index) = stacks.iter().position(|stack| stack.id == id) {
            let mut stack = stacks.remove(index);
            if !stack.status.starts_with("DELETE_") {
                stack.left.clear();
                let text = Some("User Initiated".to_owned());
                stack.become_(&mut world, now, "DELETE_IN_PROGRESS", text);
            }
            world.region(&call.caller.region).stacks.insert(index, stack);
        }
    }
    Ok(write::bare("DeleteStack"))
}

fn validate(call: &Call<'_>) -> Answer {
    let body = call.params.need("TemplateBody")?;
    call.params.finish()?;
    let template = Template::parse(&body)?;
    Ok(write::answer("ValidateTemplate", |xml| {
        xml.maybe("Description", template.description());
        let parameters = template.section("Parameters").into_iter().flatten();
        xml.members("Parameters", parameters, |xml, (name, parameter)| {
            xml.text("ParameterKey", name)
                .text("NoEcho", "false")
                .maybe("DefaultValue", parameter.get("Default").map(scalar))
                .maybe("Description", parameter.get("Description").map(scalar));
        });
    }))
}

/// A document as an answer.
pub(super) fn respond(xml: Xml) -> Response {
    Response::new(200, "text/xml", xml.finish())
}
