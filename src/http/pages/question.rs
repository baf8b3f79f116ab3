//! What a browser asks of targets: the parameters of a query, and those of the page alone.

use crate::targets::Role;

/// A query, and what is searched in its targets.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) path: &'static str,
    /// The role, if none is named.
    pub(super) default: Role,
    /// The words that are searched for.
    pub(super) search: String,
    parameters: Vec<(String, String)>,
}

// === impl Asked ===

impl Asked {
    /// From the query of a page. A field of a form that is left empty says nothing.
    pub(super) fn read(path: &'static str, query: Option<&str>, default: Role) -> Self {
        let mut search = String::new();
        let mut parameters = Vec::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match &*name {
                "q" => search = value.into_owned(),
                _ if value.is_empty() => {}
                _ => parameters.push((name.into_owned(), value.into_owned())),
            }
        }
        Self { path, default, search, parameters }
    }

    /// The query alone, as `/sd` takes it.
    pub(super) fn query(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.parameters).finish()
    }

    /// The role that is asked for.
    pub(super) fn role(&self) -> &str {
        self.value("role").unwrap_or(self.default.name())
    }

    /// The namespace, if it is one.
    pub(super) fn namespace(&self) -> Option<&str> {
        self.value("namespace").filter(|_| !self.has_several_namespaces())
    }

    /// The same for another role, as far as it can mean the same.
    pub(super) fn of_role(&self, role: Role) -> Vec<(&str, &str)> {
        let mut query = vec![("role", role.name())];
        if role != Role::Node {
            let namespaces = self.parameters.iter().filter(|(name, _)| name == "namespace");
            query.extend(namespaces.map(|(name, value)| (&**name, &**value)));
        }
        if !self.search.is_empty() {
            query.push(("q", &self.search));
        }
        query
    }

    /// What a form must send along: all but its own fields.
    pub(super) fn kept(&self) -> impl Iterator<Item = (&str, &str)> {
        let has_field = !self.has_several_namespaces();
        let pairs = self.parameters.iter().map(|(name, value)| (&**name, &**value));
        pairs.filter(move |(name, _)| *name != "namespace" || !has_field)
    }

    fn has_several_namespaces(&self) -> bool {
        self.parameters.iter().filter(|(name, _)| name == "namespace").count() > 1
    }

    fn value(&self, wanted: &str) -> Option<&str> {
        self.parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| &**value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_query_s_and_what_the_page_s() {
        let query = "q=web+%3C1%3E&role=endpoints&namespace=&port=http&namespace=shop";
        let asked = Asked::read("/debug/targets", Some(query), Role::Pod);
        assert_eq!(asked.search, "web <1>");
        assert_eq!(asked.query(), "role=endpoints&port=http&namespace=shop");
        assert_eq!((asked.role(), asked.namespace()), ("endpoints", Some("shop")));
        let kept: Vec<_> = asked.kept().collect();
        assert_eq!(kept, [("role", "endpoints"), ("port", "http")]);
        let pod = [("role", "pod"), ("namespace", "shop"), ("q", "web <1>")];
        assert_eq!(asked.of_role(Role::Pod), pod);
        assert_eq!(asked.of_role(Role::Node), [("role", "node"), ("q", "web <1>")]);

        let asked = Asked::read("/debug/targets", Some("namespace=a&namespace=b"), Role::Pod);
        assert_eq!((asked.role(), asked.namespace()), ("pod", None));
        assert_eq!(asked.kept().count(), 2, "two namespaces have no place in one field");
        assert_eq!(Asked::read("/", None, Role::Pod).query(), "");
    }
}
