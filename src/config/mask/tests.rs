//! What is hidden, and what is not.

use super::*;
use crate::yaml;

fn shown(text: &str) -> String {
    masked(&yaml::read(text).unwrap()).to_string()
}

/// Every field that Prometheus 3.16 takes for a secret, and those of its discoveries.
#[test]
fn no_secret_of_any_field_is_left() {
    for field in [
        "basic_auth: {username: u, password: SECRET}",
        "authorization: {type: Bearer, credentials: SECRET}",
        "bearer_token: SECRET",
        "oauth2: {client_id: c, client_secret: SECRET, token_url: \"https://a/b\"}",
        "oauth2: {client_certificate_key: SECRET}",
        "oauth2: {client_certificate_key_id: x, endpoint_params: {client_secret: SECRET}}",
        "oauth2: {token_url: \"https://u:SECRET@a/b\"}",
        "oauth2: {token_url: \"https://SECRET@a/b?x=y\"}",
        "tls_config: {cert: c, key: SECRET}",
        "tls_config: {key: \"-----BEGIN PRIVATE KEY-----\\nSECRET\"}",
        "tls_config: {cert: \"-----BEGIN EC PRIVATE KEY-----\\nSECRET\"}",
        "http_headers: {X-Thing: {secrets: [SECRET, SECRET]}}",
        "http_headers: {X-Api-Key: {values: [SECRET]}}",
        "http_headers: {Cookie: {values: [SECRET]}}",
        "headers: {Authorization: SECRET}",
        "headers: {X-Auth: SECRET}",
        "proxy_connect_header: {Proxy-Authorization: [SECRET]}",
        "proxy_url: http://u:SECRET@proxy:3128",
        "url: https://u:SE/SECRET@host/write",
        "url: https://u:SE?SECRET@host/write",
        "url: https://u:SE SECRET@host/write",
        "urls: \"https://u:p@a/b,https://u:SECRET@c\"",
        "url: https://a/?to=https://u:SECRET@c",
        "url: https://host/write?token=SECRET",
        "url: https://host/write?a=b&api_key=SECRET&c=d",
        "sigv4: {access_key: a, secret_key: SECRET}",
        "azuread: {oauth: {client_id: a, client_secret: SECRET}}",
        "ec2_sd_configs: [{access_key: a, secret_key: SECRET}]",
        "consul_sd_configs: [{token: SECRET, password: SECRET}]",
        "openstack_sd_configs: [{password: SECRET, application_credential_secret: SECRET}]",
        "ovhcloud_sd_configs: [{application_key: a, application_secret: SECRET, consumer_key: SECRET}]",
        "scaleway_sd_configs: [{secret_key: SECRET}]",
        "marathon_sd_configs: [{auth_token: SECRET}]",
        "stackit_sd_configs: [{private_key: SECRET, service_account_key: SECRET}]",
        "params: {token: [SECRET], api-key: [SECRET]}",
        "relabel_configs: [{target_label: __param_token, replacement: SECRET}]",
        "Password: SECRET",
        "a: &x {password: SECRET}\nb: *x",
        "password: |\n  SECRET\n  SECRET",
        "password: [a, {b: SECRET}]",
        "static_configs: [{targets: [\"http://u:SECRET@h:80\"]}]",
        // Parameters that are not known as no secrets, and what else the end of a URL can be.
        "url: https://influx/api/v1/prom/write?db=prometheus&u=user&p=SECRET",
        "url: https://host/?pass=SECRET",
        "url: https://host/?pwd=SECRET",
        "url: https://host/?jwt=SECRET",
        "url: https://host/?session=SECRET",
        "url: https://host/?code=SECRET",
        "url: https://host/?SECRET",
        "url: https://host/?a=x://SECRET",
        "url: https://host/#access_token=SECRET",
        "url: https://host/?db=a#token=SECRET",
        "url: https://host/?p=x;SECRET",
        "url: https://host/?db=x;SECRET",
        "url: https://host/?p=x#SECRET",
        "url: https://host/?p=x&SECRET",
        "url: \"https://host/?token=ab)SECRET\"",
        "url: \"https://host/?token=ab'SECRET\"",
        "url: \"https://host/?token=ab SECRET\"",
        "url: https://host/?%74oken=SECRET",
        "url: https://probe/?target=http%3A%2F%2Fu%3ASECRET%40host",
        "url: https://probe/?target=http%253A%252F%252Fu%253ASECRET%2540host",
        "url: https://probe/?target=http://host/?x=SECRET",
        "url: https://probe/?target=u:SECRET@tcp(host:3306)/",
        "url: https://probe/?target=host%3Dh+password%3DSECRET",
        "metrics_path: /probe?token=SECRET",
        "relabel_configs: [{target_label: __metrics_path__, replacement: \"/x?p=SECRET\"}]",
        // What becomes a parameter.
        "params: {u: [user], p: [SECRET]}",
        "params: {p: SECRET}",
        "params: {target: [\"http://u:SECRET@host\"]}",
        "params: {target: [\"http://host/?p=SECRET\"]}",
        "params: {target: [\"user:SECRET@tcp(host:3306)/\"]}",
        "static_configs: [{targets: [a], labels: {__param_auth: SECRET}}]",
        "static_configs: [{targets: [a], labels: {__param_sig: SECRET}}]",
        "static_configs: [{targets: [a], labels: {__param_p: SECRET}}]",
        "static_configs: [{targets: [a], labels: {secret_id: SECRET}}]",
        "static_configs: [{targets: [a], labels: {__param_target: \"http://u:SECRET@h\"}}]",
        "static_configs: [{targets: [\"user:SECRET@tcp(host:3306)/\"]}]",
        "static_configs: [{targets: [\"host=h user=u password=SECRET\"]}]",
        "relabel_configs: [{target_label: __param_p, replacement: SECRET}]",
        "relabel_configs: [{source_labels: [__param_p], regex: SECRET}]",
        "relabel_configs: [{source_labels: [a], regex: \"https?://h/[?]p=SECRET\"}]",
        // Every other way to say who one is.
        "oauth2: {endpoint_params: {resource: SECRET, assertion: SECRET}}",
        "basic_auth: {username: u, password: SECRET, password_file: f}",
        "authorization: {credentials: \"SECRET\"}",
        "tracing: {headers: {x-honeycomb-team-key: SECRET}}",
        "tracing: {headers: {X-Thing: \"Bearer SECRET\"}}",
        "remote_read: [{url: \"https://u:SECRET@h/read\", headers: {X-Vault-Token: SECRET}}]",
        "alerting: {alertmanagers: [{basic_auth: {password: SECRET}, sigv4: {secret_key: SECRET}}]}",
        "alerting: {alertmanagers: [{path_prefix: \"/x?k=SECRET\", static_configs: [{targets: [a]}]}]}",
        "remote_write: [{azuread: {client_certificate: {certificate_password: SECRET}}}]",
        "remote_write: [{google_iam: {credentials: SECRET}}]",
        "http_headers: {X-Session: {values: [SECRET]}, X-JWT-Assertion: {values: [SECRET]}}",
        "azure_sd_configs: [{client_secret: SECRET}]",
        "ecs_sd_configs: [{secret_key: SECRET}]",
        "lightsail_sd_configs: [{secret_key: SECRET}]",
        "digitalocean_sd_configs: [{authorization: {credentials: SECRET}}]",
        "hetzner_sd_configs: [{basic_auth: {password: SECRET}}]",
        "linode_sd_configs: [{bearer_token: SECRET}]",
        "vultr_sd_configs: [{oauth2: {client_secret: SECRET}}]",
        "ionos_sd_configs: [{tls_config: {key: SECRET}}]",
        "nomad_sd_configs: [{server: \"http://u:SECRET@h:4646\"}]",
        "eureka_sd_configs: [{server: \"http://u:SECRET@h/eureka\"}]",
        "kuma_sd_configs: [{server: \"http://u:SECRET@h:5676\"}]",
        "docker_sd_configs: [{host: \"tcp://u:SECRET@h:2375\"}]",
        "dockerswarm_sd_configs: [{host: \"tcp://u:SECRET@h:2375\"}]",
        "puppetdb_sd_configs: [{url: \"https://u:SECRET@h\"}]",
        "puppetdb_sd_configs: [{url: \"https://h/?token=SECRET\"}]",
        "uyuni_sd_configs: [{username: u, password: SECRET}]",
        "oci_sd_configs: [{key_passphrase: SECRET, key_file: f}]",
        "outscale_sd_configs: [{access_key: a, secret_key: SECRET}]",
        "triton_sd_configs: [{tls_config: {key: SECRET}}]",
        "http_sd_configs: [{url: \"https://h/sd?apiKey=SECRET\"}]",
        "anything_new: {its_secret: SECRET, its_token: SECRET}",
    ] {
        for text in [
            field.to_owned(),
            format!(
                "scrape_configs:\n- job_name: a\n  x:\n  - {}\n",
                field.replace('\n', "\n    ")
            ),
        ] {
            let shown = shown(&text);
            assert!(shown.contains(SECRET), "nothing is hidden: {text}{shown}");
            assert!(!shown.contains("SECRET"), "{text}\n{shown}");
        }
    }
}

