//! Templates of CloudFormation with user-data: a NUL stands between the two.

use hardtack_launch::stack::{Filling, Template, render};

use crate::memory::bounded;

/// The document of YAML, its text again, and user-data's.
const MEMORY: usize = 64 << 20;

/// What was rendered is a template again, with the same resources, and takes the same user-data again.
pub fn template(input: &[u8]) {
    let at = input.iter().position(|byte| *byte == 0).unwrap_or(input.len());
    let (text, rest) = input.split_at(at);
    let user_data = rest.get(1..).unwrap_or_default();
    bounded(MEMORY, || {
        let Ok(template) = Template::parse("t", text) else { return };
        let _ = (template.parameters(), template.to_json());
        let filling = Filling {
            name: "u".to_owned(),
            user_data: user_data.to_vec(),
            resource: None,
            parameters: vec![("A".to_owned(), "b".to_owned())],
            force: true,
        };
        let Ok(rendered) = render(&template, &filling) else { return };
        let again = match Template::parse("r", rendered.text.as_bytes()) {
            Ok(again) => again,
            Err(error) => panic!("{error}\n{}", rendered.text),
        };
        assert_eq!(template.resource_names(), again.resource_names());
        match render(&again, &filling) {
            Ok(twice) => assert_eq!(twice.resource, rendered.resource),
            Err(error) => panic!("{error}\n{}", rendered.text),
        }
    });
}
