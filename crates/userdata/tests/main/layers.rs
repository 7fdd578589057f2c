//! `data/merge_user_vendor_base.jsonl`, `data/cc_cmdline.jsonl`, `data/nocloud_cmdline.jsonl`, and
//! `data/layer_cases.jsonl` of `oracle/layer_cases.py` (`HARDTACK_LAYER_CASES=file` runs more of it).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hardtack_userdata::kernel_command_line::{NetworkConfig, cloud_config, network_config, nocloud};
use hardtack_userdata::layers::{
    Vendor, effective, userdata_allowed, vendor_disabled_handlers, vendor_enabled,
};
use hardtack_userdata::load::load_config;
use hardtack_userdata::merge::merge_parts;
use hardtack_userdata::{Map, Origin, Part, PartKind, json};
use serde_json::{Value as Json, json};

use crate::cases::{cases, equal};

/// One layer: a text merged as the only part.
fn layer(text: &str) -> Map {
    let part = Part {
        kind: PartKind::CloudConfig,
        content_type: "text/cloud-config".to_owned(),
        filename: "part-001".to_owned(),
        launch_index: None,
        merge_type: None,
        payload: text.as_bytes().to_vec(),
        origin: Origin::default(),
    };
    merge_parts(&[part]).config
}

#[test]
fn layers_lie_over_each_other_as_in_cloud_init() {
    let cases = cases("merge_user_vendor_base.jsonl", "HARDTACK_MERGE_LAYERS");
    assert!(cases.len() >= 5);
    for case in cases {
        let text = |name: &str| case[name].as_str().unwrap();
        let layers = [
            layer(text("user")),
            layer(text("vendor")),
            load_config(text("base"), 0).unwrap().unwrap_or_default(),
        ];
        let ours = json::map(&effective(&layers.each_ref()));
        assert!(equal(&ours, &case["effective"]), "{case}: {ours}");
    }
}

fn nocloud_json(line: &str) -> Json {
    nocloud(line)
        .map_or(Json::Null, |data| data.into_iter().map(|(key, value)| (key, json!(value))).collect())
}

#[test]
fn random_layers_and_command_lines_are_read_as_in_cloud_init() {
    let cases = cases("layer_cases.jsonl", "HARDTACK_LAYER_CASES");
    assert!(cases.len() > 200);
    for case in cases {
        if let Some(texts) = case["layers"].as_array() {
            let layers: Vec<Map> =
                texts.iter().map(|text| load_config(text.as_str().unwrap(), 0).unwrap().unwrap()).collect();
            let ours = json::map(&effective(&layers.iter().collect::<Vec<_>>()));
            assert!(equal(&ours, &case["effective"]), "{case}: {ours}");
            continue;
        }
        let line = case["cmdline"].as_str().unwrap();
        assert_eq!(json!(cloud_config(line)), case["yaml"], "{line:?}");
        assert!(equal(&nocloud_json(line), &case["nocloud"]), "{line:?}: {}", nocloud_json(line));
        let network = match network_config(line) {
            None => Json::Null,
            Some(NetworkConfig::Disabled) => json!("disabled"),
            Some(NetworkConfig::Broken) => json!("broken"),
            Some(NetworkConfig::Encoded(bytes)) => json!({"b64": STANDARD.encode(bytes)}),
        };
        assert_eq!(network, case["network"], "{line:?}");
    }
}

#[test]
fn the_command_line_is_read_as_in_cloud_init() {
    let lines = cases("cc_cmdline.jsonl", "HARDTACK_CC_CMDLINE");
    assert!(lines.len() >= 5);
    for case in lines {
        assert_eq!(json!(cloud_config(case["cmdline"].as_str().unwrap())), case["yaml"], "{case}");
    }
    let lines = cases("nocloud_cmdline.jsonl", "HARDTACK_NOCLOUD_CMDLINE");
    assert!(lines.len() >= 6);
    for case in lines {
        let ours = nocloud_json(case["cmdline"].as_str().unwrap());
        let wanted = if case["matched"] == json!(true) { &case["data"] } else { &Json::Null };
        assert!(equal(&ours, wanted), "{case}: {ours}");
    }
}

#[test]
fn vendor_data_can_be_switched_off() {
    let config = |text: &str| load_config(text, 0).unwrap().unwrap_or_default();
    for (text, enabled) in [
        ("", true),
        ("vendor_data: {enabled: false}", false),
        ("vendor_data: {enabled: 'yes'}", true),
        ("vendor_data: {enabled: ~}", false),
        ("vendor_data: {prefix: []}", true),
        ("vendor_data: ~", false),
        ("vendor_data: off", false),
        ("vendor_data2: {enabled: false}", true),
    ] {
        assert_eq!(vendor_enabled(&config(text), Vendor::First), enabled, "{text}");
    }
    assert!(!vendor_enabled(&config("vendor_data2: {enabled: no}"), Vendor::Second));
    let handlers = vendor_disabled_handlers(
        &config("vendor_data: {disabled_handlers: [text/x-shellscript]}"),
        Vendor::First,
    );
    assert_eq!(handlers, ["text/x-shellscript"]);
    assert!(userdata_allowed(&config("")) && !userdata_allowed(&config("allow_userdata: 'no'")));
}