#[test]
fn what_is_no_secret_stays() {
    for text in [
        "basic_auth:\n  username: u\n  password_file: /etc/p\n",
        "authorization:\n  type: Bearer\n  credentials_file: /var/run/secrets/token\n",
        "oauth2:\n  client_id: c\n  client_secret_file: f\n  token_url: https://a/b\n",
        "tls_config:\n  ca_file: a\n  cert_file: b\n  key_file: c\n",
        "url: http://[::1]:9090/a?db=c\n",
        "headers:\n  X-Scope-OrgID: shop\n",
        "params:\n  module:\n  - http_2xx\n  match[]:\n  - \"{job=~\\\".+\\\"}\"\n",
        "relabel_configs:\n- source_labels:\n  - __meta_kubernetes_pod_label_app\n  target_label: app\n  replacement: $1\n",
        "http_sd_configs:\n- url: http://127.0.0.1:9911/sd/endpointslice?namespace=shop&namespace=pay&selector.pod.label=app%3Dweb%2Ctier+in+%28a%2Cb%29&selector.endpointslice.field=metadata.name%3Dx&attach=node&service=web&port=http&compat=3&hold=off\n",
        "url: http://127.0.0.1:9911/debug/targets?role=pod&namespace=$(NAMESPACE)\n",
        "static_configs:\n- targets:\n  - https://probed.example/a\n  labels:\n    __param_module: http_2xx\n    image: registry:5000/a:b\n",
        "params:\n  target:\n  - https://probed.example/a\n  collect[]:\n  - cpu\n",
        "relabel_configs:\n- source_labels:\n  - __param_target\n  regex: https?://([^/]+)/?(.*)\n  replacement: $1\n  target_label: instance\n",
        "rule_files:\n- /etc/rules/?.yaml\n",
        "metrics_path: /metrics\n",
        "password_file: /etc/secret\nprivate_key_path: /a\nservice_account_key_path: /b\n",
        "password: null\n",
        "bearer_token: \"\"\n",
    ] {
        assert_eq!(shown(text), text);
    }
}

