//! The sections that only turn into environment variables: option, type, variable
//! (`config/etcd.go`, `etcd2.go`, `fleet.go`, `flannel.go`, `locksmith.go`).

use super::shape::{Field, Shape, Valid};

use Shape::{Bool, Float, Int, Text};

const OF_ETCD2: &str = "the first etcd does not know it, etcd2 does";

/// `coreos.etcd`.
pub static ETCD: &[Field] = &[
    Field::variable("addr", Text, "ETCD_ADDR"),
    Field::variable("advertise_client_urls", Text, "ETCD_ADVERTISE_CLIENT_URLS").deprecated(OF_ETCD2),
    Field::variable("bind_addr", Text, "ETCD_BIND_ADDR"),
    Field::variable("ca_file", Text, "ETCD_CA_FILE"),
    Field::variable("cert_file", Text, "ETCD_CERT_FILE"),
    Field::variable("cluster_active_size", Int, "ETCD_CLUSTER_ACTIVE_SIZE"),
    Field::variable("cluster_remove_delay", Float, "ETCD_CLUSTER_REMOVE_DELAY"),
    Field::variable("cluster_sync_interval", Float, "ETCD_CLUSTER_SYNC_INTERVAL"),
    Field::variable("cors", Text, "ETCD_CORS"),
    Field::variable("data_dir", Text, "ETCD_DATA_DIR"),
    Field::variable("discovery", Text, "ETCD_DISCOVERY"),
    Field::variable("discovery_fallback", Text, "ETCD_DISCOVERY_FALLBACK").deprecated(OF_ETCD2),
    Field::variable("discovery_srv", Text, "ETCD_DISCOVERY_SRV").deprecated(OF_ETCD2),
    Field::variable("discovery_proxy", Text, "ETCD_DISCOVERY_PROXY").deprecated(OF_ETCD2),
    Field::variable("election_timeout", Int, "ETCD_ELECTION_TIMEOUT").deprecated(OF_ETCD2),
    Field::variable("force_new_cluster", Bool, "ETCD_FORCE_NEW_CLUSTER").deprecated(OF_ETCD2),
    Field::variable("graphite_host", Text, "ETCD_GRAPHITE_HOST"),
    Field::variable("heartbeat_interval", Int, "ETCD_HEARTBEAT_INTERVAL").deprecated(OF_ETCD2),
    Field::variable("http_read_timeout", Float, "ETCD_HTTP_READ_TIMEOUT"),
    Field::variable("http_write_timeout", Float, "ETCD_HTTP_WRITE_TIMEOUT"),
    Field::variable("initial_advertise_peer_urls", Text, "ETCD_INITIAL_ADVERTISE_PEER_URLS")
        .deprecated(OF_ETCD2),
    Field::variable("initial_cluster", Text, "ETCD_INITIAL_CLUSTER").deprecated(OF_ETCD2),
    Field::variable("initial_cluster_state", Text, "ETCD_INITIAL_CLUSTER_STATE").deprecated(OF_ETCD2),
    Field::variable("initial_cluster_token", Text, "ETCD_INITIAL_CLUSTER_TOKEN").deprecated(OF_ETCD2),
    Field::variable("key_file", Text, "ETCD_KEY_FILE"),
    Field::variable("listen_client_urls", Text, "ETCD_LISTEN_CLIENT_URLS").deprecated(OF_ETCD2),
    Field::variable("listen_peer_urls", Text, "ETCD_LISTEN_PEER_URLS").deprecated(OF_ETCD2),
    Field::variable("max_result_buffer", Int, "ETCD_MAX_RESULT_BUFFER"),
    Field::variable("max_retry_attempts", Int, "ETCD_MAX_RETRY_ATTEMPTS"),
    Field::variable("max_snapshots", Int, "ETCD_MAX_SNAPSHOTS").deprecated(OF_ETCD2),
    Field::variable("max_wals", Int, "ETCD_MAX_WALS").deprecated(OF_ETCD2),
    Field::variable("name", Text, "ETCD_NAME"),
    Field::variable("peer_addr", Text, "ETCD_PEER_ADDR"),
    Field::variable("peer_bind_addr", Text, "ETCD_PEER_BIND_ADDR"),
    Field::variable("peer_ca_file", Text, "ETCD_PEER_CA_FILE"),
    Field::variable("peer_cert_file", Text, "ETCD_PEER_CERT_FILE"),
    Field::variable("peer_election_timeout", Int, "ETCD_PEER_ELECTION_TIMEOUT"),
    Field::variable("peer_heartbeat_interval", Int, "ETCD_PEER_HEARTBEAT_INTERVAL"),
    Field::variable("peer_key_file", Text, "ETCD_PEER_KEY_FILE"),
    Field::variable("peers", Text, "ETCD_PEERS"),
    Field::variable("peers_file", Text, "ETCD_PEERS_FILE"),
    Field::variable("proxy", Text, "ETCD_PROXY").deprecated(OF_ETCD2),
    Field::variable("retry_interval", Float, "ETCD_RETRY_INTERVAL"),
    Field::variable("snapshot", Bool, "ETCD_SNAPSHOT"),
    Field::variable("snapshot_count", Int, "ETCD_SNAPSHOTCOUNT"),
    Field::variable("trace", Text, "ETCD_TRACE"),
    Field::variable("verbose", Bool, "ETCD_VERBOSE"),
    Field::variable("very_verbose", Bool, "ETCD_VERY_VERBOSE"),
    Field::variable("very_very_verbose", Bool, "ETCD_VERY_VERY_VERBOSE"),
];

