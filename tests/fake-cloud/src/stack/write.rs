//! Stacks, events and resources, as CloudFormation writes them.

use super::template::scalar;
use super::{Event, Resource, Stack, respond};
use crate::http::Response;
use crate::time;
use crate::xml::Xml;

const NAMESPACE: &str = "http://cloudformation.amazonaws.com/doc/2010-05-15/";

fn metadata(xml: &mut Xml) {
    xml.nest("ResponseMetadata", |xml| {
        xml.text("RequestId", "00000000-0000-4000-8000-000000000000");
    });
}

/// `<ACTIONResponse><ACTIONResult>…`.
pub(super) fn answer(action: &str, inner: impl FnOnce(&mut Xml)) -> Response {
    let mut xml = Xml::new(&format!("{action}Response"), Some(NAMESPACE));
    xml.nest(&format!("{action}Result"), inner);
    metadata(&mut xml);
    respond(xml)
}

/// One without a result.
pub(super) fn bare(action: &str) -> Response {
    let mut xml = Xml::new(&format!("{action}Response"), Some(NAMESPACE));
    metadata(&mut xml);
    respond(xml)
}

pub(super) fn stack_id(action: &str, id: &str) -> Response {
    answer(action, |xml| {
        xml.text("StackId", id);
    })
}

pub(super) fn stack(xml: &mut Xml, stack: &Stack) {
    xml.text("StackId", &stack.id)
        .text("StackName", &stack.name)
        .maybe("Description", stack.template.description());
    let empty = Default::default();
    let known = stack.template.section("Parameters").unwrap_or(&empty);
    xml.members("Parameters", known, |xml, (name, parameter)| {
        let hidden = parameter.get("NoEcho").is_some_and(|value| scalar(value) == "true");
        let value = stack.given.get(name).cloned().or_else(|| parameter.get("Default").map(scalar));
        let value = if hidden { "****".to_owned() } else { value.unwrap_or_default() };
        xml.text("ParameterKey", name).text("ParameterValue", value);
    });
    xml.text("CreationTime", time::iso(stack.created))
        .text("StackStatus", stack.status)
        .maybe("StackStatusReason", stack.reason.as_ref())
        .text("DisableRollback", (!stack.rollback).to_string())
        .members("Outputs", &stack.outputs, |xml, (key, value, description)| {
            xml.text("OutputKey", key).text("OutputValue", value).text("Description", description);
        })
        .members("Tags", &stack.tags, |xml, (key, value)| {
            xml.text("Key", key).text("Value", value);
        });
}

pub(super) fn event(xml: &mut Xml, stack: &Stack, event: &Event) {
    let of = &event.of;
    xml.text("EventId", &event.id)
        .text("StackId", &stack.id)
        .text("StackName", &stack.name)
        .text("LogicalResourceId", &of.logical)
        .text("PhysicalResourceId", &of.physical)
        .text("ResourceType", &of.kind)
        .text("Timestamp", time::iso(of.at))
        .text("ResourceStatus", of.status)
        .maybe("ResourceStatusReason", of.reason.as_ref());
}

pub(super) fn resource(xml: &mut Xml, stack: &Stack, of: &Resource, action: &str) {
    let list = action.starts_with("List");
    if !list {
        xml.text("StackId", &stack.id).text("StackName", &stack.name);
    }
    xml.text("LogicalResourceId", &of.logical)
        .text("PhysicalResourceId", &of.physical)
        .text("ResourceType", &of.kind)
        .text(if list { "LastUpdatedTimestamp" } else { "Timestamp" }, time::iso(of.at))
        .text("ResourceStatus", of.status)
        .maybe("ResourceStatusReason", of.reason.as_ref());
}
