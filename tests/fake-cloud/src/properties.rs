//! Eucalyptus' properties (`PropertiesManager` and `PropertiesMessages` in its sources): only the cloud's administrator
//! may. An unknown property is refused by a code of our own.

use crate::account::Caller;
use crate::cloud::Shared;
use crate::http::{Request, Response};
use crate::params::Params;
use crate::refusal::{Answer, Refusal};
use crate::route::Route;
use crate::xml::Xml;

const NAMESPACE: &str = "http://msgs.eucalyptus.com/";

/// Answers.
pub(crate) fn handle(shared: &Shared, route: &Route, request: &Request, caller: &Caller) -> Answer {
    let params = Params::of(request);
    if !shared.euca() || params.peek("Version").is_none() {
        return Err(Refusal::bad("InvalidAction", "The action is not valid for this web service."));
    }
    let administrator = match &shared.options.administrators {
        list if list.is_empty() => {
            shared.options.accounts.first().is_some_and(|account| account.number == caller.account)
        }
        list => list.contains(&caller.account),
    };
    if !administrator {
        let text = format!("You are not authorized to perform this operation: {}", route.action);
        return Err(Refusal::new(403, "AccessDenied", text));
    }
    match route.action.as_str() {
        "DescribeProperties" => describe(shared, &params),
        "ModifyPropertyValue" => modify(shared, &params),
        _ => Err(Refusal::bad("InvalidAction", "The action is not valid for this web service.")),
    }
}

/// All whose names begin with one of those that are asked for.
fn describe(shared: &Shared, params: &Params) -> Answer {
    let wanted = params.list("Property");
    params.finish()?;
    let world = shared.world();
    let mut xml = Xml::new("DescribePropertiesResponseType", Some(NAMESPACE));
    let asked =
        |name: &&String| wanted.is_empty() || wanted.iter().any(|prefix| name.starts_with(prefix.as_str()));
    xml.items("properties", world.properties.iter().filter(|(name, _)| asked(name)), |xml, (name, value)| {
        let first = shared.options.properties.iter().find(|(have, _)| have == name);
        xml.text("name", name)
            .text("value", value)
            .text("description", "")
            .maybe("defaultValue", first.map(|(_, value)| value))
            .text("readOnly", "false");
    });
    xml.text("_return", "true");
    Ok(Response::new(200, "text/xml", xml.finish()))
}

fn modify(shared: &Shared, params: &Params) -> Answer {
    let (name, value) = (params.need("Name")?, params.get("Value"));
    let reset = params.flag("Reset")? == Some(true);
    params.finish()?;
    let mut world = shared.world();
    let Some(before) = world.properties.get(&name).cloned() else {
        let text = format!("Failed to set property: No such property: {name}");
        return Err(Refusal::bad("InvalidParameterValue", text));
    };
    let after = if reset {
        let first = shared.options.properties.iter().find(|(have, _)| *have == name);
        first.map(|(_, value)| value.clone()).unwrap_or_default()
    } else {
        value.unwrap_or_default()
    };
    world.properties.insert(name.clone(), after.clone());
    let mut xml = Xml::new("ModifyPropertyValueResponseType", Some(NAMESPACE));
    xml.text("name", &name).text("value", &after).text("oldValue", &before).text("_return", "true");
    Ok(Response::new(200, "text/xml", xml.finish()))
}