/// `coreos.etcd2`.
pub static ETCD2: &[Field] = &[
    Field::variable("advertise_client_urls", Text, "ETCD_ADVERTISE_CLIENT_URLS"),
    Field::variable("ca_file", Text, "ETCD_CA_FILE")
        .deprecated("`trusted_ca_file` with `client_cert_auth` took its place"),
    Field::variable("cert_file", Text, "ETCD_CERT_FILE"),
    Field::variable("client_cert_auth", Bool, "ETCD_CLIENT_CERT_AUTH"),
    Field::variable("cors", Text, "ETCD_CORS"),
    Field::variable("data_dir", Text, "ETCD_DATA_DIR"),
    Field::variable("debug", Bool, "ETCD_DEBUG"),
    Field::variable("discovery", Text, "ETCD_DISCOVERY"),
    Field::variable("discovery_fallback", Text, "ETCD_DISCOVERY_FALLBACK"),
    Field::variable("discovery_srv", Text, "ETCD_DISCOVERY_SRV"),
    Field::variable("discovery_proxy", Text, "ETCD_DISCOVERY_PROXY"),
    Field::variable("election_timeout", Int, "ETCD_ELECTION_TIMEOUT"),
    Field::variable("enable_pprof", Bool, "ETCD_ENABLE_PPROF"),
    Field::variable("force_new_cluster", Bool, "ETCD_FORCE_NEW_CLUSTER"),
    Field::variable("heartbeat_interval", Int, "ETCD_HEARTBEAT_INTERVAL"),
    Field::variable("initial_advertise_peer_urls", Text, "ETCD_INITIAL_ADVERTISE_PEER_URLS"),
    Field::variable("initial_cluster", Text, "ETCD_INITIAL_CLUSTER"),
    Field::variable("initial_cluster_state", Text, "ETCD_INITIAL_CLUSTER_STATE"),
    Field::variable("initial_cluster_token", Text, "ETCD_INITIAL_CLUSTER_TOKEN"),
    Field::variable("key_file", Text, "ETCD_KEY_FILE"),
    Field::variable("listen_client_urls", Text, "ETCD_LISTEN_CLIENT_URLS"),
    Field::variable("listen_peer_urls", Text, "ETCD_LISTEN_PEER_URLS"),
    Field::variable("log_package_levels", Text, "ETCD_LOG_PACKAGE_LEVELS"),
    Field::variable("max_snapshots", Int, "ETCD_MAX_SNAPSHOTS"),
    Field::variable("max_wals", Int, "ETCD_MAX_WALS"),
    Field::variable("name", Text, "ETCD_NAME"),
    Field::variable("peer_ca_file", Text, "ETCD_PEER_CA_FILE")
        .deprecated("`peer_trusted_ca_file` with `peer_client_cert_auth` took its place"),
    Field::variable("peer_cert_file", Text, "ETCD_PEER_CERT_FILE"),
    Field::variable("peer_key_file", Text, "ETCD_PEER_KEY_FILE"),
    Field::variable("peer_client_cert_auth", Bool, "ETCD_PEER_CLIENT_CERT_AUTH"),
    Field::variable("peer_trusted_ca_file", Text, "ETCD_PEER_TRUSTED_CA_FILE"),
    Field::variable("proxy", Text, "ETCD_PROXY").valid(Valid::Words(&["on", "off", "readonly"])),
    Field::variable("proxy_dial_timeout", Int, "ETCD_PROXY_DIAL_TIMEOUT"),
    Field::variable("proxy_failure_wait", Int, "ETCD_PROXY_FAILURE_WAIT"),
    Field::variable("proxy_read_timeout", Int, "ETCD_PROXY_READ_TIMEOUT"),
    Field::variable("proxy_refresh_interval", Int, "ETCD_PROXY_REFRESH_INTERVAL"),
    Field::variable("proxy_write_timeout", Int, "ETCD_PROXY_WRITE_TIMEOUT"),
    Field::variable("snapshot_count", Int, "ETCD_SNAPSHOT_COUNT"),
    Field::variable("strict_reconfig_check", Bool, "ETCD_STRICT_RECONFIG_CHECK"),
    Field::variable("trusted_ca_file", Text, "ETCD_TRUSTED_CA_FILE"),
    Field::variable("wal_dir", Text, "ETCD_WAL_DIR"),
];

