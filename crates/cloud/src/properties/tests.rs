use super::*;
use crate::Kind;
use crate::served::{Given, Served, ok};

const EMI: &str = "loadbalancing.loadbalancer_emi";

fn described(items: &str) -> Given {
    ok(format!(
        "<euca:DescribePropertiesResponseType xmlns:euca=\"http://msgs.eucalyptus.com\"><euca:properties>{items}\
         </euca:properties></euca:DescribePropertiesResponseType>"
    ))
}

fn modified(name: &str, value: &str, old: &str) -> Given {
    ok(format!(
        "<ModifyPropertyValueResponse xmlns=\"http://msgs.eucalyptus.com\"><name>{name}</name><value>{value}</value>\
         <oldValue>{old}</oldValue></ModifyPropertyValueResponse>"
    ))
}

fn euca(answers: impl IntoIterator<Item = Given>) -> Served {
    Served::new(Kind::Euca, answers)
}

#[test]
fn settings_are_read_as_old_and_new_clouds_write_them() {
    let old = format!("<euca:item><euca:name>{EMI}</euca:name><euca:value>NULL</euca:value></euca:item>");
    let new = "<item><name>a.b</name><value/><description>d</description><defaultValue>x</defaultValue>\
               <readOnly>true</readOnly></item>";
    let longer = format!("<item><name>{EMI}_more</name><value>no</value></item>");
    let served =
        euca([described(&format!("{old}{new}")), described(&format!("{longer}{old}")), described("")]);
    let client = served.client();
    let found = describe_properties(&client, &["loadbalancing.", "a"]).unwrap();
    let emi = Property { name: EMI.to_owned(), value: "NULL".to_owned(), ..Property::default() };
    let other = Property {
        name: "a.b".to_owned(),
        value: String::new(),
        description: Some("d".to_owned()),
        default: Some("x".to_owned()),
        read_only: true,
    };
    assert_eq!(found, [emi.clone(), other]);
    assert_eq!(property_value(&client, EMI).unwrap(), Some(emi));
    assert_eq!(property_value(&client, EMI).unwrap(), None);
    let sent = served.sent();
    assert_eq!(
        String::from_utf8_lossy(&sent[0].body),
        "Action=DescribeProperties&Version=eucalyptus&Property.1=loadbalancing.&Property.2=a"
    );
}

#[test]
fn a_setting_is_set_and_reset() {
    let served =
        euca([modified(EMI, "emi-1", "NULL"), modified(EMI, "NULL", "emi-1"), modified(EMI, "", "")]);
    let client = served.client();
    let changed = set_property(&client, EMI, "emi-1").unwrap();
    assert_eq!((changed.value.as_str(), changed.before.as_str()), ("emi-1", "NULL"));
    assert_eq!(reset_property(&client, EMI).unwrap().before, "emi-1");
    set_property(&client, EMI, "").unwrap();
    let sent = served.sent();
    assert_eq!(sent[0].form(), [format!("Name={EMI}"), "Value=emi-1".to_owned()]);
    assert_eq!(sent[1].form(), [format!("Name={EMI}"), "Reset=true".to_owned()]);
}

#[test]
fn what_was_not_set_is_told() {
    let served = euca([
        modified(EMI, "emi-1", "emi-1"),
        modified("other", "emi-2", ""),
        modified(EMI, HIDDEN, HIDDEN),
    ]);
    let client = served.client();
    let error = set_property(&client, EMI, "emi-2").unwrap_err();
    assert!(matches!(error, Error::State(_)) && error.to_string().contains("emi-1"), "{error}");
    assert!(matches!(set_property(&client, EMI, "emi-2"), Err(Error::Answer { .. })));
    set_property(&client, EMI, "emi-2").unwrap();
}

#[test]
fn answers_that_cannot_be_are_refused() {
    for given in [ok("<DescribePropertiesResponse/>"), described("<item><value>x</value></item>")] {
        assert!(matches!(describe_properties(&euca([given]).client(), &[]), Err(Error::Answer { .. })));
    }
}
