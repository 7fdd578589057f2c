//! CycloneDX 1.6 as JSON (cyclonedx.org/docs/1.6/json).

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::inventory::{Component, Inventory, Manager};
use crate::{Document, timestamp, uuid_of};

/// The bill of materials as a CycloneDX document.
#[must_use]
pub fn cyclonedx(inventory: &Inventory, document: &Document) -> Value {
    let refs = references(inventory);
    let purls: Vec<&str> = inventory.components.iter().map(|one| one.purl.as_str()).collect();
    let number = uuid_of(&[&[document.name.as_str(), &timestamp(document.created)], &purls[..]].concat());
    let mut dependencies = vec![json!({"ref": "image", "dependsOn": refs})];
    dependencies.extend(inventory.components.iter().zip(&refs).map(|(one, name)| {
        let needs: Vec<&String> = one.depends.iter().map(|index| &refs[*index]).collect();
        json!({"ref": name, "dependsOn": needs})
    }));
    let components: Vec<Value> =
        inventory.components.iter().zip(&refs).map(|(one, name)| component(one, name)).collect();
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{number}"),
        "version": 1,
        "metadata": {
            "timestamp": timestamp(document.created),
            "tools": {"components": [{
                "type": "application",
                "name": "hardtack",
                "version": document.tool_version,
            }]},
            "component": subject(inventory, document),
        },
        "components": components,
        "dependencies": dependencies,
    })
}

/// What the document is about.
fn subject(inventory: &Inventory, document: &Document) -> Value {
    let system = inventory.os.version_id.as_deref().unwrap_or("unknown");
    let mut subject = json!({
        "type": if inventory.release.is_some() { "application" } else { "operating-system" },
        "bom-ref": "image",
        "name": document.name,
        "version": inventory.release.as_deref().unwrap_or(system),
    });
    if inventory.release.is_none() {
        let name = inventory.os.pretty.as_deref().unwrap_or("an image without os-release");
        subject["description"] = json!(name);
    }
    subject
}

/// Package URLs, each once: what two components share gets a number behind it.
fn references(inventory: &Inventory) -> Vec<String> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    inventory
        .components
        .iter()
        .map(|one| {
            let count = seen.entry(one.purl.as_str()).or_insert(0);
            *count += 1;
            if *count == 1 { one.purl.clone() } else { format!("{}#{count}", one.purl) }
        })
        .collect()
}

fn component(one: &Component, reference: &str) -> Value {
    let version = match (one.manager, one.epoch) {
        (Manager::Rpm, Some(epoch)) => format!("{epoch}:{}", one.version),
        _ => one.version.clone(),
    };
    let kind = if one.manager == Manager::None { "application" } else { "library" };
    let mut component = json!({
        "type": kind,
        "bom-ref": reference,
        "name": one.name,
        "version": version,
        "purl": one.purl,
    });
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            component[name] = value;
        }
    };
    set("description", one.summary.as_ref().map(|text| json!(text)));
    set("supplier", one.supplier.as_ref().map(|text| json!({"name": text})));
    let license = |name: &String| match one.is_expression() {
        true => json!({"expression": name}),
        false => json!({"license": {"name": name}}),
    };
    set(
        "licenses",
        (!one.licenses.is_empty()).then(|| one.licenses.iter().map(license).collect::<Vec<_>>().into()),
    );
    let url = |text: &&String| ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme));
    set(
        "externalReferences",
        one.homepage.as_ref().filter(url).map(|text| json!([{"type": "website", "url": text}])),
    );
    set("hashes", one.sha256.as_ref().map(|digest| json!([{"alg": "SHA-256", "content": digest}])));
    let property = |name: &str, value: &str| json!({"name": format!("hardtack:{name}"), "value": value});
    let mut properties = Vec::new();
    if let Some(architecture) = &one.architecture {
        properties.push(property("architecture", architecture));
    }
    if let Some((name, version)) = &one.source {
        properties.push(property("source", &format!("{name} {version}")));
    }
    set("properties", (!properties.is_empty()).then(|| properties.into()));
    component
}
