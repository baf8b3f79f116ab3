//! One entry of `kubernetes_sd_configs`, read strictly: what is not known here might change which targets
//! are found, so it is a reason to leave the job as it was.

use crate::yaml::Yaml;

/// What such an entry asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Discovery {
    pub(super) role: String,
    /// The API server's URL, if it is not that of the Pod; empty otherwise.
    pub(super) api_server: String,
    /// A kubeconfig file, if one is named; empty otherwise.
    pub(super) kubeconfig_file: String,
    /// Whether the namespace of the Pod is one of them.
    pub(super) own_namespace: bool,
    /// Those that are searched; all, if none is named and the own one is not either.
    pub(super) namespaces: Vec<String>,
    /// At most one for each role.
    pub(super) selectors: Vec<Selector>,
    /// What is attached, by its name in `attach_metadata`.
    pub(super) attach: Vec<String>,
}

/// What limits the objects of a role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selector {
    pub(super) role: String,
    pub(super) label: String,
    pub(super) field: String,
}

/// Why an entry is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// A key that we do not know.
    #[error("kubernetes_sd_configs has the key {0}, which this version does not know")]
    UnknownKey(String),
    /// A value of another type than Prometheus has there.
    #[error("{key} in kubernetes_sd_configs must be {must_be}")]
    Type {
        /// The key.
        key: String,
        /// What belongs there.
        must_be: &'static str,
    },
}

/// How the API server is spoken to. The sidecar does that in its own way, so these keys go.
const CLIENT_KEYS: [&str; 13] = [
    "authorization",
    "basic_auth",
    "bearer_token",
    "bearer_token_file",
    "enable_http2",
    "follow_redirects",
    "http_headers",
    "no_proxy",
    "oauth2",
    "proxy_connect_header",
    "proxy_from_environment",
    "proxy_url",
    "tls_config",
];

/// What `attach_metadata` can have, of all versions up to 3.16.
const ATTACHED: [&str; 5] = ["node", "namespace", "deployment", "job", "cronjob"];

impl Discovery {
    /// Reads an entry. Two selectors of one role, which Prometheus refuses and prometheus-operator writes
    /// for a PodMonitor with `selectorMechanism: RoleSelector` in DaemonSet mode, become one.
    ///
    /// # Errors
    /// If a key is unknown, or a value is not of the type that it must have.
    pub(super) fn read(entry: &Yaml) -> Result<Self, DiscoveryError> {
        let mut discovery = Self::default();
        for (key, value) in entries(entry, "an item")? {
            match &*key {
                "role" => discovery.role = text(value, "role")?,
                "api_server" => discovery.api_server = text(value, "api_server")?,
                "kubeconfig_file" => discovery.kubeconfig_file = text(value, "kubeconfig_file")?,
                "namespaces" => discovery.read_namespaces(value)?,
                "selectors" => discovery.read_selectors(value)?,
                "attach_metadata" => discovery.read_attach(value)?,
                key if CLIENT_KEYS.contains(&key) => {}
                _ => return Err(DiscoveryError::UnknownKey(key)),
            }
        }
        Ok(discovery)
    }

    fn read_namespaces(&mut self, value: &Yaml) -> Result<(), DiscoveryError> {
        for (key, value) in entries(value, "namespaces")? {
            match &*key {
                "own_namespace" => self.own_namespace = truth(value, "own_namespace")?,
                "names" => {
                    for name in items(value, "names")? {
                        self.namespaces.push(text(name, "names")?);
                    }
                }
                _ => return Err(DiscoveryError::UnknownKey(format!("namespaces.{key}"))),
            }
        }
        Ok(())
    }

    fn read_selectors(&mut self, value: &Yaml) -> Result<(), DiscoveryError> {
        for item in items(value, "selectors")? {
            let mut selector = Selector::default();
            for (key, value) in entries(item, "selectors")? {
                match &*key {
                    "role" => selector.role = text(value, "selectors.role")?,
                    "label" => selector.label = text(value, "selectors.label")?,
                    "field" => selector.field = text(value, "selectors.field")?,
                    _ => return Err(DiscoveryError::UnknownKey(format!("selectors.{key}"))),
                }
            }
            match self.selectors.iter_mut().find(|other| other.role == selector.role) {
                Some(other) => other.narrow(&selector),
                None => self.selectors.push(selector),
            }
        }
        Ok(())
    }