/// `coreos.fleet`.
pub static FLEET: &[Field] = &[
    Field::variable("agent_ttl", Text, "FLEET_AGENT_TTL"),
    Field::variable("authorized_keys_file", Text, "FLEET_AUTHORIZED_KEYS_FILE"),
    Field::variable("disable_engine", Bool, "FLEET_DISABLE_ENGINE"),
    Field::variable("engine_reconcile_interval", Float, "FLEET_ENGINE_RECONCILE_INTERVAL"),
    Field::variable("etcd_cafile", Text, "FLEET_ETCD_CAFILE"),
    Field::variable("etcd_certfile", Text, "FLEET_ETCD_CERTFILE"),
    Field::variable("etcd_keyfile", Text, "FLEET_ETCD_KEYFILE"),
    Field::variable("etcd_key_prefix", Text, "FLEET_ETCD_KEY_PREFIX"),
    Field::variable("etcd_request_timeout", Float, "FLEET_ETCD_REQUEST_TIMEOUT"),
    Field::variable("etcd_servers", Text, "FLEET_ETCD_SERVERS"),
    Field::variable("etcd_username", Text, "FLEET_ETCD_USERNAME"),
    Field::variable("etcd_password", Text, "FLEET_ETCD_PASSWORD"),
    Field::variable("metadata", Text, "FLEET_METADATA"),
    Field::variable("public_ip", Text, "FLEET_PUBLIC_IP"),
    Field::variable("token_limit", Int, "FLEET_TOKEN_LIMIT"),
    Field::variable("verbosity", Int, "FLEET_VERBOSITY"),
    Field::variable("verify_units", Bool, "FLEET_VERIFY_UNITS"),
];

/// `coreos.flannel`.
pub static FLANNEL: &[Field] = &[
    Field::variable("etcd_endpoints", Text, "FLANNELD_ETCD_ENDPOINTS"),
    Field::variable("etcd_cafile", Text, "FLANNELD_ETCD_CAFILE"),
    Field::variable("etcd_certfile", Text, "FLANNELD_ETCD_CERTFILE"),
    Field::variable("etcd_keyfile", Text, "FLANNELD_ETCD_KEYFILE"),
    Field::variable("etcd_prefix", Text, "FLANNELD_ETCD_PREFIX"),
    Field::variable("etcd_username", Text, "FLANNELD_ETCD_USERNAME"),
    Field::variable("etcd_password", Text, "FLANNELD_ETCD_PASSWORD"),
    Field::variable("ip_masq", Text, "FLANNELD_IP_MASQ"),
    Field::variable("subnet_file", Text, "FLANNELD_SUBNET_FILE"),
    Field::variable("interface", Text, "FLANNELD_IFACE"),
    Field::variable("public_ip", Text, "FLANNELD_PUBLIC_IP"),
];

/// `coreos.locksmith`.
pub static LOCKSMITH: &[Field] = &[
    Field::variable("endpoint", Text, "LOCKSMITHD_ENDPOINT"),
    Field::variable("etcd_cafile", Text, "LOCKSMITHD_ETCD_CAFILE"),
    Field::variable("etcd_certfile", Text, "LOCKSMITHD_ETCD_CERTFILE"),
    Field::variable("etcd_keyfile", Text, "LOCKSMITHD_ETCD_KEYFILE"),
    Field::variable("etcd_username", Text, "LOCKSMITHD_ETCD_USERNAME"),
    Field::variable("etcd_password", Text, "LOCKSMITHD_ETCD_PASSWORD"),
    Field::variable("group", Text, "LOCKSMITHD_GROUP"),
    Field::variable("window_start", Text, "REBOOT_WINDOW_START").valid(Valid::WindowStart),
    Field::variable("window_length", Text, "REBOOT_WINDOW_LENGTH").valid(Valid::WindowLength),
];
