"""What a cluster does with the manifests of deploy/k8s, as far as it takes to run them."""
