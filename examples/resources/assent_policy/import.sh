terraform import assent_policy.databases databases.yaml