#[test]
fn texts_for_people() {
    for (text, expected) in [
        (
            "role pod of another cluster (https://u:p@host:6443/x); if",
            "role pod of another cluster (https://<secret>@host:6443/x); if",
        ),
        ("see https://host/?token=abc) or", "see https://host/?token=<secret>) or"),
        ("\"https://host/?p=ab)cd\": no", "\"https://host/?p=<secret>\": no"),
        ("https://host/?token=<secret> twice", "https://host/?token=<secret> twice"),
        ("read https://host/page/#part, then", "read https://host/page/#part, then"),
        (
            "http://127.0.0.1:9911/sd/pod?namespace=a: 400",
            "http://127.0.0.1:9911/sd/pod?namespace=a: 400",
        ),
        ("mail a@b.example, no URL", "mail a@b.example, no URL"),
    ] {
        assert_eq!(masked_text(text), expected);
    }
}
/// A configuration can be long, and nothing in it may exhaust the stack or take long.
#[test]
fn long_values() {
    for part in ["://", "?target=", "https://u:SECRET@h/", "a=b&", "%253A", "?#@:"] {
        let text = format!("url: \"{}\"", part.repeat(50_000));
        assert!(!shown(&text).contains("SECRET"), "{part}");
        assert!(!masked_text(&text).contains("SECRET"), "{part}");
    }
}