    fn read_attach(&mut self, value: &Yaml) -> Result<(), DiscoveryError> {
        for (key, value) in entries(value, "attach_metadata")? {
            if !ATTACHED.contains(&&*key) {
                return Err(DiscoveryError::UnknownKey(format!("attach_metadata.{key}")));
            }
            if truth(value, &key)? {
                self.attach.push(key);
            }
        }
        Ok(())
    }
}

impl Selector {
    /// Requires what the other one requires, too.
    fn narrow(&mut self, other: &Self) {
        for (mine, others) in [(&mut self.label, &other.label), (&mut self.field, &other.field)] {
            if !mine.is_empty() && !others.is_empty() {
                mine.push(',');
            }
            mine.push_str(others);
        }
    }
}

fn text(value: &Yaml, key: &str) -> Result<String, DiscoveryError> {
    value.text().map(str::to_owned).ok_or_else(|| wrong(key, "a string"))
}

fn items<'a>(value: &'a Yaml, key: &str) -> Result<&'a [Yaml], DiscoveryError> {
    value.items().ok_or_else(|| wrong(key, "a list"))
}

fn entries<'a>(
    value: &'a Yaml,
    key: &str,
) -> Result<impl Iterator<Item = (String, &'a Yaml)>, DiscoveryError> {
    let entries = value.entries().ok_or_else(|| wrong(key, "a mapping"))?;
    Ok(entries.iter().map(|(key, value)| (key.text.clone(), value)))
}

/// As Go's YAML 1.1 reads it into a bool: nothing is false.
fn truth(value: &Yaml, key: &str) -> Result<bool, DiscoveryError> {
    let Yaml::Scalar(scalar) = value else { return Err(wrong(key, "true or false")) };
    match scalar.text.to_ascii_lowercase().as_str() {
        _ if scalar.is_null() => Ok(false),
        "true" | "yes" | "on" | "y" if !scalar.quoted => Ok(true),
        "false" | "no" | "off" | "n" if !scalar.quoted => Ok(false),
        _ => Err(wrong(key, "true or false")),
    }
}

fn wrong(key: &str, must_be: &'static str) -> DiscoveryError {
    DiscoveryError::Type { key: key.to_owned(), must_be }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn discovery(text: &str) -> Result<Discovery, DiscoveryError> {
        Discovery::read(&yaml::read(text).unwrap())
    }

    #[test]
    fn two_selectors_of_one_role_become_one() {
        let read = discovery(
            "role: pod\nselectors:\n- {role: pod, field: a=b}\n- {role: pod, label: c}\n- {role: pod, label: d}\n",
        );
        let one =
            Selector { role: "pod".to_owned(), label: "c,d".to_owned(), field: "a=b".to_owned() };
        assert_eq!(read.unwrap().selectors, [one]);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for (text, expected) in [
            ("role: pod\nnew_key: 1\n", "has the key new_key"),
            ("namespaces: {match: a}\n", "has the key namespaces.match"),
            ("selectors: [{role: pod, labels: a}]\n", "has the key selectors.labels"),
            ("attach_metadata: {zone: true}\n", "has the key attach_metadata.zone"),
            (
                "attach_metadata: {node: \"true\"}\n",
                "node in kubernetes_sd_configs must be true or false",
            ),
            ("namespaces: {names: a}\n", "names in kubernetes_sd_configs must be a list"),
            ("- role\n", "an item in kubernetes_sd_configs must be a mapping"),
        ] {
            let error = discovery(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn how_the_api_server_is_spoken_to_does_not_matter() {
        let keys: String = CLIENT_KEYS.iter().map(|key| format!("{key}: x\n")).collect();
        assert_eq!(discovery(&keys), Ok(Discovery::default()));
    }
}
