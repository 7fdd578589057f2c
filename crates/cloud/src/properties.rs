//! Eucalyptus' properties service (`/services/Properties`), of version `eucalyptus`: settings of the whole cloud. Only
//! administrators may use it.
//!
//! Sources: `PropertiesMessages.groovy` and `PropertiesManager.java` of 3.4 to 4.4, which differ in two elements of
//! answers only (`defaultValue`, `readOnly`, since 4.2); `describeproperties.py` and `modifypropertyvalue.py` of eucadmin
//! (3.4 to 4.2: lists are `properties/item`) and of its successor `eucalyptus_admin` (4.3, 4.4).

use crate::call::Call;
use crate::query::Query;
use crate::xml::Element;
use crate::{Client, Error, Service};

const DESCRIBE: Call = Call(Service::Properties, "DescribeProperties");
const MODIFY: Call = Call(Service::Properties, "ModifyPropertyValue");

/// What stands for a value that is not shown.
pub const HIDDEN: &str = "********";

/// A setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Property {
    /// `loadbalancing.loadbalancer_emi` in 3.4 and 4.0, `services.loadbalancing.worker.image` since 4.1.
    pub name: String,
    /// Its value; [`HIDDEN`] for secret ones.
    pub value: String,
    /// What it is for.
    pub description: Option<String>,
    /// The value that it has by itself. Since 4.2.
    pub default: Option<String>,
    /// Setting it changes nothing. Since 4.2.
    pub read_only: bool,
}

/// What became of a setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Its name.
    pub name: String,
    /// Its value now.
    pub value: String,
    /// Its value before.
    pub before: String,
}

/// `DescribeProperties`: those whose names begin with one of `names`, or all. A name that is no setting's is left out.
///
/// # Errors
/// No right to ask; no answer.
pub fn describe_properties(client: &Client, names: &[&str]) -> Result<Vec<Property>, Error> {
    let mut query = Query::default();
    query.list("Property", names.iter().copied());
    let root = DESCRIBE.query(client, &query)?;
    let list = root.child("properties").ok_or_else(|| DESCRIBE.wrong("properties is missing"))?;
    list.children.iter().map(property).collect()
}

/// The setting of that name; `None` where there is none.
///
/// # Errors
/// No right to ask; no answer.
pub fn property_value(client: &Client, name: &str) -> Result<Option<Property>, Error> {
    let found = describe_properties(client, &[name])?;
    Ok(found.into_iter().find(|property| property.name == name))
}

/// `ModifyPropertyValue`. A value that is the cloud's already may be set again: it is sent again where no answer came, and
/// `before` is then what the lost call has set.
///
/// # Errors
/// There is no such setting; a value that it cannot have; it is read-only, and has another value than was asked for; no
/// right to do it; no answer.
pub fn set_property(client: &Client, name: &str, value: &str) -> Result<Changed, Error> {
    let mut query = Query::default();
    query.set("Name", name).set("Value", value);
    let changed = changed(name, &MODIFY.query(client, &query)?)?;
    // Eucalyptus takes what it is told of a read-only one for done.
    if changed.value != HIDDEN && changed.value.trim() != value.trim() && changed.value == changed.before {
        return Err(Error::State(format!(
            "the property {} is \"{}\" as before: this cloud does not let it be set to \"{}\"",
            crate::call::shown(name),
            crate::call::shown(&changed.value),
            crate::call::shown(value)
        )));
    }
    Ok(changed)
}

/// `ModifyPropertyValue` with `Reset`: the value that the setting has by itself.
///
/// # Errors
/// There is no such setting; no right to do it; no answer.
pub fn reset_property(client: &Client, name: &str) -> Result<Changed, Error> {
    let mut query = Query::default();
    query.set("Name", name).set("Reset", "true");
    changed(name, &MODIFY.query(client, &query)?)
}

fn property(entry: &Element) -> Result<Property, Error> {
    let text = |name: &str| entry.at(&[name]).map(str::to_owned);
    Ok(Property {
        name: DESCRIBE.text(entry, &["name"])?.to_owned(),
        value: text("value").unwrap_or_default(),
        description: text("description"),
        default: text("defaultValue"),
        read_only: DESCRIBE.flag(entry, &["readOnly"])?.unwrap_or(false),
    })
}

fn changed(name: &str, root: &Element) -> Result<Changed, Error> {
    let found = MODIFY.text(root, &["name"])?;
    if found != name {
        return Err(MODIFY.wrong(format!("it tells of the property \"{}\"", crate::call::shown(found))));
    }
    let text = |name: &str| root.at(&[name]).unwrap_or_default().to_owned();
    Ok(Changed { name: found.to_owned(), value: text("value"), before: text("oldValue") })
}

#[cfg(test)]
mod tests;
