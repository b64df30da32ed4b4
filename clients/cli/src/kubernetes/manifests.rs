//! The manifests of `deploy/k8s`, which this program carries, for another namespace and other images.

use kube::{
    api::{ApiResource, DynamicObject},
    core::GroupVersionKind,
};
use serde_json::Value;

use crate::error::Error;

/// In the order in which they are applied.
const FILES: [&str; 10] = [
    include_str!("../../../../deploy/k8s/00-namespace.yaml"),
    include_str!("../../../../deploy/k8s/10-service-accounts.yaml"),
    include_str!("../../../../deploy/k8s/11-roles.yaml"),
    include_str!("../../../../deploy/k8s/20-secrets.yaml"),
    include_str!("../../../../deploy/k8s/21-settings.yaml"),
    include_str!("../../../../deploy/k8s/30-controller.yaml"),
    include_str!("../../../../deploy/k8s/31-scheduler.yaml"),
    include_str!("../../../../deploy/k8s/32-engines.yaml"),
    include_str!("../../../../deploy/k8s/50-network-policies.yaml"),
    include_str!("../../../../deploy/k8s/60-disruption-budgets.yaml"),
];

/// The namespace in them, and the Deployment of engines.
const NAMESPACE: &str = "paraply";
const ENGINES: &str = "paraply-engine";

/// All of them, with so many engines.
///
/// # Errors
/// If one cannot be read.
pub(super) fn of(namespace: &str, image_prefix: &str, engines: u32) -> Result<Vec<DynamicObject>, Error> {
    let mut manifests = Vec::new();
    for file in FILES {
        let documents: Vec<Value> = serde_saphyr::from_multiple(file).map_err(Error::service)?;
        for mut manifest in documents.into_iter().filter(|document| !document.is_null()) {
            adapt(&mut manifest, namespace, image_prefix);
            if (&manifest["kind"], &manifest["metadata"]["name"]) == (&"Deployment".into(), &ENGINES.into()) {
                manifest["spec"]["replicas"] = engines.into();
            }
            manifests.push(serde_json::from_value(manifest).map_err(Error::service)?);
        }
    }
    Ok(manifests)
}

/// Which resource an object is one of.
///
/// # Errors
/// If it does not say.
pub(super) fn resource(manifest: &DynamicObject) -> Result<ApiResource, Error> {
    let types = manifest.types.as_ref();
    let kind = types.and_then(|types| GroupVersionKind::try_from(types).ok());
    let kind = kind.ok_or_else(|| Error::Kubernetes("a manifest has no kind".to_owned()))?;
    Ok(ApiResource::from_gvk(&kind))
}

/// The namespace stands in metadata and subjects, as the name of a Namespace, and in the names of Services; the images in
/// containers.
fn adapt(manifest: &mut Value, namespace: &str, image_prefix: &str) {
    if manifest["kind"] == "Namespace" {
        manifest["metadata"]["name"] = namespace.into();
    }
    walk(manifest, &mut |key, text| match key {
        "namespace" if text == NAMESPACE => *text = namespace.to_owned(),
        "image" => text.insert_str(0, image_prefix),
        _ => *text = text.replace(&format!(".{NAMESPACE}.svc"), &format!(".{namespace}.svc")),
    });
}

/// Each string with the key that it is under.
fn walk(value: &mut Value, change: &mut impl FnMut(&str, &mut String)) {
    fn inner(key: &str, value: &mut Value, change: &mut impl FnMut(&str, &mut String)) {
        match value {
            Value::String(text) => change(key, text),
            Value::Array(items) => items.iter_mut().for_each(|item| inner(key, item, change)),
            Value::Object(fields) => fields.iter_mut().for_each(|(key, field)| inner(key, field, change)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    inner("", value, change);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_for_the_namespace_and_the_images_that_are_asked_for() {
        let manifests = of("lab", "registry.example/team/", 7).unwrap();
        let text = serde_json::to_string(&manifests).unwrap();
        assert!(!text.contains("\"namespace\":\"paraply\"") && !text.contains(".paraply.svc"), "{text}");
        assert!(text.contains("\"image\":\"registry.example/team/paraply-engine:"), "{text}");
        assert!(text.contains("tls:paraply-controller.lab.svc:7600"), "{text}");
        let engines = manifests.iter().find(|manifest| manifest.metadata.name.as_deref() == Some(ENGINES));
        assert!(engines.is_some());
        let deployment = manifests.iter().find(|manifest| manifest.data["spec"]["replicas"] == 7).unwrap();
        assert_eq!(deployment.metadata.name.as_deref(), Some(ENGINES));
        let namespace = &manifests[0];
        assert_eq!((namespace.metadata.name.as_deref(), &namespace.metadata.namespace), (Some("lab"), &None));
    }

    #[test]
    fn each_is_of_a_resource_that_an_api_server_knows_by_its_plural() {
        let mut plurals: Vec<String> =
            of("lab", "", 1).unwrap().iter().map(|manifest| resource(manifest).unwrap().plural).collect();
        plurals.dedup();
        let expected = [
            "namespaces",
            "serviceaccounts",
            "roles",
            "rolebindings",
            "secrets",
            "configmaps",
            "services",
            "deployments",
            "services",
            "statefulsets",
            "deployments",
            "networkpolicies",
            "poddisruptionbudgets",
        ];
        assert_eq!(plurals, expected);
    }

    #[test]
    fn modes_of_files_are_numbers_that_every_reader_of_yaml_takes_for_the_same() {
        let text = serde_json::to_string(&of("lab", "", 1).unwrap()).unwrap();
        assert!(text.contains("\"defaultMode\":288"), "0o440");
        assert!(!text.contains("\"defaultMode\":440"));
    }
}
