"""Images, compose.yaml and the manifests of deploy/k8s, and Paraply as they run it."""
